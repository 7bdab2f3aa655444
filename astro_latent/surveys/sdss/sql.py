# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pieces of Transact-SQL for the database of SDSS."""

import re

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from ...archives.adql import number

__all__ = ["name_literal", "sky_condition"]

# The service strips comments from queries; a text that looks like one is refused.
_NAME = re.compile(r"[A-Za-z0-9+_. -]+")


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
