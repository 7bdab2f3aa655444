# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""At what time the rows of a table were where their positions say."""

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from astropy.time import Time

from ..surveys import SURVEYS
from ..tables.fields import coosys_of

__all__ = ["plain_values", "position_epoch"]

_EPOCHS = ("ref_epoch", "epoch", "Epoch")
_TIME = "obs_time"  # of our tables: MJD


def position_epoch(table: Table, ra: str) -> float | np.ndarray | None:
    """Find the epoch of the positions of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table.
    ra : str
        Name of its column of right ascension.

    Returns
    -------
    float, ndarray of shape (n_rows,), or None
        Julian year: of the column ``ref_epoch``, else of the COOSYS of the position,
        else the year of each observation, ``obs_time``; None if nothing says it. NaN
        for rows that do not say it.

    Notes
    -----
    Where a telescope pointed is where the star was that night. Surveys with fibres
    give the positions of their input catalogue instead, and say of which year
    (`~astro_latent.archives.Survey`).
    """
    name = next((n for n in _EPOCHS if n in table.colnames), None)
    if name is not None:
        column = table[name]
        return column.jyear if isinstance(column, Time) else plain_values(column, u.yr)
    text = coosys_of(table[ra]).get("epoch") or table.meta.get("position_epoch")
    if text:
        text = str(text)
        return float(Time(text if text[0] in "JB" else f"J{text}").jyear)
    if _TIME not in table.colnames:
        return None
    time = table[_TIME]
    days = time.mjd if isinstance(time, Time) else plain_values(time, u.day)
    years = 2000.0 + (days - 51544.5) / 365.25
    if "survey" in table.colnames:
        surveys = np.ma.filled(np.ma.asarray(table["survey"]), "").astype("U")
        for survey in np.unique(surveys):
            stated = _survey_epoch(str(survey))
            if stated is None or np.isfinite(stated):
                years[surveys == survey] = np.nan if stated is None else stated
    return years if np.isfinite(years).any() else None


def plain_values(column: Column | u.Quantity, unit: u.UnitBase) -> np.ndarray:
    """Give the numbers of a column.

    Parameters
    ----------
    column : Column or Quantity
        Of numbers.
    unit : `~astropy.units.Unit`
        In which they are wanted; a column without a unit is taken to be in it.

    Returns
    -------
    ndarray
        float64; NaN where masked.
    """
    own = column.unit or unit
    if isinstance(own, u.UnrecognizedUnit) and own.name.lower().startswith("deg"):
        own = u.deg
    values = np.ma.asarray(getattr(column, "value", column)).astype(float)
    values = np.ma.filled(values, np.nan)
    values = np.asarray(getattr(values, "unmasked", values))
    return values * u.Unit(own).to(unit)


def _survey_epoch(survey: str) -> float | None:
    """Return what a survey, such as ``apogee-2n``, says of its `position_epoch`."""
    known = [name for name in SURVEYS if survey.lower().startswith(name)]
    return SURVEYS[max(known, key=len)].position_epoch if known else np.nan
