# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read whatever a user points to, one file or millions, in order.

Files, folders, tables and specutils objects become arrays, or specutils objects.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import _config
from ..exceptions import SpectrumReadError, UnknownNameError
from ..utils.guard import guarding, raise_as
from .facts import identifier_from_path
from .fits import FitsFile, NotFitsError
from .foreign import list_formats, read_foreign
from .formats import FORMATS, AnyFile, find_format, open_file
from .observation import Observation, SpectrumArrays, placeholder
from .sources import Item, SpectraLike, expand, find_files, find_path_column
from .tablefile import TableFile
from .votable import VotableFile

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumList

__all__ = [
    "SpectraLike",
    "check_options",
    "find_files",
    "find_path_column",
    "iter_arrays",
    "read_arrays",
    "read_file",
    "read_spectra",
]

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
_ON_ERROR = ("flag", "raise")


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
        return read_file(Path(path).expanduser(), format, options)


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
) -> list[SpectrumArrays]:
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
    list of SpectrumArrays
        As `read_arrays`.

    Raises
    ------
    SpectrumReadError
        If the file cannot be read as a spectrum; the message names it.
    """
    try:
        return _read_file(path, format, options)
    except Exception as error:
        where = path if isinstance(path, Path) else path.path
        raise_as(error, SpectrumReadError, where, remedy=_REMEDY)


def _read_file(
    path: Path | AnyFile, format: str | None, options: dict[str, Any]
) -> list[SpectrumArrays]:
    """Read one file; what a strange one makes libraries raise comes through."""
    if not isinstance(path, Path):
        found = _read_known(path, format, options)
        return path.refuse(_NO_TABLE) if found is None else found
    if path.is_dir():
        msg = f"{path}: is a folder, not a file; iter_arrays takes folders"
        raise SpectrumReadError(msg)
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
) -> list[SpectrumArrays] | None:
    """Read with one of our own formats; None if the file has none of them."""
    if format is None and options.get("column_mapping") is not None:
        format = _BY_COLUMNS.get(file.container)
    chosen = FORMATS[format] if format else find_format(file)
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


def iter_arrays(
    source: SpectraLike,
    *,
    format: str | None = None,
    on_error: str = "flag",
    **options: Any,
) -> Iterator[SpectrumArrays]:
    """Read spectra one after the other, whatever they come from.

    Parameters
    ----------
    source : Spectrum, SpectrumArrays, path, folder, glob, table, or iterable of those
        A `~specutils.SpectrumList` or `~specutils.SpectrumCollection` too. Of a folder
        the FITS files and VOTables are read, by name. A table needs a column
        ``path``; its ``obs_id, target_name, ra, dec, obs_publisher_did`` and
        ``radial_velocity`` (km/s) override what the files say.
    format : str, optional
        Format of all files.
    on_error : {"flag", "raise"}, optional
        Whether what cannot be read becomes an empty spectrum with the flag
        ``UNREADABLE`` in its place, or an error.
    **options
        As for `read_arrays`.

    Yields
    ------
    SpectrumArrays
        One per file (more with ``visits=True``), in order.

    Raises
    ------
    SpectrumReadError
        If something cannot be read and ``on_error="raise"``.
    ValueError, TypeError, UnknownNameError
        If the call itself makes no sense.

    Examples
    --------
    >>> from astro_latent.spectra import decode_flags, iter_arrays
    >>> [decode_flags(s.observation.flags) for s in iter_arrays("nowhere.fits")]
    [['UNREADABLE']]
    """
    if on_error not in _ON_ERROR:
        msg = f"on_error must be one of {_ON_ERROR}, not {on_error!r}"
        raise ValueError(msg)
    check_options(format, options)
    return _iterate(source, format, on_error, options)


def _iterate(
    source: SpectraLike, format: str | None, on_error: str, options: dict[str, Any]
) -> Iterator[SpectrumArrays]:
    for item in expand(source):
        try:
            found = _read_item(item, format, options)
        except Exception as error:
            found = [_stand_in(item, error, on_error)]
        for arrays in found:
            if item.overrides:
                facts = _number_visits(item, arrays, len(found))
                observation = replace(arrays.observation, **facts)
                arrays = replace(arrays, observation=observation)
            yield arrays


def _number_visits(item: Item, arrays: SpectrumArrays, count: int) -> dict[str, Any]:
    """Keep the number of the visit when a table renames a file of several."""
    overrides = dict(item.overrides)
    if count > 1 and "obs_id" in overrides:
        visit = arrays.observation.obs_id.rpartition("#")[2]
        overrides["obs_id"] = f"{overrides['obs_id']}#{visit}"
    return overrides


def _read_item(
    item: Item, format: str | None, options: dict[str, Any]
) -> list[SpectrumArrays]:
    if item.problem:
        raise SpectrumReadError(item.problem)
    if isinstance(item.value, Path | FitsFile | VotableFile | TableFile):
        return read_file(item.value, format, options)
    from .convert import finish_again, from_spectrum

    memory = isinstance(item.value, SpectrumArrays)
    return [finish_again(item.value) if memory else from_spectrum(item.value)]


def _stand_in(item: Item, error: Exception, on_error: str) -> SpectrumArrays:
    """Return a placeholder for what could not be read, or raise the reason."""
    try:
        raise_as(error, SpectrumReadError, item.source or "the spectrum")
    except SpectrumReadError as reason:
        if on_error == "raise":
            raise
        message = str(reason)
    facts: dict[str, Any] = {}
    said = getattr(item.value, "meta", {}).get("observation")
    if isinstance(item.value, SpectrumArrays):
        said = item.value.observation
    if isinstance(said, Observation):
        names = ("obs_id", "target_name", "ra", "dec", "source")
        facts = {name: getattr(said, name) for name in names}
    elif item.source:
        facts = {"obs_id": identifier_from_path(item.source), "source": item.source}
    return placeholder(message, **facts)


def read_spectra(
    paths: SpectraLike,
    *,
    format: str | None = None,
    on_error: str = "flag",
    progress: bool | None = None,
    **options: Any,
) -> "SpectrumList":
    """Read many files as specutils objects.

    Parameters
    ----------
    paths : path, folder, glob, table, or iterable of those
        As for `iter_arrays`.
    format : str, optional
        Format of all files.
    on_error : {"flag", "raise"}, optional
        A file that cannot be read becomes a spectrum without pixels whose
        ``meta["observation"]`` is flagged, or an error.
    progress : bool, optional
        Show a progress bar; by default what ``astro_latent.conf`` says.
    **options
        As for `read_arrays`.

    Returns
    -------
    `~specutils.SpectrumList`
        As many spectra as files (more with ``visits=True``), in order.

    Raises
    ------
    SpectrumReadError
        If a file cannot be read and ``on_error="raise"``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from astro_latent.spectra import read_spectra, write_example
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> wavelength = np.linspace(5000, 5010, 1001)
    >>> path = write_example("harps_s1d", folder / "a.fits", wavelength, np.ones(1001))
    >>> len(read_spectra([folder / "a.fits", folder / "missing.fits"]))
    2
    """
    from specutils import SpectrumList
    from tqdm.auto import tqdm

    found = iter_arrays(paths, format=format, on_error=on_error, **options)
    show = _config.conf.show_progress if progress is None else progress
    bar = tqdm(found, desc="reading", unit=" spectra", disable=not show)
    return SpectrumList([_to_spectrum(arrays, on_error) for arrays in bar])


def _to_spectrum(arrays: SpectrumArrays, on_error: str) -> "Spectrum":
    """Make a specutils object; what specutils refuses becomes an empty one."""
    from .convert import to_spectrum

    seen = arrays.observation
    try:
        with guarding(
            seen.source or seen.obs_id or "the spectrum", SpectrumReadError,
            problem="is no spectrum to specutils", remedy="iter_arrays gives arrays",
        ):  # fmt: skip
            return to_spectrum(arrays)
    except SpectrumReadError as error:
        if on_error == "raise":
            raise
        facts = {"obs_id": seen.obs_id, "source": seen.source}
        return to_spectrum(placeholder(str(error), **facts))
