# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whatever a user points to, spelled out: one item per spectrum, in order."""

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from astropy.table import Row, Table

from .observation import SpectrumArrays

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumCollection, SpectrumList

__all__ = ["Item", "SpectraLike", "expand_source", "find_path_column"]

#: Whatever spectra can be read from: paths, folders and globs, tables with a column of
#: paths, specutils objects, arrays, and iterables of those.
SpectraLike: TypeAlias = Union[
    str, os.PathLike[str], Table, Row, SpectrumArrays, "Spectrum", "SpectrumList",
    "SpectrumCollection", Iterable[Any],
]  # fmt: skip

_ENDINGS = tuple(
    f"{ending}{packed}"
    for ending in (".fits", ".fit", ".fts")
    for packed in ("", ".gz", ".fz")
)
_VOTABLES = (".vot", ".xml", ".vot.gz", ".xml.gz")
_PATHS = ("path", "local_path")
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
class Item:
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


def _is(value: Any, name: str) -> bool:
    """Tell whether this is a specutils object, without importing specutils."""
    module = sys.modules.get("specutils")
    return module is not None and isinstance(value, getattr(module, name))


def expand_source(source: Any) -> Iterator[Item]:
    """Yield one item per spectrum or file.

    Parameters
    ----------
    source : Spectrum, SpectrumArrays, path, folder, glob, table, or iterable of those
        What the user gave.

    Yields
    ------
    Item
        In the order given; files of a folder or glob by name.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(source, SpectrumArrays):
        yield Item(source)
    elif isinstance(source, str | os.PathLike):
        yield from _expand_path(os.fspath(source))
    elif isinstance(source, Table | Row):
        yield from _expand_table(source)
    elif _is(source, "SpectrumCollection"):
        yield from (Item(source[i]) for i in range(source.flux.shape[0]))
    elif _is(source, "Spectrum"):
        yield from _expand_spectrum(source)
    elif isinstance(source, Iterable):
        for part in source:
            yield from expand_source(part)
    else:
        msg = (
            f"cannot read spectra from {type(source).__name__} {source!r}; give paths, "
            "a folder, a table with a path column, or specutils objects"
        )
        raise TypeError(msg)


def _expand_spectrum(spectrum: Any) -> Iterator[Item]:
    if spectrum.flux.ndim <= 1:
        yield Item(spectrum)
        return
    first = getattr(spectrum, "spectral_axis_index", -1) == 0
    for row in range(spectrum.flux.shape[-1 if first else 0]):
        where = (slice(None),) * (spectrum.flux.ndim - 1) + (row,) if first else row
        yield from _expand_spectrum(spectrum[where])


def _expand_path(text: str) -> Iterator[Item]:
    path = Path(text)
    if path.is_dir():
        known = (*_ENDINGS, *_VOTABLES)
        names = sorted(p for p in path.iterdir() if p.name.lower().endswith(known))
        shown = (*_ENDINGS[::3], *_VOTABLES[:2])
        reason = f"the folder holds no file ending in {', '.join(shown)}"
    elif glob.has_magic(text) and not path.exists():
        names = sorted(Path(p) for p in glob.glob(text, recursive=True))  # noqa: PTH207
        names = [p for p in names if p.is_file()]
        reason = "no file matches this pattern"
    else:
        names, reason = [path], ""
    if not names:
        yield Item(None, problem=f"{text}: {reason}", source=text)
    for name in names:
        yield Item(name, source=str(name))


def _expand_table(table: "Table | Row") -> Iterator[Item]:
    name = find_path_column(table.colnames)
    if name is None:
        msg = f"the table needs a column {' or '.join(_PATHS)}; it has {table.colnames}"
        raise ValueError(msg)
    for row in [table] if isinstance(table, Row) else table:
        overrides = _overrides(row)
        path = _plain(row[name])
        if not path:
            yield Item(
                None, problem="the table names no file here", overrides=overrides
            )
        else:
            yield Item(Path(str(path)), source=str(path), overrides=overrides)


def _plain(value: Any) -> Any:
    """Return a table cell as a plain value; None for masked, NaN and empty ones."""
    if value is np.ma.masked or getattr(value, "mask", False) is True:
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return value.strip() or None
    return value


def _overrides(row: Row) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for column, name in _OVERRIDES.items():
        if column not in row.colnames or name in known:
            continue
        value = _plain(row[column])
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
        known[name] = value
    return known
