# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is asked of an archive, made plain: names of stars, and conditions.

Names become positions through the Sesame service, conditions plain numbers in the units
of ObsCore.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from .._config import conf as package_conf
from ..exceptions import ArchiveError, ArchiveFormatError
from ..utils.guard import printable
from .config import conf

__all__ = ["QueryFilter", "TimeLike", "resolve_name"]

#: First and last moment: one `~astropy.time.Time` of two elements, or a pair of times
#: or of MJD.
TimeLike: TypeAlias = Time | Sequence[Time | float]
#: ICRS position of J2000, in degrees, in an answer of Sesame.
_POSITION = re.compile(r"^%J\s*(\d+(?:\.\d*)?)\s*([+-]?\d+(?:\.\d*)?)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class QueryFilter:
    """Conditions of a query, in the units of ObsCore.

    Parameters
    ----------
    snr : float or None
        Smallest signal-to-noise ratio.
    time : tuple of float or None
        First and last MJD; observations that overlap are wanted.
    band : tuple of float or None
        Shortest and longest wavelength in metres; spectra that overlap are wanted.
    row_limit : int or None
        Largest number of rows; None for all of them.
    """

    snr: float | None = None
    time: tuple[float, float] | None = None
    band: tuple[float, float] | None = None
    row_limit: int | None = None

    @classmethod
    def build(
        cls,
        *,
        snr: float | None = None,
        time: TimeLike | None = None,
        band: u.Quantity | None = None,
        row_limit: int | None = None,
    ) -> "QueryFilter":
        """Check what a person gave and bring it to plain numbers.

        Parameters
        ----------
        snr : float, optional
            Smallest signal-to-noise ratio.
        time : `~astropy.time.Time` of two elements, or pair of MJD, optional
            First and last moment.
        band : `~astropy.units.Quantity` of two elements, optional
            Ends of a spectral range: wavelength, frequency or energy.
        row_limit : int, optional
            Largest number of rows; -1 for all; by default ``conf.row_limit``.

        Returns
        -------
        QueryFilter
            The same, as numbers.
        """
        limit = package_conf.row_limit if row_limit is None else int(row_limit)
        if limit < -1 or limit == 0:
            msg = f"row_limit must be positive, or -1 for all rows, not {row_limit}"
            raise ValueError(msg)
        return cls(
            snr=None if snr is None else _check_finite(snr, "snr"),
            time=None if time is None else _check_interval(_to_mjd(time), "time"),
            band=None if band is None else _check_interval(_to_metres(band), "band"),
            row_limit=None if limit == -1 else limit,
        )


def _check_finite(value: float, name: str) -> float:
    number = float(value)
    if not np.isfinite(number):
        msg = f"{name} must be finite, not {value}"
        raise ValueError(msg)
    return number


def _to_mjd(time: TimeLike) -> np.ndarray | list[float]:
    if isinstance(time, Time):
        return time.utc.mjd
    return [_moment_to_mjd(moment) for moment in time]


def _moment_to_mjd(moment: Time | float) -> float:
    return moment.utc.mjd if isinstance(moment, Time) else float(moment)


def _to_metres(band: u.Quantity) -> np.ndarray:
    if not isinstance(band, u.Quantity):
        band = u.Quantity(band)  # a pair of quantities; plain numbers have no unit
    return band.to_value(u.m, equivalencies=u.spectral())


def _check_interval(ends: np.ndarray | list[float], name: str) -> tuple[float, float]:
    values = np.atleast_1d(np.asarray(ends, dtype=float))
    if values.shape != (2,) or not np.all(np.isfinite(values)):
        msg = f"{name} must be two finite values, first and last, not {ends}"
        raise ValueError(msg)
    return float(values.min()), float(values.max())


def resolve_name(name: str) -> SkyCoord:
    """Ask Sesame (SIMBAD, NED, VizieR) where a star is.

    Parameters
    ----------
    name : str
        Name, such as ``"HD 128621"``.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`
        ICRS position, equinox and epoch J2000.

    Raises
    ------
    ArchiveError
        If the name is unknown or the service does not answer.
    ArchiveFormatError
        If it answers with something else.
    """
    from .http import ask  # requests takes its time

    if not str(name).strip():
        msg = "the name of the star is empty"
        raise ValueError(msg)
    url = f"{conf.name_resolver_url.rstrip('/')}/SNV?{quote(str(name))}"
    text = ask(url, "the name service").text
    found = _POSITION.search(text)
    if found is not None:
        ra, dec = float(found[1]), float(found[2])
        if ra <= 360 and abs(dec) <= 90:
            return SkyCoord(ra, dec, unit="deg")
    if found is not None or not text.startswith("#"):
        msg = f"the name service answered with something else: {text[:80]!r}"
        raise ArchiveFormatError(msg, url=url)
    said = "; ".join(line[2:].strip() for line in text.splitlines() if line[:2] == "#!")
    msg = (
        f"no position was found for {name!r} ({printable(said[:300])}). Give "
        "coordinates to query_region if the name is right"
    )
    raise ArchiveError(msg, url=url)
