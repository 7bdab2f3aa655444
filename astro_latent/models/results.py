# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What models return: plain float32 arrays, one row for each spectrum."""

from dataclasses import dataclass

import numpy as np

from ..utils.short_repr import short_repr

__all__ = ["Latents", "Parameters", "Reconstruction"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Latents:
    """Posterior of the latents; rows of unusable spectra hold NaN.

    Parameters
    ----------
    mean : ndarray, shape (n_spectra, n_latent), float32
        Mean.
    sigma : ndarray, shape (n_spectra, n_latent), float32
        Standard deviation.
    domain_score : ndarray, shape (n_spectra,), float32
        How far the spectrum is from the training set, 1 being the limit; with what a
        reconstruction lacks if there was one. NaN for a model that does not know.
    flags : ndarray of int64, shape (n_spectra,)
        Quality bits.
    """

    mean: np.ndarray
    sigma: np.ndarray
    domain_score: np.ndarray
    flags: np.ndarray

    __repr__ = short_repr


@dataclass(frozen=True, kw_only=True, repr=False)
class Reconstruction:
    """What an autoencoder makes of a spectrum; rows of unusable spectra hold NaN.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels), float32, or None
        Reconstructed prepared flux, at pixels that were not measured too.
    residual : ndarray, shape (n_spectra,), float32
        Mean absolute difference over the valid pixels, in units of prepared flux.
    latents : Latents
        The posterior that was decoded at its mean.
    flags : ndarray of int64, shape (n_spectra,)
        Quality bits.
    """

    flux: np.ndarray | None
    residual: np.ndarray
    latents: Latents
    flags: np.ndarray

    __repr__ = short_repr


@dataclass(frozen=True, kw_only=True, repr=False)
class Parameters:
    """Labels with errors, in the units of the outputs; unusable spectra hold NaN.

    Parameters
    ----------
    values : ndarray, shape (n_spectra, n_labels), float32
        Labels.
    error : ndarray, shape (n_spectra, n_labels), float32
        Total, calibrated: the root of the diagonal of ``covariance``.
    error_statistical : ndarray, shape (n_spectra, n_labels), float32
        The total without the declared systematic part, which all spectra share: the
        error within one sample. Equal to ``error`` where no such part is declared.
    error_flux : ndarray, shape (n_spectra, n_labels), float32
        From the flux errors through the Jacobian; NaN where these are not known.
    error_model : ndarray, shape (n_spectra, n_labels), float32
        What of the total the flux errors do not explain; NaN where these are not
        known, and for a model that predicts no variance.
    covariance : ndarray, shape (n_spectra, n_labels, n_labels), float32
        Of the total error.
    domain_score : ndarray, shape (n_spectra,), float32
        Distance from the training set over its limit; NaN for a model without.
    flags : ndarray of int64, shape (n_spectra,)
        Quality bits.
    interval_95 : ndarray, shape (n_spectra, n_labels), float32, or None
        Half of the width within which 95 % of the stars lie, whose errors have wider
        wings than a Gaussian; None for a model that does not know it.
    network_values : ndarray, shape (n_spectra, n_labels), float32, or None
        Labels on the scale of what the network was trained on, where ``values`` of
        giants are brought to that of a catalogue; None for other models.
    """

    values: np.ndarray
    error: np.ndarray
    error_statistical: np.ndarray
    error_flux: np.ndarray
    error_model: np.ndarray
    covariance: np.ndarray
    domain_score: np.ndarray
    flags: np.ndarray
    interval_95: np.ndarray | None = None
    network_values: np.ndarray | None = None

    __repr__ = short_repr
