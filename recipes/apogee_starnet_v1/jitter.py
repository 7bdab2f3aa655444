# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stars of the training's kind, observed a little worse than any training spectrum.

What differs is what a reduction gets wrong and nobody says: resolution, velocity,
slow ripples of the flux, cosmic rays that are not masked.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from recipes.apogee.stars import apogee_emulator, draw_apogee_stars, prepare_observed
from recipes.apogee_starnet_v1.out_of_domain import shift_chips

__all__ = ["JITTERS", "observe_jittered"]

_PIXEL = 4.145  # km/s
_BLUR = 2.74  # km/s in quadrature: from R = 22,500 to 20,250
_SHIFT = 5.0  # km/s
_RIPPLE = 0.05
_COSMICS = 20  # pixels


def _same(flux: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return flux


def _blur(flux: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Lower the resolving power by a tenth."""
    blurred = flux.copy()
    for first, last in get_grid("apogee_7214").segments:
        chip = flux[:, first:last]
        blurred[:, first:last] = gaussian_filter1d(chip, _BLUR / _PIXEL, axis=1)
    return blurred


def _shift(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return shift_chips(flux, _SHIFT * rng.choice([-1.0, 1.0], len(flux)))


def _ripple(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Multiply by waves of 300 to 2000 pixels."""
    period = np.exp(rng.uniform(np.log(300.0), np.log(2000.0), (len(flux), 1)))
    phase = rng.uniform(0.0, 2.0 * np.pi, (len(flux), 1))
    wave = np.sin(2.0 * np.pi * np.arange(flux.shape[1]) / period + phase)
    return flux * (1.0 + _RIPPLE * wave)


def _cosmics(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add 0.1 to 3 times the continuum to some pixels."""
    hit = flux.copy()
    for row in hit:
        row[rng.integers(0, len(row), _COSMICS)] += rng.uniform(0.1, 3.0, _COSMICS)
    return hit


#: What may be wrong, by name; each takes clean spectra and a source of randomness.
JITTERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "none": _same, "resolution -10 %": _blur, "velocity 5 km/s": _shift,
    "ripple 5 %": _ripple, "cosmic rays": _cosmics,
}  # fmt: skip


def observe_jittered(
    jitter: str,
    data: str | Path,
    n_spectra: int,
    *,
    seed: int,
    snr: float | None = None,
    conditions: ApogeeConditions | None = None,
) -> tuple[PreparedSpectra, np.ndarray]:
    """Observe stars of the training's kind with one of `JITTERS`.

    Parameters
    ----------
    jitter : str
        One of `JITTERS`; the same seed gives the same stars and noise for all.
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many.
    seed : int
        Seed of stars and observations.
    snr : float, optional
        Fixed signal-to-noise.
    conditions : ApogeeConditions, optional
        Observing conditions.

    Returns
    -------
    prepared : PreparedSpectra
        The spectra.
    labels : ndarray, shape (n_spectra, 5)
        Their true labels.
    """
    labels = draw_apogee_stars(data, n_spectra, seed=seed)
    clean = apogee_emulator(data).flux(labels)
    spoiled = JITTERS[jitter](clean, np.random.default_rng(seed + 2))
    observed = observe_apogee(
        spoiled, get_grid("apogee_7214"), rng=np.random.default_rng(seed + 1),
        conditions=conditions, snr=snr,
    )  # fmt: skip
    return prepare_observed(*observed), labels
