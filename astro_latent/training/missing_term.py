# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit how errors have to grow when pixels are missing."""

from dataclasses import replace

import numpy as np

from ..models.error_shape import error_factor
from .error_fit import SHARES, WIDTHS, ErrorFit, needed_factor

__all__ = ["add_missing_term"]

_TERMS = np.linspace(0.0, 8.0, 321)
_MISSING = 1  # place of the share of missing pixels among the inputs
_FEW = 40  # spectra; fewer say nothing


def add_missing_term(
    fit: ErrorFit,
    residual: np.ndarray,
    error: np.ndarray,
    inputs: np.ndarray,
    *,
    given: np.ndarray,
    whole: np.ndarray,
    usual: float,
) -> ErrorFit:
    """Let errors that fit whole spectra grow with the share of missing pixels.

    Quantile regression through the origin of the logarithm of the factor by which
    error and interval of spectra fall short from which pixels were taken. The origin
    is the share that spectra lack anyhow: errors of those that lack no more stay what
    they are, since none was asked with pixels that it does not have.

    Parameters
    ----------
    fit : ErrorFit
        Of whole spectra.
    residual, error : ndarray, shape (n_spectra, n_labels)
        Of spectra from which pixels were taken; errors before the factor.
    inputs : ndarray, shape (n_spectra, n_labels, n_terms)
        From `~astro_latent.models.error_shape.error_inputs`, of these.
    given : ndarray, shape (n_spectra, n_labels)
        Errors of the labels themselves.
    whole : ndarray, shape (n_whole, n_labels, n_terms)
        Inputs of the whole spectra.
    usual : float
        Share of missing pixels that these have.

    Returns
    -------
    ErrorFit
        Shapes with another term for missing pixels beyond the usual share, which is not
        negative; errors and intervals of the whole spectra are changed alike.
    """
    shapes = (fit.shape_68, fit.shape_95)
    beyond = whole.copy()
    beyond[:, :, _MISSING] = np.maximum(whole[:, :, _MISSING] - usual, 0.0)
    missing = np.maximum(inputs[:, 0, _MISSING] - usual, 0.0)
    found, change = [], []
    for shape, share, width in zip(shapes, SHARES, WIDTHS, strict=True):
        level = shape.copy()
        level[:, 0] += usual * level[:, _MISSING]
        level[:, _MISSING] = 0.0
        sized = error * error_factor(inputs, level)
        short = needed_factor(residual, sized, given, width)
        level[:, _MISSING] = [_fit_growth(s, missing, share) for s in short.T]
        found.append(level)
        change.append(error_factor(beyond, level) / error_factor(whole, shape))
    return replace(
        fit, shape_68=found[0], shape_95=found[1],
        error=change[0] * fit.error, interval_95=change[1] * fit.interval_95,
    )  # fmt: skip


def _fit_growth(short: np.ndarray, missing: np.ndarray, share: float) -> float:
    """Slope for which so many spectra fall short no more; 0 of few."""
    known = np.isfinite(short)
    if np.count_nonzero(known) < _FEW:
        return 0.0
    left = short[known, None] - missing[known, None] * _TERMS
    loss = np.maximum(share * left, (share - 1.0) * left)
    return float(_TERMS[np.argmin(loss.mean(axis=0))])
