# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Heads: densities that integrate to one, draws that follow them, missing labels."""

import sys

import numpy as np
import pytest
import torch

from astro_latent.models import posterior
from astro_latent.models.check import reference_input
from astro_latent.models.layers.gaussian import label_log_prob
from astro_latent.models.layers.heads import HEADS, FlowHead


@pytest.fixture(params=list(HEADS))
def head(request):
    if request.param == "flow":
        pytest.importorskip("zuko")
    torch.manual_seed(3)
    made = HEADS[request.param](5, 2)
    for parameter in made.parameters():
        if not isinstance(made, FlowHead):
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.fixture
def features():
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def test_the_density_integrates_to_one(head, features):
    axis = torch.linspace(-7.0, 7.0, 281)
    grid = torch.cartesian_prod(axis, axis)
    for row in features:
        density = head.log_prob(row.expand(len(grid), -1), grid).exp()
        assert float(density.sum()) * 0.05**2 == pytest.approx(1.0, abs=0.02)


@torch.no_grad()
def test_draws_have_the_mean_and_covariance_that_are_said(head, features):
    generator = torch.Generator().manual_seed(5)
    drawn = head.sample(features, 20_000, generator=generator)
    mean, spread = head(features)
    covariance = (
        spread @ spread.mT if spread.ndim == 3 else torch.diag_embed(spread.exp())
    )
    rough = 0.1 if isinstance(head, FlowHead) else 0.02  # few base points
    torch.testing.assert_close(drawn.mean(1), mean, rtol=0, atol=rough)
    for row in range(3):
        torch.testing.assert_close(
            torch.cov(drawn[row].T), covariance[row], rtol=0.5 * rough**0.5, atol=rough
        )


@torch.no_grad()
def test_a_missing_label_is_integrated_out(head, features):
    if isinstance(head, FlowHead):
        pytest.skip("a flow learns from whole sets of labels")
    axis = torch.linspace(-9.0, 9.0, 1801)
    known = torch.tensor([0.3])
    both = torch.stack([known.expand(len(axis)), axis], dim=1)
    row = features[:1]
    integral = head.log_prob(row.expand(len(axis), -1), both).exp().sum() * 0.01
    missing = head.log_prob(row, torch.tensor([[0.3, torch.nan]])).exp()
    assert float(missing) == pytest.approx(float(integral), rel=2e-3)


def test_errors_of_labels_widen_the_density():
    mean, spread = torch.zeros(1, 1), torch.zeros(1, 1)
    far, variance = torch.tensor([[4.0]]), torch.tensor([[9.0]])
    assert label_log_prob(mean, spread, far, variance) > label_log_prob(
        mean, spread, far
    )


def test_a_student_forgives_outliers_and_is_a_density():
    axis = torch.linspace(-60.0, 60.0, 24_001)[:, None]
    zero = torch.zeros(len(axis), 1)
    student = label_log_prob(zero, zero, axis, dof=5.0)
    assert float(student.exp().sum()) * 0.005 == pytest.approx(1.0, abs=1e-3)
    assert student[0] > label_log_prob(zero, zero, axis)[0]


def test_a_flow_without_zuko_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(ImportError, match=r"a flow head needs zuko: pip install"):
        HEADS["flow"](5, 2)


@pytest.mark.parametrize("wings", [False, True])
def test_draws_of_a_model_have_its_labels_and_errors(label_model, monkeypatch, wings):
    prepared = reference_input(label_model, range(3))
    if wings:  # one draw in ten from a Gaussian ten times as wide
        rng = np.random.default_rng(6)
        width = np.where(rng.random((3, 400, 2)) < 0.1, 10.0, 1.0)
        monkeypatch.setattr(
            posterior, "_draw", lambda *_: width * rng.normal(size=width.shape)
        )
    drawn = label_model.sample(prepared, 400, seed=1)
    found = label_model.predict(prepared)
    assert drawn.shape == (3, 400, 2)
    np.testing.assert_allclose(drawn.mean(1), found.values, rtol=1e-4)
    low, high = np.quantile(drawn, [0.1587, 0.8413], axis=1)
    np.testing.assert_allclose(0.5 * (high - low), found.error, rtol=1e-3)
    assert (drawn.std(1) > 1.5 * found.error).all() == wings


def test_the_same_seed_draws_the_same(label_model):
    prepared = reference_input(label_model, range(3))
    drawn, again = (label_model.sample(prepared, 20, seed=1) for _ in range(2))
    np.testing.assert_array_equal(drawn, again)
    assert np.isfinite(label_model.sample(prepared, 1)).all()
