# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Checks that what arrived is a whole FITS file or VOTable, and nothing else."""

import hashlib
import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from xml.parsers import expat

from ..exceptions import ArchiveFormatError, FileLimitError, SpectrumReadError
from ..utils.files import open_regular, opened, read_whole
from ..utils.fits_walk import stream_of, walk_fits
from ..utils.service_error import service_error

__all__ = ["SUFFIXES", "IncompleteFileError", "verify_file"]

#: Endings of the files that are kept, by content.
SUFFIXES = (".fits", ".fits.gz", ".vot")

_HEAD = 4096
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
        If it is something else, or exceeds the limits of ``astro_latent.conf``.
    """
    try:
        return _verify(path, size, checksum)
    except SpectrumReadError as error:
        msg = str(error)
        raise ArchiveFormatError(msg, cause=error) from error


def _verify(path: Path, size: int | None, checksum: str) -> str:
    with open_regular(path) as stream:
        actual = os.fstat(stream.fileno()).st_size
        start = stream.read(_HEAD)
    if size is not None and actual != size:
        msg = f"{actual} bytes arrived, {size} were announced"
        raise IncompleteFileError(msg)
    if not start:
        msg = "the answer is empty"
        raise IncompleteFileError(msg)
    suffix = _find_kind(start)
    if checksum:
        _check_sum(path, checksum)
    if suffix == ".vot":
        _check_votable(path, start)
    else:
        _check_fits(path)
    return suffix


def _find_kind(start: bytes) -> str:
    if start.startswith(b"SIMPLE  ="):
        return ".fits"
    if start.startswith(b"\x1f\x8b"):
        inner = b""
        with suppress(zlib.error):
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
    _check_root(path, start)
    content = read_whole(path, text=True)
    if not _VOTABLE_END.search(content[-1024:]):
        msg = "the VOTable has no end"
        raise IncompleteFileError(msg)
    said = service_error(content)
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


def _check_fits(path: Path) -> None:
    """Walk over all header and data units; the last must end within the file."""
    try:
        with opened(path) as pieces:
            for _ in walk_fits(stream_of(pieces), path):
                pass
    except FileLimitError:
        raise
    except (SpectrumReadError, EOFError, ValueError, KeyError) as error:
        msg = f"the FITS file is damaged or cut: {error}"
        raise IncompleteFileError(msg) from error
