# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What every packaged set of weights promises; also asked of one made here."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from astro_latent.models import check_reference, list_models, load_model, save_weights
from astro_latent.models.card import CARD_FILE, SECTIONS
from astro_latent.models.check import check_folder, reference_input
from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import PACKAGED

GRID = {
    "name": "made_here", "spacing": "log10", "start": 3.7, "step": 1e-5,
    "n_pixels": 320, "medium": "vacuum", "frame": "rest", "segments": [[8, 300]],
    "resolving_power": 10000.0,
}  # fmt: skip
MADE = {
    "made_starnet": {
        "architecture": "starnet",
        "arguments": {"n_pixels": 320, "n_labels": 1, "heteroscedastic": True},
        "outputs": [{"name": "teff", "unit": "K", "scale": 300.0, "offset": 5000.0}],
    },
    "made_autoencoder": {
        "architecture": "disentangled_autoencoder",
        "arguments": {"n_pixels": 320, "n_latent": 5},
        "outputs": [{"name": "latent", "n": 5}],
    },
}
PACKAGED_NAMES = [path.parent.name for path in sorted(PACKAGED.glob("*/config.json"))]


@pytest.fixture(scope="module", params=[*MADE, *PACKAGED_NAMES])
def folder(request, tmp_path_factory):
    if request.param in PACKAGED_NAMES:
        return PACKAGED / request.param
    import torch

    from astro_latent.models import ARCHITECTURES

    torch.manual_seed(0)
    facts = MADE[request.param]
    network = ARCHITECTURES[facts["architecture"]](**facts["arguments"])
    config = {
        **facts, "name": request.param, "version": "1", "title": "Made for a test",
        "description": "Random.", "survey": "none", "grid": GRID,
        "recipe": {"steps": [{"step": "resample"}]}, "licence": "BSD-3-Clause",
        "citation": "None.",
    }  # fmt: skip
    return save_weights(
        tmp_path_factory.mktemp("weights") / request.param, network, config
    )


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder, device="cpu")


@pytest.fixture(scope="module")
def prepared(model):
    return reference_input(model, range(3))


def run(model, prepared):
    """Return the arrays of whatever the model does."""
    if "predict" in model.capabilities:
        found = vars(model.predict(prepared))
        return {name: values for name, values in found.items() if values is not None}
    result = model.reconstruct(prepared)
    return {
        "mean": result.latents.mean,
        "sigma": result.latents.sigma,
        "flux": result.flux,
        "residual": result.residual,
        "flags": result.flags,
    }


def test_the_package_comes_with_weights():
    assert PACKAGED_NAMES, "no weights are packaged"
    assert set(PACKAGED_NAMES) <= set(list_models()["name"])


def test_configuration_agrees_with_its_folder(folder):
    config = ModelConfig.from_folder(folder)
    assert config.name == folder.name
    content = (folder / config.weights["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == config.weights["sha256"]
    assert len(content) == config.weights["size"]


def test_reference_is_reproduced(model):
    assert check_reference(model) <= 1


def test_outputs_have_the_declared_shape_and_units(model, prepared):
    n_outputs = model.config.n_outputs
    for output in model.outputs:
        u.Unit(output.unit)
        assert output.name
    results = run(model, prepared)
    main = results["values"] if "values" in results else results["mean"]
    assert main.shape == (3, n_outputs)
    assert main.dtype == np.float32
    assert np.isfinite(main).all()
    assert np.ptp(main, axis=0).max() > 0, "the output does not depend on the input"


def test_one_spectrum_equals_the_same_in_a_batch(model, prepared):
    together, alone = run(model, prepared), run(model, prepared[1:2])
    for name, values in together.items():
        size = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1
        np.testing.assert_allclose(
            alone[name][0], values[1], rtol=1e-6, atol=1e-6 * size, err_msg=name
        )


def test_masked_pixels_change_nothing(model, prepared):
    poisoned = replace(
        prepared,
        flux=np.where(prepared.valid, prepared.flux, np.float32(np.nan)),
        variance=np.where(prepared.valid, prepared.variance, np.float32(np.nan)),
    )
    expected = run(model, prepared)
    for name, values in run(model, poisoned).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_running_twice_gives_the_same(model, prepared):
    first, second = run(model, prepared), run(model, prepared)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


def test_networks_are_in_evaluation_mode_without_gradients(model):
    for member in model.members:
        assert not member.training
        assert not any(parameter.requires_grad for parameter in member.parameters())


def test_card_is_complete(folder):
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"\n{section}\n{'-' * len(section)}\n" in text
    assert "is complete" in check_folder(folder)


def test_repr_is_one_line(model):
    assert "\n" not in repr(model)
    assert model.name in repr(model)
