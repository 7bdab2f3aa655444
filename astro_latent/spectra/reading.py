# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read one file or millions, as arrays or as specutils objects."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _config
from ..exceptions import SpectrumReadError, UnknownNameError
from .checks import placeholder
from .facts import identifier_from_path
from .fits import FitsFile, NotFitsError
from .formats import FORMATS, identify_format
from .observation import Observation, SpectrumArrays
from .sources import Item, expand_source
from .votable import VotableFile, open_file

if TYPE_CHECKING:
    from specutils import SpectrumList

__all__ = ["iter_arrays", "read_arrays", "read_spectra"]

_ON_ERROR = ("flag", "raise")
_NO_SPECTRUM = (
    "no spectrum found: none of the tables of this VOTable has both a wavelength (UCD "
    "em.wl or utype ...SpectralAxis.Value) and a flux (UCD phot.flux)"
)


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
    _check_call(format, options)
    return _read(Path(path), format, options)


def _check_call(format: str | None, options: dict[str, Any]) -> None:
    if options:
        known = {option for name in FORMATS for option in FORMATS[name].options}
        for option in options.keys() - known:
            msg = f"no format has the option {option!r}; known: {sorted(known)}"
            raise TypeError(msg)
    if format is None or format in FORMATS:
        return
    from astropy.io import registry
    from specutils import Spectrum

    others = registry.get_formats(Spectrum, readwrite="Read")["Format"].tolist()
    if format not in others:
        raise UnknownNameError("spectrum format", format, [*FORMATS, *others])


def _read(
    path: Path, format: str | None, options: dict[str, Any]
) -> list[SpectrumArrays]:
    if path.is_dir():
        msg = f"{path}: is a folder, not a file; iter_arrays takes folders"
        raise SpectrumReadError(msg)
    if format is not None and format not in FORMATS:
        return _read_with_specutils(path, format)
    try:
        file = open_file(path)
    except NotFitsError:
        if format is not None:
            raise
        return _read_with_specutils(path, None)
    with file:
        found = _read_known(file, format, options)
    return _read_with_specutils(path, None) if found is None else found


def _read_known(
    file: "FitsFile | VotableFile", format: str | None, options: dict[str, Any]
) -> list[SpectrumArrays] | None:
    """Read with one of our own formats; None if the file has none of them."""
    name = format or identify_format(file)
    if name is None:
        return file.refuse(_NO_SPECTRUM) if isinstance(file, VotableFile) else None
    chosen = FORMATS[name]
    if chosen.container != file.container:
        file.refuse(f"is a {file.container} file, {name} files are {chosen.container}")
    known = {key: options[key] for key in options if key in chosen.options}
    try:
        return chosen.read(file, **known)
    except SpectrumReadError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        msg = f"{file.path}: cannot be read as {name} ({type(error).__name__}: {error})"
        raise SpectrumReadError(msg) from error


def _read_with_specutils(path: Path, format: str | None) -> list[SpectrumArrays]:
    """Let specutils try; its loaders may raise anything."""
    from specutils import Spectrum

    from .convert import from_spectrum

    try:
        spectrum = Spectrum.read(str(path), format=format)
        items = list(expand_source(spectrum))
        arrays = [from_spectrum(item.value) for item in items]
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        msg = (
            f"{path}: no spectrum found; formats tried: {', '.join(FORMATS)} and those "
            f"of specutils ({reason})"
        )
        raise SpectrumReadError(msg) from error
    return [_named(array, path) for array in arrays]


def _named(arrays: SpectrumArrays, path: Path) -> SpectrumArrays:
    observation = arrays.observation
    observation = replace(
        observation,
        source=observation.source or str(path),
        obs_id=observation.obs_id or identifier_from_path(path),
    )
    return replace(arrays, observation=observation)


def iter_arrays(
    source: Any, *, format: str | None = None, on_error: str = "flag", **options: Any
) -> Iterator[SpectrumArrays]:
    """Read spectra one after the other, whatever they come from.

    Parameters
    ----------
    source : Spectrum, SpectrumArrays, path, folder, glob, table, or iterable of those
        A `~specutils.SpectrumList` or `~specutils.SpectrumCollection` too. Of a folder
        the FITS files and VOTables are read, by name. A table needs a column ``path``
        or ``local_path``; its ``obs_id, target_name, ra, dec, obs_publisher_did`` and
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
    _check_call(format, options)
    return _iterate(source, format, on_error, options)


def _iterate(
    source: Any, format: str | None, on_error: str, options: dict[str, Any]
) -> Iterator[SpectrumArrays]:
    for item in expand_source(source):
        try:
            found = _read_item(item, format, options)
        except SpectrumReadError as error:
            if on_error == "raise":
                raise
            found = [_stand_in(item, str(error))]
        for arrays in found:
            if item.overrides:
                known = replace(
                    arrays.observation, **_numbered(item, arrays, len(found))
                )
                arrays = replace(arrays, observation=known)
            yield arrays


def _numbered(item: Item, arrays: SpectrumArrays, count: int) -> dict[str, Any]:
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
    if isinstance(item.value, SpectrumArrays):
        return [item.value]
    if isinstance(item.value, Path):
        return _read(item.value, format, options)
    from .convert import from_spectrum

    return [from_spectrum(item.value)]


def _stand_in(item: Item, message: str) -> SpectrumArrays:
    facts: dict[str, Any] = {}
    known = getattr(item.value, "meta", {}).get("observation")
    if isinstance(known, Observation):
        facts = {"obs_id": known.obs_id, "target_name": known.target_name}
        facts |= {"ra": known.ra, "dec": known.dec, "source": known.source}
    elif item.source:
        facts = {"obs_id": identifier_from_path(item.source), "source": item.source}
    return placeholder(message, **facts)


def read_spectra(
    paths: Any,
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

    from .convert import to_spectrum

    found = iter_arrays(paths, format=format, on_error=on_error, **options)
    show = _config.conf.show_progress if progress is None else progress
    bar = tqdm(found, desc="reading", unit=" spectra", disable=not show)
    return SpectrumList([to_spectrum(arrays) for arrays in bar])
