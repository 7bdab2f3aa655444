# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of a VOTable in the BINARY2 serialisation, packed and unpacked by numpy.

Astropy goes through them field by field and row by row in Python; here a whole chunk is
one structured array, which is some two hundred times faster.
"""

import binascii
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from astropy.io.votable import tree

from ..fields import Field
from ..opening import check_text
from .document import DATATYPES, stored_kind

__all__ = ["Base64Writer", "pack_rows", "unpack_rows"]

_LINE = 48 * 1024  # bytes per line of base64; a multiple of 3
_CHUNK = 16_384  # rows that are unpacked at a time
_CHARACTER = {"char": 1, "unicodeChar": 2}  # bytes
_KINDS = {datatype: kind for kind, datatype in DATATYPES.items()}


def _encode_utf16(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _encode_text(
    values: np.ndarray, ascii_: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Bytes of a text column, length of each cell, and bytes per unit of length."""
    if not ascii_:
        content, lengths = _encode_utf16(values)
        return content, lengths, 2
    narrow = np.ascontiguousarray(values.astype("S"))
    content = narrow.view("u1").reshape(len(values), narrow.dtype.itemsize)
    return content, np.char.str_len(narrow), 1


def _null_bits(arrays: list[np.ndarray], n_rows: int) -> np.ndarray:
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
    content: dict[str, np.ndarray] = {"null": _null_bits(arrays, n_rows)}
    ragged: list[tuple[str, np.ndarray]] = []  # text whose cells differ in length
    for i, (spec, values) in enumerate(zip(fields, arrays, strict=True)):
        if spec.kind == "U":
            text, lengths, size = _encode_text(values, spec.name in ascii_columns)
            width = int(lengths.max()) * size
            layout += [(f"n{i}", ">i4"), (f"t{i}", "u1", (width,))]
            content[f"n{i}"], content[f"t{i}"] = lengths, text[:, :width]
            if width and lengths.min() * size < width:
                ragged.append((f"t{i}", lengths * size))
        elif spec.kind == "b1":
            layout.append((f"v{i}", "S1", spec.shape))
            content[f"v{i}"] = np.where(np.ma.getdata(values), b"T", b"F")
        else:
            if beyond_long(values):
                msg = (
                    f"column {spec.name!r}: {np.ma.max(values)} exceeds the largest "
                    "integer of VOTable, 2**63 - 1; make it text"
                )
                raise ValueError(msg)
            layout.append((f"v{i}", ">" + stored_kind(spec.kind), spec.shape))
            content[f"v{i}"] = np.ma.getdata(values)
    rows = np.empty(n_rows, np.dtype(layout))
    for name, values in content.items():
        if values.size:
            rows[name] = values
    return _drop_padding(rows, ragged) if ragged else rows.tobytes()


def beyond_long(values: np.ndarray) -> bool:
    """Tell whether unsigned integers exceed what VOTable can hold.

    Parameters
    ----------
    values : ndarray
        Of any type.

    Returns
    -------
    bool
        True if one that is not masked does.
    """
    if values.dtype != np.uint64 or not values.size:
        return False
    return bool(np.ma.getdata(np.ma.filled(values, 0)).max() > np.iinfo("i8").max)


def _drop_padding(rows: np.ndarray, ragged: list[tuple[str, np.ndarray]]) -> bytes:
    """Drop the padding of text cells."""
    size = rows.dtype.itemsize
    keep = np.ones((len(rows), size), bool)
    places: Mapping[str, tuple] = rows.dtype.fields or {}
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


@dataclass
class _Run:
    """Fields of fixed size that follow each other, and the text after them, if any."""

    layout: list
    size: int = 0
    text: tuple[int, int] | None = None  # field number, bytes per character


def _lay_out(elements: Sequence[tree.Field]) -> list[_Run] | None:
    """Say how a row is laid out; None if it holds what only Astropy reads."""
    n_bytes = (len(elements) + 7) // 8
    runs = [_Run([("null", "u1", (n_bytes,))])]
    for i, element in enumerate(elements):
        size = element.arraysize or ""
        character = _CHARACTER.get(element.datatype)
        if character and size.endswith("*") and "x" not in size:
            runs[-1].text = (i, character)
            runs.append(_Run([]))
        elif character and (size or "1").isdigit():
            runs[-1].layout.append((f"v{i}", "u1", (int(size or 1) * character,)))
        elif element.datatype in _KINDS and "*" not in size:
            kind = _KINDS[element.datatype]
            shape = tuple(map(int, size.split("x")))[::-1] if size else ()
            dtype = "S1" if kind == "b1" else f">{kind}"
            runs[-1].layout.append((f"v{i}", dtype, shape))
        else:
            return None
    for run in runs:
        run.size = np.dtype(run.layout).itemsize if run.layout else 0
    return runs


def _find_rows(data: bytes, runs: list[_Run]) -> tuple[np.ndarray, np.ndarray]:
    """Find where each row starts, and the length in bytes of each of its texts."""
    texts = [(run.size, run.text[1]) for run in runs if run.text]
    tail = runs[-1].size
    if not texts:
        return np.arange(0, len(data), tail), np.zeros((len(data) // tail, 0), np.int64)
    length_at = struct.Struct(">i").unpack_from
    starts, lengths = [], []
    position = 0
    while position < len(data):
        starts.append(position)
        for gap, character in texts:
            position += gap
            length = length_at(data, position)[0] * character
            lengths.append(length)
            position += 4 + length
            if length < 0 or position > len(data):
                msg = f"row {len(starts)} says that it has text of {length} bytes"
                raise ValueError(msg)
        position += tail
    return np.array(starts), np.array(lengths, dtype=np.int64).reshape(-1, len(texts))


def _gather(
    buffer: np.ndarray, starts: np.ndarray, size: int, lengths: np.ndarray | None
) -> np.ndarray:
    """Bytes from each start on, shape (n, size); 0 beyond the length."""
    index = starts[:, np.newaxis] + np.arange(size)
    if lengths is None:
        return buffer[index]
    inside = np.arange(size) < lengths[:, np.newaxis]
    return np.where(inside, buffer[np.where(inside, index, 0)], 0).astype("u1")


def _decode_text(matrix: np.ndarray, character: int) -> np.ndarray:
    """Decode rows of bytes, padded with zeros."""
    if not matrix.shape[1]:
        return np.zeros(len(matrix), "U1")
    matrix = np.ascontiguousarray(matrix)
    if character == 1:
        narrow = matrix.view(f"S{matrix.shape[1]}")[:, 0]
        return (
            narrow.astype("U")
            if matrix.max() < 128
            else np.char.decode(narrow, "utf-8")
        )
    codes = matrix.view(">u2")
    if not np.any((codes >= 0xD800) & (codes < 0xE000)):
        wide = np.ascontiguousarray(codes.astype("=u4"))
        return wide.view(f"U{wide.shape[1]}")[:, 0]
    return np.array([row.tobytes().decode("utf-16-be").rstrip("\0") for row in matrix])


def _unpack_chunk(
    buffer: np.ndarray, starts: np.ndarray, lengths: np.ndarray, runs: list[_Run]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Null bits and values by field number of some rows."""
    values: dict[int, np.ndarray] = {}
    offset = starts.copy()
    nulls = np.zeros((len(starts), 0), bool)
    column = 0
    for run in runs:
        if run.layout:
            rows = _gather(buffer, offset, run.size, None)
            rows = np.ascontiguousarray(rows).view(np.dtype(run.layout))[:, 0]
            for name in rows.dtype.names or ():
                if name == "null":
                    nulls = np.unpackbits(rows["null"], axis=1).astype(bool)
                else:
                    values[int(name[1:])] = rows[name]
        offset = offset + run.size
        if run.text:
            size = lengths[:, column]
            matrix = _gather(buffer, offset + 4, int(size.max()), size)
            values[run.text[0]] = _decode_text(matrix, run.text[1])
            offset = offset + 4 + size
            column += 1
    return nulls, values


def _finish(values: np.ndarray, null: np.ndarray, element: tree.Field) -> np.ndarray:
    character = _CHARACTER.get(element.datatype)
    if character:
        text = values if values.dtype.kind == "U" else _decode_text(values, character)
        return np.where(null, "", text)
    if element.datatype == "boolean":
        null = null | (values == b"?") if values.ndim == 1 else null
        values = np.isin(values, [b"T", b"t", b"1"])
    values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind == "f" or not null.any():
        return values
    mask = np.broadcast_to(null.reshape(-1, *(1,) * (values.ndim - 1)), values.shape)
    return np.ma.array(values, mask=mask)


def unpack_rows(data: bytes, elements: Sequence[tree.Field]) -> list[np.ndarray] | None:
    """Unpack rows.

    Parameters
    ----------
    data : bytes
        The rows in BINARY2, after base64.
    elements : sequence of `~astropy.io.votable.tree.Field`
        The columns.

    Returns
    -------
    list of ndarray or None
        One array per column; None if a column has a type that is not known here.
    """
    runs = _lay_out(elements)
    if runs is None or not data:
        return None
    starts, lengths = _find_rows(data, runs)
    for longest in lengths.max(axis=0, initial=0):
        check_text("the VOTable", len(starts), int(longest))
    buffer = np.frombuffer(data, "u1")
    parts: list[list[np.ndarray]] = [[] for _ in elements]
    for first in range(0, len(starts), _CHUNK):
        part = slice(first, first + _CHUNK)
        nulls, values = _unpack_chunk(buffer, starts[part], lengths[part], runs)
        for i, element in enumerate(elements):
            parts[i].append(_finish(values[i], nulls[:, i], element))
    return [
        np.ma.concatenate(p) if any(map(np.ma.isMA, p)) else np.concatenate(p)
        for p in parts
    ]
