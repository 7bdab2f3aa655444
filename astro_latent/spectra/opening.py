# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a file is, whatever it is called: FITS, VOTable, or a table of another kind."""

import os
from typing import TypeAlias

from ..exceptions import SpectrumReadError
from ..utils.files import read_start, read_whole, unpack
from .fits import FitsFile, NotFitsError
from .plain import arrays_to_table, is_archive, text_to_table
from .tablefile import TableFile, looks_like_table
from .votable import VotableFile, looks_like_votable

__all__ = ["AnyFile", "open_content", "open_file"]

#: What formats are given.
AnyFile: TypeAlias = FitsFile | VotableFile | TableFile

_HEAD = 4096


def open_file(path: str | os.PathLike) -> AnyFile:
    """Open a FITS file, a VOTable, text in columns or a NumPy archive.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    FitsFile, VotableFile or TableFile
        The file with its headers read.

    Raises
    ------
    NotFitsError
        If it is none of these.
    SpectrumReadError
        If it is damaged.
    """
    try:
        return FitsFile(path)
    except NotFitsError:
        if looks_like_votable(path):
            return VotableFile(path)
        if looks_like_table(path):
            return TableFile(path)
        if not _may_have_columns(read_start(path, _HEAD)):
            raise
    return _open_plain(read_whole(path, text=True), str(path))


def _may_have_columns(head: bytes) -> bool:
    """Tell text and archives from what else there is."""
    return is_archive(head) or (b"\0" not in head and any(b in head for b in b"123"))


def _open_plain(content: bytes, name: str) -> TableFile:
    read = arrays_to_table if is_archive(content) else text_to_table
    return TableFile(name, read(content, name))


def open_content(content: bytes | str, name: str) -> AnyFile:
    """Open what is in memory as `open_file` opens a file.

    Parameters
    ----------
    content : bytes or str
        The content of a file, packed by gzip or bzip2 or not; or text.
    name : str
        What to call it.

    Returns
    -------
    FitsFile, VotableFile or TableFile
        The file with its headers read.

    Raises
    ------
    SpectrumReadError
        If it is none of these, or damaged.
    """
    content = unpack(content.encode() if isinstance(content, str) else content, name)
    if content.startswith(b"SIMPLE"):
        return FitsFile(name, content)
    head = content[:_HEAD]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"VOTABLE" in head:
        return VotableFile(name, content)
    if not _may_have_columns(head):
        msg = f"{name}: neither FITS, VOTable, text in columns nor a NumPy archive"
        raise SpectrumReadError(msg)
    return _open_plain(content, name)
