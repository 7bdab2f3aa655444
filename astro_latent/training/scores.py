# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Figures of merit: bias and robust scatter with their errors, coverage, bounds."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2

__all__ = [
    "MAD_TO_SIGMA",
    "bound_covariance",
    "coverage",
    "score_repeats",
    "score_residuals",
]

#: Median absolute deviation to standard deviation, of a Gaussian.
MAD_TO_SIGMA = 1.482602218505602


def score_residuals(
    values: np.ndarray, truth: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Bias and scatter of predictions.

    Parameters
    ----------
    values, truth : ndarray, shape (n_spectra, n_labels)
        Predicted and true labels.
    names : sequence of str
        Names of the labels.

    Returns
    -------
    dict
        For each label ``bias`` (median), ``scatter`` (1.4826 times the median absolute
        deviation), ``scatter_error`` and ``n``.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.scores import score_residuals
    >>> values = np.array([[1.0], [2.0], [3.0]])
    >>> score_residuals(values, np.zeros((3, 1)), ["a"])["a"]["bias"]
    2.0
    """
    scores = {}
    for column, name in enumerate(names):
        residual = values[:, column] - truth[:, column]
        residual = residual[np.isfinite(residual)]
        middle = np.median(residual)
        scatter = MAD_TO_SIGMA * np.median(np.abs(residual - middle))
        scores[name] = {
            "bias": float(middle),
            "scatter": float(scatter),
            # asymptotic error of the median absolute deviation of a Gaussian
            "scatter_error": float(1.166 * scatter / np.sqrt(len(residual))),
            "n": len(residual),
        }
    return scores


def coverage(residual: np.ndarray, error: np.ndarray) -> dict[str, list[float]]:
    """Share of residuals within one and two errors, per label.

    Parameters
    ----------
    residual, error : ndarray, shape (n_spectra, n_labels)
        Residuals and total errors.

    Returns
    -------
    dict
        ``"68"`` and ``"95"``: shares within the errors that a Gaussian would put there.
    """
    pull = np.abs(residual / error)
    return {
        label: np.nanmean(pull < np.sqrt(chi2.ppf(share, 1)), axis=0).round(4).tolist()
        for label, share in (("68", 0.6827), ("95", 0.9545))
    }


def score_repeats(
    first: np.ndarray, second: np.ndarray, errors: tuple[np.ndarray, np.ndarray]
) -> dict[str, list[float]]:
    """Compare two observations of each star with their errors.

    Parameters
    ----------
    first, second : ndarray, shape (n_stars, n_labels)
        Labels from either observation.
    errors : tuple of ndarray, shape (n_stars, n_labels)
        Of either.

    Returns
    -------
    dict
        For each label the robust ``ratio`` of the difference to its error, the
        reduced ``chi2`` without the one per cent of largest differences, and the
        ``68`` and ``95`` coverage.
    """
    error = np.hypot(*errors).astype(float)
    pull = np.abs(first - second) / error
    kept = np.where(pull <= np.nanquantile(pull, 0.99, axis=0), pull, np.nan)
    return {
        "ratio": (MAD_TO_SIGMA * np.nanmedian(pull, axis=0)).round(3).tolist(),
        "chi2": np.nanmean(kept**2, axis=0).round(3).tolist(),
        **coverage(first - second, error),
    }


def bound_covariance(
    gradients: np.ndarray, noise: float, priors: np.ndarray
) -> np.ndarray:
    """Return the Cramer-Rao bound of labels, with weak Gaussian priors.

    Parameters
    ----------
    gradients : ndarray, shape (n_parameters, n_pixels)
        Flux per unit of each parameter.
    noise : float
        Standard deviation of the flux of a pixel.
    priors : ndarray, shape (n_parameters,)
        Standard deviations known beforehand.

    Returns
    -------
    ndarray, shape (n_parameters, n_parameters)
        Covariance that no unbiased estimate can undercut.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.scores import bound_covariance
    >>> bound_covariance(np.full((1, 100), 2.0), 0.1, np.array([1e9])).round(6)
    array([[2.5e-05]])
    """
    information = gradients @ gradients.T / noise**2 + np.diag(priors**-2.0)
    return np.linalg.inv(information)
