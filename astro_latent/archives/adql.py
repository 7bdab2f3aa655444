# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pieces of ADQL, made so that no value can be mistaken for a command."""

import re

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from .query import QueryFilter

__all__ = ["circle", "conditions", "identifier", "literal", "number"]

_IDENTIFIER = re.compile(r'(?:[A-Za-z]\w*|"[^"\x00-\x1f]+")', re.ASCII)


def literal(text: str) -> str:
    """Write a string as an ADQL literal.

    Parameters
    ----------
    text : str
        Any text without control characters.

    Returns
    -------
    str
        The text in single quotes, those within doubled.

    Examples
    --------
    >>> from astro_latent.archives.adql import literal
    >>> print(literal("Barnard's star"))
    'Barnard''s star'
    """
    text = str(text)
    if not text.isprintable():
        msg = f"a text in a query must be printable, not {text!r}"
        raise ValueError(msg)
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    """Write a number with all its digits.

    Parameters
    ----------
    value : float
        Finite number.

    Returns
    -------
    str
        Such as ``'10.25'``.
    """
    value = float(value)
    if not np.isfinite(value):
        msg = f"a number in a query must be finite, not {value}"
        raise ValueError(msg)
    return repr(value)


def identifier(name: str) -> str:
    """Check the name of a table or column.

    Parameters
    ----------
    name : str
        Plain or in double quotes, with schema and catalogue if need be.

    Returns
    -------
    str
        The name as it was.

    Raises
    ------
    ValueError
        If it could be more than a name.

    Examples
    --------
    >>> from astro_latent.archives.adql import identifier
    >>> identifier('vizier."I/355/gaiadr3"')
    'vizier."I/355/gaiadr3"'
    """
    plain = rf"{_IDENTIFIER.pattern}(?:\.{_IDENTIFIER.pattern}){{0,2}}"
    if not re.fullmatch(plain, str(name), re.ASCII):
        msg = f'{name!r} is not the name of a table or column; quote odd names with ""'
        raise ValueError(msg)
    return str(name)


def circle(coordinates: SkyCoord, radius: u.Quantity) -> str:
    """Write a circle on the sky.

    Parameters
    ----------
    coordinates : `~astropy.coordinates.SkyCoord`
        Centre, one position; brought to ICRS.
    radius : `~astropy.units.Quantity` ['angle']
        Radius.

    Returns
    -------
    str
        Such as ``CIRCLE('ICRS', 150.0, -30.0, 0.1)``.
    """
    if not coordinates.isscalar:
        msg = f"one position is wanted, not {coordinates.size}: see query_targets"
        raise ValueError(msg)
    centre = coordinates.icrs
    ra, dec = number(centre.ra.deg), number(centre.dec.deg)
    return f"CIRCLE('ICRS', {ra}, {dec}, {degrees(radius)})"


def degrees(radius: u.Quantity) -> str:
    """Write a radius in degrees; it must be positive."""
    value = u.Quantity(radius).to_value(u.deg)
    if not 0 < value <= 180:
        msg = f"the radius must lie between 0 and 180 degrees, not {radius}"
        raise ValueError(msg)
    return number(value)


def conditions(wanted: QueryFilter, *, prefix: str = "") -> list[str]:
    """Write a filter as conditions on ObsCore columns.

    Parameters
    ----------
    wanted : QueryFilter
        Signal-to-noise ratio, time and band.
    prefix : str, optional
        Alias of the table, with its point.

    Returns
    -------
    list of str
        Conditions to be joined with AND.
    """
    out = []
    if wanted.snr is not None:
        out.append(f"{prefix}snr >= {number(wanted.snr)}")
    for ends, low, high in (
        (wanted.time, "t_min", "t_max"),
        (wanted.band, "em_min", "em_max"),
    ):
        if ends is not None:
            out.append(f"{prefix}{high} >= {number(ends[0])}")
            out.append(f"{prefix}{low} <= {number(ends[1])}")
    return out
