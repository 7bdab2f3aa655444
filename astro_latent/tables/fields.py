# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Columns as plain arrays with a description, the common ground of all file formats."""

import warnings
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.data_info import DataInfo
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from ..utils.absurd import is_absurd_unit
from ..utils.guard import printable

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

__all__ = [
    "ColumnLike",
    "Field",
    "Readable",
    "assemble",
    "coosys_of",
    "flatten",
    "spell_out",
    "ucd_of",
    "unit_from_text",
    "unit_to_text",
]

#: What a column of a table may be; masked columns are columns.
ColumnLike: TypeAlias = "Column | u.Quantity | SkyCoord | Time"
#: What a table can be read from: a path, or a file that is open for bytes.
Readable: TypeAlias = str | PathLike[str] | BinaryIO

#: Metadata of a column that files carry, next to unit and description.
KEPT = ("ucd", "utype", "xtype", "bits", "coosys", "timesys")

#: What "dex" turns into when a reader takes it for a tenth of an "ex".
_DEX = ("dex", "'dex'", "0.1ex", "dex()", "dex(1)")


#: Spellings of no standard, of which Astropy's reader of VOUnits makes new units.
_SPELLINGS = {
    "degree": u.deg, "degrees": u.deg, "deg.": u.deg, "radian": u.rad,
    "radians": u.rad, "arcsecs": u.arcsec, "arcseconds": u.arcsec, "kelvin": u.K,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Field:
    """Description of one column.

    Parameters
    ----------
    name : str
        Column name.
    kind : str
        Numpy type without byte order and length: ``"f4"``, ``"i8"``, ``"b1"``, ``"U"``.
    shape : tuple of int
        Shape of one cell; ``()`` for scalars.
    unit : `~astropy.units.UnitBase` or None
        Unit.
    ucd : str
        UCD1+ word; "" for none.
    description : str
        One sentence; "" for none.
    meta : dict
        Further metadata: ``utype``, ``xtype``, ``bits`` (name to value and meaning),
        ``coosys`` and ``timesys`` (attributes of the VOTable elements).
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    unit: u.UnitBase | None = None
    ucd: str = ""
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def ucd_of(column: ColumnLike) -> str:
    """Return the UCD of a column, "" if it has none."""
    return (column.info.meta or {}).get("ucd") or ""


def coosys_of(column: ColumnLike) -> dict[str, Any]:
    """Return the coordinate system that a column says it is in, {} if none."""
    return (column.info.meta or {}).get("coosys") or {}


def unit_to_text(unit: u.UnitBase | None) -> str:
    """Spell a unit for a file: VOUnit where it can be, else Astropy's own words.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase` or None
        The unit; None gives "".

    Returns
    -------
    str
        For example ``"km.s**-1"``. ``dex``, which VOUnits do not know, stays ``"dex"``.
    """
    if unit is None or unit == u.dimensionless_unscaled:
        return ""
    if unit == u.dex:
        return "dex"
    if isinstance(unit, u.UnrecognizedUnit):
        return unit.to_string()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # Angstrom is deprecated
            return unit.to_string("vounit")
    except ValueError:
        return unit.to_string()


def unit_from_text(unit: str | u.UnitBase | None) -> u.UnitBase | None:
    """Understand a unit of a file, undoing what readers make of ``dex``.

    Parameters
    ----------
    unit : str, `~astropy.units.UnitBase` or None
        What the file, or Astropy's reader of it, says.

    Returns
    -------
    `~astropy.units.UnitBase` or None
        The unit; an unrecognised one keeps its spelling.
    """
    if unit is None:
        return None
    text = unit if isinstance(unit, str) else unit.to_string()
    if text.strip() in _DEX:
        return u.dex
    if not text.strip():
        return None
    if (spelling := text.strip().lower()) in _SPELLINGS:
        return _SPELLINGS[spelling]
    if not isinstance(unit, str) and not isinstance(unit, u.UnrecognizedUnit):
        return unit
    if is_absurd_unit(text):  # understanding it might never end
        return u.UnrecognizedUnit(text)
    for form in ("vounit", None, "cds"):
        parsed = u.Unit(text.strip("'"), format=form, parse_strict="silent")
        if not isinstance(parsed, u.UnrecognizedUnit):
            return parsed
    return parsed


def _keep_meta(info: DataInfo) -> dict[str, Any]:
    meta = info.meta or {}
    return {key: meta[key] for key in KEPT if meta.get(key)}


def _describe(name: str, values: np.ndarray, info: DataInfo) -> Field:
    meta, unit = _keep_meta(info), info.unit
    return Field(
        name=name,
        kind="U" if values.dtype.kind in "US" else values.dtype.str[1:],
        shape=values.shape[1:],
        unit=None if unit == u.dimensionless_unscaled else unit_from_text(unit),
        ucd=meta.pop("ucd", ""),
        description=info.description or "",
        meta=meta,
    )


def _to_array(name: str, column: ColumnLike) -> np.ndarray:
    """Values of a column, masked only where a null cannot be said otherwise."""
    values: Any = getattr(column, "value", column)
    if isinstance(column, Masked):
        values = np.ma.array(values.unmasked, mask=values.mask)
    values = np.ma.asarray(values) if np.ma.isMA(values) else np.asarray(values)
    if values.dtype.kind == "O":
        values = _from_objects(name, values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "surrogateescape")
    if values.dtype.kind == "U":
        if values.ndim > 1:
            msg = f"column {name!r} holds arrays of strings; join those of each cell"
            raise TypeError(msg)
        values = _spell_out(values)
    if values.dtype.kind not in "iufbU" or values.dtype == np.float16:
        msg = f"column {name!r} has dtype {values.dtype}, which no file format holds"
        raise TypeError(msg)
    return _fill(values)


def _fill(values: np.ndarray) -> np.ndarray:
    """Say null as NaN or "" where the type can, and keep a mask only where not."""
    if not np.ma.isMA(values):
        return values
    if values.dtype.kind in "fU":
        return values.filled(np.nan if values.dtype.kind == "f" else "")
    return values if np.ma.is_masked(values) else values.data


def _spell_out(values: np.ndarray) -> np.ndarray:
    """Spell out characters that no file holds; see `printable`."""
    plain = np.ascontiguousarray(np.ma.getdata(values))
    if not plain.nbytes:  # no row, or nothing but empty text
        return values
    codes = plain.view("u4").reshape(plain.size, -1)
    if not np.any(
        (codes < 9) & (codes > 0)
        | (codes > 10) & (codes < 32)
        | (np.pad(codes, ((0, 0), (0, 1)))[:, 1:] > 0) & (codes == 0)  # within text
        | (codes > 0xD7FF) & (codes < 0xE000)
    ):
        return values
    new = np.array([printable(text) for text in np.ma.getdata(values).flat])
    new = new.reshape(values.shape)
    return np.ma.array(new, mask=values.mask) if np.ma.isMA(values) else new


def spell_out(table: Table) -> Table:
    """Spell out characters that no file holds, as `flatten` does, in plain text.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table.

    Returns
    -------
    `~astropy.table.Table`
        The table itself, or a copy if anything had to change.
    """
    new = table
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) and column.dtype.kind == "U":
            values = _spell_out(column)
            if values is not column:
                new = table.copy(copy_data=False) if new is table else new
                new.replace_column(name, type(column)(values, name=name))
                new[name].info = column.info
    return new


#: What objects that are all of one kind become.
_OBJECTS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "b1"),
    ((int, np.integer), "i8"),
    ((int, float, np.integer, np.floating), "f8"),
)


def _from_objects(name: str, values: np.ndarray) -> np.ndarray:
    """Turn objects into numbers if they are such, else into text; None is null."""
    data = np.ma.getdata(values)
    absent = np.array([value is None for value in data.ravel()], dtype=bool)
    missing = np.ma.getmaskarray(values) | absent.reshape(data.shape)
    present = data[~missing]
    for kinds, dtype in _OBJECTS:
        if len(present) and all(isinstance(value, kinds) for value in present):
            out = np.ma.zeros(values.shape, dtype)
            try:
                out[~missing] = present.astype(dtype)
            except OverflowError as error:
                msg = f"column {name!r} holds a number that is too large: {error}"
                raise TypeError(msg) from error
            out[missing] = np.ma.masked
            return out
    return _to_text(name, np.ma.array(data, mask=missing))


def _to_text(name: str, values: np.ndarray) -> np.ndarray:
    missing = np.ma.getmaskarray(values)  # None as well
    filled = np.where(missing, "", np.ma.getdata(values))
    if not all(isinstance(value, str | bytes) for value in filled.ravel()):
        msg = f"column {name!r} holds Python objects; make its cells numbers or strings"
        raise TypeError(msg)
    text = [v.decode() if isinstance(v, bytes) else v for v in filled.ravel()]
    return np.array(text, dtype="U").reshape(values.shape)


def _split(name: str, column: ColumnLike) -> list[tuple[str, ColumnLike]]:
    """Turn a coordinate or time column into plain ones that say what they mean."""
    if isinstance(column, Column | u.Quantity):  # for most tables nothing is imported
        return [(name, column)]
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    if isinstance(column, SkyCoord):
        icrs, columns = column.icrs, []
        for part in ("ra", "dec"):
            plain = Column(getattr(icrs, part).deg, name=f"{name}_{part}", unit=u.deg)
            plain.info.meta = {"ucd": f"pos.eq.{part}", "coosys": {"system": "ICRS"}}
            columns.append((plain.name, plain))
        return columns
    if isinstance(column, Time):
        plain = Column(column.mjd, name=name, unit=u.day)
        plain.info.description = column.info.description
        plain.info.meta = {
            "ucd": "time.epoch",
            "timesys": {
                "timescale": column.scale.upper(),
                "refposition": "UNKNOWN",
                "timeorigin": 2400000.5,
            },
            **_keep_meta(column.info),
        }
        return [(name, plain)]
    return [(name, column)]


def flatten(
    table: Table, *, leave_out: bool = False
) -> tuple[list[Field], list[np.ndarray]]:
    """Describe the columns of a table and give their values as plain arrays.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table. ``SkyCoord`` columns become two angles (ICRS), ``Time`` columns
        modified Julian dates. Masked numbers become NaN, masked text "".
    leave_out : bool, optional
        Leave out columns that no file could hold, with a warning, in place of an error.

    Returns
    -------
    fields : list of Field
        One per array.
    arrays : list of ndarray
        Of shape (n_rows,) or (n_rows, ...).

    Raises
    ------
    TypeError
        If a column holds Python objects.
    """
    fields, arrays = [], []
    for name in table.colnames:
        for part, column in _split(name, table[name]):
            try:
                values = _to_array(part, column)
            except TypeError as error:
                if not leave_out:
                    raise
                warnings.warn(f"left out: {error}", AstropyUserWarning, stacklevel=3)
                continue
            fields.append(_describe(part, values, column.info))
            arrays.append(values)
    return fields, arrays


def _column(spec: Field, values: np.ndarray) -> Column | u.Quantity:
    values = _fill(values if np.ma.isMA(values) else np.asarray(values))
    if spec.unit is not None and values.dtype.kind in "fiu":
        # dex(cm/s2) of log g is no unit that a quantity can have
        plain = not isinstance(spec.unit, u.UnitBase)
        unknown = isinstance(spec.unit, u.UnrecognizedUnit)
        if plain or unknown or np.ma.isMA(values):
            kind = MaskedColumn if np.ma.isMA(values) else Column
            return kind(values, unit=spec.unit)
        return u.Quantity(values, spec.unit, dtype=values.dtype, copy=False)
    return MaskedColumn(values) if np.ma.isMA(values) else Column(values)


def assemble(
    fields: list[Field],
    arrays: list[np.ndarray],
    meta: dict[str, Any] | None = None,
    *,
    kind: type = QTable,
) -> QTable:
    """Build a table from described arrays: the inverse of `flatten`.

    Parameters
    ----------
    fields : list of Field
        One per array.
    arrays : list of ndarray
        Values, masked where null.
    meta : dict, optional
        Metadata of the table.
    kind : type, optional
        Class of the result.

    Returns
    -------
    `~astropy.table.QTable`
        The table, with UCDs in ``column.info.meta["ucd"]``.
    """
    pairs = zip(fields, arrays, strict=True)  # at once: one by one is slower
    table = kind({spec.name: _column(spec, values) for spec, values in pairs})
    for spec in fields:
        info = table[spec.name].info
        info.description = spec.description or None
        info.meta = {**({"ucd": spec.ucd} if spec.ucd else {}), **spec.meta}
    table.meta.update(meta or {})
    return table
