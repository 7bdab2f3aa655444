# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as tables of no kind in particular: CSV, ECSV, text, arrays, in memory.

A column is known by its name, which may say the unit (``wavelength [nm]``,
``wave_um``), or by what the caller states. Without either nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from .assemble import Context, assemble_spectra
from .columns import Column, find_roles, find_stated, has_spectrum, split_name
from .facts import facts_from_header, stated_frame, stated_medium
from .formats import Format
from .observation import Observation, SpectrumArrays
from .plain import is_unnamed, read_keywords
from .tablefile import TableFile

__all__ = ["COLUMNS", "identify_columns", "read_columns"]

_UNNAMED = (2, 3)  # columns that can only be wavelength, flux and error


def identify_columns(file: TableFile) -> bool:
    """Tell whether a table has columns of wavelength and flux, or has but numbers."""
    roles = find_roles([{"name": name} for name in file.names])
    return has_spectrum(roles) or is_unnamed(file.names)


def _list_columns(table: Table) -> list[Column]:
    """Return the columns that hold numbers; NaN where they are masked."""
    found = []
    for name in table.colnames:
        column = table[name]
        values = _without_masked(getattr(column, "value", column))
        if values.dtype.kind not in "fiubO":
            continue
        unit = getattr(column, "unit", None)
        ucd = (column.info.meta or {}).get("ucd", "")
        found.append(
            Column(
                values=values,
                name=name,
                unit=split_name(name)[1] if unit is None else unit.to_string(),
                ucd=str(ucd),
            )
        )
    return found


def _without_masked(values: np.ndarray) -> np.ndarray:
    if np.ma.is_masked(values) and values.dtype.kind in "fiu":
        return np.ma.filled(values.astype(float), np.nan)
    return np.asarray(values)


def _find_roles(
    file: TableFile,
    columns: list[Column],
    stated: Sequence[str] | Mapping[str, Any] | None,
    unit: str | u.UnitBase | None,
) -> dict[str, int]:
    names = [column.name for column in columns]
    if stated is not None:
        roles = find_stated(names, stated)
    elif is_unnamed(names) and unit is not None and len(names) in _UNNAMED:
        order = ("wavelength", "flux", "sigma")[: len(names)]
        roles = {role: number for number, role in enumerate(order)}
    else:
        about = [{"name": c.name, "unit": c.unit, "ucd": c.ucd} for c in columns]
        roles = find_roles(about)
    if not has_spectrum(roles):
        file.refuse(
            f"which of the columns {', '.join(names) or '(none)'} are wavelength and "
            'flux? Say column_mapping=("...", "...") and wavelength_unit="nm", or give '
            "a SpectrumArrays"
        )
    return roles


def read_columns(
    file: TableFile,
    *,
    wavelength_unit: str | u.UnitBase | None = None,
    column_mapping: Sequence[str] | Mapping[str, Any] | None = None,
    estimate: bool = False,
) -> list[SpectrumArrays]:
    """Read a table by the names of its columns, or by what the caller says.

    Parameters
    ----------
    file : TableFile
        The table.
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the wavelengths. Two or three columns without names are then
        wavelength, flux and error.
    column_mapping : sequence of str, or mapping, optional
        Names of the columns of wavelength, flux and error; or as specutils has it.
    estimate : bool, optional
        Estimate the noise from the flux if there are no uncertainties.

    Returns
    -------
    list of SpectrumArrays
        One, or one for each row if these hold arrays.

    Raises
    ------
    SpectrumReadError
        If it is not known which columns are what, or in which unit.
    """
    columns = _list_columns(file.table)
    roles = _find_roles(file, columns, column_mapping, wavelength_unit)
    stated = file.table.meta
    header = read_keywords(stated.get("comments", ()))
    header |= {str(key).upper(): stated[key] for key in stated if key != "comments"}
    path = "" if file.path == Path() else file.path
    facts = facts_from_header(header, path)
    return assemble_spectra(
        {role: columns[n] for role, n in roles.items()},
        Context(
            observation=Observation(
                **facts,
                medium=stated_medium(header),
                frame=stated_frame(header),
            ),
            wavelength_unit=wavelength_unit,
            estimate=estimate,
            meta={"header": header},
        ),
    )


COLUMNS = Format(
    name="columns",
    title="columns of text (CSV, ECSV, blanks), NumPy archive, or table in memory",
    identify=identify_columns,
    read=read_columns,
    options=("wavelength_unit", "column_mapping", "estimate"),
    priority=4,
    container="table",
)
