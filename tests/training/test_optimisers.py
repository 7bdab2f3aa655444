# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Muon against PyTorch's own, where there is one, and what it is used for."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from astro_latent import train_model
from astro_latent.models import ARCHITECTURES
from astro_latent.training.defaults import FitOptions
from astro_latent.training.optimisers import make_optimiser, orthogonalise

from .conftest import FAST, SMALL, make_stars


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9)])
def test_directions_have_one_length_and_stay_what_they_are(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalise(matrix)
    turned = left.T @ found @ right.T
    assert torch.linalg.svdvals(found).max() < 1.3
    kept = values > 0.1 * values.max()
    assert turned.diagonal()[kept].min() > 0.6
    off = turned - torch.diag(turned.diagonal())
    assert off.abs().max() < 1e-4


class Toy(nn.Module):
    """A matrix that meets the pixels, a hidden one, and one that gives labels."""

    def __init__(self):
        super().__init__()
        self.enter, self.hidden = nn.Linear(5, 8), nn.Linear(8, 8)
        self.output = nn.Linear(8, 2)

    def forward(self, values):
        return self.output(torch.tanh(self.hidden(torch.tanh(self.enter(values)))))


def steps_of(network, optimisers, n_steps=4):
    inputs = torch.randn(16, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(n_steps):
        for optimiser in optimisers:
            optimiser.zero_grad()
        network(inputs).square().sum().backward()
        for optimiser in optimisers:
            optimiser.step()
    return [p.detach().clone() for p in network.parameters()]


def toy():
    torch.manual_seed(2)
    return Toy()


def test_without_muon_it_is_adamw_of_pytorch():
    network, other = toy(), toy()
    options = FitOptions(learning_rate=1e-2, weight_decay=0.2)
    wide, rest = (
        [p for p in other.parameters() if (p.ndim > 1) is kind]
        for kind in (True, False)
    )
    groups = [{"params": wide}, {"params": rest, "weight_decay": 0.0}]
    known = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), weight_decay=0.2)
    found = steps_of(network, [make_optimiser([network], options)])
    for one, two in zip(found, steps_of(other, [known]), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ("architecture", "hidden"),
    [
        ("shallow_nn", ["dense.1.weight"]),
        ("starnet", ["dense.0.weight", "dense.1.weight"]),
        ("residual_mlp", ["blocks.0.first.weight", "blocks.0.second.weight"]),
    ],
)
def test_hidden_is_what_neither_meets_pixels_nor_gives_labels(architecture, hidden):
    more = {"n_blocks": 1} if architecture == "residual_mlp" else {}
    network = ARCHITECTURES[architecture](n_pixels=64, n_labels=2, **more)
    optimiser = make_optimiser([network], FitOptions(optimiser="muon"))
    [moved] = [g["params"] for g in optimiser.param_groups if g["hidden"]]
    names = {id(p): name for name, p in network.named_parameters()}
    assert [names[id(p)] for p in moved] == hidden


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs PyTorch 2.9")
def test_hidden_matrices_move_as_by_muon_of_pytorch():
    network, other = toy(), toy()
    options = FitOptions(learning_rate=1e-3, weight_decay=0.2, optimiser="muon")
    hidden = other.hidden.weight
    rest = [p for p in other.parameters() if p is not hidden]
    known = [
        torch.optim.Muon([hidden], lr=1e-2, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.2},
                {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=1e-3, betas=(0.9, 0.98),
        ),
    ]  # fmt: skip
    found = steps_of(network, [make_optimiser([network], options)])
    for one, two, at in zip(
        found, steps_of(other, known), toy().parameters(), strict=True
    ):  # small singular values are noise in bfloat16, which both work in
        assert (one - two).norm() < 0.25 * (two - at).norm()


def test_muon_goes_on_from_a_checkpoint():
    options = FitOptions(learning_rate=1e-2, optimiser="muon")
    network, other = toy(), toy()
    first = make_optimiser([network], options)
    steps_of(network, [first])
    second = make_optimiser([other], options)
    other.load_state_dict(network.state_dict())
    second.load_state_dict(deepcopy(first.state_dict()))
    whole = steps_of(network, [first])
    for one, two in zip(whole, steps_of(other, [second]), strict=True):
        assert torch.equal(one, two)


def test_a_training_by_muon_is_the_same_again(tmp_path):
    stars = make_stars(150)
    how = {**FAST, "optimiser": "muon", "arguments": SMALL, "seed": 4}
    whole = train_model(stars, ["teff", "logg"], **how)
    assert whole.config.training["fit"]["optimiser"] == "muon"
    judged = whole.config.evaluation["held-out stars"]["all"]
    scatter = [score["scatter"] for score in judged.values()]
    assert scatter[0] < 400
    assert scatter[1] < 1.0
    again = train_model(stars, ["teff", "logg"], work=tmp_path / "work", **how)
    for one, two in zip(
        whole.members[0].parameters(), again.members[0].parameters(), strict=True
    ):
        assert np.array_equal(one.numpy(), two.numpy())
