# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Turn clean normalised spectra into what APOGEE would have delivered.

What is varied: signal-to-noise and its shape, residual sky lines and tellurics, bad
pixels, missing stretches and lost chips, the error of the velocity correction, and
the flux shape that the continuum normalisation has to remove again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..preparation.grid import SpectralGrid, get_grid
from ..preparation.prepare import prepare_spectra
from ..preparation.prepared import PreparedSpectra
from ..preparation.recipe import APOGEE_CHEBYSHEV_RECIPE
from ..spectra.observation import Observation, SpectrumArrays
from ..utils.physics import SPEED_OF_LIGHT

__all__ = ["ApogeeConditions", "observe_apogee", "prepare_apogee", "shift_pixels"]

# Observed-frame regions where telluric bands (H2O, CO2, CH4) raise the noise.
_TELLURIC = (
    (15190.0, 15230.0),
    (15690.0, 15840.0),
    (16000.0, 16130.0),
    (16480.0, 16720.0),
)


@dataclass(frozen=True, kw_only=True)
class ApogeeConditions:
    """Ranges from which the conditions of an observation are drawn.

    Parameters
    ----------
    snr : tuple of float
        Signal-to-noise per pixel, drawn uniformly in the logarithm.
    velocity_error : float
        Standard deviation of the error of the velocity correction, km/s.
    shape : float
        Amplitude of the flux shape that normalisation has to remove, in ln flux.
    bad_pixels : float
        Largest fraction of isolated bad pixels.
    missing_probability : float
        Chance that stretches of the spectrum are missing.
    lost_chip_probability : float
        Chance that a whole chip is missing.
    sky_lines : int
        Number of sky lines that leave residuals.
    systematics : float
        Largest rms of residuals as wide as a line that real spectra have and the
        clean ones have not: two models of real spectra differ by 0.005 to 0.01.
    systematics_power : float
        Their rms is the largest times a uniform deviate to this power.
    """

    snr: tuple[float, float] = (10.0, 300.0)
    velocity_error: float = 0.6
    shape: float = 0.15
    bad_pixels: float = 0.04
    missing_probability: float = 0.25
    lost_chip_probability: float = 0.04
    sky_lines: int = 90
    systematics: float = 0.0
    systematics_power: float = 1.0


def shift_pixels(flux: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Shift spectra by a fraction of a pixel, by a second-order Taylor expansion.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels)
        Spectra on a grid that is uniform in ln wavelength.
    shift : ndarray, shape (n_spectra,)
        Pixels, well below one.

    Returns
    -------
    ndarray, shape (n_spectra, n_pixels)
        ``flux`` at pixel ``i - shift``.
    """
    slope = np.zeros_like(flux)
    slope[:, 1:-1] = 0.5 * (flux[:, 2:] - flux[:, :-2])
    bend = np.zeros_like(flux)
    bend[:, 1:-1] = flux[:, 2:] - 2.0 * flux[:, 1:-1] + flux[:, :-2]
    step = shift[:, None].astype(flux.dtype)
    return flux - step * slope + 0.5 * step**2 * bend


def _noise_shape(
    n: int, grid: SpectralGrid, conditions: ApogeeConditions, rng: np.random.Generator
) -> np.ndarray:
    """Draw the relative noise level per pixel; its median is about one."""
    wavelength = grid.wavelength
    # Stars move by up to 150 km/s, so the sky falls on different pixels.
    shift = 1.0 + rng.uniform(-150.0, 150.0, n) / SPEED_OF_LIGHT
    lines = np.random.default_rng(4179).uniform(
        wavelength[0], wavelength[-1], conditions.sky_lines
    )
    level = np.ones((n, grid.n_pixels), dtype=np.float32)
    pixels = np.arange(-3, 4)
    for row in range(n):
        for low, high in _TELLURIC:
            first, last = np.searchsorted(
                wavelength, [low * shift[row], high * shift[row]]
            )
            level[row, first:last] *= 1.0 + 0.6 * rng.random()
        centres = np.searchsorted(wavelength, lines * shift[row])
        strength = rng.exponential(2.5, len(lines))[:, None] * np.exp(
            -0.5 * (pixels / 1.5) ** 2
        )
        spots = np.clip(centres[:, None] + pixels, 0, grid.n_pixels - 1)
        np.add.at(level[row], spots.ravel(), strength.ravel())
    for first, last in grid.segments:  # less light towards the ends of each detector
        x = np.linspace(-1.0, 1.0, last - first, dtype=np.float32)
        level[:, first:last] *= 1.0 + (0.4 * rng.random((n, 1)) * x**4).astype(
            np.float32
        )
    return level


def _systematics(
    flux: np.ndarray, largest: float, power: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw residuals that are correlated over a line and stronger inside lines."""
    white = rng.standard_normal(flux.shape, dtype=np.float32)
    smooth = gaussian_filter1d(white, 1.2, axis=1)
    smooth *= 0.4 + 3.0 * np.clip(1.0 - flux, 0.0, 0.4)
    smooth /= smooth.std(axis=1, keepdims=True)
    return smooth * (largest * rng.random((len(flux), 1), dtype=np.float32) ** power)


def _bad_pixels(
    level: np.ndarray,
    grid: SpectralGrid,
    conditions: ApogeeConditions,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the mask: isolated pixels, strong sky, missing stretches, lost chips."""
    n, n_pixels = level.shape
    share = conditions.bad_pixels * rng.random((n, 1)) ** 2
    bad = rng.random((n, n_pixels), dtype=np.float32) < share
    bad |= (level > 5.0) & (
        rng.random((n, 1)) < 0.5
    )  # pipelines differ in flagging sky
    for row in np.flatnonzero(rng.random(n) < conditions.missing_probability):
        for _ in range(rng.integers(1, 4)):
            start = rng.integers(0, n_pixels)
            bad[row, start : start + rng.integers(50, 1100)] = True
    for row in np.flatnonzero(rng.random(n) < conditions.lost_chip_probability):
        first, last = grid.segments[rng.integers(len(grid.segments))]
        bad[row, first:last] = True
    return bad


def _flux_shape(
    n: int, grid: SpectralGrid, amplitude: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a smooth shape per chip, as slit losses and detectors leave it."""
    shape = np.empty((n, grid.n_pixels), dtype=np.float32)
    slope = rng.normal(0.0, 1.5, (n, 1))  # the star's own, common to the chips
    for first, last in grid.segments:
        x = np.linspace(-1.0, 1.0, last - first)
        local = rng.normal(0.0, [0.6, 0.6, 0.3, 0.1], (n, 4)) @ np.stack(
            [np.ones_like(x), x, x**2, x**3]
        )
        across = np.linspace(first, last, last - first) / grid.n_pixels - 0.5
        shape[:, first:last] = np.exp(amplitude * (local + slope * across))
    return shape


def observe_apogee(
    clean: np.ndarray,
    grid: SpectralGrid,
    *,
    rng: np.random.Generator,
    conditions: ApogeeConditions | None = None,
    snr: float | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observe clean spectra with a simulated APOGEE.

    Parameters
    ----------
    clean : ndarray, shape (n_spectra, n_pixels)
        Normalised flux on ``grid``.
    grid : SpectralGrid
        An APOGEE grid, rest frame.
    rng : `~numpy.random.Generator`
        Source of randomness.
    conditions : ApogeeConditions, optional
        Ranges of what is varied.
    snr : float or ndarray, shape (n_spectra,), optional
        Fixed signal-to-noise per pixel instead of a drawn one.

    Returns
    -------
    flux, sigma : ndarray, shape (n_spectra, n_pixels), float32
        What a reduction pipeline would deliver, with its one-sigma error.
    mask : ndarray of bool, shape (n_spectra, n_pixels)
        True for pixels that must not be used.
    """
    conditions = conditions or ApogeeConditions()
    n = len(clean)
    if snr is None:
        lowest, highest = np.log(conditions.snr)
        snr = np.exp(rng.uniform(lowest, highest, n))
    velocity = rng.normal(0.0, conditions.velocity_error, n)
    pixel = SPEED_OF_LIGHT * 6e-6 * np.log(10.0)  # km/s per pixel of the apStar grid
    flux = shift_pixels(np.asarray(clean, dtype=np.float32), velocity / pixel)
    if conditions.systematics:
        flux *= 1.0 + _systematics(
            flux, conditions.systematics, conditions.systematics_power, rng
        )
    level = _noise_shape(n, grid, conditions, rng)
    sigma = level / np.broadcast_to(np.asarray(snr, np.float32), (n,))[:, None]
    flux += sigma * rng.standard_normal(flux.shape, dtype=np.float32)
    mask = _bad_pixels(level, grid, conditions, rng)
    shape = _flux_shape(n, grid, conditions.shape, rng)
    return flux * shape, sigma * shape, mask


def prepare_apogee(
    flux: np.ndarray,
    sigma: np.ndarray,
    mask: np.ndarray,
    *,
    defects: Sequence[tuple[int, int]] = (),
) -> PreparedSpectra:
    """Send simulated observations down the road that real spectra take.

    Parameters
    ----------
    flux, sigma, mask : ndarray, shape (n_spectra, 7214)
        From `observe_apogee`, on the grid ``apogee_7214``.
    defects : sequence of tuple of int, optional
        First pixel and the one after the last, where the spectra are not to be used.

    Returns
    -------
    PreparedSpectra
        At rest, normalised; pixels of ``defects`` are not valid.
    """
    grid = get_grid("apogee_7214")
    mask = mask.copy()
    for first, last in defects:
        mask[:, first:last] = True
    observation = Observation(
        medium="vacuum",
        frame="rest",
        normalisation="none",
        resolving_power=grid.resolving_power,
        radial_velocity=0.0,
    )
    spectra = [
        SpectrumArrays(
            wavelength=grid.wavelength,
            flux=row_flux,
            sigma=row_sigma,
            mask=row_mask,
            observation=observation,
        )
        for row_flux, row_sigma, row_mask in zip(flux, sigma, mask, strict=True)
    ]
    return prepare_spectra(spectra, grid, APOGEE_CHEBYSHEV_RECIPE)
