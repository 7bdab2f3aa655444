# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Members of an ensemble that see alike look at a spectrum once."""

import copy

import numpy as np
import pytest
import torch

from astro_latent.models import load_model
from astro_latent.models.architectures import CorrectedNetwork
from astro_latent.models.backward import differentiate, differentiate_seen
from astro_latent.models.layers.views import View
from astro_latent.models.networks import SeeingNetwork
from astro_latent.preparation import PreparedSpectra
from astro_latent.spectra.observation import Observation


@pytest.fixture(scope="module")
def model():
    return load_model("gaia_xp_starnet_v1", device="cpu")


@pytest.fixture(scope="module")
def prepared(model):
    generator = np.random.default_rng(5)
    shape = (9, model.grid.n_pixels)
    valid = generator.random(shape) < 0.98
    flux = 1.0 + 0.1 * generator.normal(size=shape)
    return PreparedSpectra(
        flux=np.where(valid, flux, 0.0).astype("f4"),
        valid=valid,
        variance=np.where(valid, 1e-4, np.nan).astype("f4"),
        scale=np.ones((9, len(model.grid.segments))),
        radial_velocity=np.zeros(9),
        radial_velocity_source=["none"] * 9,
        flags=np.zeros(9, dtype=np.int64),
        observations=[Observation(obs_id=str(i)) for i in range(9)],
        grid=model.grid,
        recipe=model.recipe,
    )


def apart(model):
    """Return the model with members that share no memory."""
    other = copy.copy(model)
    other.members = tuple(copy.deepcopy(member) for member in model.members)
    return other


def test_members_that_were_stored_with_one_view_have_one_in_memory(model):
    first, *others = model.members
    assert isinstance(first, SeeingNetwork)
    assert len(others) == 3
    assert all(first.sees_like(other) for other in others)
    assert not first.sees_like(copy.deepcopy(first))
    weights = {member.enter.weight.data_ptr() for member in model.members}
    assert len(weights) == 4  # what is learned is each member's own


def test_labels_and_errors_are_those_of_members_apart(model, prepared):
    found, expected = model.predict(prepared), apart(model).predict(prepared)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.domain_score, expected.domain_score)
    for name in ("error", "error_flux", "covariance"):
        mine, its = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(mine, its, rtol=2e-5)


def test_corrections_of_members_that_see_alike_look_once(model, prepared):
    inputs = [model.runner.tensor(a) for a in (prepared.flux, prepared.valid)]
    inputs.append(model.runner.tensor(prepared.variance))
    features = [member.features(*inputs) for member in model.members]
    networks = []
    for member in model.members:
        network = CorrectedNetwork(
            arguments=model.config.arguments, n_features=features[0].shape[1]
        )
        network.base = member
        networks.append(network.eval())
    looks = []
    view = model.members[0].views[0]
    handle = view.register_forward_hook(lambda *_: looks.append(1))
    seen = model.runner.see(networks, *inputs)
    handle.remove()
    assert len(looks) == 1
    for network, expected in zip(networks, features, strict=True):
        torch.testing.assert_close(network.think(seen.values)[:9], expected)
    blind = CorrectedNetwork(
        architecture="shallow_nn", arguments={"n_pixels": 343}, n_features=128
    )
    assert model.runner.see([blind, blind], *inputs) is None


def test_the_jacobian_is_the_mean_of_those_of_the_members(model, prepared):
    inputs = [model.runner.tensor(a) for a in (prepared.flux, prepared.valid)]
    inputs.append(model.runner.tensor(prepared.variance))
    seen = model.runner.see(model.members, *inputs, derivatives=True)
    found = differentiate_seen(model.members, seen)[:9]
    each = [differentiate(m, *(t.clone() for t in inputs)) for m in model.members]
    expected = torch.stack(each).mean(0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * expected.std())
    assert expected.std() > 0


def test_what_is_seen_is_computed_once_and_passed_once_for_each_label(
    model, prepared, monkeypatch
):
    looks, passes, factors = [], [], []
    forward, grad, factor = View.forward, torch.autograd.grad, torch.linalg.cholesky_ex

    def look(view, *inputs):
        looks.append(view)
        return forward(view, *inputs)

    def count(outputs, inputs, *more, **options):
        passes.append(inputs.shape[-1])
        return grad(outputs, inputs, *more, **options)

    monkeypatch.setattr(View, "forward", look)
    monkeypatch.setattr(torch.autograd, "grad", count)
    monkeypatch.setattr(
        torch.linalg, "cholesky_ex", lambda matrix: factors.append(1) or factor(matrix)
    )
    model.predict(prepared)
    n_views, n_labels = len(model.members[0].views), len(model.outputs)
    assert len(looks) == n_views  # for the labels and for their derivatives
    assert passes.count(model.grid.n_pixels) == n_labels
    assert len(factors) <= len(prepared) * n_views  # none for rows that fill up a block


@pytest.mark.parametrize("inside", [False, True])
def test_an_ensemble_predicts_in_inference_mode_as_outside(model, prepared, inside):
    expected = model.predict(prepared)
    with torch.inference_mode(inside):
        loaded = load_model("gaia_xp_starnet_v1", device="cpu")
    with torch.inference_mode():
        found = loaded.predict(prepared)
    np.testing.assert_array_equal(found.error_flux, expected.error_flux)
