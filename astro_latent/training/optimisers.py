# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What turns gradients into steps: AdamW, or Muon for hidden matrices.

Muon (Jordan, K. et al. 2024, https://kellerjordan.github.io/posts/muon) takes steps
that are as long in all directions of a matrix; the rest of a network is left to AdamW.
``torch.optim.Muon`` is younger than the oldest PyTorch that is supported, and Lightning
takes one optimiser for all.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from .beginning import HEADS, STEMS
from .defaults import FitOptions

__all__ = ["Muon", "make_optimiser", "orthogonalise"]

#: Of the polynomial of fifth degree that brings singular values close to 1.
_ONE, _THREE, _FIVE = 3.4445, -4.7750, 2.0315
_TURNS = 5
_MOMENTUM = 0.95
_LONGER = 10.0  # steps of hidden matrices, in units of those of AdamW
#: Layer that meets the pixels, unless there are convolutions before it.
_FIRST = "dense.0.weight"


def orthogonalise(matrix: Tensor) -> Tensor:
    """Bring all singular values close to 1, by an iteration of Newton and Schulz.

    Parameters
    ----------
    matrix : Tensor, shape (n, m)
        Any.

    Returns
    -------
    Tensor, shape (n, m)
        Of nearly the same singular vectors; singular values are 0.7 to 1.2.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.training.optimisers import orthogonalise
    >>> found = orthogonalise(torch.diag(torch.tensor([3.0, 0.5])))
    >>> [0.6 < value < 1.3 for value in torch.linalg.svdvals(found).tolist()]
    [True, True]
    """
    found = matrix / (matrix.norm() + 1e-7)
    tall = found.shape[0] > found.shape[1]
    found = found.T if tall else found
    for _ in range(_TURNS):
        square = found @ found.T
        found = _ONE * found + (_THREE * square + _FIVE * square @ square) @ found
    return found.T if tall else found


class Muon(torch.optim.AdamW):
    """AdamW, but for groups of parameters that say ``hidden``.

    Parameters
    ----------
    params : list of dict
        Groups; matrices of one with ``hidden`` true take steps of Muon, ten times as
        long as ``lr``, with the same weight decay.
    lr : float
        Learning rate.
    betas : tuple of float
        Of AdamW.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients.

        Returns
        -------
        float or None
            What it returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = self.param_groups
        for group in groups:
            for matrix in group["params"] if group.get("hidden") else ():
                if matrix.grad is not None:
                    self._move(matrix, matrix.grad, group)
        self.param_groups = [group for group in groups if not group.get("hidden")]
        try:
            super().step()
        finally:
            self.param_groups = groups
        return loss

    def _move(self, matrix: Tensor, gradient: Tensor, group: dict) -> None:
        """Move one matrix along its momentum, looked ahead."""
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
            state["step"] = torch.zeros(())  # which AdamW wants of any that it reads
        momentum = state["momentum"].lerp_(gradient, 1.0 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM)
        step = orthogonalise(ahead.bfloat16()).to(matrix.dtype)  # which is enough
        longer = _LONGER * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        matrix.mul_(1.0 - group["lr"] * group["weight_decay"])
        matrix.add_(step, alpha=-group["lr"] * longer)


def make_optimiser(
    networks: Iterable[nn.Module], options: FitOptions
) -> torch.optim.Optimizer:
    """Return the optimiser of networks, which may have layers in common.

    Parameters
    ----------
    networks : iterable of Module
        Their biases and scales do not shrink. Hidden are matrices that neither meet the
        pixels nor give the labels.
    options : FitOptions
        Which, and its rates.

    Returns
    -------
    Optimizer
        Of the parameters that learn.
    """
    muon = options.optimiser == "muon"
    groups: dict[str, list[nn.Parameter]] = {"hidden": [], "wide": [], "rest": []}
    known: set[nn.Parameter] = set()
    for network in networks:
        for name, parameter in network.named_parameters():
            if parameter in known or not parameter.requires_grad:
                continue
            known.add(parameter)
            hidden = muon and parameter.ndim == 2 and not _is_outer(network, name)
            kind = "hidden" if hidden else "wide" if parameter.ndim > 1 else "rest"
            groups[kind].append(parameter)
    found = [
        {
            "params": parameters, "hidden": kind == "hidden",
            "weight_decay": 0.0 if kind == "rest" else options.weight_decay,
        }
        for kind, parameters in groups.items()
        if parameters
    ]  # fmt: skip
    make = Muon if muon else torch.optim.AdamW
    return make(found, lr=options.learning_rate, betas=(0.9, 0.98))


def _is_outer(network: nn.Module, name: str) -> bool:
    """Whether a matrix meets the pixels or gives the labels."""
    if name == _FIRST:
        return network.get_parameter(name).shape[1] == network.n_pixels
    return name.startswith(HEADS + STEMS)
