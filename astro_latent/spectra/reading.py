# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read whatever a user points to, one spectrum or millions, in order.

Files, folders, tables and specutils objects become arrays, or specutils objects.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _config
from ..exceptions import SpectrumReadError
from ..utils.guard import guarding
from .checks import placeholder
from .facts import identifier_from_path
from .fits import FitsFile
from .formats import check_options, read_file
from .observation import Observation, SpectrumArrays
from .sources import Item, SpectraLike, expand, find_files, find_path_column
from .tablefile import TableFile
from .votable import VotableFile

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumList

__all__ = [
    "SpectraLike",
    "find_files",
    "find_path_column",
    "iter_arrays",
    "read_spectra",
]

_ON_ERROR = ("flag", "raise")


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
            with guarding(item.source or "the spectrum", SpectrumReadError):
                found = _read_item(item, format, options)
        except SpectrumReadError as error:
            if on_error == "raise":
                raise
            found = [_make_placeholder(item, str(error))]
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
    if isinstance(item.value, SpectrumArrays):
        return [item.value]
    if isinstance(item.value, Path | FitsFile | VotableFile | TableFile):
        return read_file(item.value, format, options)
    from .convert import from_spectrum

    return [from_spectrum(item.value)]


def _make_placeholder(item: Item, message: str) -> SpectrumArrays:
    facts: dict[str, Any] = {}
    said = getattr(item.value, "meta", {}).get("observation")
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
