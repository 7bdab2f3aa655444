# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of a VOTable in BINARY2 back to arrays, a chunk at a time."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from .document import DATATYPES

__all__ = ["unpack_rows"]

_CHUNK = 16_384
_CHARACTER = {"char": 1, "unicodeChar": 2}
_KINDS = {datatype: kind for kind, datatype in DATATYPES.items()}


@dataclass
class _Run:
    """Fields of fixed size that follow each other, and the text after them, if any."""

    layout: list
    size: int = 0
    text: tuple[int, int] | None = None  # field number, bytes per character


def _layout(elements: Any) -> list[_Run] | None:
    """How a row is laid out; None if it holds what only Astropy reads."""
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


def _walk(data: bytes, runs: list[_Run]) -> tuple[np.ndarray, np.ndarray]:
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


def _text(matrix: np.ndarray, character: int) -> np.ndarray:
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


def _chunk(
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
            values[run.text[0]] = _text(matrix, run.text[1])
            offset = offset + 4 + size
            column += 1
    return nulls, values


def _finished(values: np.ndarray, null: np.ndarray, element: Any) -> np.ndarray:
    character = _CHARACTER.get(element.datatype)
    if character:
        text = values if values.dtype.kind == "U" else _text(values, character)
        return np.where(null, "", text)
    if element.datatype == "boolean":
        null = null | (values == b"?") if values.ndim == 1 else null
        values = np.isin(values, [b"T", b"t", b"1"])
    values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind == "f" or not null.any():
        return values
    mask = np.broadcast_to(null.reshape(-1, *(1,) * (values.ndim - 1)), values.shape)
    return np.ma.array(values, mask=mask)


def unpack_rows(data: bytes, elements: Any) -> list[np.ndarray] | None:
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
    runs = _layout(elements)
    if runs is None or not data:
        return None
    starts, lengths = _walk(data, runs)
    buffer = np.frombuffer(data, "u1")
    parts: list[list[np.ndarray]] = [[] for _ in elements]
    for first in range(0, len(starts), _CHUNK):
        part = slice(first, first + _CHUNK)
        nulls, values = _chunk(buffer, starts[part], lengths[part], runs)
        for i, element in enumerate(elements):
            parts[i].append(_finished(values[i], nulls[:, i], element))
    return [
        np.ma.concatenate(p) if any(map(np.ma.isMA, p)) else np.concatenate(p)
        for p in parts
    ]
