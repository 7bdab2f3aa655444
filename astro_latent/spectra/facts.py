# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a header says about a spectrum: who, where, when, at which wavelengths."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from ..utils.angles import parse_sexagesimal
from .fits import FitsFile
from .units import FLAM, parse_unit

__all__ = [
    "FLAM",
    "facts_from_header",
    "flux_unit",
    "identifier_from_path",
    "linear_axis",
    "log_axis",
    "mjd_from_text",
    "number",
    "read_position",
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

_MJD_EPOCH = np.datetime64("1858-11-17T00:00:00", "us")
_SUFFIXES = (
    ".gz", ".fz", ".bz2", ".fits", ".fit", ".fts", ".vot", ".xml", ".ecsv", ".csv",
    ".txt", ".npz",
)  # fmt: skip
_SECONDS = 86400.0
_NUMBERS = (int, float, np.number)
_LOG_KEYS = ("CRVAL1", "CDELT1", "CD1_1", "PC1_1", "CRPIX1")
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
        if isinstance(value, _NUMBERS) and not isinstance(value, bool):
            value = float(value)
            if math.isfinite(value) and value > -9990.0:  # SDSS's unknown is -9999
                return value
    return math.nan


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
    >>> from astro_latent.spectra.facts import read_position
    >>> read_position({"OBJCTRA": "10 00 00", "OBJCTDEC": "-20 30 00"})
    (150.0, -20.5)
    """
    for names in _POSITIONS:
        ra, dec = (number(header, name) for name in names)
        if math.isnan(ra) and math.isnan(dec):
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
    name = (path if isinstance(path, Path) else Path(path)).name
    while name.lower().endswith(_SUFFIXES):
        before = name
        for suffix in _SUFFIXES:
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                name = name[: -len(suffix)]
        if name == before:  # nothing would be left
            break
    return name


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
    ra, dec = read_position(header)
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
    categories = [str(header.get(f"{site} PRO CATG") or "") for site in ("ESO", "TNG")]
    if not word and any(kind.startswith("S1D_") for kind in categories):
        return "barycentric"  # of the pipeline of ESPRESSO, HARPS and HARPS-N
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
    """Return ``CRVAL1 + (pixel - CRPIX1) * step`` in the header's unit.

    Parameters
    ----------
    header : mapping
        With CRVAL1, CRPIX1 (1 if missing), and CD1_1 or else CDELT1 times PC1_1.
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
    start, step, pixel = header.get("CRVAL1"), header.get("CD1_1"), header.get("CRPIX1")
    pixel = 1.0 if pixel is None else pixel
    if step is None:  # FITS paper I: CDELT1 means nothing where there is CD1_1
        step, scale = header.get("CDELT1"), header.get("PC1_1")
        if isinstance(step, int | float) and isinstance(scale, int | float):
            step = step * scale
    for name, value in (("CRVAL1", start), ("CDELT1", step), ("CRPIX1", pixel)):
        good = isinstance(value, int | float) and np.isfinite(value)
        if not good or (name == "CDELT1" and value == 0):
            file.refuse(f"{name}={value!r} gives no wavelengths")
    pixels = np.arange(size, dtype=np.float64) + 1 - pixel
    return np.asarray(start) + np.asarray(step) * pixels


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
    text = str(header.get("BUNIT") or "")
    unit = parse_unit(text)
    return unit if isinstance(unit, u.UnitBase) else u.dimensionless_unscaled
