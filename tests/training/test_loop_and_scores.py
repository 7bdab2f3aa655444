# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Training that stops and goes on, losses and figures of merit with known answers."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from astro_latent.training.calibration import calibrate_errors
from astro_latent.training.domain import describe_domain
from astro_latent.training.linear import find_components
from astro_latent.training.loop import fit, one_cycle
from astro_latent.training.losses import (
    autoencoder_loss,
    gaussian_nll,
    kl_divergence,
    kl_weight,
)
from astro_latent.training.scores import coverage, score_residuals


def line_fit(work, *, stop_after=float("inf"), n_steps=60):
    torch.manual_seed(0)
    model = nn.Linear(1, 1)

    def batches(step):
        generator = torch.Generator().manual_seed(step)
        x = torch.rand(16, 1, generator=generator)
        return x, 3 * x + 1

    def loss(model, batch, step):
        x, y = batch
        return (model(x) - y).square().mean(), {"step_seen": step}

    step = fit(
        model,
        loss,
        batches,
        n_steps=n_steps,
        learning_rate=0.1,
        work=work,
        log_every=10,
        checkpoint_every=1,
        stop_after=stop_after,
    )
    return model, step


def test_a_stopped_training_ends_where_an_unbroken_one_does(tmp_path):
    whole, last = line_fit(tmp_path / "whole")
    _, first = line_fit(tmp_path / "parts", stop_after=0.0)
    assert (first, last) == (1, 60)
    resumed, step = line_fit(tmp_path / "parts")
    assert step == 60
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


def test_the_log_is_one_json_object_per_line(tmp_path):
    line_fit(tmp_path)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == [10, 20, 30, 40, 50, 60]
    assert records[0]["step_seen"] == pytest.approx(5.5)
    assert records[-1]["loss"] < records[0]["loss"]


def test_schedule_rises_then_falls():
    factors = [one_cycle(step, 1000) for step in range(1, 1001)]
    assert max(factors) == factors[49] == 1.0
    assert factors[24] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.01)


def test_published_warm_up():
    schedule = {"start": 5000, "stop": 20000, "weight": 0.3}
    assert kl_weight(4999, **schedule) == 0.0
    assert kl_weight(12_500, **schedule) == pytest.approx(0.15)
    assert kl_weight(10**6, **schedule) == 0.3


def test_kl_of_a_unit_normal_is_zero_and_a_nat_costs_its_price():
    mean, log_variance = torch.zeros(1, 128), torch.zeros(1, 128)
    assert not kl_divergence(mean, log_variance).any()
    mean[0, 0] = 2**0.5  # one nat on one node
    flux = torch.ones(1, 1000)
    total, residual, _ = autoencoder_loss(
        flux, flux, torch.ones(1000), mean, log_variance, weight=0.3
    )
    assert residual == 0
    assert total.item() == pytest.approx(0.3 / 128)


def test_masked_pixels_do_not_cost():
    flux, valid = torch.zeros(1, 10), torch.ones(10, dtype=torch.bool)
    rebuilt = flux.clone()
    rebuilt[0, 3], valid[3] = 99.0, False
    zero = torch.zeros(1, 4)
    assert autoencoder_loss(rebuilt, flux, valid, zero, zero, weight=1.0)[0] == 0


def test_missing_labels_do_not_count():
    mean, log_variance = torch.zeros(2, 2), torch.zeros(2, 2)
    truth = torch.tensor([[1.0, float("nan")], [1.0, 1.0]])
    assert gaussian_nll(mean, log_variance, truth).item() == pytest.approx(0.5)


def test_scatter_is_robust(rng):
    residual = rng.normal(0.3, 2.0, (20_000, 1))
    residual[:200] = 1e6
    score = score_residuals(residual, np.zeros_like(residual), ["x"])["x"]
    assert score["bias"] == pytest.approx(0.3, abs=0.1)
    assert score["scatter"] == pytest.approx(2.0, rel=0.05)
    assert score["n"] == 20_000


def test_calibration_finds_scale_and_floor(rng):
    error = np.exp(rng.normal(0, 1.0, (30_000, 1)))
    residual = rng.normal(size=error.shape) * np.hypot(0.5 * error, 0.8)
    scale, floor = calibrate_errors(residual, error)
    assert scale[0] == pytest.approx(0.5, rel=0.1)
    assert floor[0] == pytest.approx(0.8, rel=0.1)
    shares = coverage(residual, np.hypot(scale * error, floor))
    assert shares["68"][0] == pytest.approx(0.683, abs=0.02)
    assert shares["95"][0] == pytest.approx(0.954, abs=0.01)


def test_domain_has_the_asked_false_alarms_and_sees_strangers(rng):
    mixing = rng.normal(size=(64, 64))
    inside = rng.normal(size=(4000, 64)) @ mixing
    mean, whitening, limit = describe_domain(inside, false_alarms=0.02)

    def share(features):
        distance = np.linalg.norm((features - mean) @ whitening.T, axis=1)
        return np.mean(distance > limit)

    assert share(inside) == pytest.approx(0.02, abs=0.002)
    assert share(rng.normal(size=(2000, 64)) @ mixing) < 0.06
    assert share(rng.normal(size=(500, 64)) @ mixing * 4) > 0.95


def test_principal_components_reproduce_a_subspace(rng):
    basis = rng.normal(size=(3, 400))
    flux = torch.from_numpy(rng.normal(size=(40, 3)) @ basis + 5.0).float()
    mean, components = find_components(flux, 3)
    rebuilt = mean + (flux - mean) @ components.T @ components
    torch.testing.assert_close(rebuilt, flux, rtol=0, atol=1e-3)
    identity = components @ components.T
    torch.testing.assert_close(identity, torch.eye(3), rtol=0, atol=1e-4)


def test_rates_fall_as_asked():
    steps = np.arange(1, 101)
    falls = {
        shape: np.array([one_cycle(step, 100, end=0.1, shape=shape) for step in steps])
        for shape in ("cosine", "linear", "constant")
    }
    for rate in falls.values():
        np.testing.assert_allclose(rate[:5], steps[:5] / 5)
    assert np.all(falls["constant"][4:] == 1.0)
    np.testing.assert_allclose(np.diff(falls["linear"][4:]), -0.9 / 95)
    half = 5 + 95 // 2
    assert falls["cosine"][half] == pytest.approx(falls["linear"][half], abs=0.02)
    assert falls["cosine"][-1] == falls["linear"][-1] == pytest.approx(0.1)
