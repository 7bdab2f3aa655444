# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The published autoencoder with first weights, and the published loss with figures."""

from typing import Any

import torch
from torch import Tensor, nn

from astro_latent.models import ARCHITECTURES
from astro_latent.training.losses import autoencoder_loss, kl_divergence, kl_weight

__all__ = ["build_autoencoder", "publish"]


def build_autoencoder(recipe: dict[str, Any]) -> nn.Module:
    """Build the network of a recipe with seeded random weights.

    Parameters
    ----------
    recipe : dict
        With ``architecture``, ``arguments`` and ``seed``.

    Returns
    -------
    `torch.nn.Module`
        The network.
    """
    torch.manual_seed(recipe["seed"])
    return ARCHITECTURES[recipe["architecture"]](**recipe["arguments"])


def publish(
    model: nn.Module,
    batch: dict[str, Tensor],
    valid: Tensor,
    *,
    step: int,
    options: dict[str, Any],
) -> tuple[Tensor, dict[str, float]]:
    """Return the published loss, masked residual and the price of nats, with figures.

    Parameters
    ----------
    model : `torch.nn.Module`
        Called with flux; returns reconstruction, mean and log-variance.
    batch : dict of Tensor
        ``flux`` and ``clean``.
    valid : Tensor of bool, shape (n_pixels,)
        Pixels that count.
    step : int
        Of the training.
    options : dict
        ``kl_start``, ``kl_stop`` and ``kl_weight`` of
        `~astro_latent.training.losses.kl_weight`.

    Returns
    -------
    loss : Tensor, scalar
        The loss.
    figures : dict of float
        For the log: its two parts, the residual of a perfect network, and how many
        nodes take more than 0.1 nat.
    """
    flux, clean = (batch[name].to(valid.device) for name in ("flux", "clean"))
    reconstruction, mean, log_variance = (part.float() for part in model(flux))
    weight = kl_weight(
        step,
        start=options["kl_start"],
        stop=options["kl_stop"],
        weight=options["kl_weight"],
    )
    total, residual, divergence = autoencoder_loss(
        reconstruction, flux, valid, mean, log_variance, weight=weight
    )
    with torch.no_grad():
        floor = ((clean - flux).abs() * valid).mean()
        live = (kl_divergence(mean, log_variance).mean(0) > 0.1).sum()
    return total, {
        "residual": residual.item(),
        "noise": floor.item(),
        "divergence": divergence.item(),
        "live": live.item(),
    }
