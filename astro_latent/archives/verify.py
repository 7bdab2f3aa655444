# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Checks that what arrived is a whole FITS file or VOTable, and nothing else."""

import gzip
import hashlib
import math
import re
import zlib
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path
from xml.parsers import expat

from ..exceptions import ArchiveFormatError
from ..utils.service_error import service_error

__all__ = ["SUFFIXES", "IncompleteFileError", "verify_file"]

#: Endings of the files that are kept, by content.
SUFFIXES = (".fits", ".fits.gz", ".vot")

_RECORD = 2880
_STRUCTURAL = re.compile(rb"BITPIX|NAXIS\d*|PCOUNT|GCOUNT")
_VOTABLE_END = re.compile(rb"</(?:\w+:)?VOTABLE>\s*$")


class IncompleteFileError(ArchiveFormatError):
    """A file that is the right kind of thing but not all of it."""


def verify_file(path: Path, *, size: int | None = None, checksum: str = "") -> str:
    """Check that a file is what it should be.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    size : int, optional
        Bytes it must have.
    checksum : str, optional
        ``"md5:..."`` or ``"sha256:..."``.

    Returns
    -------
    str
        The ending for its name, one of `SUFFIXES`.

    Raises
    ------
    IncompleteFileError
        If part of it is missing or damaged, so that fetching it again may help.
    ArchiveFormatError
        If it is something else.
    """
    actual = path.stat().st_size
    if size is not None and actual != size:
        msg = f"{actual} bytes arrived, {size} were announced"
        raise IncompleteFileError(msg)
    with path.open("rb") as stream:
        start = stream.read(4096)
    if not start:
        msg = "the answer is empty"
        raise IncompleteFileError(msg)
    suffix = _find_kind(start)
    if checksum:
        _check_sum(path, checksum)
    if suffix == ".vot":
        _check_votable(path, start)
    else:
        _check_fits(path, compressed=suffix == ".fits.gz")
    return suffix


def _find_kind(start: bytes) -> str:
    if start.startswith(b"SIMPLE  ="):
        return ".fits"
    if start.startswith(b"\x1f\x8b"):
        inner = zlib.decompressobj(wbits=31).decompress(start, 80)
        if inner.startswith(b"SIMPLE  ="):
            return ".fits.gz"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.search(rb"<(?:\w+:)?VOTABLE[\s>]", text):
        return ".vot"
    if re.match(rb"<(!doctype\s+)?html", text, re.IGNORECASE):
        msg = (
            "the answer is a web page instead of data: an error page, or a login page "
            "because the data are proprietary"
        )
        raise ArchiveFormatError(msg)
    msg = f"the answer is neither FITS nor VOTable; it starts with {start[:40]!r}"
    raise ArchiveFormatError(msg)


def _check_sum(path: Path, checksum: str) -> None:
    kind, _, expected = checksum.partition(":")
    if kind not in ("md5", "sha256"):
        msg = f"checksum must be 'md5:...' or 'sha256:...', not {checksum!r}"
        raise ValueError(msg)
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, kind).hexdigest()
    if actual != expected.lower():
        msg = f"the {kind} checksum is {actual}, not {expected}"
        raise IncompleteFileError(msg)


def _check_votable(path: Path, start: bytes) -> None:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 1024))
        end = stream.read()
    if not _VOTABLE_END.search(end):
        msg = "the VOTable has no end"
        raise IncompleteFileError(msg)
    _check_root(path, start)
    said = service_error(path.read_bytes())
    if said is not None:
        msg = f"the service answered with an error message: {said or '(no text)'}"
        raise ArchiveFormatError(msg)


def _check_root(path: Path, start: bytes) -> None:
    """Refuse pages that only mention VOTABLE, in a comment or a script."""
    roots: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: roots.append(tag)
    with suppress(expat.ExpatError):
        parser.Parse(start, False)
    if roots and roots[0].rpartition(":")[2] != "VOTABLE":
        msg = f"the answer is a web page or other XML ({roots[0]!r}) instead of data"
        raise ArchiveFormatError(msg)


def _check_fits(path: Path, *, compressed: bool) -> None:
    """Walk over all header and data units; the last must end within the file."""
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            start = _read_header(stream)
            while start is not None:
                _skip(stream, *_measure_data(start))
                start = _read_header(stream)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        msg = f"the FITS file is damaged or cut: {error}"
        raise IncompleteFileError(msg) from error


def _read_header(stream: BufferedIOBase) -> dict[bytes, int] | None:
    """Read structural keywords of the next header; None where the file ends."""
    values: dict[bytes, int] = {}
    first = True
    while True:
        block = stream.read(_RECORD)
        if first and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
            return None  # the end, or special records that the standard allows
        first = False
        if len(block) < _RECORD:
            msg = "a header has no end"
            raise EOFError(msg)
        for begin in range(0, _RECORD, 80):
            card = block[begin : begin + 80]
            keyword = card[:8].rstrip()
            if keyword == b"END":
                return values
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
    return size, -size % _RECORD


def _skip(stream: BufferedIOBase, size: int, filling: int) -> None:
    """Read over a data unit; only the filling at the very end may be missing."""
    missing = size
    while missing and (block := stream.read(min(missing, 1 << 20))):
        missing -= len(block)
    if missing:
        msg = f"{missing} of {size} bytes of data are missing"
        raise EOFError(msg)
    stream.read(filling)
