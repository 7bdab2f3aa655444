# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The aligned autoencoder learns velocities from spectra alone."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from astro_latent.models import load_model
from astro_latent.models.architectures.aligned_parameters import AlignedParameters
from astro_latent.simulation import harps_bank
from astro_latent.simulation.harps_bank import (
    bank_labels,
    prepare_bank,
)
from recipes.harps.parameters import list_outputs
from recipes.harps.stars import make_star_bank
from recipes.harps_dae_fast_v1.aligned import train_aligned
from recipes.harps_parameters_v1.train import fit_head
from recipes.options import Options

N_SPECTRA = 48
RECIPE = {
    "seed": 3,
    "arguments": {"n_components": 6, "n_star": 3, "n_telluric": 2, "n_shape": 12},
    "bank": {"n_spectra": N_SPECTRA, "seed": 4},
    "likeness": {
        "file": "harps/s1d/sun_harps_ganymede.fits",
        "labels": [5772.0, 4.44, 0.0, 0.0, 1.0, 0.0, 0.0],
        "vsini": 1.8, "vmacro": 3.2, "softening": 0.005, "share": 0.1,
    },
    "fit": {
        "n_components": 32, "n_cosines": 8, "n_nodes": 32, "n_steps": 60,
        "batch_size": 16, "learning_rate": 2e-3, "seed": 1, "kl_weight": 10.0,
        "pixel_noise": 0.01, "equal_pixels": 0.3,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(real_data, tmp_path_factory):
    """Return a model of a few spectra, and the bank that they are from."""
    work = tmp_path_factory.mktemp("aligned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harps_bank, "PART", 16)
        patch.setattr("recipes.harps_dae_fast_v1.aligned._N_REPEATED", 8)
        options = Options(data=real_data, work=work, output=work / "weights")
        with pytest.MonkeyPatch.context() as hurry:
            stages = property(lambda _: len(list(work.glob("stage_*"))) >= 4)
            hurry.setattr(Options, "late", stages)
            assert train_aligned(RECIPE, options) is None
        model = train_aligned(RECIPE, options)
        yield model, make_star_bank(real_data, work / "bank", **RECIPE["bank"])


def test_both_velocities_are_found_without_their_labels(trained):
    model, bank = trained
    prepared = prepare_bank(bank, np.arange(N_SPECTRA), seed=1, snr=80.0)
    latents = np.concatenate(
        [
            model.encode(torch.from_numpy(row[None]))[0].detach().numpy()
            for row in prepared.flux
        ]
    )
    scale = model.scale.numpy()
    velocity = latents[:, 0] * scale[0]
    assert np.median(np.abs(velocity - bank.conditions.radial_velocity)) < 0.1
    earth = latents[:, 1] * scale[1]
    assert np.median(np.abs(earth - bank.conditions.berv)) < 0.3
    star = [spearmanr(node, bank.labels[:, 0]).statistic for node in latents.T[4:7]]
    assert np.abs(star).max() > 0.6


@pytest.mark.slow
def test_a_training_in_pieces_is_that_in_one(trained, real_data, tmp_path):
    pieces, _ = trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harps_bank, "PART", 16)
        patch.setattr("recipes.harps_dae_fast_v1.aligned._N_REPEATED", 8)
        whole = train_aligned(
            RECIPE, Options(data=real_data, work=tmp_path, output=tmp_path / "weights")
        )
    for (name, one), other in zip(
        whole.state_dict().items(), pieces.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0, msg=name)


def test_what_trains_on_the_processor_says_so(tmp_path):
    options = Options(data=tmp_path, work=tmp_path, output=tmp_path, device="cuda")
    recipe = {**RECIPE, "made_by": "harps_dae_fast_v1"}
    with pytest.raises(ValueError, match="trains on a cpu, not on cuda"):
        train_aligned(recipe, options)


def test_a_head_trained_in_pieces_is_that_in_one(tmp_path, rng):
    arguments = {"n_components": 4, "n_star": 2, "n_telluric": 2, "n_shape": 4}
    fit = {
        "seed": 5, "n_steps": 12, "batch_size": 8, "learning_rate": 1e-3, "jitter": 0.1,
    }  # fmt: skip

    def network():
        torch.manual_seed(1)
        return AlignedParameters(n_labels=2, encoder=arguments).eval()

    width = network().layers[0].in_features + 2
    features = torch.from_numpy(rng.normal(size=(40, width)).astype(np.float32))
    labels = torch.from_numpy(rng.normal(size=(40, 2)).astype(np.float32))
    states = []
    for name, stop_after in (("whole", np.inf), ("pieces", -1.0)):
        work = tmp_path / name
        work.mkdir()
        options = Options(data=work, work=work, output=work, stop_after=stop_after)
        runs, done = 0, False
        while not done:
            model = network()  # a new process knows nothing but the checkpoint
            done = fit_head(model, features, labels, fit, options)
            runs += 1
        assert runs == (1 if name == "whole" else 12)
        states.append(model.layers.state_dict())
    for one, other in zip(states[0].values(), states[1].values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0)


def test_stored_components_are_orthonormal_where_they_count(trained):
    model, _ = trained
    weighted = model.star.basis[:, model.grid.blue] * model.weight
    torch.testing.assert_close(weighted @ weighted.T, torch.eye(6), atol=1e-3, rtol=0.0)
    shape = model.shape_basis
    torch.testing.assert_close(shape @ shape.T, torch.eye(12), atol=1e-3, rtol=0.0)


def test_the_velocity_of_the_label_network_is_that_of_the_encoder(trained):
    model, bank = trained
    network = AlignedParameters(n_labels=2, encoder=RECIPE["arguments"]).eval()
    network.encoder.load_state_dict(model.state_dict())
    flux = torch.from_numpy(prepare_bank(bank, np.arange(4), seed=2).flux)
    with torch.no_grad():
        mean, log_variance = network(flux)
        latents, _ = model.encode(flux)
    torch.testing.assert_close(mean[:, 0] * 30.0, latents[:, 0] * model.scale[0])
    assert torch.isfinite(log_variance).all()
    flux.requires_grad_()
    network(flux)[0].sum().backward()
    assert torch.isfinite(flux.grad).all()
    assert flux.grad.abs().sum() > 0


def test_labels_end_where_the_recipe_says_or_the_training_stars_do():
    recipe = {
        "labels": ["teff", "m_h"], "offset": [5600.0, 0.0], "scale": [700.0, 0.4],
        "domain": {"m_h": [-2.0, 0.5]},
    }  # fmt: skip
    truth = np.array([[4000.0, -2.4], [7000.0, 0.4]])
    teff, m_h = list_outputs(recipe, truth)
    assert teff["domain"] == [4000.0 - 60.0, 7000.0 + 60.0]
    assert m_h["domain"] == [-2.0, 0.5]
    assert (teff["unit"], teff["offset"], m_h["scale"]) == ("K", 5600.0, 0.4)


@pytest.mark.slow
def test_the_card_of_the_bundled_label_network_is_reproduced(real_data, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harps_bank, "PART", 40)
        bank = make_star_bank(real_data, tmp_path, n_spectra=40, seed=987)
    model = load_model("harps_parameters_v1", device="cpu")
    prepared = prepare_bank(bank, np.arange(40), seed=5, snr=100.0)
    result = model.predict(prepared, flux_errors=False)
    residual = result.values - bank_labels(bank)
    residual[:, 0] -= model.config.outputs[0].offset  # the Sun counts as at rest
    scatter = 1.4826 * np.median(np.abs(residual), axis=0)
    card = model.config.evaluation["snr_100"]
    for column, name in enumerate(("rv", "teff", "logg", "m_h")):
        # 40 stars: the scatter is good to a fifth
        assert scatter[column] < 2.0 * card[name]["scatter"], name
