# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where a header says that the star is, in degrees or in hours, minutes and seconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..utils.angles import parse_sexagesimal

__all__ = ["number", "read_position"]

#: Keywords that hold positions, those of the target before those of the telescope.
_POSITIONS = (
    ("RA", "DEC"),
    ("RA_TARG", "DEC_TARG"),
    ("RA_OBJ", "DEC_OBJ"),
    ("RAOBJ", "DECOBJ"),
    ("OBJCTRA", "OBJCTDEC"),
    ("PLUG_RA", "PLUG_DEC"),
    ("TARG_RA", "TARG_DEC"),
    ("TARGRA", "TARGDEC"),
    ("OBJRA", "OBJDEC"),
    ("RA2000", "DEC2000"),
    ("RA_DEG", "DEC_DEG"),
    ("RADEG", "DECDEG"),
)


def number(header: Mapping[str, Any], *keys: str) -> float:
    """Return the first of these keywords that holds a finite number, or NaN.

    Parameters
    ----------
    header : mapping
        The header.
    *keys : str
        Keywords in order of preference.

    Returns
    -------
    float
        The value; NaN if none has one.
    """
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            value = float(value)
            if np.isfinite(value) and value > -9990.0:  # SDSS writes -9999 for unknown
                return value
    return np.nan


def _read_angles(ra: object, dec: object) -> tuple[float, float]:
    """Return right ascension and declination in degrees, from text; NaN if neither."""
    (east, mark), (north, _) = parse_sexagesimal(ra), parse_sexagesimal(dec)
    east = east if mark in ("d", "°") else east * 15.0
    return (
        _parse_float(ra) if np.isnan(east) else east,
        _parse_float(dec) if np.isnan(north) else north,
    )


def _parse_float(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return np.nan


def read_position(header: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ICRS position that a header states.

    FK5 at J2000 is taken as ICRS: they differ by less than 0.03 arcsec.

    Parameters
    ----------
    header : mapping
        The header; degrees, or text in any usual spelling.

    Returns
    -------
    ra, dec : float
        Degrees; NaN if there is none.

    Examples
    --------
    >>> from astro_latent.spectra.position import read_position
    >>> read_position({"OBJCTRA": "10 00 00", "OBJCTDEC": "-20 30 00"})
    (150.0, -20.5)
    """
    for names in _POSITIONS:
        ra, dec = (number(header, name) for name in names)
        if np.isnan(ra) and np.isnan(dec):
            ra, dec = _read_angles(*(header.get(name) for name in names))
        if 0 <= ra <= 360 and -90 <= dec <= 90:
            break
    else:
        return np.nan, np.nan
    equinox = number(header, "EQUINOX")
    frame = str(header.get("RADECSYS") or header.get("RADESYS") or "").upper()
    dated = not frame.startswith("ICRS") and np.isfinite(equinox) and equinox != 2000.0
    if frame.startswith("FK4") or (dated and 1800 < equinox < 2100):
        return _to_icrs(ra, dec, equinox, old=frame.startswith("FK4") or equinox < 1984)
    return ra, dec


def _to_icrs(
    ra: float, dec: float, equinox: float, *, old: bool
) -> tuple[float, float]:
    from astropy.coordinates import FK4, FK5, SkyCoord
    from astropy.time import Time

    year = equinox if np.isfinite(equinox) else 1950.0
    scale = "byear" if old else "jyear"
    frame = (FK4 if old else FK5)(equinox=Time(year, format=scale))
    position = SkyCoord(ra, dec, unit="deg", frame=frame).icrs
    return float(position.ra.deg), float(position.dec.deg)
