# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Units that are set by linear regression."""

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.starnet import StarNet
from astro_latent.simulation.emulators import EmulatedStars, SigmoidEmulator
from astro_latent.training.dense_units import linear_start, restart_silent_units
from astro_latent.training.linear import fit_ridge


def test_ridge_finds_weights_with_more_inputs_than_rows():
    torch.manual_seed(0)
    inputs = torch.randn(300, 3) @ torch.randn(3, 2000)  # three directions matter
    truth = torch.randn(2, 2000) / 40.0
    targets = inputs @ truth.T + 5.0
    weights, bias = fit_ridge(
        inputs[:200].clone(), targets[:200], penalties=(1e-4, 10.0)
    )
    guess = inputs[200:] @ weights.T + bias
    torch.testing.assert_close(guess, targets[200:], rtol=0, atol=0.05)


def test_a_network_begins_as_a_linear_regression():
    torch.manual_seed(1)
    network = StarNet(n_pixels=96, n_labels=2, n_hidden=(24, 12), heteroscedastic=True)
    depth = torch.randn(2, 96) * (torch.rand(2, 96) < 0.1)

    def batches(step):
        torch.manual_seed(100 + step)
        target = torch.randn(500, 2)
        flux = 0.3 * target @ depth + 0.05 * torch.randn(500, 96)
        return flux, torch.ones(500, 96, dtype=torch.bool), target

    flux, valid, target = batches(9)
    before = (network(flux, valid)[0] - target).square().mean()
    linear_start(network, batches, 4)
    mean, log_variance = network(flux, valid)
    assert (mean - target).square().mean() < 0.2 < 0.5 < before
    assert (log_variance == 0).all()


@pytest.fixture
def silenced():
    """A network half of whose units respond to nothing, and spectra for it."""
    torch.manual_seed(2)
    network = StarNet(n_pixels=96, n_labels=2, n_hidden=(24, 12), heteroscedastic=True)
    torch.nn.init.normal_(network.log_variance.weight)
    with torch.no_grad():
        for layer, dead in zip(network.dense, (12, 4), strict=True):
            layer.bias.fill_(30.0)
            layer.bias[:dead] = -1e3
    depth = torch.randn(2, 96) * (torch.rand(2, 96) < 0.1)

    def batches(step):
        rng = torch.Generator().manual_seed(100 + step)
        target = torch.randn(500, 2, generator=rng)
        flux = 0.3 * target @ depth + 0.05 * torch.randn(500, 96, generator=rng)
        return flux, torch.ones(500, 96, dtype=torch.bool), target

    return network, batches


def test_restarted_units_respond_and_change_no_output(silenced):
    network, batches = silenced
    flux, valid, _ = batches(9)
    before = network(flux, valid)
    alive = network.dense[0].weight[12:].clone()
    first, second = restart_silent_units(network, batches, 2, seed=5)
    assert (first, second) >= (12, 4)  # random units may be silent as well
    for old, new in zip(before, network(flux, valid), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-5)
    hidden = torch.relu(network.dense[0](network.convolve(flux, valid)))
    for units in (hidden[:, :12], torch.relu(network.dense[1](hidden))[:, :4]):
        share = (units > 0).float().mean(0)
        assert share.min() > 0.02
        assert share.max() < 0.98
    assert first > 12 or torch.equal(network.dense[0].weight[12:], alive)


def test_restarted_units_know_the_labels_and_learn(silenced):
    network, batches = silenced
    restart_silent_units(network, batches, 4, seed=5)
    flux, valid, target = batches(9)
    values = network.dense[0](network.convolve(flux, valid))[:, :12]
    centred = values - values.mean(0)
    fit = torch.linalg.lstsq(centred, target - target.mean(0)).solution
    left = (target - target.mean(0) - centred @ fit).square().mean()
    assert left < 0.05  # of a variance of one
    loss = (network(flux, valid)[0] - target).square().mean()
    loss.backward()
    gradient = network.dense[1].weight.grad
    assert gradient[4:, :12].abs().max() > 0
    # seeds are all that it depends on
    again = network.dense[0].weight[:12].clone()
    restart_silent_units(network, batches, 4, seed=5)
    torch.testing.assert_close(network.dense[0].weight[:12], again)


def test_stars_that_are_computed_when_asked_for_are_those_of_the_emulator(rng):
    emulator = SigmoidEmulator(
        weights_in=rng.normal(size=(30, 4, 2)).astype(np.float32),
        bias_in=np.zeros((30, 4), np.float32),
        weights_out=rng.normal(size=(30, 4)).astype(np.float32),
        bias_out=np.ones(30, np.float32),
        lower=np.zeros(2),
        upper=np.ones(2),
    )
    stars = EmulatedStars(emulator, rng.random((9, 2)))
    assert len(stars) == 9
    np.testing.assert_array_equal(
        stars[np.array([7, 2])], emulator.flux(stars.labels[[7, 2]])
    )
