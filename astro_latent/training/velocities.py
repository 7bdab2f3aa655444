# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Velocities of stars, as a caller or a column gives them."""

from typing import TypeAlias

import numpy as np
from astropy import units as u

from ..exceptions import UnknownNameError
from ..utils.physics import SPEED_OF_LIGHT
from .gather import Gathered
from .targets import plain_numbers

__all__ = ["VelocityLike", "find_velocities"]

#: One velocity for all stars or one each, or a column of the table of labels.
VelocityLike: TypeAlias = float | np.ndarray | u.Quantity | str

_REDSHIFTS = ("z", "redshift")


def find_velocities(
    given: VelocityLike | None, gathered: Gathered
) -> np.ndarray | None:
    """Return velocities for the spectra that were gathered.

    Parameters
    ----------
    given : float, array_like, Quantity or str
        Km/s where no unit is stated; one for each spectrum or for each row of the
        table. A column without unit called ``z`` or ``redshift``, or one without
        dimension, holds velocities as shares of that of light.
    gathered : Gathered
        The spectra.

    Returns
    -------
    ndarray or None
        In km/s: one, or one for each spectrum; NaN where not known.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    ValueError
        If rows of the table and spectra correspond to each other only by what stands
        in the files.
    """
    if given is None:
        return None
    if not isinstance(given, str):
        values = np.ma.filled(u.Quantity(given, "km/s").value, np.nan)
    else:
        values = _read_column(given, gathered)
        if gathered.rows is None and len(values) != gathered.count:
            msg = (
                f"the column {given!r} has {len(values)} velocities for "
                f"{gathered.count} spectra; give a table that lists the spectra"
            )
            raise ValueError(msg)
    table, rows = gathered.table, gathered.rows
    if table is None or rows is None or not values.ndim or len(values) != len(table):
        return values
    return values[rows]


def _read_column(name: str, gathered: Gathered) -> np.ndarray:
    names = [] if gathered.table is None else gathered.table.colnames
    if gathered.table is None or name not in names:
        raise UnknownNameError("column of the table", name, names)
    column = gathered.table[name]
    values, unit = plain_numbers(column), column.unit
    if unit is None:
        return values * SPEED_OF_LIGHT if name.lower() in _REDSHIFTS else values
    if u.Unit(unit).is_equivalent(u.dimensionless_unscaled):
        return u.Unit(unit).to(u.dimensionless_unscaled, values) * SPEED_OF_LIGHT
    return u.Unit(unit).to("km/s", values)
