# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Radial velocities by cross-correlation with templates that come with the package.

The correlation runs over a grid that is uniform in ln(wavelength), by FFT, with masked
pixels left out of numerator and norm alike (Tonry & Davis 1979; errors after Zucker
2003, MNRAS 342, 1291).
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits
from scipy import fft

from ..exceptions import UnknownNameError
from ..utils.physics import SPEED_OF_LIGHT
from .grid import get_grid
from .resample import Resampler

__all__ = ["Velocity", "measure_velocity"]

_FILES = {"apogee": "apogee_templates.fits"}
_STEP = 3e-6 * np.log(10.0)  # ln(wavelength): half a pixel of the apStar grid
_BIN = 300  # pixels in which the pseudo-continuum is one number
_MINIMUM_PIXELS = 500


@dataclass(frozen=True, kw_only=True)
class Velocity:
    """Result of a cross-correlation.

    Parameters
    ----------
    velocity, error : float
        Velocity in the frame of the wavelengths and its error, km/s; NaN if none.
    peak : float
        Height of the peak, at most 1.
    second : float
        Height of the next peak that is well apart.
    significance : float
        Peak over the scatter of the correlation away from it.
    template : int
        Which template fitted best; -1 if none.
    clear : bool
        Whether there is one peak and it is significant.
    """

    velocity: float
    error: float
    peak: float
    second: float
    significance: float
    template: int
    clear: bool


_NOTHING = Velocity(
    velocity=np.nan,
    error=np.nan,
    peak=0.0,
    second=0.0,
    significance=0.0,
    template=-1,
    clear=False,
)


@dataclass(frozen=True, eq=False)
class _Templates:
    """Flattened templates on the uniform grid, and their transforms."""

    log_start: float
    n_pixels: int
    length: int
    transform: np.ndarray
    transform_square: np.ndarray

    @property
    def wavelength(self) -> np.ndarray:
        return np.exp(self.log_start + _STEP * np.arange(self.n_pixels))


def _flatten(flux: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Divide by a pseudo-continuum, the upper quartile in bins; 0 where not valid."""
    starts = np.arange(0, len(flux), _BIN)
    centres, levels = [], []
    for first in starts:
        part = slice(first, first + _BIN)
        if valid[part].sum() >= _BIN // 4:
            centres.append(first + 0.5 * _BIN)
            levels.append(np.percentile(flux[part][valid[part]], 75))
    if not centres:
        return np.zeros(len(flux))
    level = np.interp(np.arange(len(flux)), centres, levels)
    usable = valid & (level > 0)
    flat = np.where(usable, flux / np.where(level > 0, level, 1.0), 0.0)
    flat[usable] = np.clip(flat[usable], 0.0, 1.5)  # cosmic rays, sky residuals
    if usable.any():
        flat[usable] -= flat[usable].mean()
    return flat


@cache
def _load(name: str) -> _Templates:
    """Read templates and bring them to the uniform grid."""
    if name not in _FILES:
        raise UnknownNameError("set of templates", name, list(_FILES))
    resource = files(__package__).joinpath("data", _FILES[name])
    with as_file(resource) as path, fits.open(path) as hdus:
        fluxes = hdus[0].data.astype(float)
        source = get_grid(hdus[0].header["GRID"]).wavelength
    start = np.log(source[0]) - 0.004  # room for +-1200 km/s
    n_pixels = int(np.ceil((np.log(source[-1]) + 0.004 - start) / _STEP))
    target = np.exp(start + _STEP * np.arange(n_pixels))
    way = Resampler.between(source, target, method="linear")
    flat = np.array([_flatten(way(f)[0], way(f)[2] > 0.5) for f in fluxes])
    length = fft.next_fast_len(2 * n_pixels, real=True)
    return _Templates(
        log_start=float(start),
        n_pixels=n_pixels,
        length=length,
        transform=fft.rfft(flat, length),
        transform_square=fft.rfft(flat**2, length),
    )


def measure_velocity(
    wavelength: np.ndarray,
    flux: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    templates: str = "apogee",
    limit: float = 600.0,
) -> Velocity:
    """Measure the radial velocity of one spectrum by cross-correlation.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström, in the medium of the templates (vacuum for ``"apogee"``).
    flux : ndarray, shape (n_pixels,)
        Flux, normalised or not.
    valid : ndarray of bool, shape (n_pixels,), optional
        True for pixels to use.
    templates : str, optional
        Which set of templates.
    limit : float, optional
        Largest velocity looked for, km/s.

    Returns
    -------
    Velocity
        NaN where too few pixels overlap.

    Raises
    ------
    UnknownNameError
        If there are no such templates.

    Notes
    -----
    The peak is located by a parabola through its three highest points. It is clear if
    it stands six times the scatter above the rest and the next peak, more than 50 km/s
    away, is lower by a fifth.
    """
    stars = _load(templates)
    valid = np.ones(len(flux), dtype=bool) if valid is None else valid
    way = Resampler.between(wavelength, stars.wavelength, method="linear")
    values, _, fraction = way(flux, None, valid)
    use = fraction >= 0.5
    if use.sum() < _MINIMUM_PIXELS:
        return _NOTHING
    flat = _flatten(values, use)
    correlation, velocities = _correlate(flat, use, stars, limit)
    return _find_peak(correlation, velocities, int(use.sum()))


def _correlate(
    flat: np.ndarray, use: np.ndarray, stars: _Templates, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised correlation with each template, and the velocities."""
    length = stars.length
    reach = int(np.log1p(limit / SPEED_OF_LIGHT) / _STEP) + 1
    top = fft.irfft(fft.rfft(flat, length) * stars.transform.conj(), length)
    below = fft.irfft(
        fft.rfft(use.astype(float), length) * stars.transform_square.conj(), length
    )
    lags = np.arange(-reach, reach + 1)
    norm = np.sqrt(np.maximum(below[:, lags], 1e-12) * np.sum(flat**2) + 1e-300)
    z = np.exp(_STEP * lags)  # observed over rest wavelength
    return top[:, lags] / norm, SPEED_OF_LIGHT * (z**2 - 1) / (z**2 + 1)


def _find_peak(
    correlation: np.ndarray, velocities: np.ndarray, n_pixels: int
) -> Velocity:
    """Locate the highest peak, judge it and estimate its error."""
    best = int(np.argmax(correlation.max(axis=1)))
    curve = correlation[best]
    k = int(np.argmax(curve))
    if not 0 < k < len(curve) - 1 or curve[k] <= 0:
        return _NOTHING
    below, peak, above = curve[k - 1 : k + 2]
    bend = below - 2 * peak + above
    shift = 0.5 * (below - above) / bend if bend < 0 else 0.0
    step = 0.5 * (velocities[k + 1] - velocities[k - 1])
    velocity = velocities[k] + shift * step
    apart = np.abs(velocities - velocity) > 50.0
    rest = curve[apart]
    significance = float((peak - np.mean(rest)) / max(np.std(rest), 1e-12))
    second = float(rest.max())
    # Zucker (2003), equation 4; independent pixels are two of this grid.
    squared = min(peak**2, 1 - 1e-9)
    curvature = -bend / step**2
    information = 0.5 * n_pixels * curvature / peak * squared / (1 - squared)
    return Velocity(
        velocity=float(velocity),
        error=float(information**-0.5) if information > 0 else np.nan,
        peak=float(peak),
        second=second,
        significance=significance,
        template=best,
        clear=bool(significance >= 6.0 and second < 0.8 * peak),
    )
