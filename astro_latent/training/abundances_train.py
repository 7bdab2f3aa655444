# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the StarNet that reads abundances.

Most elements show a few weak lines. Random weights take thousands of steps to find
them, so the network begins as a linear regression, which finds them at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..models import load_model
from ..models.starnet import StarNet
from .abundances import make_abundance_bank
from .starnet import (
    TrainedStarNet,
    starnet_batches,
    train_starnet,
    training_conditions,
)

__all__ = ["linear_start", "ridge", "share_layers", "train_abundances"]


def share_layers(model: StarNet, name: str) -> None:
    """Begin with the convolutions and dense layers of published weights.

    Parameters
    ----------
    model : StarNet
        Changed in place; its output layers are left as they are.
    name : str
        Weights of a StarNet on the same grid.
    """
    source = load_model(name, device="cpu").members[0].state_dict()
    kept = {
        key: value
        for key, value in source.items()
        if not key.startswith(("output", "log_variance"))
    }
    model.load_state_dict(kept, strict=False)


def ridge(
    inputs: Tensor, targets: Tensor, *, penalties: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    """Fit a linear regression with more inputs than rows.

    Parameters
    ----------
    inputs : Tensor, shape (n_rows, n_inputs)
        Centred in place.
    targets : Tensor, shape (n_rows, n_labels)
        What to regress to.
    penalties : tuple of float
        Tried on the last tenth of the rows, in units of the mean squared row.

    Returns
    -------
    weights : Tensor, shape (n_labels, n_inputs)
        With the best penalty, on average over the labels.
    bias : Tensor, shape (n_labels,)
        Constant.
    """
    centre, middle = inputs.mean(0), targets.mean(0)
    inputs -= centre
    residual = (targets - middle).double()
    gram = (inputs @ inputs.T).double()
    size = gram.diagonal().mean()
    kept = len(inputs) - len(inputs) // 10

    def solve(penalty: float, rows: int) -> Tensor:
        matrix = gram[:rows, :rows].clone()
        matrix.diagonal().add_(penalty * size)
        factor = torch.linalg.cholesky(matrix)
        return torch.cholesky_solve(residual[:rows], factor)

    def left(penalty: float) -> float:
        guess = gram[kept:, :kept] @ solve(penalty, kept)
        return float((residual[kept:] - guess).square().mean())

    best = min(penalties, key=left)
    weights = solve(best, len(inputs)).float().T @ inputs
    return weights, middle - weights @ centre


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
    pooled, targets = [], []
    for step in range(n_batches):
        flux, valid, target = batches(step)
        pooled.append(model.convolve(flux, valid))
        targets.append(target)
    inputs, truth = torch.cat(pooled), torch.cat(targets)
    del pooled
    first, second = cast("list[nn.Linear]", list(model.dense))
    hidden = torch.relu(first(inputs[:1000]))
    outer = torch.relu(second(hidden))
    weights, bias = ridge(inputs, truth, penalties=(1e-4, 1e-3, 1e-2, 1e-1))

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


def train_abundances(
    recipe: dict[str, Any], *, data: str | Path, work: str | Path, **options: Any
) -> TrainedStarNet:
    """Train, or go on training, the network of a recipe.

    Parameters
    ----------
    recipe : dict
        See ``recipes/apogee_starnet_abundances_v1.toml``.
    data : path
        Folder with the training ingredients.
    work : path
        Folder for the bank and the checkpoints.
    **options
        Of `~astro_latent.training.starnet.train_starnet`.

    Returns
    -------
    TrainedStarNet
        The network and how far its training is.
    """
    fit, seed = recipe["fit"], recipe["seed"]

    def begin(model: StarNet) -> None:
        share_layers(model, fit["share_layers_of"])
        if Path(work, "checkpoint.pt").exists():
            return
        bank, labels = make_abundance_bank(
            data, work, n_spectra=recipe["bank"]["n_spectra"], seed=seed
        )
        batches = starnet_batches(
            bank,
            (labels - labels.mean(0)) / labels.std(0),
            batch_size=500,
            seed=seed + 1,
            conditions=lambda step: training_conditions(recipe, step),
        )
        linear_start(model, batches, fit["linear_start"] // 500)

    return train_starnet(
        recipe,
        data=data,
        work=work,
        bank_maker=make_abundance_bank,
        begin=begin,
        **options,
    )
