# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Losses of the two networks."""

import torch
from torch import Tensor

__all__ = ["autoencoder_loss", "gaussian_nll", "kl_divergence", "kl_weight"]


def gaussian_nll(mean: Tensor, log_variance: Tensor, truth: Tensor) -> Tensor:
    """Negative log-likelihood of labels, averaged; NaN labels do not count.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (n, n_labels)
        Prediction.
    truth : Tensor, shape (n, n_labels)
        In the network's units; NaN where a label is missing.

    Returns
    -------
    Tensor, scalar
        The loss.
    """
    log_variance = log_variance.clamp(-12.0, 6.0)
    known = torch.isfinite(truth)
    residual = torch.where(known, truth - mean, 0.0)
    terms = 0.5 * (log_variance + residual**2 * torch.exp(-log_variance))
    return terms[known].mean()


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of each latent posterior from the unit normal, in nats.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (n, n_latent)
        Posterior.

    Returns
    -------
    Tensor, shape (n, n_latent)
        Nats.
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance)


def kl_weight(step: int, *, start: int, stop: int, weight: float) -> float:
    """Warm-up of the KL term: zero, then linear, then constant.

    The published schedule is ``start=5000, stop=20000, weight=0.3``.

    Parameters
    ----------
    step : int
        Step of the training.
    start, stop : int
        Where the rise begins and ends.
    weight : float
        Final weight.

    Returns
    -------
    float
        The weight at this step.

    Examples
    --------
    >>> from astro_latent.training.losses import kl_weight
    >>> [kl_weight(s, start=5000, stop=20000, weight=0.3) for s in (4999, 12500, 20000)]
    [0.0, 0.15, 0.3]
    """
    return weight * min(max((step - start) / (stop - start), 0.0), 1.0)


def autoencoder_loss(
    reconstruction: Tensor,
    flux: Tensor,
    valid: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    *,
    weight: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Masked L1 plus weighted KL divergence, as in Sedaghat et al. (2021).

    Both terms are means: over all pixels, masked ones included, and over all nodes.
    One nat on one node therefore costs ``weight / n_latent`` of mean absolute
    residual, in units of the median flux.

    Parameters
    ----------
    reconstruction, flux : Tensor, shape (n, n_pixels)
        Decoded and prepared flux.
    valid : Tensor of bool, shape (n_pixels,) or (n, n_pixels)
        Pixels that count.
    mean, log_variance : Tensor, shape (n, n_latent)
        Posterior.
    weight : float
        Of the KL term.

    Returns
    -------
    total, residual, divergence : Tensor, scalars
        The loss and its two parts.
    """
    residual = ((reconstruction - flux).abs() * valid).mean()
    divergence = kl_divergence(mean, log_variance).mean()
    return residual + weight * divergence, residual, divergence
