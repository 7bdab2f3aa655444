# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The one door through which files of strangers are opened and unpacked.

Only regular files are opened: a FIFO or a device never answers, or never ends. Content
is read into memory and not mapped, since a file that is cut while it is mapped ends the
process by SIGBUS. What is packed comes in small pieces, of bounded size, ratio and
time, as ``astro_latent.conf`` says.
"""

import bz2
import gzip
import io
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from .._config import conf
from ..exceptions import FileLimitError, SpectrumReadError

__all__ = [
    "PATH_COLUMNS",
    "check_pixels",
    "check_time",
    "check_unpacked",
    "is_packed",
    "is_votable",
    "open_regular",
    "opened",
    "read_start",
    "read_whole",
    "unpack",
]

#: Columns of tables that name files of this machine, the first that is there counts.
PATH_COLUMNS = ("path", "local_path", "file", "filename", "file_name")
_ADDRESS = re.compile(r"[a-z][a-z0-9+]+:/")  # as a path it has lost a slash

MB = 1_000_000
_PIECE = 1 << 20
_BEYOND = 4096  # bytes that are asked for beyond those that a file says it has
_FREE = 16 * MB  # unpacked, whatever the ratio: a small file of zeros is no attack
# of systems that have them: not to wait for a writer, not to change line ends
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_PACKED = (b"\x1f\x8b", b"BZh")


def is_packed(start: bytes) -> bool:
    """Tell whether content is packed by gzip or bzip2.

    Parameters
    ----------
    start : bytes
        How it begins.

    Returns
    -------
    bool
        True if it is.

    Examples
    --------
    >>> import gzip
    >>> from astro_latent.utils.files import is_packed
    >>> is_packed(gzip.compress(b"SIMPLE")), is_packed(b"SIMPLE")
    (True, False)
    """
    return start.startswith(_PACKED)


def is_votable(head: bytes) -> bool:
    """Tell whether content begins as a VOTable does.

    Parameters
    ----------
    head : bytes
        Some kB of how it begins, unpacked.

    Returns
    -------
    bool
        True if it does.

    Examples
    --------
    >>> from astro_latent.utils.files import is_votable
    >>> is_votable(b"<?xml version='1.0'?><VOTABLE/>"), is_votable(b"VOTABLE")
    (True, False)
    """
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"VOTABLE" in head


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, if it is one.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    file object
        Unbuffered bytes as they are stored.

    Raises
    ------
    SpectrumReadError
        If it is a FIFO, a socket or a device.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> from astro_latent.utils.files import open_regular
    >>> open_regular("/dev/null")
    Traceback (most recent call last):
    ...
    astro_latent.exceptions.SpectrumReadError: /dev/null: cannot be opened, it is no ...
    """
    _refuse_special(path, _stat(path).st_mode)  # before opening: tapes would rewind
    number = os.open(path, os.O_RDONLY | _FLAGS)
    stream = cast("BinaryIO", io.FileIO(number, "rb"))
    try:
        _refuse_special(path, os.fstat(number).st_mode)
    except BaseException:
        stream.close()
        raise
    return stream


def _stat(path: str | os.PathLike[str]) -> os.stat_result:
    return os.stat(path)  # noqa: PTH116  to make a Path takes as long again


def _refuse_special(path: str | os.PathLike[str], mode: int) -> None:
    if stat.S_ISDIR(mode):
        msg = f"{path}: is a folder, not a file"
        raise SpectrumReadError(msg)
    if not stat.S_ISREG(mode):
        msg = (
            f"{path}: cannot be opened, it is no regular file but a pipe, socket or "
            "device; write what comes out of it to a file"
        )
        raise SpectrumReadError(msg)


def check_time(name: object, start: float) -> None:
    """Refuse to go on with a file that has taken too long.

    Parameters
    ----------
    name : object
        The file.
    start : float
        When it was begun, by `time.monotonic`.

    Raises
    ------
    FileLimitError
        After ``conf.max_read_time``.

    Examples
    --------
    >>> import time
    >>> from astro_latent.utils.files import check_time
    >>> check_time("a.fits", time.monotonic())
    """
    if time.monotonic() - start > conf.max_read_time:
        text = f"is not read after {conf.max_read_time:g} s"
        raise FileLimitError(name, text, "max_read_time")


def check_pixels(name: object, count: int) -> None:
    """Refuse a spectrum of more pixels than any has.

    Parameters
    ----------
    name : object
        The file.
    count : int
        Pixels of one spectrum, or rows of a table that may be one.

    Raises
    ------
    FileLimitError
        If there are more than ``conf.max_pixels``.

    Examples
    --------
    >>> from astro_latent.utils.files import check_pixels
    >>> check_pixels("a.fits", 327_680)
    """
    if count > conf.max_pixels:
        text = f"has {count} pixels or rows, more than {conf.max_pixels}"
        raise FileLimitError(name, text, "max_pixels")


def check_unpacked(name: object, size: int, packed: int) -> None:
    """Refuse what is too large, or suspiciously much larger than it was packed.

    Parameters
    ----------
    name : object
        The file.
    size, packed : int
        Bytes so far, unpacked and packed.

    Raises
    ------
    FileLimitError
        Above ``conf.max_file_size``, or ``conf.max_unpack_ratio`` and 16 MB.

    Examples
    --------
    >>> from astro_latent.utils.files import check_unpacked
    >>> check_unpacked("a.fits.gz", 2_000_000, 700_000)
    """
    if size > conf.max_file_size * MB:
        text = f"holds more than {conf.max_file_size:g} MB"
        raise FileLimitError(name, text, "max_file_size")
    if size > _FREE and size > conf.max_unpack_ratio * packed:
        text = f"unpacks to more than {conf.max_unpack_ratio:g} times its size"
        raise FileLimitError(name, text, "max_unpack_ratio")


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Iterator[bytes]]:
    """Open a file and unpack it, if it is packed by gzip or bzip2.

    Parameters
    ----------
    path : path-like
        The file.

    Yields
    ------
    iterator of bytes
        What is in it, in pieces of at most 1 MB, of bounded size in sum.

    Raises
    ------
    SpectrumReadError
        If it cannot be opened, or what is packed is damaged.
    FileLimitError
        If it exceeds the limits of ``astro_latent.conf``.
    """
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size + _BEYOND
            yield _unpack(stream, path, min(size, _PIECE))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: the gzip stream is damaged or truncated ({error})"
        raise SpectrumReadError(msg) from error
    except OSError as error:  # also what bz2 raises where it is damaged
        msg = f"{path}: cannot be opened ({error.strerror or error})"
        if _ADDRESS.match(str(path)):
            msg += "; an address is no path: fetch its file, or name it in access_url"
        raise SpectrumReadError(msg) from error


def _unpack(
    stream: IO[bytes], name: object, piece_size: int = _PIECE
) -> Iterator[bytes]:
    """Yield the content in pieces; refuse what grows beyond the limits."""
    begin = stream.read(3)
    stream.seek(0)
    source: IO[bytes] = stream
    if is_packed(begin):
        opener = bz2.open if begin[:1] == b"B" else gzip.open
        source, piece_size = cast("IO[bytes]", opener(stream, "rb")), _PIECE
    size, start = 0, time.monotonic()
    while piece := source.read(piece_size):
        size += len(piece)
        check_unpacked(name, size, size if source is stream else stream.tell())
        check_time(name, start)
        yield piece


def read_start(path: str | os.PathLike[str], size: int) -> bytes:
    """Read the first bytes of a file, unpacked.

    Parameters
    ----------
    path : path-like
        The file.
    size : int
        How many bytes at most.

    Returns
    -------
    bytes
        What is there.

    Raises
    ------
    SpectrumReadError
        If it cannot be opened, or what is packed is damaged.
    """
    found = b""
    with opened(path) as pieces:
        for piece in pieces:
            found += piece
            if len(found) >= size:
                break
    return found[:size]


def read_whole(path: str | os.PathLike[str], *, text: bool = False) -> bytes:
    """Read a file, unpacked, into memory.

    Parameters
    ----------
    path : path-like
        The file.
    text : bool, optional
        ``conf.max_text_size`` is the limit, not ``conf.max_file_size``.

    Returns
    -------
    bytes
        All that is there.

    Raises
    ------
    SpectrumReadError
        If it cannot be opened, is damaged where it is packed, or is written to while
        it is read.
    FileLimitError
        If it exceeds the limits of ``astro_latent.conf``.
    """
    with opened(path) as pieces:
        before = _state(path)
        content = b"".join(_limited(pieces, path, text=text))
        if _state(path) != before:
            msg = f"{path}: was written to while it was read; read it again afterwards"
            raise SpectrumReadError(msg)
    return content


def _state(path: str | os.PathLike[str]) -> tuple[int, int, int]:
    found = _stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _limited(pieces: Iterator[bytes], name: object, *, text: bool) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if text and size > conf.max_text_size * MB:
            what = f"is text of more than {conf.max_text_size:g} MB"
            raise FileLimitError(name, what, "max_text_size")
        yield piece


def unpack(content: bytes, name: object) -> bytes:
    """Unpack what is in memory, if it is packed by gzip or bzip2.

    Parameters
    ----------
    content : bytes
        The content of a file.
    name : object
        What to call it in messages.

    Returns
    -------
    bytes
        The same, unpacked.

    Raises
    ------
    SpectrumReadError
        If it is damaged.
    FileLimitError
        If it exceeds the limits of ``astro_latent.conf``.

    Examples
    --------
    >>> import gzip
    >>> from astro_latent.utils.files import unpack
    >>> unpack(gzip.compress(b"SIMPLE"), "a.fits.gz")
    b'SIMPLE'
    """
    if not is_packed(content):
        return content
    try:
        return b"".join(_unpack(io.BytesIO(content), name))
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{name}: packed content is damaged or truncated ({error})"
        raise SpectrumReadError(msg) from error
