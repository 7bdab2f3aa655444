# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Noise of a spectrum that came without uncertainties, from its own pixels."""

import numpy as np

__all__ = ["estimate_noise"]

_CHUNK = 1024
# rms of 2 f[i] - f[i-2] - f[i+2] is sqrt(6) sigma; 1.482602 turns MAD into sigma
_FACTOR = 1.482602 / np.sqrt(6.0)


def estimate_noise(flux: np.ndarray, *, mask: np.ndarray | None = None) -> np.ndarray:
    """Estimate one standard deviation per pixel, chunk by chunk (DER_SNR).

    In chunks of 1024 pixels the median of ``|2 f[i] - f[i-2] - f[i+2]|`` measures the
    noise (Stoehr et al. 2008, ASP Conf. 394, 505); between chunk centres it is
    interpolated. The estimate is too small where neighbouring pixels are correlated
    over more than two pixels, too large where unresolved lines fill the spectrum.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
        Flux.
    mask : ndarray of bool, shape (n_pixels,), optional
        True for pixels to leave out.

    Returns
    -------
    ndarray of float32, shape (n_pixels,)
        Standard deviations; NaN everywhere if no chunk has enough good pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.spectra import estimate_noise
    >>> noise = np.random.default_rng(1).normal(0, 0.02, 20_000)
    >>> round(float(np.median(estimate_noise(1 + noise))), 3)
    0.02
    """
    values = np.asarray(flux, dtype=np.float32).copy()
    if mask is not None:
        values[np.asarray(mask, dtype=bool)] = np.nan
    if values.size < 5:
        return np.full(values.size, np.nan, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        second = np.abs(2 * values[2:-2] - values[:-4] - values[4:])
    centres, sigmas = [], []
    for start in range(0, second.size, _CHUNK):
        chunk = second[start : start + _CHUNK]
        chunk = chunk[np.isfinite(chunk)]
        if chunk.size >= 32 or chunk.size == second.size > 0:
            centres.append(start + _CHUNK / 2)
            sigmas.append(_FACTOR * float(np.median(chunk)))
    if not sigmas:
        return np.full(values.size, np.nan, np.float32)
    return np.interp(np.arange(values.size), centres, sigmas).astype(np.float32)
