# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a header says about a spectrum: who, where, when, at which wavelengths."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from .fits import FitsFile

__all__ = [
    "FLAM",
    "facts_from_header",
    "flux_unit",
    "identifier_from_path",
    "linear_axis",
    "log_axis",
    "mjd_from_text",
    "number",
    "stated_frame",
    "stated_medium",
]

# Frames of the FITS standard (paper III, table 12), cut to 8 characters.
_FRAME_OF_SPECSYS = {
    "BARYCENT": "barycentric",
    "HELIOCEN": "barycentric",
    "TOPOCENT": "observed",
    "SOURCE": "rest",
}

_MJD_EPOCH = np.datetime64("1858-11-17T00:00:00", "us")
_SUFFIXES = (
    ".gz", ".fz", ".bz2", ".fits", ".fit", ".fts", ".vot", ".xml", ".ecsv", ".csv",
)  # fmt: skip
_SECONDS = 86400.0
_LOG_KEYS = ("CRVAL1", "CDELT1", "CD1_1", "CRPIX1")
_SCALE = re.compile(r"10\^?(-?\d+)\s*erg")
FLAM = u.erg / u.s / u.cm**2 / u.AA

_cached_axes: dict[tuple[Any, ...], np.ndarray] = {}  # files of one survey share one


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


def identifier_from_path(path: Path | str) -> str:
    """Return a file's name without the endings that say what it is.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    str
        Identifier for `Observation.obs_id`.
    """
    name = Path(path).name
    stripped = True
    while stripped:
        stripped = False
        for suffix in _SUFFIXES:
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                name, stripped = name[: -len(suffix)], True
    return name


def _parse_sexagesimal(text: object) -> float:
    parts = str(text).strip().split(":")
    if len(parts) != 3:
        return np.nan
    try:
        whole, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return np.nan
    sign = -1.0 if parts[0].strip().startswith("-") else 1.0
    return sign * (abs(whole) + minutes / 60 + seconds / 3600)


def _read_position(header: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ICRS position; (NaN, NaN) if none is stated.

    FK5 at J2000 is taken as ICRS: they differ by less than 0.03 arcsec.
    """
    ra, dec = number(header, "RA", "RA_TARG"), number(header, "DEC", "DEC_TARG")
    if np.isnan(ra) and np.isnan(dec):
        ra = _parse_sexagesimal(header.get("RA")) * 15
        dec = _parse_sexagesimal(header.get("DEC"))
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        return np.nan, np.nan
    equinox = number(header, "EQUINOX")
    frame = str(header.get("RADECSYS") or header.get("RADESYS") or "").upper()
    if frame.startswith("FK4") or (np.isfinite(equinox) and equinox != 2000.0):
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


def mjd_from_text(text: object) -> float:
    """Return the MJD of an ISO 8601 date and time, or NaN.

    Parameters
    ----------
    text : str
        Such as ``"2012-04-14T09:01:09.658"``.

    Returns
    -------
    float
        Days.
    """
    if not isinstance(text, str) or "T" not in text:
        return np.nan
    try:
        moment = np.datetime64(text.strip().rstrip("Z"), "us")
    except ValueError:
        return np.nan
    return float((moment - _MJD_EPOCH) / np.timedelta64(1, "us")) / 1e6 / _SECONDS


def _find_mid_exposure(header: Mapping[str, Any], exposure: float) -> float:
    middle = number(header, "TMID", "JD-MID")
    if np.isfinite(middle):
        return middle - 2400000.5 if middle > 2400000.5 else middle
    start, end = number(header, "MJD-OBS"), number(header, "MJD-END")
    if np.isfinite(start) and end >= start:
        return (start + end) / 2
    if np.isnan(start):
        start = mjd_from_text(header.get("DATE-OBS"))
    return start + exposure / 2 / _SECONDS  # NaN if no exposure time is stated


def facts_from_header(header: Mapping[str, Any], path: Path | str) -> dict[str, Any]:
    """Collect what common keywords say, as arguments of `Observation`.

    Parameters
    ----------
    header : mapping
        The primary header.
    path : path-like
        The file, for ``obs_id`` and ``source``.

    Returns
    -------
    dict
        obs_id, source, target_name, ra, dec, exposure_time, time.
    """
    ra, dec = _read_position(header)
    exposure = number(header, "EXPTIME", "TEXPTIME")
    names = (header.get(key) for key in ("OBJECT", "OBJID", "OBJNAME", "OBJ"))
    target = next((str(name).strip() for name in names if name), "")
    return {
        "obs_id": identifier_from_path(path) if str(path) else "",
        "source": str(path),
        "target_name": target,
        "ra": ra,
        "dec": dec,
        "exposure_time": exposure,
        "time": _find_mid_exposure(header, exposure),
    }


def stated_frame(header: Mapping[str, Any]) -> str:
    """Return the frame that SPECSYS states, or ``"unknown"``.

    Parameters
    ----------
    header : mapping
        The header.

    Returns
    -------
    str
        One of `~astro_latent.spectra.FRAMES`.
    """
    word = str(header.get("SPECSYS") or "").strip().upper()[:8]
    return _FRAME_OF_SPECSYS.get(word, "unknown")


def stated_medium(header: Mapping[str, Any]) -> str:
    """Return the medium that CTYPE1, AIRORVAC or VACUUM state, or ``"unknown"``.

    Parameters
    ----------
    header : mapping
        The header.

    Returns
    -------
    str
        One of `~astro_latent.spectra.MEDIA`.
    """
    # whole words: others write CTYPE1 = 'Wavelength' and say nothing by it
    kind = str(header.get("CTYPE1") or "").strip().upper().partition("-")[0]
    if kind in ("AWAV", "WAVE"):
        return "air" if kind == "AWAV" else "vacuum"
    word = str(header.get("AIRORVAC") or "").strip().lower()[:3]
    if word in ("air", "vac"):
        return "air" if word == "air" else "vacuum"
    media: dict[Any, str] = {True: "vacuum", False: "air"}
    return media.get(header.get("VACUUM"), "unknown")


def linear_axis(header: Mapping[str, Any], size: int, *, file: FitsFile) -> np.ndarray:
    """Return ``CRVAL1 + (pixel - CRPIX1) * CDELT1`` in the header's unit.

    Parameters
    ----------
    header : mapping
        With CRVAL1, CDELT1 or CD1_1, and CRPIX1 (1 if missing).
    size : int
        Number of pixels.
    file : FitsFile
        For the error message.

    Returns
    -------
    ndarray, shape (size,)
        The axis.

    Raises
    ------
    SpectrumReadError
        If a keyword is missing or the step is zero.
    """
    start = header.get("CRVAL1")
    step = header.get("CDELT1") or header.get("CD1_1")
    pixel = header.get("CRPIX1")
    pixel = 1.0 if pixel is None else pixel
    for name, value in (("CRVAL1", start), ("CDELT1", step), ("CRPIX1", pixel)):
        if not isinstance(value, int | float) or not np.isfinite(value):
            file.refuse(f"{name}={value!r} gives no wavelengths")
    return start + step * (np.arange(size, dtype=np.float64) + 1 - pixel)


def log_axis(header: Mapping[str, Any], size: int, *, file: FitsFile) -> np.ndarray:
    """Return 10 to the power of `linear_axis`; shared and read-only.

    Parameters
    ----------
    header : mapping
        As for `linear_axis`, in log10.
    size : int
        Number of pixels.
    file : FitsFile
        For the error message.

    Returns
    -------
    ndarray, shape (size,)
        The axis, not writable: files of one survey share it.
    """
    key = (*(header.get(name) for name in _LOG_KEYS), size)
    if key not in _cached_axes:
        axis = linear_axis(header, size, file=file)
        if abs(axis[0]) > 10 or abs(axis[-1]) > 10:
            file.refuse(f"log10 wavelengths from {axis[0]} to {axis[-1]} make no sense")
        if len(_cached_axes) > 64:
            _cached_axes.clear()
        axis = 10.0**axis
        axis.setflags(write=False)
        _cached_axes[key] = axis
    return _cached_axes[key]


def flux_unit(header: Mapping[str, Any]) -> u.UnitBase:
    """Return the unit that BUNIT means; dimensionless for words such as "relative".

    Parameters
    ----------
    header : mapping
        With BUNIT or without.

    Returns
    -------
    `~astropy.units.Unit`
        The unit.
    """
    text = str(header.get("BUNIT") or "").strip()
    scale = _SCALE.search(text)
    if scale and "Ang" in text:
        return u.Unit(10.0 ** int(scale[1]) * FLAM)
    if not text or "relative" in text.lower() or "arbitrary" in text.lower():
        return u.dimensionless_unscaled
    try:
        return u.Unit(text.lower() if text.lower() in ("adu", "counts") else text)
    except (ValueError, TypeError):
        return u.dimensionless_unscaled
