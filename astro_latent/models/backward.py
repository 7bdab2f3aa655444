# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Derivatives of labels by backward passes, one for each label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from .networks import LabelNetwork, SeeingNetwork, inputs_of

__all__ = ["Seen", "differentiate", "differentiate_seen"]


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
    with torch.inference_mode(False), torch.enable_grad():
        # copies, as what was made in inference mode has no gradient
        flux, *others = (tensor.clone() for tensor in inputs)
        flux.requires_grad_()
        return _gradients(network(*inputs_of(network, flux, *others)), flux)


@dataclass(frozen=True, eq=False)
class Seen:
    """What networks that see alike see of some spectra.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels)
        Prepared flux.
    values : Tensor, shape (n, n_inputs)
        What is seen of it, with its derivatives if ``flux`` requires them.
    """

    flux: Tensor
    values: Tensor


def differentiate_seen(networks: Sequence[LabelNetwork], seen: Seen) -> Tensor:
    """Differentiate the mean of networks that see alike by the flux.

    What they see, which is most of the work, is passed once for each label.

    Parameters
    ----------
    networks : sequence of SeeingNetwork
        Whose ``see`` is the same.
    seen : Seen
        Spectra, with derivatives.

    Returns
    -------
    Tensor, shape (n, n_labels, n_pixels)
        In the networks' units.
    """
    outer = torch.zeros(())
    with torch.inference_mode(False), torch.enable_grad():
        for member in cast(Sequence[SeeingNetwork], networks):
            leaf = seen.values.detach().requires_grad_()
            outer = outer + _gradients(member.head(member.think(leaf)), leaf)
        rows = [
            torch.autograd.grad(seen.values, seen.flux, each, retain_graph=True)[0]
            for each in (outer / len(networks)).unbind(1)
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
