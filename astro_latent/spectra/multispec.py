# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Wavelengths of IRAF's multispec format: one description for each order, in WAT2.

As the help page ``specwcs`` of IRAF defines them: linear, log-linear, and sums of
Chebyshev, Legendre and spline functions, each with a weight and an offset, divided by
one plus a Doppler factor.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, legendre

__all__ = ["is_multispec", "multispec_wavelengths"]

_WIDTH = 68  # of the text in each card; blanks at its end belong to it
_SPEC = re.compile(r'spec(\d+)\s*=\s*"([^"]*)"')
_LINEAR, _LOG, _FUNCTION = 0, 1, 2
_LONGEST = 1_000_000  # pixels of an order


def is_multispec(head: Mapping[str, Any]) -> bool:
    """Tell whether a header is one of IRAF's multispec format."""
    return str(head.get("CTYPE1") or "").strip().upper() == "MULTISPE"


def multispec_wavelengths(head: Mapping[str, Any], size: int) -> list[np.ndarray]:
    """Return the wavelengths of each order.

    Parameters
    ----------
    head : mapping
        With the cards WAT2_001 ...
    size : int
        Number of pixels of the image.

    Returns
    -------
    list of ndarray, shape (size,)
        In the unit of WAT1, by number; NaN beyond the last pixel of an order, and
        throughout where there is no usable solution.

    Examples
    --------
    >>> from astro_latent.spectra.multispec import multispec_wavelengths
    >>> card = 'wtype=multispec spec1 = "1 1 0 5000. 0.5 3 0. 1. 2."'
    >>> multispec_wavelengths({"WAT2_001": card}, 4)
    [array([5000. , 5000.5, 5001. ,    nan])]
    """
    text = ""
    number = 1
    while (card := head.get(f"WAT2_{number:03d}")) is not None:
        text += str(card).ljust(_WIDTH)
        number += 1
    found = {int(n): words.split() for n, words in _SPEC.findall(text)}
    return [_compute_order(found[n], size) for n in sorted(found)]


def _compute_order(words: list[str], size: int) -> np.ndarray:
    """Compute an order: aperture, beam, type, first, step, pixels, z, low, high ..."""
    wavelength = np.full(size, np.nan)
    try:
        kind, count = int(words[2]), min(int(float(words[5])), size)
        first, step, redshift = float(words[3]), float(words[4]), float(words[6])
        pixel = np.arange(1, count + 1, dtype=float)
        if kind == _LINEAR:
            values = (first + step * (pixel - 1)) / (1 + redshift)
        elif kind == _LOG:
            values = (first + step * (pixel - 1)) / (1 + redshift)
            values = 10.0**values if np.abs(values).max() < 10 else np.nan * values
        elif kind == _FUNCTION:
            values = _sum_functions([float(w) for w in words[9:]], pixel)
            values = values / (1 + redshift)
        else:
            return wavelength  # -1: not calibrated
    except (ValueError, IndexError, OverflowError):
        return wavelength
    wavelength[:count] = values
    return wavelength


def _sum_functions(numbers: list[float], pixel: np.ndarray) -> np.ndarray:
    """Add up functions: weight, offset, type, then what the type needs."""
    total, at = np.zeros_like(pixel), 0
    while at < len(numbers):
        weight, offset, kind = numbers[at], numbers[at + 1], int(numbers[at + 2])
        if kind in (1, 2, 3, 4):
            order, low, high = int(numbers[at + 3]), *numbers[at + 4 : at + 6]
            count = order + {3: 3, 4: 1}.get(kind, 0)
            terms = numbers[at + 6 : at + 6 + count]
            if len(terms) < count or not 0 < count < _LONGEST or low == high:
                msg = "too few coefficients"
                raise ValueError(msg)
            values = _evaluate(kind, order, terms, low, high, pixel)
            at += 6 + count
        elif kind == 5:  # wavelengths at each pixel
            count = int(numbers[at + 3])
            table = numbers[at + 4 : at + 4 + count]
            values = np.interp(pixel, np.arange(1, len(table) + 1), table)
            at += 4 + count
        else:
            msg = f"functions of type {kind} are not known"
            raise ValueError(msg)
        total += weight * (offset + values)
    return total


def _evaluate(
    kind: int, order: int, terms: list[float], low: float, high: float, x: np.ndarray
) -> np.ndarray:
    """Evaluate a Chebyshev, Legendre, cubic or linear spline function."""
    if kind in (1, 2):
        normal = (2 * x - (high + low)) / (high - low)
        return (chebyshev.chebval if kind == 1 else legendre.legval)(normal, terms)
    place = np.clip((x - low) / (high - low) * order, 0, order)
    piece = np.minimum(place.astype(int), order - 1)
    coefficients, after = np.asarray(terms), place - piece
    before = 1 - after
    if kind == 4:
        return coefficients[piece] * before + coefficients[piece + 1] * after
    weights = (
        before**3,
        1 + 3 * before * (1 + before * after),
        1 + 3 * after * (1 + before * after),
        after**3,
    )
    return sum(coefficients[piece + k] * weights[k] for k in range(4))
