# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Cross-match results with catalogues: in memory, at CDS, over TAP, or in HATS form."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..exceptions import NoResultsWarning
from ..tables.fields import Field, assemble, flatten
from ..tables.result_table import ResultTable, read_table
from .moving import EACH_ROW, bring_together, find_pairs_row_by_row
from .pairs import Pairs, find_pairs
from .positions import get_positions
from .services import CatalogueLike, TapTable, match_remotely
from .unmatched import explain_no_match

__all__ = ["crossmatch"]

_FIND = ("best", "all", "symmetric")
_JOIN = ("inner", "left")


def crossmatch(
    table: Table,
    other: CatalogueLike,
    *,
    radius: u.Quantity = 1.0 * u.arcsec,
    find: str = "best",
    join: str = "inner",
    epoch: float | None = None,
    columns: tuple[str, str] | None = None,
    other_columns: tuple[str, str] | None = None,
    suffix: str = "_2",
) -> ResultTable:
    """Match the rows of a table to a catalogue by position.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows to match.
    other : Table, path-like, str or TapTable
        A table or a file that `read_table` reads; ``"vizier:I/355/gaiadr3"`` for the
        cross-match service of CDS (``"vizier:simbad"`` for SIMBAD); a `TapTable` for a
        table of any TAP service; ``"hats:<path>"`` for a HATS catalogue (needs LSDB).
    radius : Quantity ['angle'], optional
        Largest separation, inclusive.
    find : {"best", "all", "symmetric"}, optional
        The nearest row of ``other`` for each row; all pairs; or, of the nearest, only
        the closest for each row of ``other``, so that no row is used twice. These are
        ``best1``, ``all`` and ``best`` of STILTS.
    join : {"inner", "left"}, optional
        Only rows with a match, or all rows of ``table``; what is missing is NaN, "" or
        masked.
    epoch : float, optional
        Julian year to which positions with proper motions are moved. By default they
        are moved to when the other table says its positions are of, if both tables say
        it: in a column ``ref_epoch``, in the COOSYS of the position, or by the time of
        each observation, ``obs_time`` (2000 for surveys that observe the positions of
        an input catalogue).
    columns, other_columns : tuple of str, optional
        Names of right ascension and declination, where UCDs and usual names fail.
    suffix : str, optional
        Added to columns of ``other`` whose names are taken.

    Returns
    -------
    ResultTable
        The columns of both tables with their units and UCDs, ``separation`` in arcsec
        and ``n_match``, how many rows of ``other`` lie within the radius. In order of
        ``table``, then of separation. The request stands in ``meta["crossmatch"]``.

    Raises
    ------
    ValueError
        If a table has no positions, an option is not known, or the radius is no angle.
    TypeError
        If ``table`` is no table, or ``other`` nothing that leads to one.
    ArchiveError
        If a service does not answer.

    Warns
    -----
    NoResultsWarning
        If nothing matched: with the nearest separation and the likely cause.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from astro_latent.matching import crossmatch
    >>> stars = QTable({"ra": [10.0, 359.9999] * u.deg, "dec": [0.0, 5.0] * u.deg})
    >>> catalogue = QTable({"ra": [0.0001] * u.deg, "dec": [5.0] * u.deg, "mag": [9.5]})
    >>> matched = crossmatch(stars, catalogue, radius=1 * u.arcsec)
    >>> matched.colnames
    ['ra', 'dec', 'ra_2', 'dec_2', 'mag', 'separation', 'n_match']
    >>> float(matched["separation"][0].to_value(u.arcsec).round(4))
    0.7173
    """
    radius = _check(table, other, radius, find, join)
    record: dict[str, Any] = {
        "other": _name_of(other),
        "radius_arcsec": float(radius.value),
        "find": find,
    }
    mine, theirs, used = get_positions(table, columns), None, None
    if _is_remote(other):
        catalogue, pairs = match_remotely(table, other, radius=radius, columns=columns)
    else:
        if isinstance(other, Table):
            catalogue = other
        else:
            catalogue = read_table(cast("str | PathLike[str]", other))
        theirs = get_positions(catalogue, other_columns)
        mine, theirs, used = bring_together(mine, theirs, epoch)
        find_them = find_pairs_row_by_row if used == EACH_ROW else find_pairs
        pairs = find_them(mine, theirs, radius.to_value(u.rad))
        if used is not None:
            record["epoch"] = used
    if not len(pairs.first):
        text = explain_no_match(
            mine, theirs, other=record["other"], radius=radius, epoch=used
        )
        warnings.warn(text, NoResultsWarning, stacklevel=2)
    if catalogue.meta.get("citation"):
        record["citation"] = catalogue.meta["citation"]
    return _join(
        table, catalogue, pairs, find=find, join=join, suffix=suffix, record=record
    )


def _check(
    table: Table, other: CatalogueLike, radius: u.Quantity, find: str, join: str
) -> u.Quantity:
    """Return the radius in arcsec; complain of what is of another kind than meant."""
    for name, given, kinds, wanted in (
        ("table", table, Table, "a table; read_table reads one from a file"),
        ("other", other, Table | TapTable | str | PathLike, "a table, file or service"),
    ):
        if not isinstance(given, kinds):
            msg = f"{name} must be {wanted}, not {type(given).__name__} {given!r:.60}"
            raise TypeError(msg)
    if not u.Quantity(radius).unit.is_equivalent(u.arcsec):
        msg = f"radius must be an angle, such as 2 * astropy.units.arcsec, not {radius}"
        raise u.UnitsError(msg)
    for name, value, allowed in (("find", find, _FIND), ("join", join, _JOIN)):
        if value not in allowed:
            msg = f"{name} must be one of {allowed}, not {value!r}"
            raise ValueError(msg)
    if not radius > 0:
        msg = f"radius must be positive, not {radius}"
        raise ValueError(msg)
    return u.Quantity(radius).to(u.arcsec)


def _is_remote(other: CatalogueLike) -> TypeGuard[str | TapTable]:
    text = other if isinstance(other, str) else ""
    return isinstance(other, TapTable) or text.startswith(("vizier:", "hats:"))


def _name_of(other: CatalogueLike) -> str:
    if isinstance(other, Table):
        return str(other.meta.get("name", "table"))
    if isinstance(other, TapTable):
        return f"{other.url} {other.table}"
    return str(other) if _is_remote(other) else Path(other).name


def _select(pairs: Pairs, find: str) -> Pairs:
    """Keep the pairs asked for; they come ordered by first row, then separation."""
    if find == "all":
        return pairs
    keep = np.flatnonzero(np.diff(pairs.first, prepend=-1))
    if find == "symmetric":
        objects = pairs.second if pairs.identity is None else pairs.identity
        order = keep[np.lexsort((pairs.separation[keep], objects[keep]))]
        keep = np.sort(order[np.flatnonzero(np.diff(objects[order], prepend=-1))])
    return Pairs(pairs.first[keep], pairs.second[keep], pairs.separation[keep])


def _join(
    table: Table,
    catalogue: Table,
    pairs: Pairs,
    *,
    find: str,
    join: str,
    suffix: str,
    record: dict[str, Any],
) -> ResultTable:
    n_match = np.bincount(pairs.first, minlength=len(table))
    pairs = _select(pairs, find)
    first, second, separation = pairs.first, pairs.second, pairs.separation
    if join == "left":
        alone = np.setdiff1d(np.arange(len(table)), first)
        where = np.argsort(np.concatenate([first, alone]), kind="stable")
        first = np.concatenate([first, alone])[where]
        second = np.concatenate([second, np.full(len(alone), -1)])[where]
        separation = np.concatenate([separation, np.full(len(alone), np.nan)])[where]
    fields, arrays = flatten(table, leave_out=True)
    arrays = [values[first] for values in arrays]
    other_fields, other_arrays = flatten(catalogue, leave_out=True)
    fields += _rename(other_fields, fields, suffix)
    arrays += [_take(values, second) for values in other_arrays]
    found = [separation * u.rad.to(u.arcsec), n_match[first].astype("i4")]
    fields += _rename(_FOUND, fields, suffix)
    meta = dict(table.meta)
    meta["crossmatch"] = [*meta.get("crossmatch", []), record]
    return assemble(fields, [*arrays, *found], meta, kind=ResultTable)


_FOUND = [
    Field(
        name="separation",
        kind="f8",
        unit=u.arcsec,
        ucd="pos.angDistance",
        description="Angular distance between the matched positions",
    ),
    Field(
        name="n_match",
        kind="i4",
        ucd="meta.number",
        description="Number of rows of the other table within the radius",
    ),
]


def _rename(new: list[Field], present: list[Field], suffix: str) -> list[Field]:
    """Give columns names that are free, and leave each main UCD to the first table."""
    taken = {spec.name for spec in present}
    main = {spec.ucd for spec in present if spec.ucd.endswith(";meta.main")}
    reserved = taken | {spec.name for spec in new}
    renamed = []
    for spec in new:
        name = spec.name
        if name in taken:
            name = next(n for n in _free_names(name, suffix) if n not in reserved)
            reserved.add(name)
        ucd = spec.ucd.removesuffix(";meta.main") if spec.ucd in main else spec.ucd
        renamed.append(replace(spec, name=name, ucd=ucd))
    return renamed


def _free_names(name: str, suffix: str) -> Iterator[str]:
    """Names to try: with the suffix, then with its number, or one behind it, raised."""
    stem = suffix.rstrip("0123456789")
    number = int(suffix.removeprefix(stem) or 1)
    yield f"{name}{suffix}"
    yield from (f"{name}{stem}{i}" for i in count(number + 1))


def _take(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a column; -1 gives NaN, "" or a masked cell."""
    missing = rows < 0
    if not missing.any():
        return values[rows]
    if not len(values):
        values = np.ma.zeros((1, *values.shape[1:]), dtype=values.dtype)
    out = np.ma.array(values[np.where(missing, 0, rows)], copy=True)
    out[missing] = np.ma.masked
    return out
