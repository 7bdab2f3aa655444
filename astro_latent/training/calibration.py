# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors of labels: fitted to held-out spectra, without and with missing pixels.

All take arrays, so that the labels and errors of any network can be calibrated.
"""

import numpy as np
from scipy.optimize import minimize

from ..models.domain import weigh_missing
from ..utils.physics import SIGMA_PER_MAD
from .scores import MAD_TO_SIGMA

__all__ = [
    "calibrate_errors",
    "fit_growth_with_missing",
    "scale_flux_errors",
]


def calibrate_errors(
    residual: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit ``scale`` and ``floor`` so that residuals scatter as their errors say.

    Maximum likelihood of a Gaussian of variance ``scale**2 error**2 + floor**2`` per
    label, with residuals beyond five errors left out.

    Parameters
    ----------
    residual, error : ndarray, shape (n_spectra, n_labels)
        On spectra that the network was not trained on.

    Returns
    -------
    scale, floor : ndarray, shape (n_labels,)
        For the configuration of a model.
    """
    scales, floors = [], []
    for r, e in zip(residual.T, error.T, strict=True):
        keep = np.isfinite(r) & np.isfinite(e)
        r, e = r[keep], e[keep]
        keep = np.abs(r) < 5.0 * np.sqrt(
            e**2 + (MAD_TO_SIGMA * np.median(np.abs(r))) ** 2
        )
        r, e = r[keep], e[keep]
        unit = np.median(e)

        def cost(
            p: np.ndarray, r: np.ndarray = r, e: np.ndarray = e, unit: float = unit
        ) -> float:
            variance = np.exp(2 * p[0]) * e**2 + (np.exp(p[1]) * unit) ** 2
            return float(np.mean(r**2 / variance + np.log(variance)))

        best = minimize(cost, [0.0, -2.0], method="Nelder-Mead").x
        scales.append(np.exp(best[0]))
        floors.append(np.exp(best[1]) * unit)
    return np.array(scales), np.array(floors)


def fit_growth_with_missing(
    residual: np.ndarray, error: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """Fit how errors have to grow with the share of missing pixels.

    Maximum likelihood of a Gaussian of deviation ``error * (1 + k w)``, w being
    `~astro_latent.models.domain.weigh_missing`, with residuals beyond five errors left
    out.

    Parameters
    ----------
    residual, error : ndarray, shape (n_spectra, n_labels)
        On spectra that the network was not trained on.
    missing : ndarray, shape (n_spectra,)
        0 to 1.

    Returns
    -------
    ndarray, shape (n_labels,)
        The factors k, not negative.
    """
    pull = np.abs(residual / error)
    factors = np.linspace(0.0, 4.0, 81)
    growth = 1.0 + factors[:, None] * weigh_missing(missing)
    found = []
    for column in pull.T:
        kept = column < 5.0 * (1.0 + missing)
        cost = np.mean(
            0.5 * (column[kept] / growth[:, kept]) ** 2 + np.log(growth[:, kept]),
            axis=1,
        )
        found.append(factors[np.argmin(cost)])
    return np.array(found)


def scale_flux_errors(
    first: np.ndarray, second: np.ndarray, errors: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return by how much the errors from the flux are too small for repeats.

    Parameters
    ----------
    first, second : ndarray, shape (n_stars, n_labels)
        Labels from two observations of each star.
    errors : tuple of ndarray, shape (n_stars, n_labels)
        Propagated from the flux of either.

    Returns
    -------
    ndarray, shape (n_labels,)
        Factors: between what the centre and what the wings of the distribution of
        differences ask for.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.calibration import scale_flux_errors
    >>> first, error = np.array([[2.0], [-2.0]]), np.full((2, 1), 1.0)
    >>> scale_flux_errors(first, np.zeros((2, 1)), (error, 0.0 * error)).round(2)
    array([2.44])
    """
    pull = (first - second) / np.hypot(*errors)
    return np.sqrt(
        SIGMA_PER_MAD * np.median(np.abs(pull), axis=0) * np.std(pull, axis=0)
    )
