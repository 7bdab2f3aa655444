# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit by what errors have to be multiplied, as a function of the spectrum."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..models.domain import TWO_SIDED_95

__all__ = ["ErrorFit", "fit_error_shape"]

#: Share of stars within the error, and within the interval.
SHARES = (0.6827, 0.95)
_WIDTHS = (1.0, TWO_SIDED_95)
_SOFT = 0.05  # rounding of the kink of the loss, which a gradient does not like
_RIDGE = 0.0005  # towards one factor for all
_FOLDS = 4
_LEAST = 1e-4  # smallest factor, where the error of the label is all there is
#: Stars from which on a factor depends on noise and error, and on everything.
_SOME, _MANY = 150, 800
_NOISE_TERMS = 5  # those that are not the labels


@dataclass(frozen=True, kw_only=True)
class ErrorFit:
    """What `fit_error_shape` found.

    Parameters
    ----------
    shape_68, shape_95 : ndarray, shape (n_labels, n_terms)
        Coefficients for the configuration of a model.
    error, interval_95 : ndarray, shape (n_stars, n_labels)
        Of the stars, each by coefficients that other stars gave.
    """

    shape_68: np.ndarray
    shape_95: np.ndarray
    error: np.ndarray
    interval_95: np.ndarray


def fit_error_shape(
    residual: np.ndarray,
    error: np.ndarray,
    inputs: np.ndarray,
    stars: np.ndarray,
    *,
    given: np.ndarray,
) -> ErrorFit:
    """Fit the factors for which 68 and 95 per cent of the residuals are within.

    Quantile regression of the logarithm of the factor by which the error, with that of
    the label itself, would just reach the label. Few stars give one factor for all,
    more let it depend on noise and error, many on the labels too.

    Parameters
    ----------
    residual, error : ndarray, shape (n_spectra, n_labels)
        Of spectra of stars that taught nothing; NaN where a label is missing.
    inputs : ndarray, shape (n_spectra, n_labels, n_terms)
        From `~astro_latent.models.domain.error_inputs`.
    stars : ndarray of int, shape (n_spectra,)
        Numbers of the stars, whose spectra stay together in the cross-validation.
    given : ndarray, shape (n_spectra, n_labels)
        Errors of the labels themselves, which are no errors of the prediction; 0 where
        nobody said.

    Returns
    -------
    ErrorFit
        Coefficients and cross-validated errors.
    """
    n_labels, n_terms = inputs.shape[1:]
    shapes = np.zeros((2, n_labels, n_terms))
    widths = np.full((2, *error.shape), np.nan)
    folds = np.unique(stars, return_inverse=True)[1].reshape(-1) % _FOLDS
    for label in range(n_labels):
        each = residual[:, label], error[:, label], given[:, label]
        known = np.isfinite(each[0]) & np.isfinite(each[1])
        terms = _n_terms(int(known.sum()), n_terms)
        x = inputs[:, label, :terms]
        for k, (share, width) in enumerate(zip(SHARES, _WIDTHS, strict=True)):
            target = _needed(*each, width)
            across = np.full(len(target), np.nan)
            for fold in range(_FOLDS):
                others = known & (folds != fold)
                found = _fit(x[others], target[others], share)
                across[folds == fold] = x[folds == fold] @ found
            best = _fit(x[known], target[known], share)
            # what the fit to its own stars flatters itself by
            best[0] += np.quantile((target - across)[known], share)
            shapes[k, label, :terms] = best
            widths[k, :, label] = width * np.exp(np.clip(across, -2.0, 2.0))
    return ErrorFit(
        shape_68=shapes[0],
        shape_95=shapes[1],
        error=widths[0] * error,
        interval_95=widths[1] * error,
    )


def _needed(
    residual: np.ndarray, error: np.ndarray, given: np.ndarray, width: float
) -> np.ndarray:
    """Ln of the factor by which so many errors would just reach the label."""
    left = residual**2 - (width * given) ** 2
    return 0.5 * np.log(np.maximum(left, (_LEAST * error) ** 2)) - np.log(width * error)


def _n_terms(n_stars: int, n_terms: int) -> int:
    """How much the factor may depend on."""
    if n_stars < _SOME:
        return 1
    return _NOISE_TERMS if n_stars < _MANY else n_terms


def _fit(x: np.ndarray, target: np.ndarray, share: float) -> np.ndarray:
    """Coefficients of a linear quantile regression."""
    start = np.zeros(x.shape[1])
    start[0] = np.quantile(target, share)
    if x.shape[1] == 1:
        return start

    def cost(c: np.ndarray) -> tuple[float, np.ndarray]:
        left = (target - x @ c) / _SOFT
        loss = _SOFT * (share * left + np.logaddexp(0.0, -left))
        slope = share - 1.0 / (1.0 + np.exp(np.clip(left, -50, 50)))
        ridge = np.r_[0.0, c[1:]]
        return (
            float(loss.mean() + _RIDGE * ridge @ ridge),
            -x.T @ slope / len(x) + 2.0 * _RIDGE * ridge,
        )

    return minimize(cost, start, jac=True, method="L-BFGS-B").x
