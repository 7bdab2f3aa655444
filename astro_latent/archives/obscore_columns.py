# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""ObsCore names, units and UCDs: the one shape in which observations are listed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

__all__ = ["CORE_COLUMNS", "OBSCORE_COLUMNS", "ObsCoreColumn", "to_obscore"]


@dataclass(frozen=True)
class ObsCoreColumn:
    """Type, unit, UCD and description of one ObsCore column.

    Parameters
    ----------
    kind : {"str", "float", "int"}
        What the values are.
    unit : str
        Astropy unit string; "" for none.
    ucd : str
        UCD1+ word.
    description : str
        One sentence.
    """

    kind: str
    unit: str
    ucd: str
    description: str


#: Column name -> what it holds. Names, units and UCDs follow ObsCore 1.1; ``survey``,
#: ``snr``, ``radial_velocity`` and ``path`` are additions.
OBSCORE_COLUMNS: dict[str, ObsCoreColumn] = {
    name: ObsCoreColumn(*entry)
    for name, entry in {
        "obs_id": ("str", "", "meta.id;meta.main", "Identifier of the spectrum"),
        "target_name": ("str", "", "meta.id;src", "Name of the target"),
        "survey": ("str", "", "meta.dataset", "Survey, as `list_surveys` names it"),
        "s_ra": ("float", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"),
        "s_dec": ("float", "deg", "pos.eq.dec;meta.main", "Declination, ICRS"),
        "dataproduct_type": ("str", "", "meta.code.class", "Kind of data product"),
        "obs_collection": ("str", "", "meta.id", "Collection in the archive"),
        "em_min": ("float", "m", "em.wl;stat.min", "Shortest wavelength"),
        "em_max": ("float", "m", "em.wl;stat.max", "Longest wavelength"),
        "em_res_power": ("float", "", "spect.resolution", "Resolving power"),
        "t_min": ("float", "d", "time.start;obs.exposure", "Start, MJD"),
        "t_max": ("float", "d", "time.end;obs.exposure", "End, MJD"),
        "t_exptime": ("float", "s", "time.duration;obs.exposure", "Exposure time"),
        "snr": ("float", "", "stat.snr", "Signal-to-noise ratio"),
        "radial_velocity": (
            "float",
            "km/s",
            "spect.dopplerVeloc.opt",
            "Radial velocity of the star as the archive gives it",
        ),
        "obs_publisher_did": ("str", "", "meta.ref.ivoid", "Publisher's identifier"),
        "access_url": ("str", "", "meta.ref.url", "Address of the data"),
        "access_format": ("str", "", "meta.code.mime", "MIME type of the data"),
        "access_estsize": ("float", "kbyte", "phys.size;meta.file", "Size of the data"),
        "path": ("str", "", "meta.ref;meta.file", "File on this machine"),
        "dataproduct_subtype": ("str", "", "meta.code.class", "Finer kind of product"),
        "calib_level": ("int", "", "meta.code;obs.calib", "Calibration level, 0 to 4"),
        "facility_name": ("str", "", "meta.id;instr.tel", "Telescope"),
        "instrument_name": ("str", "", "meta.id;instr", "Instrument"),
        "obs_title": ("str", "", "meta.title;obs", "Title of the data set"),
        "em_xel": ("int", "", "meta.number", "Number of pixels along wavelength"),
        "em_ucd": ("str", "", "meta.ucd", "UCD of the spectral axis"),
        "o_ucd": ("str", "", "meta.ucd", "UCD of the flux"),
        "s_region": ("str", "", "pos.outline;obs.field", "Region on the sky"),
        "s_fov": ("float", "deg", "phys.angSize;instr.fov", "Field of view"),
        "s_resolution": ("float", "arcsec", "pos.angResolution", "Angular resolution"),
        "t_resolution": ("float", "s", "time.resolution", "Time resolution"),
    }.items()
}

#: Columns that every answer has, whatever the survey.
CORE_COLUMNS = tuple(OBSCORE_COLUMNS)[: tuple(OBSCORE_COLUMNS).index("path")]

_BLANK: dict[str, Any] = {"str": "", "float": np.nan, "int": -1}


def to_obscore(
    table: Table, *, survey: str, rename: dict[str, str] | None = None
) -> Table:
    """Give a table the ObsCore names, units, UCDs and order of columns.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows as an archive returned them. It is not changed.
    survey : str
        Name that fills the column ``survey`` where there is none.
    rename : dict of str to str, optional
        Archive's column name -> ObsCore name, for those that differ in more than
        capital letters. Where the ObsCore name is there already, it wins.

    Returns
    -------
    `~astropy.table.Table`
        The core columns first, blank where nothing is known ("" or NaN), then other
        ObsCore columns, then the archive's own, unchanged.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.archives import to_obscore
    >>> rows = Table({"RA": [10.0], "DEC": [-5.0]})
    >>> names = {"RA": "s_ra", "DEC": "s_dec"}
    >>> table = to_obscore(rows, survey="mine", rename=names)
    >>> table["s_ra"].unit, table["s_ra"].meta["ucd"]
    (Unit("deg"), 'pos.eq.ra;meta.main')
    >>> table["survey"].tolist()
    ['mine']
    """
    source = _rename(table, rename or {})
    out = Table(meta=dict(table.meta))
    for name, column in OBSCORE_COLUMNS.items():
        if name in source:
            out[name] = _convert_type(source.pop(name), name, column)
        elif name in CORE_COLUMNS:
            blank = survey if name == "survey" else _BLANK[column.kind]
            out[name] = _convert_type(Column([blank] * len(table)), name, column)
    for name, values in source.items():
        out[name] = values
    return out


def _rename(table: Table, rename: dict[str, str]) -> dict[str, Column]:
    """Columns under their ObsCore names; the archive's spelling may be upper case."""
    columns: dict[str, Column] = {}
    for name in table.colnames:
        target = rename.get(name)
        if target is None:
            target = name.lower() if name.lower() in OBSCORE_COLUMNS else name
        if target in columns or (target != name and target in table.colnames):
            target = name
        columns[target] = table[name]
    return columns


def _convert_type(values: Column, name: str, info: ObsCoreColumn) -> Column:
    """Plain column of the right type and unit; missing values become blanks."""
    dtype = {"str": object, "float": float, "int": np.int64}[info.kind]
    blank = _BLANK[info.kind]
    unit = u.Unit(info.unit) if info.unit else None
    factor = 1.0
    given = getattr(values, "unit", None)
    if given is not None and unit is not None and given != unit:
        factor = u.Unit(given).to(unit)
    missing = np.ma.getmaskarray(values) if isinstance(values, MaskedColumn) else None
    data = np.array(np.ma.getdata(values), dtype=object)
    if missing is not None and missing.any():
        data[missing] = blank
    if info.kind == "str":
        cells = [_to_text(cell) for cell in data]
        array = np.array(cells, dtype=str) if cells else np.array([], dtype="U1")
    else:
        array = np.array([blank if c is None else c for c in data], dtype=dtype)
        array = array * factor if factor != 1.0 else array
    meta = {**getattr(values, "meta", {}), "ucd": info.ucd}
    return Column(array, name=name, unit=unit, description=info.description, meta=meta)


def _to_text(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace").strip()
    return "" if cell is None else str(cell).strip()
