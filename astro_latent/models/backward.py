# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Derivatives of labels by backward passes, one for each label."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from .networks import LabelNetwork, SeeingNetwork, inputs_of

__all__ = ["differentiate", "differentiate_seen"]


def differentiate(network: LabelNetwork, *inputs: Tensor) -> Tensor:
    """Differentiate labels by the flux.

    Parameters
    ----------
    network : LabelNetwork
        The network.
    *inputs : Tensor, shape (n, n_pixels)
        Prepared flux, which of it was measured, and its variance.

    Returns
    -------
    Tensor, shape (n, n_labels, n_pixels)
        In the network's units.
    """
    flux = inputs[0].requires_grad_()
    return _gradients(network(*inputs_of(network, *inputs)), flux)


def differentiate_seen(networks: Sequence[LabelNetwork], *inputs: Tensor) -> Tensor:
    """Differentiate the mean of networks that see alike by the flux.

    What they see, which is most of the work, is passed once for each label.

    Parameters
    ----------
    networks : sequence of SeeingNetwork
        Whose ``see`` is the same.
    *inputs : Tensor, shape (n, n_pixels)
        As for `differentiate`.

    Returns
    -------
    Tensor, shape (n, n_labels, n_pixels)
        In the networks' units.
    """
    members, flux = cast(Sequence[SeeingNetwork], networks), inputs[0].requires_grad_()
    seen = members[0].see(*inputs_of(members[0], *inputs))
    outer = torch.zeros(())
    for member in members:
        leaf = seen.detach().requires_grad_()
        outer = outer + _gradients(member.head(member.think(leaf)), leaf)
    rows = [
        torch.autograd.grad(seen, flux, each, retain_graph=True)[0]
        for each in (outer / len(members)).unbind(1)
    ]
    return torch.stack(rows, dim=1)


def _gradients(result: Tensor | tuple[Tensor, Tensor], by: Tensor) -> Tensor:
    """Differentiate the mean, without its spread, label by label."""
    mean = result[0] if isinstance(result, tuple) else result
    rows = [
        torch.autograd.grad(label.sum(), by, retain_graph=True)[0]
        for label in mean.unbind(1)
    ]
    return torch.stack(rows, dim=1)
