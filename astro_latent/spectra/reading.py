# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read whatever a user points to, one file or millions, in order.

Files, folders, tables and specutils objects become arrays.
"""

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Number
from pathlib import Path
from typing import Any

from astropy.table import Row, Table

from ..exceptions import SpectrumReadError
from ..utils.guard import explain, raise_as
from .facts import identifier_from_path
from .fits import FitsFile
from .formats import check_options, read_file
from .observation import Observation, SpectrumArrays, placeholder
from .sources import (
    Item,
    Numbered,
    SpectraLike,
    expand_table,
    find_path_column,
    is_content,
    is_table_like,
    read_content,
)
from .tablefile import TableFile, as_table, is_sampled, name_tables
from .votable import VotableFile

__all__ = [
    "SpectraLike",
    "count_items",
    "expand",
    "find_files",
    "find_path_column",
    "is_spectrum_name",
    "iter_arrays",
    "list_items",
]

_ENDINGS = tuple(
    f"{ending}{packed}"
    for ending in (".fits", ".fit", ".fts")
    for packed in ("", ".gz", ".bz2", ".fz")
)
_VOTABLES = (".vot", ".xml", ".vot.gz", ".xml.gz")
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
            found = _read_item(item, format, options)
        except Exception as error:
            found = [_stand_in(item, error, on_error)]
        for number in range(len(found)):
            try:
                arrays = found[number]
            except Exception as error:
                arrays = _stand_in(item, error, on_error)
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
) -> Sequence[SpectrumArrays]:
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


def _is_specutils(value: object, name: str) -> bool:
    """Tell whether this is a specutils object, without importing specutils."""
    module = sys.modules.get("specutils")
    return module is not None and isinstance(value, getattr(module, name))


def expand(source: Any) -> Iterator[Item]:
    """Yield one item per spectrum or file; files of a folder or glob by name."""
    if isinstance(source, SpectrumArrays):
        yield Item(source)
    elif isinstance(source, TableFile):
        yield Item(source, source=str(source.path))
    elif isinstance(source, str | os.PathLike):
        yield from _expand_path(os.fspath(source))
    elif is_content(source):
        yield read_content(source)
    elif isinstance(source, Row):
        yield from expand_table(source)
    elif (table := as_table(source)) is not None:
        yield from expand_table(table)
    elif isinstance(source, Mapping) and is_table_like(source):
        yield from expand_table(Table(dict(source)))
    elif isinstance(source, Mapping) or is_sampled(source):
        for part in name_tables(source):
            yield from expand(part)
    elif _is_specutils(source, "SpectrumCollection"):
        yield from (Item(source[i]) for i in range(source.flux.shape[0]))
    elif _is_specutils(source, "Spectrum"):
        from .convert import split_spectrum

        yield from (Item(part) for part in split_spectrum(source))
    elif isinstance(source, Iterable) and not _is_numbers(source):
        for index, part in enumerate(source):
            yield from _expand_part(part, index)
    else:
        shown = " ".join(repr(source).split())[:60]
        msg = (
            f"cannot read spectra from {type(source).__name__} {shown}; give paths, "
            "a folder, a table with a path column, or specutils objects"
        )
        raise TypeError(msg)


def _expand_part(part: object, index: int) -> Iterator[Item]:
    """Yield what is in a part of a list; one that holds no spectra does not end it."""
    row = None
    if isinstance(part, Numbered):
        index, row, part = part.index, part.row, part.value
    try:
        yield from expand(part) if row is None else expand_table(part, row)
    except (TypeError, ValueError) as error:
        yield Item(None, problem=f"item [{index}]: {error}", source=f"item [{index}]")


def _is_numbers(source: object) -> bool:
    """Tell whether these are nothing but numbers: a flux, perhaps, but no spectra."""
    if hasattr(source, "dtype"):
        return source.dtype.kind in "biufc"
    if not isinstance(source, list | tuple) or not source:
        return False
    return all(isinstance(part, Number) for part in source)


def is_spectrum_name(name: str) -> bool:
    """Tell whether a file of a folder counts as a spectrum, by its name.

    Parameters
    ----------
    name : str
        Without its folder.

    Returns
    -------
    bool
        True for FITS files and VOTables, packed or not, unless they are hidden.

    Examples
    --------
    >>> from astro_latent.spectra.reading import is_spectrum_name
    >>> [is_spectrum_name(name) for name in ("a.FITS", "a.fts.bz2", ".a.fits")]
    [True, True, False]
    """
    endings = (*_ENDINGS, *_VOTABLES)
    return name.lower().endswith(endings) and not name.startswith(".")


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
    path = Path(source).expanduser()
    text = str(path)
    if path.is_dir():
        return sorted(p for p in path.iterdir() if is_spectrum_name(p.name))
    if glob.has_magic(text) and not path.exists():
        names = sorted(Path(p) for p in glob.glob(text, recursive=True))  # noqa: PTH207
        return [p for p in names if p.is_file()]
    return [path]


def list_items(source: SpectraLike) -> list[Any]:
    """List what a run reads, without reading it.

    Parameters
    ----------
    source : SpectraLike
        Paths, folders, patterns, a table with a column of paths, or objects.

    Returns
    -------
    list
        Paths, rows or objects, in order; one of them may hold several spectra. Of an
        iterator it holds all that is left.
    """
    if isinstance(source, Iterator) and not is_content(source):
        source = list(source)
    if isinstance(source, str | os.PathLike):
        return find_files(source) or [source]
    if isinstance(source, Table):
        return list(source) if find_path_column(source.colnames) else [source]
    if isinstance(source, list | tuple):
        paths = all(isinstance(part, str | os.PathLike) for part in source)
        return [p for part in source for p in list_items(part)] if paths else [*source]
    return [source]


def count_items(source: SpectraLike) -> int | None:
    """Count what there is to read, without reading it.

    Parameters
    ----------
    source : SpectraLike
        As for `list_items`.

    Returns
    -------
    int or None
        None if that shows only in the end.
    """
    sized = isinstance(source, str | os.PathLike | Table | list | tuple)
    return len(list_items(source)) if sized else None


def _expand_path(text: str) -> Iterator[Item]:
    if not text.strip():  # not the folder that one happens to be in
        yield Item(None, problem="an empty name names no file", source=text)
        return
    try:
        names = find_files(text)
    except Exception as error:  # such as a name that no system can have
        problem = explain(text, error, remedy="give another name")
        yield Item(None, problem=problem, source=text)
        return
    reason = "no file matches this pattern"
    if not names:
        if Path(text).expanduser().is_dir():
            shown = (*_ENDINGS[::4], *_VOTABLES[:2])
            reason = f"the folder holds no file ending in {', '.join(shown)}"
        yield Item(None, problem=f"{text}: {reason}", source=text)
    for name in names:
        yield Item(name, source=str(name))
