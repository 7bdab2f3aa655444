# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Matching the resolving power: a Gaussian in the logarithm of wavelength."""

import numpy as np

from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .recipe import Step
from .row import Row

__all__ = ["match_resolution", "smooth"]

_FWHM = np.sqrt(8.0 * np.log(2.0))  # full width at half maximum of a unit Gaussian
_REACH = 4.0  # standard deviations


def smooth(
    wavelength: np.ndarray,
    flux: np.ndarray,
    variance: np.ndarray | None = None,
    good: np.ndarray | None = None,
    *,
    sigma: float,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Convolve with a Gaussian of constant width in ln(wavelength).

    Parameters
    ----------
    wavelength, flux : ndarray, shape (n_pixels,)
        The spectrum on any increasing grid.
    variance : ndarray, shape (n_pixels,), optional
        Variance of independent pixels.
    good : ndarray of bool, shape (n_pixels,), optional
        True for pixels to use; the others weigh nothing.
    sigma : float
        Standard deviation of the kernel in ln(wavelength).

    Returns
    -------
    flux : ndarray
        Smoothed flux; 0 where no good pixel contributes.
    variance : ndarray or None
        Its variance, the diagonal only.
    fraction : ndarray
        Part of the kernel that fell on good pixels.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"sigma must be a positive number, not {sigma!r}"
        raise ValueError(msg)
    position = np.log(wavelength)
    width = np.gradient(position)
    good = np.ones(len(flux), dtype=bool) if good is None else good
    flux = np.where(good, flux, 0.0)
    noise = None if variance is None else np.where(good, variance, 0.0)
    total, weight, good_weight, spread = np.zeros((4, len(flux)))
    reach = min(int(np.ceil(_REACH * sigma / width.min())), len(flux) - 1)
    for k in range(-reach, reach + 1):
        here = slice(max(0, -k), len(flux) - max(0, k))
        there = slice(max(0, k), len(flux) - max(0, -k))
        offset = (position[there] - position[here]) / sigma
        kernel = np.exp(-0.5 * offset**2) * width[there]
        weight[here] += kernel
        good_weight[here] += kernel * good[there]
        total[here] += kernel * flux[there]
        if noise is not None:
            spread[here] += kernel**2 * noise[there]
    safe = np.where(good_weight > 0, good_weight, 1.0)
    out = None if noise is None else spread / safe**2
    return total / safe, out, good_weight / weight


def match_resolution(row: Row, step: Step, grid: SpectralGrid) -> None:
    """Lower the resolving power to the grid's; recipe step ``match_resolution``.

    Within ``tolerance`` nothing is done. A lower resolving power cannot be raised: it
    is flagged, as is an unknown one.
    """
    have, want = row.observation.resolving_power, grid.resolving_power
    if not (np.isfinite(have) and have > 0):
        row.flag(QualityFlag.RESOLUTION_UNKNOWN)
        return
    if have < want * (1.0 - step["tolerance"]):
        text = f"resolving power {have:.0f}, the model expects {want:.0f}"
        row.flag(QualityFlag.RESOLUTION_TOO_LOW, text)
        return
    if have <= want * (1.0 + step["tolerance"]):
        return
    sigma = float(np.sqrt(want**-2.0 - have**-2.0) / _FWHM)
    row.flux, row.variance, fraction = smooth(
        row.wavelength, row.flux, row.variance, row.good, sigma=sigma
    )
    row.good = row.good & (fraction >= step["min_good"])
