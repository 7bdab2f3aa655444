# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Set hidden units of a StarNet by linear regression, all at once.

Random weights take thousands of steps to find weak lines, and steps that are too long
for a layer with 28,848 inputs leave most of its units without any spectrum that they
respond to: their gradient is zero, and no further training brings them back.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from ..models.architectures.starnet import StarNet
from .linear import fit_ridge

__all__ = ["linear_start", "restart_silent_units"]

_RARE = 0.002  # a unit is silent if a smaller share of the spectra activates it
_PRODUCTS = 0.4  # weight of products of two labels, if there are three for each label


@torch.no_grad()
def linear_start(
    model: StarNet, batches: Callable[[int], tuple], n_batches: int
) -> None:
    """Make a network begin as a linear regression on its convolutions.

    Of both dense layers the units that vary least are given up: a pair of them carries
    the positive and the negative part of each label.

    Parameters
    ----------
    model : StarNet
        Changed in place.
    batches : callable
        ``batches(step)`` returns flux, valid and target tensors.
    n_batches : int
        How many to fit to.
    """
    inputs, truth = _gather(model, batches, n_batches)
    first, second = cast("list[nn.Linear]", list(model.dense))
    hidden = torch.relu(first(inputs[:1000]))
    outer = torch.relu(second(hidden))
    weights, bias = fit_ridge(inputs, truth, penalties=(1e-4, 1e-3, 1e-2, 1e-1))

    n = len(bias)
    units = (hidden.std(0) * second.weight.norm(dim=0)).argsort()[: 2 * n]
    ends = outer.std(0).argsort()[: 2 * n]
    both, offsets = torch.cat([weights, -weights]), torch.cat([bias, -bias])
    # As large as what they replace, so that an optimiser changes them as slowly.
    gain = first.weight.std() / both.std(dim=1)
    first.weight[units], first.bias[units] = both * gain[:, None], offsets * gain
    second.weight[:, units], second.weight[ends], second.bias[ends] = 0.0, 0.0, 0.0
    second.weight[ends, units] = 1.0 / gain
    model.output.weight *= 0.05
    model.output.weight[:, ends] = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)


@torch.no_grad()
def restart_silent_units(
    model: StarNet, batches: Callable[[int], tuple], n_batches: int, *, seed: int
) -> tuple[int, int]:
    """Give new weights to units that respond to no spectrum; outputs do not change.

    A unit of the first dense layer gets a random combination of the labels and of
    their products, as a linear regression finds them, and a threshold among their
    values; one of the second a random combination of the first. Nothing reads them
    before the training goes on.

    Parameters
    ----------
    model : StarNet
        Changed in place.
    batches : callable
        ``batches(step)`` returns flux, valid and target tensors.
    n_batches : int
        How many to fit to.
    seed : int
        Seed of combinations and thresholds.

    Returns
    -------
    first, second : int
        Units of either dense layer that were given new weights.
    """
    pooled, truth = _gather(model, batches, n_batches)
    first, second = cast("list[nn.Linear]", list(model.dense))
    hidden = torch.relu(first(pooled))
    silent = _find_silent(hidden), _find_silent(torch.relu(second(hidden)))
    pairs = torch.triu_indices(truth.shape[1], truth.shape[1])
    squares = truth[:, pairs[0]] * truth[:, pairs[1]]
    targets = torch.cat([truth, squares], dim=1)
    targets = (targets - targets.mean(0)) / targets.std(0)
    weights, bias = fit_ridge(
        pooled.clone(), targets, penalties=(1e-4, 1e-3, 1e-2, 1e-1)
    )  # which centres what it is given
    rng = torch.Generator().manual_seed(seed)
    mix = torch.randn(len(silent[0]), targets.shape[1], generator=rng)
    mix[:, truth.shape[1] :] *= (
        _PRODUCTS * (3 * truth.shape[1] / squares.shape[1]) ** 0.5
    )
    mix, threshold = _spread(pooled @ weights.T + bias, mix, rng)
    first.weight[silent[0]], first.bias[silent[0]] = (
        mix @ weights,
        mix @ bias - threshold,
    )
    second.weight[:, silent[0]] = 0.0
    hidden = torch.relu(first(pooled))
    mix = torch.randn(len(silent[1]), hidden.shape[1], generator=rng)
    mix, threshold = _spread(hidden, mix / (hidden.std(0) + 1e-3), rng)
    second.weight[silent[1]], second.bias[silent[1]] = mix, -threshold
    for layer in (model.output, model.log_variance):
        if layer is not None:
            layer.weight[:, silent[1]] = 0.0
    return len(silent[0]), len(silent[1])


def _find_silent(activation: Tensor) -> Tensor:
    """Return the units that next to no row activates."""
    return ((activation > 0).float().mean(0) < _RARE).nonzero().ravel()


def _spread(inputs: Tensor, mix: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scale combinations to unit scatter, and draw a threshold for each."""
    if len(mix) == 0:
        return mix, mix.new_zeros(0)
    values = inputs @ mix.T
    scatter = values.std(0)
    share = 0.1 + 0.8 * torch.rand(len(mix), generator=rng)
    threshold = [
        (column / width).quantile(at)
        for column, width, at in zip(values.T, scatter, share, strict=True)
    ]
    return mix / scatter[:, None], torch.tensor(threshold)


def _gather(
    model: StarNet, batches: Callable[[int], tuple], n_batches: int
) -> tuple[Tensor, Tensor]:
    """Collect what the convolutions make of some batches, and their targets."""
    pooled, targets = [], []
    for step in range(n_batches):
        flux, valid, target = batches(step)
        pooled.append(model.convolve(flux, valid))
        targets.append(target)
    return torch.cat(pooled), torch.cat(targets)
