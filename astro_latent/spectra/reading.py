# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read whatever a user points to, one spectrum or millions, in order.

Files, folders, tables and specutils objects become arrays, or specutils objects.
"""

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from astropy.table import Row, Table

from .. import _config
from ..exceptions import SpectrumReadError
from .checks import placeholder
from .facts import identifier_from_path
from .formats import check_options, identify_format, read_file
from .observation import Observation, SpectrumArrays
from .tablefile import TableFile, as_table, is_sampled, name_tables

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumCollection, SpectrumList

__all__ = [
    "SpectraLike",
    "find_files",
    "find_path_column",
    "iter_arrays",
    "read_spectra",
]

#: Whatever spectra can be read from: paths, folders and globs, tables with a column of
#: paths, specutils objects, arrays, and iterables of those.
SpectraLike: TypeAlias = Union[
    str, os.PathLike[str], Table, Row, SpectrumArrays, "Spectrum", "SpectrumList",
    "SpectrumCollection", Iterable[Any],
]  # fmt: skip

_ON_ERROR = ("flag", "raise")
_ENDINGS = tuple(
    f"{ending}{packed}"
    for ending in (".fits", ".fit", ".fts")
    for packed in ("", ".gz", ".fz")
)
_VOTABLES = (".vot", ".xml", ".vot.gz", ".xml.gz")
_PATHS = ("path", "local_path")  # the second in tables of earlier versions
# column of a table -> field of Observation; the first that has a value wins
_OVERRIDES = {
    "obs_id": "obs_id",
    "target_name": "target_name",
    "ra": "ra",
    "s_ra": "ra",
    "dec": "dec",
    "s_dec": "dec",
    "obs_publisher_did": "obs_publisher_did",
    "radial_velocity": "radial_velocity",
}
_UNITS = {"ra": "deg", "dec": "deg", "radial_velocity": "km/s"}


@dataclass(frozen=True)
class _Item:
    """One thing to read: a path, a spectrum, arrays, or the reason there is none.

    Parameters
    ----------
    value : Path, Spectrum, SpectrumArrays or None
        The thing.
    problem : str, optional
        Why there is nothing.
    source : str, optional
        What the user had named.
    overrides : dict, optional
        Fields of `Observation` that the user knows better.
    """

    value: Any
    problem: str = ""
    source: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)


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
    for item in _expand(source):
        try:
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


def _number_visits(item: _Item, arrays: SpectrumArrays, count: int) -> dict[str, Any]:
    """Keep the number of the visit when a table renames a file of several."""
    overrides = dict(item.overrides)
    if count > 1 and "obs_id" in overrides:
        visit = arrays.observation.obs_id.rpartition("#")[2]
        overrides["obs_id"] = f"{overrides['obs_id']}#{visit}"
    return overrides


def _read_item(
    item: _Item, format: str | None, options: dict[str, Any]
) -> list[SpectrumArrays]:
    if item.problem:
        raise SpectrumReadError(item.problem)
    if isinstance(item.value, SpectrumArrays):
        return [item.value]
    if isinstance(item.value, Path | TableFile):
        return read_file(item.value, format, options)
    from .convert import from_spectrum

    return [from_spectrum(item.value)]


def _make_placeholder(item: _Item, message: str) -> SpectrumArrays:
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

    from .convert import to_spectrum

    found = iter_arrays(paths, format=format, on_error=on_error, **options)
    show = _config.conf.show_progress if progress is None else progress
    bar = tqdm(found, desc="reading", unit=" spectra", disable=not show)
    return SpectrumList([to_spectrum(arrays) for arrays in bar])


def find_path_column(names: Sequence[str]) -> str | None:
    """Return the column that names files on this machine.

    Parameters
    ----------
    names : sequence of str
        Columns of a table.

    Returns
    -------
    str or None
        None if there is none.
    """
    return next((name for name in _PATHS if name in names), None)


def _is_specutils(value: object, name: str) -> bool:
    """Tell whether this is a specutils object, without importing specutils."""
    module = sys.modules.get("specutils")
    return module is not None and isinstance(value, getattr(module, name))


def _expand(source: Any) -> Iterator[_Item]:
    """Yield one item per spectrum or file; files of a folder or glob by name."""
    if isinstance(source, SpectrumArrays):
        yield _Item(source)
    elif isinstance(source, TableFile):
        yield _Item(source, source=str(source.path))
    elif isinstance(source, str | os.PathLike):
        yield from _expand_path(os.fspath(source))
    elif isinstance(source, Row):
        yield from _expand_table(source)
    elif (table := as_table(source)) is not None:
        yield from _expand_table(table)
    elif isinstance(source, Mapping) or is_sampled(source):
        for part in name_tables(source):
            yield from _expand(part)
    elif _is_specutils(source, "SpectrumCollection"):
        yield from (_Item(source[i]) for i in range(source.flux.shape[0]))
    elif _is_specutils(source, "Spectrum"):
        from .convert import split_spectrum

        yield from (_Item(part) for part in split_spectrum(source))
    elif isinstance(source, Iterable):
        for part in source:
            yield from _expand(part)
    else:
        msg = (
            f"cannot read spectra from {type(source).__name__} {source!r}; give paths, "
            "a folder, a table with a path column, or specutils objects"
        )
        raise TypeError(msg)


def find_files(source: str | os.PathLike[str]) -> list[Path]:
    """List the files that a path, a folder or a pattern stands for.

    Parameters
    ----------
    source : path-like
        Of a folder the FITS files and VOTables count, not those of folders in it.

    Returns
    -------
    list of `~pathlib.Path`
        By name; a path that is neither folder nor pattern as it is.

    Examples
    --------
    >>> from astro_latent.spectra.reading import find_files
    >>> find_files("nowhere/*.fits")
    []
    """
    text = os.fspath(source)
    path = Path(text)
    if path.is_dir():
        endings = (*_ENDINGS, *_VOTABLES)
        return sorted(p for p in path.iterdir() if p.name.lower().endswith(endings))
    if glob.has_magic(text) and not path.exists():
        names = sorted(Path(p) for p in glob.glob(text, recursive=True))  # noqa: PTH207
        return [p for p in names if p.is_file()]
    return [path]


def _expand_path(text: str) -> Iterator[_Item]:
    names, reason = find_files(text), "no file matches this pattern"
    if not names:
        if Path(text).is_dir():
            shown = (*_ENDINGS[::3], *_VOTABLES[:2])
            reason = f"the folder holds no file ending in {', '.join(shown)}"
        yield _Item(None, problem=f"{text}: {reason}", source=text)
    for name in names:
        yield _Item(name, source=str(name))


def _expand_table(table: Table | Row) -> Iterator[_Item]:
    name = find_path_column(table.colnames)
    if name is None:
        memory = TableFile("", table) if isinstance(table, Table) else None
        if memory is None or identify_format(memory) is None:
            msg = (
                "the table needs a column path, or to be a spectrum of a known "
                f"format; it has {table.colnames}"
            )
            raise ValueError(msg)
        yield _Item(memory)
        return
    for row in [table] if isinstance(table, Row) else table:
        overrides = _read_overrides(row)
        path = _to_plain(row[name])
        if not path:
            yield _Item(
                None, problem="the table names no file here", overrides=overrides
            )
        else:
            yield _Item(Path(str(path)), source=str(path), overrides=overrides)


def _to_plain(value: Any) -> Any:
    """Return a table cell as a plain value; None for masked, NaN and empty ones."""
    if value is np.ma.masked or getattr(value, "mask", False) is True:
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return value.strip() or None
    return value


def _read_overrides(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for column, name in _OVERRIDES.items():
        if column not in row.colnames or name in facts:
            continue
        value = _to_plain(row[column])
        if value is None:
            continue
        if name in _UNITS:
            unit = getattr(value, "unit", None) or row.table[column].unit
            value = float(getattr(value, "value", value))
            if unit is not None:
                value = float(unit.to(_UNITS[name], value))
            if not np.isfinite(value):
                continue
        else:
            value = str(value)
        facts[name] = value
    return facts
