# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pieces of Transact-SQL for the database of SDSS."""

import re
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from ...archives.adql import number

__all__ = ["SPECTRA", "SPECTRA_DR19", "SpectraTable", "name_literal", "sky_condition"]

# The service strips comments from queries; a text that looks like one is refused.
_NAME = re.compile(r"[A-Za-z0-9+_. -]+")


@dataclass(frozen=True)
class SpectraTable:
    """A table of the database that lists spectra.

    Parameters
    ----------
    name : str
        What it is called.
    columns : str
        What is asked for of the alias ``s``.
    position : str
        What stands before ``ra`` and ``dec`` in conditions.
    snr : str
        Its column of the signal-to-noise ratio.
    """

    name: str
    columns: str
    position: str
    snr: str


#: Until DR17.
SPECTRA = SpectraTable(
    "SpecObj",
    "s.specobjid, s.plate, s.mjd, s.fiberid, s.run2d, s.ra, s.dec, "
    "s.snMedian AS snmedian, s.subclass, s.z, s.zwarning, s.wavemin, s.wavemax",
    "s.",
    "s.snMedian",
)
#: Of SDSS-V in DR19, as the schema of the database has it (sciserver/sqlloader). Its
#: specobjid has 30 digits, which astroquery cannot bear.
SPECTRA_DR19 = SpectraTable(
    "spAll",
    "s.sdss_id, s.field, s.mjd, s.catalogid, s.run2d, s.plug_ra AS ra, s.plug_dec AS "
    "dec, s.sn_median_all AS snmedian, s.subclass, s.z, s.zwarning, s.wavemin, "
    "s.wavemax",
    "s.plug_",
    "s.sn_median_all",
)


def sky_condition(
    coordinates: SkyCoord, radius: u.Quantity, *, prefix: str = ""
) -> str:
    """Write a circle on the sky as SQL, with a box that an index can use.

    Parameters
    ----------
    coordinates : `~astropy.coordinates.SkyCoord`
        Centre, one position.
    radius : `~astropy.units.Quantity` ['angle']
        Radius.
    prefix : str, optional
        Alias of the table, with its point.

    Returns
    -------
    str
        Condition on ``ra`` and ``dec`` in degrees.
    """
    if not coordinates.isscalar:
        msg = f"one position is wanted, not {coordinates.size}"
        raise ValueError(msg)
    centre = coordinates.icrs
    ra, dec = centre.ra.rad, centre.dec.rad
    angle = u.Quantity(radius).to_value(u.rad)
    if not 0 < angle < np.pi / 2:
        msg = f"the radius must lie between 0 and 90 degrees, not {radius}"
        raise ValueError(msg)
    low, high = np.rad2deg(dec - angle), np.rad2deg(dec + angle)
    # Haversine: exact for small and for large circles, and across 0 h.
    distance = (
        f"POWER(SIN((RADIANS({prefix}dec) - {number(dec)}) / 2), 2) + "
        f"{number(np.cos(dec))} * COS(RADIANS({prefix}dec)) * "
        f"POWER(SIN((RADIANS({prefix}ra) - {number(ra)}) / 2), 2)"
    )
    return (
        f"{prefix}dec BETWEEN {number(low)} AND {number(high)} "
        f"AND {distance} <= {number(np.sin(angle / 2) ** 2)}"
    )


def name_literal(name: str) -> str:
    """Write a name as an SQL literal; only what names of stars consist of."""
    if not _NAME.fullmatch(name) or "--" in name:
        msg = f"{name!r} is not a name that the SDSS database can be asked for"
        raise ValueError(msg)
    return f"'{name}'"
