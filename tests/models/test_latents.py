# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latent features, decoding and reconstruction."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from astro_latent.models.latents import unexplained_share
from astro_latent.utils.quality import QualityFlag


def test_encode_gives_mean_and_standard_deviation(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder)
    latents = autoencoder.encode(prepared)
    network = autoencoder.members[0]
    with torch.no_grad():
        mean, log_variance = network.encode(torch.tensor(prepared.flux))
    assert latents.mean == pytest.approx(mean.numpy(), rel=1e-4, abs=1e-5)
    sigma = np.exp(log_variance.numpy() / 2)
    assert latents.sigma == pytest.approx(sigma, rel=1e-4)


def test_one_spectrum_equals_the_same_in_any_batch(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder, count=21)
    together = autoencoder.reconstruct(prepared)
    alone = autoencoder.reconstruct(prepared[13:14])
    np.testing.assert_allclose(alone.flux[0], together.flux[13], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        alone.latents.mean[0], together.latents.mean[13], rtol=1e-6, atol=1e-7
    )


def test_long_spectra_go_one_by_one_and_agree(save, label_config, make_prepared):
    n_pixels = 20 * 2**12
    grid = {
        **label_config["grid"], "name": "long", "n_pixels": n_pixels, "step": 0.01,
        "segments": [[0, n_pixels]],
    }  # fmt: skip
    arguments = {"n_pixels": n_pixels, "n_latent": 3, "channels": [8] * 12}
    config = {
        **label_config, "architecture": "disentangled_autoencoder",
        "arguments": arguments, "grid": grid, "outputs": [{"name": "latent", "n": 3}],
    }  # fmt: skip
    model = save(DisentangledAutoencoder(**arguments), config)
    prepared = make_prepared(model, count=3)
    together, alone = model.encode(prepared), model.encode(prepared[2:])
    np.testing.assert_array_equal(together.mean[2], alone.mean[0])


def test_reconstruction_residual_is_the_masked_mean(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder)
    result = autoencoder.reconstruct(prepared)
    difference = np.abs(prepared.flux - result.flux)
    expected = [
        row[good].mean() for row, good in zip(difference, prepared.valid, strict=True)
    ]
    assert result.residual == pytest.approx(np.array(expected), rel=1e-5)
    decoded = autoencoder.decode(result.latents.mean)
    np.testing.assert_allclose(decoded, result.flux, rtol=1e-5, atol=1e-6)
    assert autoencoder.reconstruct(prepared, keep_flux=False).flux is None


def test_masked_pixels_change_nothing(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder)
    poisoned = np.where(prepared.valid, prepared.flux, np.float32(np.nan))
    one = autoencoder.reconstruct(prepared)
    other = autoencoder.reconstruct(replace(prepared, flux=poisoned))
    np.testing.assert_array_equal(one.flux, other.flux)
    np.testing.assert_array_equal(one.residual, other.residual)


def test_fatal_rows_are_nan(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder)
    flags = prepared.flags.copy()
    flags[0] = int(QualityFlag.NO_OVERLAP)
    result = autoencoder.reconstruct(replace(prepared, flags=flags))
    assert np.isnan(result.latents.mean[0]).all()
    assert np.isnan(result.residual[0])
    assert np.isfinite(result.residual[1:]).all()
    assert np.isnan(autoencoder.decode(result.latents.mean)[0]).all()


def test_poor_reconstruction_is_flagged(save, label_config, make_prepared):
    arguments = {"n_pixels": 320, "n_latent": 6}
    config = {
        **label_config, "architecture": "disentangled_autoencoder",
        "arguments": arguments, "outputs": [{"name": "latent", "n": 6}],
    }  # fmt: skip
    network = DisentangledAutoencoder(**arguments)
    model = save(network, config)
    residual = model.reconstruct(make_prepared(model)).residual
    limit = float(np.sort(residual)[2:4].mean())
    config["domain"] = {"reconstruction_limit": limit}
    model = save(network, config, overwrite=True)
    flags = model.reconstruct(make_prepared(model)).flags
    poor = (flags & QualityFlag.POOR_RECONSTRUCTION) != 0
    np.testing.assert_array_equal(poor, residual > limit)


def test_decode_checks_the_shape(autoencoder):
    with pytest.raises(ValueError, match=r"must have shape \(n, 6\), not \(6,\)"):
        autoencoder.decode(np.zeros(6))


def test_decode_gives_the_wanted_pixels_and_refuses_steps(autoencoder):
    latents = np.zeros((1, 6))
    part = autoencoder.decode(latents, pixels=slice(3, 9))
    assert np.array_equal(part, autoencoder.decode(latents)[:, 3:9])
    with pytest.raises(ValueError, match="steps of one, not of 2"):
        autoencoder.decode(latents, pixels=slice(3, 9, 2))


def test_autoencoder_says_what_it_cannot(autoencoder, make_prepared):
    with pytest.raises(TypeError, match="cannot predict; it has encode, decode"):
        autoencoder.predict(make_prepared(autoencoder))


@pytest.fixture
def judged(save, autoencoder, label_config):
    """The autoencoder with a direction along its second latent, and a limit."""
    config = autoencoder.config.to_dict() | {"name": "judged_v1"}
    config["domain"] = {"unexplained_limit": 0.1, "unexplained_pixels": [9, 1]}
    direction = np.zeros((1, 6))
    direction[0, 1] = 2.0
    return save(
        autoencoder.members[0], config, domain_mean=np.full(6, 0.1),
        domain_whitening=direction,
    )  # fmt: skip


def test_domain_score_of_latents_counts_the_foreign_side_only(judged, make_prepared):
    prepared = make_prepared(judged, count=21)
    latents = judged.encode(prepared)
    expected = np.maximum(2.0 * (latents.mean[:, 1] - 0.1), 0.0)
    np.testing.assert_allclose(latents.domain_score, expected, rtol=1e-4, atol=1e-6)
    unlike = (latents.flags & QualityFlag.UNLIKE_TRAINING) != 0
    np.testing.assert_array_equal(unlike, expected > 1)


def test_lines_that_the_decoder_lacks_raise_the_score(judged, make_prepared):
    prepared = make_prepared(judged, count=3)
    lines = 1.0 + 0.3 * np.sin(np.arange(320) / 2.0)  # random weights decode none
    seen = np.where(prepared.valid, lines, 0.0).astype("f4")
    result = judged.reconstruct(replace(prepared, flux=seen))
    score = result.latents.domain_score
    of_latents = np.maximum(2.0 * (result.latents.mean[:, 1] - 0.1), 0.0)
    for row, valid in enumerate(prepared.valid):
        left = [x[valid] for x in (seen[row], result.flux[row])]
        share = unexplained_share(*left, width=9, lag=1)
        assert share > 0.1
        assert score[row] == pytest.approx(max(share / 0.1, of_latents[row]), rel=1e-4)
    assert np.all(result.flags & QualityFlag.UNLIKE_TRAINING)


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.5, 1.0])
def test_share_of_lines_left_does_not_depend_on_noise_or_slope(rng, missing):
    x = np.arange(6000.0)
    lines = 0.4 * np.sin(x / 6.0)
    for sigma in (0.0, 0.1, 0.4):
        flux = 1.0 + 1e-4 * x + lines + rng.normal(0.0, sigma, len(x))
        found = unexplained_share(flux, (1.0 - missing) * lines, width=201, lag=3)
        assert found == pytest.approx(missing**2, abs=0.05)


def test_share_of_lines_is_unknown_without_lines_or_pixels():
    flat = np.ones(3000)
    assert np.isnan(unexplained_share(flat, flat, width=201, lag=3))
    assert np.isnan(unexplained_share(flat[:100], flat[:100], width=201, lag=3))


def test_a_model_without_a_domain_gives_no_score(autoencoder, make_prepared):
    prepared = make_prepared(autoencoder)
    for latents in (
        autoencoder.encode(prepared), autoencoder.reconstruct(prepared).latents,
    ):  # fmt: skip
        assert np.isnan(latents.domain_score).all()
        assert not np.any(latents.flags & QualityFlag.UNLIKE_TRAINING)
