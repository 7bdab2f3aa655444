# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One file: its container, which of the formats it has, the spectra that it holds.

The formats of a survey stand in its folder. Other distributions add through
the entry-point group ``astro_latent.formats``, each pointing to a `Format`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ..exceptions import SpectrumReadError, UnknownNameError
from ..utils.files import is_votable, read_start, read_whole
from ..utils.guard import guarding, raise_as
from ..utils.registry import LazyRegistry
from .fits import FitsFile, NotFitsError
from .foreign import list_formats, read_foreign
from .observation import SpectrumArrays
from .plain import arrays_to_table, is_archive, text_to_table
from .tablefile import TableFile, looks_like_table
from .votable import VotableFile

__all__ = [
    "FORMATS",
    "HEAD",
    "AnyFile",
    "Format",
    "check_options",
    "gather_surveys",
    "identify_format",
    "may_have_columns",
    "open_file",
    "open_plain",
    "read_arrays",
    "read_file",
]

#: What formats are given.
AnyFile: TypeAlias = FitsFile | VotableFile | TableFile

#: Bytes that tell what a file is.
HEAD = 4096
_NO_SPECTRUM = (
    "no spectrum found: none of the tables of this VOTable has both a wavelength (UCD "
    "em.wl or utype ...SpectralAxis.Value) and a flux (UCD phot.flux), nor such names"
)
_NO_TABLE = (
    "no spectrum found: which columns are wavelength and flux? Say "
    'column_mapping=("...", "...") and wavelength_unit="nm", or give a SpectrumArrays'
)

_REMEDY = "is it damaged? Fetch it again; is its layout unusual? Give format="
#: Container -> the format that takes columns as the caller names them.
_BY_COLUMNS = {"fits": "sdm_fits", "table": "columns"}


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
        ``read(file, **options) -> sequence of SpectrumArrays``. The file may be damaged
        or hold nothing of the kind: then `~astro_latent.exceptions.SpectrumReadError`.
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
    read: Callable[..., Sequence[SpectrumArrays]]
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
    found = _find_format(file)
    return None if found is None else found.name


def _find_format(file: AnyFile) -> Format | None:
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
        head = read_start(path, HEAD)
        if is_votable(head):
            return VotableFile(path)
        if looks_like_table(path):
            return TableFile(path)
        if not may_have_columns(head):
            raise
    return open_plain(read_whole(path, text=True), str(path))


def may_have_columns(head: bytes) -> bool:
    """Tell text and archives from what else there is."""
    return is_archive(head) or (b"\0" not in head and any(b in head for b in b"123"))


def open_plain(content: bytes, name: str) -> TableFile:
    """Open what `may_have_columns`, under a name."""
    read = arrays_to_table if is_archive(content) else text_to_table
    return TableFile(name, read(content, name))


def read_arrays(
    path: str | os.PathLike, *, format: str | None = None, **options: Any
) -> list[SpectrumArrays]:
    """Read one file as plain arrays, without specutils where the format is known.

    Parameters
    ----------
    path : path-like
        The file.
    format : str, optional
        One of `FORMATS` or of specutils' formats; found out if not given.
    **options
        Passed to the reader of the format if it knows them, such as ``visits``,
        ``bad_bits``, ``estimate``, ``wavelength_unit``.

    Returns
    -------
    list of SpectrumArrays
        One spectrum, or several where the format has several and they were asked for.

    Raises
    ------
    SpectrumReadError
        If the file cannot be read as a spectrum; the message names it.
    UnknownNameError
        If there is no such format.
    TypeError
        If no format knows an option.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from astro_latent.spectra import read_arrays, write_example
    >>> path = pathlib.Path(tempfile.mkdtemp(), "sun.fits")
    >>> wavelength = np.linspace(5000, 5010, 1001)
    >>> path = write_example("harps_s1d", path, wavelength, np.ones(1001))
    >>> spectrum, = read_arrays(path)
    >>> spectrum.observation.medium, spectrum.observation.frame
    ('air', 'barycentric')
    """
    check_options(format, options)
    with guarding(path, SpectrumReadError, remedy="give another name"):
        return list(read_file(Path(path).expanduser(), format, options))


def check_options(format: str | None, options: dict[str, Any]) -> None:
    """Refuse a format or an option that does not exist, before anything is read.

    Parameters
    ----------
    format : str or None
        One of `FORMATS` or of specutils' formats.
    options : dict
        Keyword arguments for readers.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    TypeError
        If no format knows an option.
    """
    if options:
        known = {option for name in FORMATS for option in FORMATS[name].options}
        for option in options.keys() - known:
            msg = f"no format has the option {option!r}; known: {sorted(known)}"
            raise TypeError(msg)
    if format is None or format in FORMATS:
        return
    others = list_formats()
    if format not in others:
        raise UnknownNameError("spectrum format", format, [*FORMATS, *others])


def read_file(
    path: Path | AnyFile, format: str | None, options: dict[str, Any]
) -> Sequence[SpectrumArrays]:
    """Read one file, for a call that `check_options` found right.

    Parameters
    ----------
    path : Path or an open file
        The file, or what is in memory.
    format : str or None
        As for `read_arrays`.
    options : dict
        Keyword arguments for readers.

    Returns
    -------
    sequence of SpectrumArrays
        As `read_arrays`; of a long table each is made when it is asked for.

    Raises
    ------
    SpectrumReadError
        If the file cannot be read as a spectrum; the message names it.
    """
    try:
        return _read_file(path, format, options)
    except Exception as error:
        where = path if isinstance(path, Path) else path.path
        # of any name: that of Path raises where one is too long
        if isinstance(path, Path) and os.path.isdir(path):  # noqa: PTH112
            msg = f"{path}: is a folder, not a file; iter_arrays takes folders"
            raise SpectrumReadError(msg) from error
        raise_as(error, SpectrumReadError, where, remedy=_REMEDY)


def _read_file(
    path: Path | AnyFile, format: str | None, options: dict[str, Any]
) -> Sequence[SpectrumArrays]:
    """Read one file; what a strange one makes libraries raise comes through."""
    if not isinstance(path, Path):
        found = _read_known(path, format, options)
        return path.refuse(_NO_TABLE) if found is None else found
    if format is not None and format not in FORMATS:
        return read_foreign(path, format)
    try:
        file = open_file(path)
    except NotFitsError:
        if format is not None:
            raise
        return read_foreign(path, None, own=FORMATS)
    with file:
        found = _read_known(file, format, options)
    return read_foreign(path, None, own=FORMATS) if found is None else found


def _read_known(
    file: AnyFile, format: str | None, options: dict[str, Any]
) -> Sequence[SpectrumArrays] | None:
    """Read with one of our own formats; None if the file has none of them."""
    if format is None and options.get("column_mapping") is not None:
        format = _BY_COLUMNS.get(file.container)
    chosen = FORMATS[format] if format else _find_format(file)
    if chosen is None:
        return _refuse_votable(file) if isinstance(file, VotableFile) else None
    name = chosen.name
    if chosen.container != file.container:
        file.refuse(f"is a {file.container} file, {name} files are {chosen.container}")
    taken = {key: options[key] for key in options if key in chosen.options}
    try:
        return chosen.read(file, **taken)
    except Exception as error:
        problem = f"cannot be read as {name}"
        raise_as(error, SpectrumReadError, file.path, problem=problem, remedy=_REMEDY)


def _refuse_votable(file: VotableFile) -> NoReturn:
    said = file.error
    if said is not None:
        file.refuse(f"the service sent an error in place of a spectrum: {said}")
    file.refuse(_NO_SPECTRUM)
