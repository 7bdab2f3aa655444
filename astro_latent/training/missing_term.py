# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit how errors have to grow when pixels are missing."""

import numpy as np

from ..models.error_shape import TWO_SIDED_95
from .error_fit import SHARES, _needed

__all__ = ["fit_missing_term"]

_WIDTHS = (1.0, TWO_SIDED_95)


def fit_missing_term(
    residual: np.ndarray,
    error: np.ndarray,
    interval_95: np.ndarray,
    missing: np.ndarray,
    *,
    given: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit how errors have to grow with the share of missing pixels, and no more.

    For a model that is calibrated on whole spectra: quantile regression through the
    origin of the logarithm of the factor by which error and interval fall short.

    Parameters
    ----------
    residual, error, interval_95 : ndarray, shape (n_spectra, n_labels)
        Of spectra from which pixels were taken, by a model whose errors do not grow
        with them yet.
    missing : ndarray, shape (n_spectra,)
        0 to 1.
    given : ndarray, shape (n_spectra, n_labels)
        Errors of the labels themselves.

    Returns
    -------
    ndarray, ndarray, shape (n_labels,)
        The second column of ``shape_68`` and of ``shape_95`` of a configuration; not
        negative.
    """
    terms = np.linspace(0.0, 8.0, 321)
    found = np.zeros((2, residual.shape[1]))
    for k, (share, width) in enumerate(zip(SHARES, _WIDTHS, strict=True)):
        sized = error if k == 0 else interval_95 / width
        for label in range(residual.shape[1]):
            short = _needed(residual[:, label], sized[:, label], given[:, label], width)
            known = np.isfinite(short)
            left = short[known, None] - missing[known, None] * terms
            loss = np.maximum(share * left, (share - 1.0) * left)
            found[k, label] = terms[np.argmin(loss.mean(axis=0))]
    return found[0], found[1]
