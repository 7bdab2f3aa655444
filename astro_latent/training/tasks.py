# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a network is asked for: labels, or few latents that tell much."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.networks import LabelNetwork, inputs_of
from .likelihood import has_posterior, log_prob
from .losses import autoencoder_loss, kl_weight

__all__ = ["LabelTask", "LatentTask", "Seen", "Task"]

Seen = tuple[Tensor, Tensor, Tensor]
_STEPS = 1000  # in which a progress from 0 to 1 is counted


@dataclass(frozen=True, kw_only=True)
class LabelTask:
    """Predict labels.

    Parameters
    ----------
    dof : float or None
        Of the Student t of the likelihood; None for a Gaussian.
    mean_first : float
        Share of the training in which the labels are learnt before their errors.
    """

    dof: float | None
    mean_first: float

    def loss(
        self, network: nn.Module, seen: Seen, batch: tuple[Tensor, ...], done: float
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        network : Module
            The network.
        seen : tuple of Tensor
            Flux, valid and variance as the network sees them.
        batch : tuple of Tensor
            The same as they are, labels and the variance of labels.
        done : float
            Share of the training that is done; 1 for validation.

        Returns
        -------
        Tensor, scalar
            Nats for each label, but for a constant.
        """
        labels, variance = batch[3:5]
        known = torch.isfinite(labels)
        model = cast(LabelNetwork, network)
        features = model.features(*inputs_of(model, *seen))
        early = done < self.mean_first
        if early or not has_posterior(model):  # whose mean may be dear, as a flow's is
            found = model.head(features)
            mean, spread = found if isinstance(found, tuple) else (found, None)
            if spread is None or early:
                loss = functional.smooth_l1_loss(mean[known], labels[known], beta=0.1)
                # several processes want a gradient of every parameter
                return loss if spread is None else loss + 0.0 * spread.sum()
        density = log_prob(model, features, labels, variance, dof=self.dof)
        return -density.sum() / known.sum().clamp_min(1) * labels.shape[1]


@dataclass(frozen=True, kw_only=True)
class LatentTask:
    """Encode and decode: the residual, and a price for what latents tell.

    Parameters
    ----------
    price_per_nat : float
        Mean absolute residual, in units of the prepared flux, that one nat in one
        latent is worth. Latents that do not earn it fall silent. It rises between a
        twentieth and a third of the training.
    """

    price_per_nat: float

    def loss(
        self, network: nn.Module, seen: Seen, batch: tuple[Tensor, ...], done: float
    ) -> Tensor:
        """Return the loss of a batch; see `LabelTask.loss`."""
        flux, valid = batch[:2]
        model = cast(Any, network)
        reconstruction, mean, log_variance = model(*seen[:2])
        weight = kl_weight(
            round(_STEPS * done),
            start=_STEPS // 20,
            stop=_STEPS // 3,
            weight=self.price_per_nat * mean.shape[1],
        )
        loss, *_ = autoencoder_loss(
            reconstruction, flux, valid, mean, log_variance, weight=weight
        )
        return loss


Task = LabelTask | LatentTask
