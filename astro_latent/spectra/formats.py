# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a file is, whatever it is called: its container, and which of the formats.

The formats of a survey stand in its folder. Other distributions add through
the entry-point group ``astro_latent.formats``, each pointing to a `Format`.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from ..exceptions import SpectrumReadError
from ..utils.files import read_start, read_whole, unpack
from ..utils.registry import LazyRegistry
from .fits import FitsFile, NotFitsError
from .observation import SpectrumArrays
from .plain import arrays_to_table, is_archive, text_to_table
from .tablefile import TableFile, looks_like_table
from .votable import VotableFile, looks_like_votable

__all__ = [
    "FORMATS",
    "AnyFile",
    "Format",
    "find_format",
    "gather_surveys",
    "identify_format",
    "open_content",
    "open_file",
]

#: What formats are given.
AnyFile: TypeAlias = FitsFile | VotableFile | TableFile

_HEAD = 4096  # bytes that tell what a file is


@dataclass(frozen=True, kw_only=True)
class Format:
    """How files of one kind are told from others, and read.

    Parameters
    ----------
    name : str
        Name for ``format=``.
    title : str
        What it is, for people.
    identify : callable
        ``identify(file) -> bool``; looks at headers only. It is given files of the
        right container.
    read : callable
        ``read(file, **options) -> list of SpectrumArrays``. The file may be damaged or
        hold nothing of the kind: then `~astro_latent.exceptions.SpectrumReadError`.
    options : tuple of str, optional
        Keyword arguments that ``read`` takes.
    priority : int, optional
        Among specutils' loaders: theirs have at most 20.
    container : {"fits", "votable", "table"}, optional
        What the files are: a `FitsFile`, a `VotableFile` or a `TableFile` is given to
        ``identify`` and ``read``.
    """

    name: str
    title: str
    identify: Callable[[Any], bool]
    read: Callable[..., list[SpectrumArrays]]
    options: tuple[str, ...] = ()
    priority: int = 30
    container: str = "fits"

    def matches(self, file: AnyFile) -> bool:
        """Tell whether a file has this format.

        Parameters
        ----------
        file : FitsFile, VotableFile or TableFile
            The open file.

        Returns
        -------
        bool
            True if it has.
        """
        return file.container == self.container and self.identify(file)


#: Formats of no survey in particular; they are tried last.
GENERAL = {
    "columns": "astro_latent.spectra.table_columns:COLUMNS",
    "sdm_fits": "astro_latent.spectra.sdm_fits:SDM_FITS",
    "sdm_votable": "astro_latent.spectra.sdm_votable:SDM_VOTABLE",
    "wcs1d": "astro_latent.spectra.wcs1d:WCS1D",
}


def gather_surveys(table: str) -> dict[str, str]:
    """Join a table of the folders of surveys; see `astro_latent.surveys.gather`.

    Parameters
    ----------
    table : {"FORMATS", "EXAMPLES"}
        Name of the table.

    Returns
    -------
    dict
        Name to ``"module:attribute"``.
    """
    # By name, as other distributions do it: the surveys build on this room.
    return import_module("astro_latent.surveys").gather(table)


class FormatRegistry(LazyRegistry):
    """Formats by name, and in the order in which they are tried."""

    def __init__(self) -> None:
        super().__init__(
            "spectrum format",
            lambda: gather_surveys("FORMATS") | GENERAL,
            group="astro_latent.formats",
        )
        self._order: list[str] = []
        self._loaded: dict[str, Format] = {}

    def register(self, name: str, target: object) -> None:
        """Add a format; see `LazyRegistry.register`.

        Parameters
        ----------
        name : str
            The new name.
        target : str or Format
            ``"module:attribute"``, or the format itself.
        """
        super().register(name, target)
        self._order = []

    def in_order(self) -> Iterator[Format]:
        """Yield the formats, the general ones after all others.

        Yields
        ------
        Format
            Loaded when its turn comes, and kept.
        """
        self._order = self._order or sorted(self, key=GENERAL.__contains__)
        for name in self._order:
            if name not in self._loaded:
                self._loaded[name] = self[name]
            yield self._loaded[name]


#: Formats in the order in which they are tried.
FORMATS = FormatRegistry()


def identify_format(file: AnyFile) -> str | None:
    """Find out the format of a file.

    Parameters
    ----------
    file : FitsFile, VotableFile or TableFile
        The open file.

    Returns
    -------
    str or None
        Name of the format; None if it is none of `FORMATS`.
    """
    found = find_format(file)
    return None if found is None else found.name


def find_format(file: AnyFile) -> Format | None:
    """Find out the format of a file; see `identify_format`."""
    return next((kind for kind in FORMATS.in_order() if kind.matches(file)), None)


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
