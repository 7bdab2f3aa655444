# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Wavelengths from linear and log-linear header keywords; units from BUNIT."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u

from .fits import FitsFile

__all__ = ["flux_unit", "linear_axis", "log_axis"]

_LOG_KEYS = ("CRVAL1", "CDELT1", "CD1_1", "CRPIX1")
_CACHE: dict[tuple[Any, ...], np.ndarray] = {}
_SCALE = re.compile(r"10\^?(-?\d+)\s*erg")
FLAM = u.erg / u.s / u.cm**2 / u.AA


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
    if key not in _CACHE:
        axis = linear_axis(header, size, file=file)
        if abs(axis[0]) > 10 or abs(axis[-1]) > 10:
            file.refuse(f"log10 wavelengths from {axis[0]} to {axis[-1]} make no sense")
        if len(_CACHE) > 64:
            _CACHE.clear()
        axis = 10.0**axis
        axis.setflags(write=False)
        _CACHE[key] = axis
    return _CACHE[key]


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
