# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A walk over the headers of a FITS file: whether it is whole, and how large."""

import io
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from .._config import conf
from ..exceptions import FileLimitError
from .files import MB, check_time

__all__ = ["FitsPart", "stream_of", "walk_fits"]

_RECORD = 2880
_PIECE = 1 << 20
_TABLES = (b"XTENSION= 'BINTABLE'", b"XTENSION= 'TABLE   '")
_STRUCTURAL = re.compile(rb"BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS")


@dataclass(frozen=True)
class FitsPart:
    """One header-data unit, all of which is there.

    Parameters
    ----------
    is_table : bool
        Whether it is a table, binary or of text.
    cards : dict
        The keywords that say how large it is.
    """

    is_table: bool
    cards: dict[bytes, int]


def walk_fits(stream: IO[bytes], name: object) -> Iterator[FitsPart]:
    """Go from one header to the next; the data between them must be there.

    Parameters
    ----------
    stream : file-like
        The file, at its beginning.
    name : object
        What to call it.

    Yields
    ------
    FitsPart
        Each unit, when its data have been passed.

    Raises
    ------
    EOFError, ValueError, KeyError
        If the file is cut or damaged.
    FileLimitError
        If a header or the time exceed the limits of ``astro_latent.conf``.
    """
    begun = time.monotonic()
    while (part := _read_header(stream, name)) is not None:
        _skip(stream, *_measure_data(part.cards))
        check_time(name, begun)
        yield part


def _read_header(stream: IO[bytes], name: object) -> FitsPart | None:
    """Read structural keywords of the next header; None where the file ends."""
    values: dict[bytes, int] = {}
    size, start = 0, b""
    while True:
        block = stream.read(_RECORD)
        start = start or block[:20]
        if not size and not start.startswith((b"SIMPLE  =", b"XTENSION=")):
            return None  # the end, or special records that the standard allows
        if len(block) < _RECORD:
            msg = "a header has no end"
            raise EOFError(msg)
        size += _RECORD
        if size > conf.max_header_size * MB:
            text = f"a header exceeds {conf.max_header_size:g} MB"
            raise FileLimitError(name, text, "max_header_size")
        for begin in range(0, _RECORD, 80):
            card = block[begin : begin + 80]
            keyword = card[:8].rstrip()
            if keyword == b"END":
                return FitsPart(start.startswith(_TABLES), values)
            if _STRUCTURAL.fullmatch(keyword):
                values[keyword] = int(card[10:].partition(b"/")[0])


def _measure_data(header: dict[bytes, int]) -> tuple[int, int]:
    """Bytes of a data unit, and bytes with which it is filled up to whole records."""
    axes = [header[b"NAXIS%d" % (n + 1)] for n in range(header.get(b"NAXIS", 0))]
    size = 0
    if axes:
        grouped = axes[0] == 0 and len(axes) > 1  # random groups
        elements = math.prod(axes[1:] if grouped else axes) + header.get(b"PCOUNT", 0)
        size = abs(header[b"BITPIX"]) // 8 * header.get(b"GCOUNT", 1) * elements
    if size < 0:
        msg = "the sizes in a header are negative"
        raise ValueError(msg)
    return size, -size % _RECORD


def _skip(stream: IO[bytes], size: int, filling: int) -> None:
    """Pass a data unit; only the filling at the very end may be missing."""
    missing = size
    if stream.seekable():
        here = stream.tell()
        end = stream.seek(0, os.SEEK_END)
        missing = max(0, here + size - end)
        stream.seek(min(here + size + filling, end))
    else:
        while missing and (block := stream.read(min(missing, _PIECE))):
            missing -= len(block)
        stream.read(filling)
    if missing:
        msg = f"{missing} of {size} bytes of data are missing"
        raise EOFError(msg)


class _Pieces(io.RawIOBase):
    """A stream of what comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._pieces, b"")
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def stream_of(pieces: Iterator[bytes]) -> IO[bytes]:
    """Make a stream, that cannot be wound back, of what comes in pieces.

    Parameters
    ----------
    pieces : iterator of bytes
        As `~astro_latent.utils.files.opened` yields them.

    Returns
    -------
    file object
        For reading.
    """
    return io.BufferedReader(_Pieces(pieces), _PIECE)
