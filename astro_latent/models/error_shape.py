# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""By what errors are multiplied, spectrum by spectrum.

A network that was asked for errors gets them about right on average. What is left
depends on the spectrum: on its labels, on its noise, on how large the error is. A
polynomial in these, fitted to stars that taught nothing, is the factor; it is data of
the configuration, one list of coefficients for each label.
"""

import numpy as np

from ..preparation.prepared import PreparedSpectra

__all__ = ["TWO_SIDED_95", "error_factor", "error_inputs", "measure_snr"]

#: Standard deviations within which a Gaussian has 95 % of its weight.
TWO_SIDED_95 = 1.959963984540054

_SNR = 1.5  # log10 of a signal-to-noise ratio in the middle of surveys
_REACH = 3.0  # beyond so many scatters of the training set nothing is extrapolated
_LARGEST = 2.0  # ln of the largest factor


def measure_snr(prepared: PreparedSpectra, rows: np.ndarray) -> np.ndarray:
    """Return the median signal-to-noise ratio of pixels.

    Parameters
    ----------
    prepared : PreparedSpectra
        Spectra.
    rows : ndarray of int
        Which.

    Returns
    -------
    ndarray, shape (n_rows,)
        NaN where no variance is known.
    """
    flux, variance = prepared.flux[rows], prepared.variance[rows]
    known = prepared.valid[rows] & np.isfinite(variance) & (variance > 0)
    ratio = np.where(known, flux / np.sqrt(np.where(known, variance, 1.0)), np.nan)
    found = np.full(len(rows), np.nan)
    there = known.any(axis=1)
    found[there] = np.nanmedian(ratio[there], axis=1)
    return found


def error_inputs(
    values: np.ndarray,
    error: np.ndarray,
    snr: np.ndarray,
    missing: np.ndarray,
    *,
    offsets: np.ndarray,
    scales: np.ndarray,
) -> np.ndarray:
    """Return what the factor of an error is a polynomial in.

    Parameters
    ----------
    values, error : ndarray, shape (n_spectra, n_labels)
        Labels, and their errors before the factor.
    snr : ndarray, shape (n_spectra,)
        Signal-to-noise ratio, NaN if not known.
    missing : ndarray, shape (n_spectra,) or (n_spectra, n_labels)
        Share of missing pixels, beyond the usual one if that is known.
    offsets, scales : ndarray, shape (n_labels,)
        Mean and scatter of the labels of the training set.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels, 5 + 2 n_labels)
        In the order: 1; missing; ln of the label's own error in units of the scatter;
        log10 of the signal-to-noise ratio and its square; the labels in units of the
        scatter; their squares.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.error_shape import error_inputs
    >>> one = np.ones((1, 1))
    >>> error_inputs(
    ...     one, one, np.array([np.nan]), np.zeros(1), offsets=one[0], scales=one[0]
    ... )
    array([[[1., 0., 0., 0., 0., 0., 0.]]])
    """
    n_spectra, n_labels = values.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.clip(np.log10(np.maximum(snr, 1e-3)) - _SNR, -1.5, 1.5)
        own = np.clip(np.log(np.maximum(error / scales, 1e-6)), -6.0, 2.0)
    level = np.where(np.isfinite(level), level, 0.0)
    scaled = np.clip((values - offsets) / scales, -_REACH, _REACH)
    shape = (n_spectra, n_labels)
    missing = np.broadcast_to(np.reshape(missing, (n_spectra, -1)), shape)
    both = np.stack([level, level**2], axis=1)
    shared = np.concatenate([both, scaled, scaled**2], axis=1)
    return np.concatenate(
        [
            np.stack([np.ones(shape), missing, own], axis=2),
            np.repeat(shared[:, None], n_labels, axis=1),
        ],
        axis=2,
    )


def error_factor(inputs: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return what errors are multiplied by.

    Parameters
    ----------
    inputs : ndarray, shape (n_spectra, n_labels, n_terms)
        From `error_inputs`.
    coefficients : ndarray, shape (n_labels, n_terms)
        Of the logarithm of the factor.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        Between 0.14 and 7.4.
    """
    logarithm = np.einsum("nkt,kt->nk", inputs, coefficients)
    return np.exp(np.clip(logarithm, -_LARGEST, _LARGEST))
