# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Lines that an autoencoder leaves: those of a second star lie to one side."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ..utils.physics import SPEED_OF_LIGHT

__all__ = ["lopsided_share"]

_STEP = 3.0  # km/s
_WINDOW = 101  # pixels of a running mean, about 5 Angstrom
_NEAR, _FAR, _LAST = 4, 70, 400  # lags in pixels: 12, 210 and 1,200 km/s
_SIGMAS = 4.0  # scatters that are taken off
_FEWEST = 2000  # pixels


def lopsided_share(
    wavelength: np.ndarray, seen: np.ndarray, rebuilt: np.ndarray
) -> float:
    """Return how much stronger left lines are on one side of the star's than opposite.

    What is left is correlated with the rebuilt lines at velocities of 12 to 210 km/s.
    What a decoder gets wrong about a star's own lines is alike on both sides; a second
    star is on one. Four scatters of the difference of sides, as it is at velocities
    that no second star has, are taken off: no error of the flux has to be known.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Of the valid pixels, increasing.
    seen, rebuilt : ndarray, shape (n_pixels,)
        Flux there, and its reconstruction.

    Returns
    -------
    float
        In units of the star's own lines: about the ratio of the light of two like
        stars, 0 for one star; NaN for a spectrum that is too short or has no lines.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.left_lines import lopsided_share
    >>> rng = np.random.default_rng(0)
    >>> wavelength = np.exp(8.40 + 1e-5 * np.arange(16000))
    >>> strength = np.where(rng.random(16000) < 0.02, 0.4, 0.0)
    >>> one = 1.0 - np.convolve(strength, np.hanning(9), "same")
    >>> round(lopsided_share(wavelength, one, one), 3)
    0.0
    >>> two = one + 0.5 * np.roll(one, 15)
    >>> 0.3 < lopsided_share(wavelength, two / 1.5, one) < 0.6
    True
    """
    if len(wavelength) < _FEWEST:
        return np.nan
    first, last = np.log(wavelength[[0, -1]])
    place = np.exp(np.arange(first, last, _STEP / SPEED_OF_LIGHT))
    if len(place) < _FEWEST:
        return np.nan
    lines, ours = (_lines(place, wavelength, flux) for flux in (seen, rebuilt))
    n = next_fast_len(len(place) + _LAST, real=True)
    correlation = irfft(rfft(lines - ours, n) * np.conj(rfft(ours, n)), n)
    norm = float(ours @ ours)
    if not norm > 0:
        return np.nan
    sides = (correlation[1 : _LAST + 1] - correlation[: -_LAST - 1 : -1]) / norm
    highest = np.abs(sides[_NEAR - 1 : _FAR]).max()
    return max(0.0, float(highest - _SIGMAS * np.std(sides[_FAR:])))


def _lines(place: np.ndarray, wavelength: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Flux over its running mean, less one, on pixels of equal velocity."""
    from scipy.ndimage import uniform_filter1d

    flux = np.interp(place, wavelength, flux.astype(float))
    mean = uniform_filter1d(flux, _WINDOW, mode="nearest")
    return np.where(mean > 0, flux / np.where(mean > 0, mean, 1.0) - 1.0, 0.0)
