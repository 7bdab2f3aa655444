# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the network that joins the components of a star in a few nodes."""

from typing import Any

import torch
from torch import Tensor

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from astro_latent.training.loop import one_cycle
from astro_latent.training.losses import kl_divergence

__all__ = ["train_nodes"]


def train_nodes(
    model: AlignedAutoencoder,
    coefficients: Tensor,
    noise: Tensor,
    options: dict[str, Any],
) -> None:
    """Train the network between coefficients and nodes as a variational autoencoder.

    The components are orthonormal, so squared residuals of coefficients are those of
    the weighted spectrum. That would neglect the faint components: ``equal_pixels``, a
    power, leads from equal components (0) to equal pixels (1). ``pixel_noise`` is the
    noise that the likelihood allows at least. ``kl_weight`` is what a nat costs in the
    unit of the log-likelihood: a node has to earn its nats or falls silent.

    In half of the cases the decoder sees only the first few nodes, a random number
    (nested dropout, Rippel et al. 2014): so nodes are ordered by what they explain,
    and do not share one factor among them.

    Parameters
    ----------
    model : AlignedAutoencoder
        With components; changed in place.
    coefficients : Tensor, shape (n, n_components)
        Of many spectra.
    noise : Tensor, shape (n,)
        Variance of a weighted pixel.
    options : dict
        The section ``fit`` of the recipe.
    """
    optimiser = torch.optim.AdamW(
        [*model.to_nodes.parameters(), *model.from_nodes.parameters()],
        lr=options["learning_rate"],
        weight_decay=1e-4,
    )
    generator = torch.Generator().manual_seed(options["seed"])
    scale = model.star_scale
    metric = scale ** options["equal_pixels"]
    metric = metric * (scale.norm() / metric.norm())
    n_steps = options["n_steps"]
    n_nodes = model.sizes[3]
    place = torch.arange(n_nodes)
    for step in range(1, n_steps + 1):
        rows = torch.randint(len(noise), (options["batch_size"],), generator=generator)
        truth, level = coefficients[rows], noise[rows]
        mean, log_variance = model.encode_star(truth, level)
        drawn = torch.empty_like(mean).normal_(generator=generator)
        latent = mean + torch.exp(0.5 * log_variance) * drawn
        kept = torch.randint(1, 2 * n_nodes, (len(rows), 1), generator=generator)
        again = model.from_nodes(latent * (place < kept))
        residual = ((again - truth / scale) * metric).square().sum(1)
        allowed = level.clamp(min=options["pixel_noise"] ** 2)
        weight = options["kl_weight"] * min(1.0, 2.0 * step / n_steps)
        divergence = kl_divergence(mean, log_variance).sum(1)
        loss = (0.5 * residual / allowed + weight * divergence).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = options["learning_rate"] * one_cycle(step, n_steps)
        optimiser.step()
