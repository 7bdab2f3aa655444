# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Noise of a spectrum that came without uncertainties, from its own pixels."""

import numpy as np

__all__ = ["estimate_noise"]

_CHUNK = 1024
_ENOUGH = 32  # pixels that a chunk needs
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
        Standard deviations; NaN everywhere if no chunk has 32 valid pixels.

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
        second = 2 * values[2:-2]
        second -= values[:-4]
        second -= values[4:]
        np.abs(second, out=second)
    starts = range(0, second.size, _CHUNK)
    levels = np.array([_median(second[start : start + _CHUNK]) for start in starts])
    centres = np.arange(levels.size, dtype=float)
    measured = np.isfinite(levels)
    if not measured.any():
        return np.full(values.size, np.nan, np.float32)
    levels = _FACTOR * np.interp(centres, centres[measured], levels[measured])
    return _interpolate(levels, values.size)


def _median(chunk: np.ndarray) -> float:
    """Return the median of the finite values, NaN if they are few."""
    chunk = chunk[np.isfinite(chunk)]
    if chunk.size < _ENOUGH:
        return np.nan
    return float(np.partition(chunk, chunk.size // 2)[chunk.size // 2])


def _interpolate(levels: np.ndarray, size: int) -> np.ndarray:
    """Interpolate linearly between chunk centres, constant beyond the outer ones."""
    padded = np.concatenate((levels[:1], levels, levels[-1:])).astype(np.float32)
    fraction = np.linspace(0, 1, _CHUNK, endpoint=False, dtype=np.float32)
    steps = np.diff(padded)[:, None] * fraction + padded[:-1, None]
    # the first segment ends at the first centre: it starts half a chunk early
    return steps.ravel()[_CHUNK // 2 : _CHUNK // 2 + size]
