# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How much errors have to grow where pixels are missing."""

from dataclasses import replace

import numpy as np

from astro_latent.models.domain import weigh_missing
from astro_latent.preparation.prepared import PreparedSpectra
from recipes.apogee.held_out import drop_pixels

__all__ = ["find_growth", "lose_up_to_half"]

_SHARE_68, _SHARE_95 = 0.70, 0.96  # a standard error more than is right
#: Ranges of shares of missing pixels, in each of which errors must be right.
_MISSING = ((0.02, 0.25), (0.25, 0.5))


def lose_up_to_half(
    prepared: PreparedSpectra, *, rng: np.random.Generator
) -> PreparedSpectra:
    """Lose 0 to 50 % of the pixels of each spectrum, in stretches.

    Parameters
    ----------
    prepared : PreparedSpectra
        On the 7,214-pixel grid.
    rng : `~numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    PreparedSpectra
        With fewer valid pixels.
    """
    shares = rng.uniform(0.0, 0.5, len(prepared))
    valid = [
        drop_pixels(prepared[row : row + 1], share, rng=rng).valid
        for row, share in enumerate(shares)
    ]
    return replace(prepared, valid=np.concatenate(valid))


def find_growth(pull: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return the least factors with which errors cover what missing pixels do.

    Parameters
    ----------
    pull : ndarray, shape (n_spectra, n_labels)
        Differences from the truth over errors that do not grow.
    missing : ndarray, shape (n_spectra,)
        Share of missing pixels.

    Returns
    -------
    ndarray, shape (n_labels,)
        ``missing`` of a calibration: 68 and 95 % of the stars with 2 to 25 %, and of
        those with 25 to 50 % missing are within one and 1.96 errors.
    """
    weight = weigh_missing(missing)
    factors = np.linspace(0.0, 6.0, 481)
    enough = np.ones((len(factors), pull.shape[1]), dtype=bool)
    for low, high in _MISSING:
        some = (missing > low) & (missing < high)
        growth = 1.0 + factors[:, None, None] * weight[some, None]
        enough &= np.mean(pull[some] < growth, axis=1) >= _SHARE_68
        enough &= np.mean(pull[some] < 1.96 * growth, axis=1) >= _SHARE_95
    return factors[np.argmax(enough, axis=0)]
