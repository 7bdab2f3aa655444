# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The door of tables: what is opened, of what format it is, within which bounds.

Astropy opens what it is given: pipes, devices, addresses, packed files of any size.
Here a table is a regular file, or what a stream holds, that keeps to the limits of
``astro_latent.conf``; only then does a reader see it.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from .._config import conf
from ..exceptions import FileLimitError, TableReadError
from ..utils.files import (
    MB,
    check_unpacked,
    is_packed,
    is_votable,
    open_regular,
    read_whole,
    unpack,
)
from ..utils.fits_walk import walk_fits
from .fields import Readable

__all__ = [
    "TableSource",
    "check_columns",
    "check_fits_table",
    "check_rows",
    "check_text",
    "guess_format",
    "open_table",
]

#: Format of a file by the end of its name.
SUFFIXES = {
    ".vot": "votable", ".votable": "votable", ".xml": "votable", ".fits": "fits",
    ".fit": "fits", ".parquet": "parquet", ".parq": "parquet", ".ecsv": "ascii.ecsv",
}  # fmt: skip
_PACKED = (".gz", ".bz2")
_HEAD = 4096
_PIECE = 1 << 20
#: How files begin that Astropy would unpack without a bound.
_OTHERS = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\x1f\x9d": "compress",
    b"\xfd7zXZ": "xz",
}  # fmt: skip


@dataclass
class TableSource:
    """A table that has been opened.

    Parameters
    ----------
    name : str
        What to call it.
    stream : file-like
        Its bytes, unpacked.
    form : str or None
        Its format, None if neither name nor content tell it.
    """

    name: str
    stream: BinaryIO
    form: str | None = None


def guess_format(path: object) -> str | None:
    """Return the format that a file name stands for.

    Parameters
    ----------
    path : object
        A path; anything else gives None.

    Returns
    -------
    str or None
        Name of the format in Astropy's registry, None if the name does not say.
    """
    if not isinstance(path, str | PathLike):
        return None
    name = str(path).lower()
    for end in _PACKED:
        name = name.removesuffix(end)
    return next((form for end, form in SUFFIXES.items() if name.endswith(end)), None)


def check_rows(name: object, count: int) -> None:
    """Refuse a table of more rows than any has.

    Parameters
    ----------
    name : object
        What to call it.
    count : int
        Its rows.

    Raises
    ------
    FileLimitError
        If there are more than ``conf.max_table_rows``.
    """
    if count > conf.max_table_rows:
        text = f"has {count} rows, more than {conf.max_table_rows}"
        raise FileLimitError(name, text, "max_table_rows")


def check_columns(name: object, count: int) -> None:
    """Refuse a table of more columns than any has.

    Parameters
    ----------
    name : object
        What to call it.
    count : int
        Its columns.

    Raises
    ------
    FileLimitError
        If there are more than ``conf.max_table_columns``.
    """
    if count > conf.max_table_columns:
        text = f"has {count} columns, more than {conf.max_table_columns}"
        raise FileLimitError(name, text, "max_table_columns")


def check_text(name: object, rows: int, longest: int) -> None:
    """Refuse text that takes too much memory: each cell takes as much as the longest.

    Parameters
    ----------
    name : object
        What to call it.
    rows, longest : int
        How many cells, and the characters of the longest.

    Raises
    ------
    FileLimitError
        If they take more than ``conf.max_file_size``.
    """
    if 4 * rows * longest > conf.max_file_size * MB:
        text = f"{rows} cells of {longest} characters exceed {conf.max_file_size:g} MB"
        raise FileLimitError(name, text, "max_file_size")


def check_fits_table(stream: BinaryIO, name: object) -> None:
    """Refuse a FITS file whose first table is not all there, or beyond the limits.

    Parameters
    ----------
    stream : file-like
        The file; it is wound back.
    name : object
        What to call it.

    Raises
    ------
    TableReadError
        If it is cut or damaged, or exceeds the limits.
    """
    try:
        for part in walk_fits(stream, name):
            if part.is_table:
                check_rows(name, part.cards.get(b"NAXIS2", 0))
                check_columns(name, part.cards.get(b"TFIELDS", 0))
                break
    except TableReadError:
        raise
    except (EOFError, ValueError, KeyError) as error:
        msg = f"{name}: the FITS file is damaged or cut: {error}"
        raise TableReadError(msg) from error
    stream.seek(0)


@contextmanager
def open_table(source: Readable, form: str | None) -> Iterator[TableSource]:
    """Open a file, or take what a stream holds, and find out what it is.

    Parameters
    ----------
    source : path-like or binary file-like
        The table.
    form : str, optional
        Its format, if that is known.

    Yields
    ------
    TableSource
        The table.

    Raises
    ------
    TableReadError
        If it is no regular file, exceeds the limits or is packed in another way.
    OSError
        If it cannot be opened.
    """
    if isinstance(source, str | PathLike):
        path = Path(source).expanduser()
        if "://" in str(source):
            msg = f"{source}: is an address and not a file; download it first"
            raise TableReadError(msg)
        with open_regular(path) as raw:
            stream = _read_or_lend(raw, path)
            yield _describe(stream, str(path), form or guess_format(path))
        return
    name = str(getattr(source, "name", None) or "the table")
    content = unpack(_read_bounded(source, name), name)
    check_unpacked(name, len(content), len(content))
    yield _describe(io.BytesIO(content), name, form)


def _read_or_lend(raw: BinaryIO, path: Path) -> BinaryIO:
    """Unpack a file in memory; one that is not packed is read where it is."""
    packed = is_packed(raw.read(4))
    raw.seek(0)
    if packed:
        return io.BytesIO(read_whole(path))
    size = os.fstat(raw.fileno()).st_size
    check_unpacked(path, size, size)
    return io.BufferedReader(raw)  # type: ignore[type-var]


def _read_bounded(source: BinaryIO, name: str) -> bytes:
    pieces, size = [], 0
    while piece := source.read(_PIECE):
        piece = piece.encode() if isinstance(piece, str) else piece
        size += len(piece)
        check_unpacked(name, size, size)
        pieces.append(piece)
    return b"".join(pieces)


def _describe(stream: BinaryIO, name: str, form: str | None) -> TableSource:
    start = stream.read(_HEAD)
    stream.seek(0)
    for magic, kind in _OTHERS.items():
        if start.startswith(magic):
            msg = f"{name}: is packed by {kind}, perhaps twice; unpack it first"
            raise TableReadError(msg)
    return TableSource(name, stream, form or _form_of(start))


def _form_of(start: bytes) -> str | None:
    """Tell the format by how the content begins."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"SIMPLE  ="):
        return "fits"
    if start.startswith(b"PAR1"):
        return "parquet"
    if is_votable(start):
        return "votable"
    return "ascii.ecsv" if text.startswith(b"# %ECSV") else None
