# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of a VOTable in the BINARY2 serialisation, packed by numpy.

Astropy packs field by field and row by row in Python; here a whole chunk is one
structured array, which is some two hundred times faster.
"""

import binascii
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from .document import stored_kind
from .fields import Field

__all__ = ["Base64Writer", "pack_rows"]

_LINE = 48 * 1024  # bytes per line of base64; a multiple of 3


def _utf16(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes, shape (n, 2 * width), and lengths in 16-bit units, of a text column."""
    width = values.dtype.itemsize // 4
    codes = np.ascontiguousarray(values).view("=u4").reshape(len(values), width)
    if not codes.size or codes.max() < 0x10000:
        lengths = np.char.str_len(values)
        return codes.astype(">u2").view("u1").reshape(len(values), 2 * width), lengths
    encoded = np.array([text.encode("utf-16-be") for text in values.tolist()], "O")
    lengths = np.array([len(text) for text in encoded])
    padded = b"".join(text.ljust(lengths.max(), b"\0") for text in encoded)
    matrix = np.frombuffer(padded, "u1").reshape(len(values), lengths.max())
    return matrix, lengths // 2


def _text(values: np.ndarray, ascii_: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Bytes of a text column, length of each cell, and bytes per unit of length."""
    if not ascii_:
        content, lengths = _utf16(values)
        return content, lengths, 2
    narrow = np.ascontiguousarray(values.astype("S"))
    content = narrow.view("u1").reshape(len(values), narrow.dtype.itemsize)
    return content, np.char.str_len(narrow), 1


def _nulls(arrays: list[np.ndarray], n_rows: int) -> np.ndarray:
    """Null bits, most significant first, shape (n_rows, ceil(n_fields / 8))."""
    if not any(np.ma.is_masked(values) for values in arrays):
        return np.zeros((n_rows, (len(arrays) + 7) // 8), "u1")
    bits = np.zeros((n_rows, len(arrays)), bool)
    for i, values in enumerate(arrays):
        if np.ma.is_masked(values):
            mask = np.ma.getmaskarray(values).reshape(n_rows, -1)
            bits[:, i] = mask.all(axis=1)
            if np.any(mask.any(axis=1) & ~bits[:, i]):
                msg = "a cell that is an array of integers cannot be masked in part"
                raise ValueError(msg)
    return np.packbits(bits, axis=1)


def pack_rows(
    fields: list[Field], arrays: list[np.ndarray], *, ascii_columns: set[str]
) -> bytes:
    """Pack rows in BINARY2, before base64.

    Parameters
    ----------
    fields : list of Field
        One per array.
    arrays : list of ndarray, shape (n_rows,) or (n_rows, ...)
        Values.
    ascii_columns : set of str
        Text columns that are declared ``char``, one byte per character.

    Returns
    -------
    bytes
        The rows, one after the other.
    """
    n_rows = len(arrays[0]) if arrays else 0
    if not n_rows:
        return b""
    layout: list[tuple] = [("null", "u1", ((len(arrays) + 7) // 8,))]
    content: dict[str, np.ndarray] = {"null": _nulls(arrays, n_rows)}
    ragged: list[tuple[str, np.ndarray]] = []  # text whose cells differ in length
    for i, (spec, values) in enumerate(zip(fields, arrays, strict=True)):
        if spec.kind == "U":
            text, lengths, size = _text(values, spec.name in ascii_columns)
            width = int(lengths.max()) * size
            layout += [(f"n{i}", ">i4"), (f"t{i}", "u1", (width,))]
            content[f"n{i}"], content[f"t{i}"] = lengths, text[:, :width]
            if width and lengths.min() * size < width:
                ragged.append((f"t{i}", lengths * size))
        elif spec.kind == "b1":
            layout.append((f"v{i}", "S1", spec.shape))
            content[f"v{i}"] = np.where(np.ma.getdata(values), b"T", b"F")
        else:
            layout.append((f"v{i}", ">" + stored_kind(spec.kind), spec.shape))
            content[f"v{i}"] = np.ma.getdata(values)
    rows = np.empty(n_rows, np.dtype(layout))
    for name, values in content.items():
        if values.size:
            rows[name] = values
    return _closed_up(rows, ragged) if ragged else rows.tobytes()


def _closed_up(rows: np.ndarray, ragged: list[tuple[str, np.ndarray]]) -> bytes:
    """Drop the padding of text cells."""
    size = rows.dtype.itemsize
    keep = np.ones((len(rows), size), bool)
    places: Mapping[str, Any] = rows.dtype.fields or {}
    for name, lengths in ragged:
        kind, offset = places[name][:2]
        keep[:, offset : offset + kind.itemsize] = (
            np.arange(kind.itemsize) < lengths[:, np.newaxis]
        )
    return rows.view("u1").reshape(len(rows), size)[keep].tobytes()


class Base64Writer:
    """Base64 in lines, fed with pieces of any length.

    Parameters
    ----------
    stream : file-like
        Binary file that takes the text.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = b""

    def _lines(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for start in range(0, len(view), _LINE):
            yield binascii.b2a_base64(view[start : start + _LINE])

    def write(self, data: bytes) -> None:
        """Encode more bytes.

        Parameters
        ----------
        data : bytes
            The bytes.
        """
        data = self._rest + data
        whole = len(data) - len(data) % _LINE
        self._stream.writelines(self._lines(data[:whole]))
        self._rest = data[whole:]

    def close(self) -> None:
        """Write what is left; the stream stays open."""
        if self._rest:
            self._stream.writelines(self._lines(self._rest))
        self._rest = b""
