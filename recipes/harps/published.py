# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The published autoencoder with first weights, and the published loss with figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from astro_latent.models import ARCHITECTURES
from astro_latent.training.loop import fit
from astro_latent.training.losses import autoencoder_loss, kl_divergence, kl_weight

__all__ = ["build_autoencoder", "fit_stage", "publish"]


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


def fit_stage(
    model: nn.Module,
    loss: Callable[..., Any],
    batches: Callable[[int], dict[str, Tensor]],
    options: dict[str, Any],
    *,
    work: Path,
    stop_after: float,
) -> int:
    """Train, or go on training, as a section of a recipe says.

    Parameters
    ----------
    model : `torch.nn.Module`
        The network.
    loss, batches : callable
        As for `~astro_latent.training.loop.fit`.
    options : dict
        ``n_steps``, ``learning_rate`` and, by default 20 and 100, ``log_every`` and
        ``checkpoint_every``.
    work : `~pathlib.Path`
        Folder for checkpoints.
    stop_after : float
        Seconds after which to checkpoint and return.

    Returns
    -------
    int
        The step reached.
    """
    return fit(
        model,
        loss,
        batches,
        n_steps=options["n_steps"],
        learning_rate=options["learning_rate"],
        scale_by_fan_in=True,
        work=work,
        log_every=options.get("log_every", 20),
        checkpoint_every=options.get("checkpoint_every", 100),
        stop_after=stop_after,
    )
