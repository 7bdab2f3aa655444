# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A second star and emission are found; single stars and noise are not."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.exceptions import WeightsIntegrityError
from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.models.domain import FluxBasis

N = 4000


@pytest.fixture(scope="module")
def stars():
    rng = np.random.default_rng(3)
    depths = np.where(rng.random((3, N)) < 0.03, -0.4 * rng.random((3, N)), 0.0)
    smooth = np.exp(-0.5 * (np.arange(-6, 7) / 1.4) ** 2)
    lines = np.array([np.convolve(row, smooth, mode="same") for row in depths])
    rows = np.linalg.svd(lines[1:], full_matrices=False)[2]
    where = np.arange(N)
    emission = sum(np.exp(-0.5 * ((where - c) / 20.0) ** 2) for c in (700, 1900, 3200))
    return FluxBasis(1.0 + lines[0], rows, np.array([1.0, 1.0]), emission), lines


def observe(flux, *, noise, seed=0):
    rng = np.random.default_rng(seed)
    flux = np.atleast_2d(flux) + rng.normal(0.0, noise, (np.atleast_2d(flux).shape))
    valid = rng.random(flux.shape) > 0.02
    return flux, valid, np.full(flux.shape, noise**2)


@pytest.mark.parametrize("noise", [0.003, 0.03])
@pytest.mark.parametrize("shift", [-30, 9, 25])
def test_a_second_star_stands_out_by_its_own_scale(stars, noise, shift):
    basis, lines = stars
    one = 1.0 + lines[0] + 0.3 * lines[1]
    two = 0.6 * one + 0.4 * np.roll(one, shift)
    single, _ = basis.search(*observe(one, noise=noise))
    double, _ = basis.search(*observe(two, noise=noise))
    assert single[0] < 5.0
    assert double[0] > 7.0


def test_emission_is_seen_and_absorption_is_not(stars):
    basis, lines = stars
    one = 1.0 + lines[0]
    _, up = basis.search(*observe(one + 0.1 * basis.emission, noise=0.02))
    _, none = basis.search(*observe(one, noise=0.02))
    _, down = basis.search(*observe(one - 0.1 * basis.emission, noise=0.02))
    assert up[0] > 8.0
    assert none[0] < 4.0
    assert down[0] < 0.0


@pytest.mark.parametrize("limit", [1.0, 4.0])
def test_a_bound_stands_for_emission_that_is_weak(stars, limit):
    basis, lines = stars
    heights = np.array([-0.1, 0.0, 0.003, 0.006, 0.01, 0.02, 0.05, 0.1])
    inputs = observe(1.0 + lines[0] + np.outer(heights, basis.emission), noise=0.02)
    second, measured = basis.search(*inputs)
    again, found = basis.search(*inputs, emission_limit=limit)
    np.testing.assert_array_equal(again, second)
    bounded = found != measured
    assert 2 <= np.count_nonzero(bounded) < len(heights)
    assert (found[bounded] >= measured[bounded]).all()
    assert (found[bounded] <= limit).all()


@pytest.mark.parametrize("noise", [1e-4, 1e-3])
def test_emission_that_the_model_mimics_does_not_count_without_noise(stars, noise):
    basis, lines = stars
    for height in (0.005, 0.05):
        flux = 1.0 + lines[0] + height * basis.emission
        _, found = basis.search(*observe(flux, noise=noise))
        # the height over 0.01, however small the noise
        assert found[0] == pytest.approx(height / 0.01, rel=0.2)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.3, 3.0), seed=st.integers(0, 10**6))
def test_no_error_of_the_flux_has_to_be_right(stars, factor, seed):
    basis, lines = stars
    flux, valid, variance = observe(1.0 + lines[0], noise=0.03, seed=seed)
    told = basis.search(flux, valid, variance)
    wrong = basis.search(flux, valid, factor**2 * variance)
    np.testing.assert_allclose(wrong[0], told[0], atol=0.7)


@pytest.mark.parametrize("variance", [1e20, 1e46, 1e300])
def test_variances_beyond_single_precision_are_no_single_star(stars, variance):
    """What is searched for is seen in the scatter, however large all errors are."""
    basis, lines = stars
    one = 1.0 + lines[0] + 0.3 * lines[1]
    two = 0.6 * one + 0.4 * np.roll(one, 25)
    flux, valid, known = observe(np.stack([one, two]), noise=0.02)
    second, _ = basis.search(flux, valid, np.full_like(known, variance))
    assert second[0] < 5.0
    assert second[1] > 7.0


def test_masked_pixels_carry_nothing(stars):
    basis, lines = stars
    flux, valid, variance = observe(1.0 + lines[0], noise=0.02)
    spoilt = np.where(valid, flux, np.nan)
    for one, other in zip(
        basis.search(spoilt, valid, np.where(valid, variance, np.nan)),
        basis.search(flux, valid, variance),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_too_few_pixels_say_nothing(stars):
    basis, lines = stars
    flux, valid, variance = observe(1.0 + lines[0], noise=0.02)
    valid[:, 900:] = False
    assert np.isnan(basis.search(flux, valid, variance)).all()


def test_the_basis_comes_back_from_a_folder(save, label_config, make_prepared):
    arguments = {"n_pixels": 320, "n_labels": 2, "n_hidden": [24, 12]}
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    basis = FluxBasis(
        rng.random(320), rng.random((3, 320)), rng.random(3), rng.random(320)
    )
    config = {**label_config, "domain": {"second_limit": -1e9}}
    folder = save(StarNet(**arguments), config).config.source.parent
    folder = save_weights(
        folder.parent / "with_basis", StarNet(**arguments), config, flux_basis=basis
    )
    loaded = load_model(folder, device="cpu").flux_basis
    for name in ("mean", "basis", "spread", "emission"):
        np.testing.assert_allclose(
            getattr(loaded, name), getattr(basis, name), rtol=1e-6
        )
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    del tensors["domain.flux_spread"]
    safetensors.torch.save_file(tensors, path)
    record = json.loads((folder / "config.json").read_text())
    record["weights"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(WeightsIntegrityError, match=r"domain\.flux_spread"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_directions_count_on_one_side_only(save, label_config, make_prepared, sign):
    torch.manual_seed(1)
    network, mean = StarNet(**label_config["arguments"]), np.zeros(12)
    config = {**label_config, "domain": {"feature_limit": 1e9, "one_sided": 1}}
    whitening = np.vstack([np.eye(12), sign * np.ones(12)])
    model = save(network, config, domain_mean=mean, domain_whitening=whitening)
    prepared = make_prepared(model)
    with torch.no_grad():
        features = network.features(
            torch.tensor(prepared.flux), torch.tensor(prepared.valid)
        )
    along = sign * features.numpy().sum(axis=1)
    assert np.any(along != 0)
    score = model.predict(prepared).domain_score
    np.testing.assert_allclose(score, np.maximum(along, 0), rtol=1e-4, atol=1e-6)
