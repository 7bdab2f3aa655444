# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Figures of merit: bias and robust scatter with their errors, calibration, domain."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

__all__ = [
    "calibrate_errors",
    "coverage",
    "feature_domain",
    "growth_with_missing",
    "repeat_scores",
    "residual_scores",
    "statistical_error",
]

_MAD_TO_SIGMA = 1.482602218505602


def residual_scores(
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
    >>> from astro_latent.training.scores import residual_scores
    >>> values = np.array([[1.0], [2.0], [3.0]])
    >>> residual_scores(values, np.zeros((3, 1)), ["a"])["a"]["bias"]
    2.0
    """
    scores = {}
    for column, name in enumerate(names):
        residual = values[:, column] - truth[:, column]
        residual = residual[np.isfinite(residual)]
        middle = np.median(residual)
        scatter = _MAD_TO_SIGMA * np.median(np.abs(residual - middle))
        scores[name] = {
            "bias": float(middle),
            "scatter": float(scatter),
            # asymptotic error of the median absolute deviation of a Gaussian
            "scatter_error": float(1.166 * scatter / np.sqrt(len(residual))),
            "n": len(residual),
        }
    return scores


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
            e**2 + (_MAD_TO_SIGMA * np.median(np.abs(r))) ** 2
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


def growth_with_missing(
    residual: np.ndarray, error: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """Fit how errors have to grow with the share of missing pixels.

    Maximum likelihood of a Gaussian of deviation ``error * (1 + k missing)``, with
    residuals beyond five errors left out.

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
    growth = 1.0 + factors[:, None] * missing
    found = []
    for column in pull.T:
        kept = column < 5.0 * (1.0 + missing)
        cost = np.mean(
            0.5 * (column[kept] / growth[:, kept]) ** 2 + np.log(growth[:, kept]),
            axis=1,
        )
        found.append(factors[np.argmin(cost)])
    return np.array(found)


def statistical_error(error: np.ndarray, calibration: dict) -> np.ndarray:
    """Take the declared systematic part off total errors.

    Parameters
    ----------
    error : ndarray, shape (n_spectra, n_labels)
        Total errors of a model.
    calibration : dict
        Of its configuration.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        What held-out spectra of the training's own kind scatter by.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.scores import statistical_error
    >>> statistical_error(np.array([[5.0]]), {"systematic": [3.0]})
    array([[4.]])
    """
    common = np.asarray(calibration.get("systematic", 0.0), dtype=float)
    return np.sqrt(np.maximum(error.astype(float) ** 2 - common**2, 0.0))


def repeat_scores(
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
        "ratio": (_MAD_TO_SIGMA * np.nanmedian(pull, axis=0)).round(3).tolist(),
        "chi2": np.nanmean(kept**2, axis=0).round(3).tolist(),
        **coverage(first - second, error),
    }


def feature_domain(
    features: np.ndarray, *, n_components: int = 48, false_alarms: float = 0.02
) -> tuple[np.ndarray, np.ndarray, float]:
    """Describe where the features of in-domain spectra lie.

    The distance is that of Mahalanobis in the leading principal components plus the
    length of what they leave, so that new directions count as well.

    Parameters
    ----------
    features : ndarray, shape (n_spectra, n_features)
        Of held-out in-domain spectra.
    n_components : int, optional
        Components that are whitened singly.
    false_alarms : float, optional
        Share of these spectra beyond the limit.

    Returns
    -------
    mean : ndarray, shape (n_features,)
        Centre.
    whitening : ndarray, shape (n_features, n_features)
        Matrix that whitens.
    limit : float
        Norm of the whitened features that this share exceeds.
    """
    mean = features.mean(0)
    centred = features - mean
    _, values, rotation = np.linalg.svd(centred, full_matrices=True)
    spread = np.zeros(features.shape[1])
    spread[: len(values)] = values / np.sqrt(len(features))
    rest = np.sqrt(np.mean(spread[n_components:] ** 2))
    spread[n_components:] = max(rest, 1e-3 * spread[0])
    whitening = rotation / spread[:, None]
    distance = np.linalg.norm(centred @ whitening.T, axis=1)
    return mean, whitening, float(np.quantile(distance, 1.0 - false_alarms))
