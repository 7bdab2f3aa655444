# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the network is taught before the published loss: the teacher's nodes."""

from typing import Any

import torch
from torch import Tensor

from astro_latent.training.losses import gaussian_nll

__all__ = ["teach"]

_BLUR = 0.05  # of the nodes that the decoder is taught with, so that it is smooth
_NODES = 0.01  # of a nat in the posterior of the nodes, in units of the residual


def teach(
    model: Any, batch: dict[str, Tensor], valid: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """Let encoder and decoder learn, each by itself, what the teacher's nodes are.

    The nodes that the teacher does not know stay zero, in the middle of the prior.

    Parameters
    ----------
    model : `torch.nn.Module`
        With ``encode`` and ``decode``.
    batch : dict of Tensor
        ``flux``, ``clean`` and ``nodes``.
    valid : Tensor of bool, shape (n_pixels,)
        Pixels that count.

    Returns
    -------
    loss : Tensor, scalar
        Mean absolute residual of the decoder, and the likelihood of the nodes.
    figures : dict of float
        For the log: the residual, and how far nodes are off.
    """
    flux, clean, nodes = (
        batch[name].to(valid.device) for name in ("flux", "clean", "nodes")
    )
    n_nodes = nodes.shape[1]
    mean, log_variance = (part.float() for part in model.encode(flux))
    latent = torch.zeros_like(mean)
    latent[:, :n_nodes] = nodes + _BLUR * torch.randn_like(nodes)
    residual = ((model.decode(latent).float() - clean).abs() * valid).mean()
    likelihood = gaussian_nll(mean[:, :n_nodes], log_variance[:, :n_nodes], nodes)
    with torch.no_grad():
        off = (mean[:, :n_nodes] - nodes).abs().mean(0)
    return residual + _NODES * likelihood, {
        "residual": residual.item(),
        "velocity_off": off[0].item(),
        "others_off": off[1:].mean().item(),
    }
