# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit by what errors have to be multiplied, as a function of the spectrum."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..models.error_shape import TWO_SIDED_95

__all__ = ["ErrorFit", "fit_error_shape"]

#: Share of stars within the error, and within the interval.
SHARES = (0.6827, 0.95)
WIDTHS = (1.0, TWO_SIDED_95)
_SOFT = 0.05  # rounding of the kink of the loss, which a gradient does not like
_RIDGE, _STIFF = 0.0005, 0.01  # towards one factor for all; of few stars
_FOLDS = 4
_LEAST = 1e-4  # smallest factor, where the error of the label is all there is
#: Stars from which on a factor depends on noise and error alike for all labels, for
#: each label in its own way, and on everything.
_FEW, _SOME, _MANY = 40, 150, 450
_NOISE_TERMS = 5  # those that are not the labels
_SHARED = slice(2, 4)  # the error itself, and the signal-to-noise ratio


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
    the label itself, would just reach the label. A handful of stars gives one factor
    for each label; few let it depend on noise and error, by slopes that all labels
    share; more by slopes of each label, and many on the labels too.

    Parameters
    ----------
    residual, error : ndarray, shape (n_spectra, n_labels)
        Of spectra of stars that taught nothing; NaN where a label is missing.
    inputs : ndarray, shape (n_spectra, n_labels, n_terms)
        From `~astro_latent.models.error_shape.error_inputs`.
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
    folds = np.unique(stars, return_inverse=True)[1].reshape(-1) % _FOLDS
    shapes, widths = [], []
    for share, width in zip(SHARES, WIDTHS, strict=True):
        target = needed_factor(residual, error, given, width)
        known = np.isfinite(residual) & np.isfinite(error)
        target = np.where(known, target, np.nan)
        counts = known.sum(axis=0)
        across = np.full(target.shape, np.nan)
        for fold in range(_FOLDS):
            others = folds != fold
            found = _fit_labels(inputs[others], target[others], share, counts)
            across[~others] = np.einsum("nkt,kt->nk", inputs[~others], found)
        best = _fit_labels(inputs, target, share, counts)
        # what the fit to its own stars flatters itself by
        best[:, 0] += [
            np.quantile(left[there], share) if there.any() else 0.0
            for left, there in zip((target - across).T, known.T, strict=True)
        ]
        shapes.append(best)
        widths.append(width * np.exp(np.clip(across, -2.0, 2.0)))
    return ErrorFit(
        shape_68=shapes[0],
        shape_95=shapes[1],
        error=widths[0] * error,
        interval_95=widths[1] * error,
    )


def needed_factor(
    residual: np.ndarray, error: np.ndarray, given: np.ndarray, width: float
) -> np.ndarray:
    """Ln of the factor by which so many errors would just reach the label."""
    left = residual**2 - (width * given) ** 2
    return 0.5 * np.log(np.maximum(left, (_LEAST * error) ** 2)) - np.log(width * error)


def _fit_labels(
    inputs: np.ndarray, target: np.ndarray, share: float, counts: np.ndarray
) -> np.ndarray:
    """Coefficients, shape (n_labels, n_terms), for labels of so many stars in all."""
    found = np.zeros(inputs.shape[1:])
    few = (counts >= _FEW) & (counts < _SOME)
    if few.any():
        found[few] = _fit_together(inputs[:, few], target[:, few], share)
    for label in np.flatnonzero(~few):
        known = np.isfinite(target[:, label])
        terms = 1 if counts[label] < _FEW else _NOISE_TERMS
        terms = inputs.shape[2] if counts[label] >= _MANY else terms
        x = inputs[known, label, :terms]
        found[label, :terms] = _fit(x, target[known, label], share)
    return found


def _fit_together(inputs: np.ndarray, target: np.ndarray, share: float) -> np.ndarray:
    """Coefficients of labels: a constant each, and slopes that are the same for all."""
    n_stars, n_labels, n_terms = inputs.shape
    own = np.broadcast_to(np.eye(n_labels), (n_stars, n_labels, n_labels))
    x = np.concatenate([own, inputs[:, :, _SHARED]], axis=2)
    known = np.isfinite(target)
    both = _fit(x[known], target[known], share, constants=n_labels, ridge=_STIFF)
    found = np.zeros((n_labels, n_terms))
    found[:, 0], found[:, _SHARED] = both[:n_labels], both[n_labels:]
    return found


def _fit(
    x: np.ndarray,
    target: np.ndarray,
    share: float,
    *,
    constants: int = 1,
    ridge: float = _RIDGE,
) -> np.ndarray:
    """Coefficients of a linear quantile regression; the first are not held down."""
    start, held = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if not len(target):
        return start
    if x.shape[1] == 1:  # the next star shall be within, not so many of these
        share = min(1.0, share * (1.0 + 1.0 / len(target)))
    start[:constants] = np.quantile(target, share)
    held[:constants] = 0.0
    if x.shape[1] == 1:
        return start

    def cost(c: np.ndarray) -> tuple[float, np.ndarray]:
        left = (target - x @ c) / _SOFT
        loss = _SOFT * (share * left + np.logaddexp(0.0, -left))
        slope = share - 1.0 / (1.0 + np.exp(np.clip(left, -50, 50)))
        pull = ridge * held * c
        return (
            float(loss.mean() + pull @ c),
            -x.T @ slope / len(x) + 2.0 * pull,
        )

    return minimize(cost, start, jac=True, method="L-BFGS-B").x
