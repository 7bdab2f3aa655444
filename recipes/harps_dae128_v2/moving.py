# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra of a bank moved to new velocities, on joined pixels or in windows.

A network that is to know what a velocity does must see each star at many of them. What
is moved is the whole spectrum, air included, as Sedaghat et al. (2023) did.
"""

import numpy as np

__all__ = ["move_spectra"]


def move_spectra(
    flux: np.ndarray,
    valid: np.ndarray,
    factor: np.ndarray,
    *,
    start: float,
    joined: int = 1,
    window: tuple[int, int] | None = None,
) -> np.ndarray:
    """Move spectra in wavelength and join pixels to their means.

    Parameters
    ----------
    flux : ndarray, shape (n, n_valid)
        On the valid pixels of a linear grid.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels of the grid these are.
    factor : ndarray, shape (n,)
        By which each wavelength grows.
    start : float
        Wavelength of the first pixel's blue edge, in pixels.
    joined : int, optional
        How many pixels become one.
    window : tuple of int, optional
        First pixel and the one after the last of what is wanted; by default all.

    Returns
    -------
    ndarray, shape (n, n_pixels / joined)
        The means of what falls into each pixel; beyond the valid pixels, and in gaps,
        of what lies beside.
    """
    pixels = np.flatnonzero(valid)
    missing = np.flatnonzero(~valid)
    first, last = window or (0, len(valid))
    edges = np.arange(first, last + 1, joined) + start
    moved = np.empty((len(flux), len(edges) - 1), np.float32)
    filled, total = np.empty(len(valid)), np.zeros(len(valid) + 1)
    for row, one, by in zip(moved, flux, factor, strict=True):
        filled[valid] = one
        filled[missing] = np.interp(missing, pixels, one)
        np.cumsum(filled, out=total[1:])
        at = edges / by - start
        whole = np.clip(at.astype(int), 0, len(valid) - 1)
        integral = total[whole] + (at - whole) * filled[whole]
        # wavelengths that grow also widen what a pixel covers
        row[:] = np.diff(integral) * by / joined
    return moved
