# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Small models on a grid of 320 pixels, written and loaded like published ones."""

import pytest
import torch

from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from astro_latent.models.architectures.starnet import StarNet

GRID = {
    "name": "tiny", "spacing": "linear", "start": 5000.0, "step": 1.0, "n_pixels": 320,
    "medium": "air", "frame": "rest", "segments": [[4, 150], [170, 316]],
    "resolving_power": 5000.0,
}  # fmt: skip


def make_config(architecture, arguments, outputs, **more):
    return {
        "name": "tiny_v1",
        "version": "1",
        "title": "A tiny model",
        "description": "Random weights, for tests.",
        "survey": "none",
        "architecture": architecture,
        "arguments": arguments,
        "grid": GRID,
        "recipe": {"steps": [{"step": "resample"}]},
        "outputs": outputs,
        "licence": "BSD-3-Clause",
        "citation": "None.",
        **more,
    }


STARNET_ARGUMENTS = {"n_pixels": 320, "n_labels": 2, "n_hidden": [24, 12]}
LABEL_OUTPUTS = [
    {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
    {"name": "logg", "unit": "dex", "scale": 0.7, "offset": 2.5},
]
AUTOENCODER_ARGUMENTS = {"n_pixels": 320, "n_latent": 6}
LATENT_OUTPUTS = [{"name": "latent", "n": 6}]


@pytest.fixture
def label_config():
    return make_config(
        "starnet", STARNET_ARGUMENTS, [dict(output) for output in LABEL_OUTPUTS]
    )


@pytest.fixture
def label_folder(tmp_path, label_config):
    torch.manual_seed(1)
    network = StarNet(**STARNET_ARGUMENTS)
    return save_weights(tmp_path / "tiny_v1", network, label_config)


@pytest.fixture
def label_model(label_folder):
    return load_model(label_folder, device="cpu")


@pytest.fixture
def autoencoder(tmp_path):
    torch.manual_seed(2)
    config = make_config(
        "disentangled_autoencoder", AUTOENCODER_ARGUMENTS, LATENT_OUTPUTS
    )
    network = DisentangledAutoencoder(**AUTOENCODER_ARGUMENTS)
    folder = save_weights(tmp_path / "tiny_dae_v1", network, config)
    return load_model(folder, device="cpu")


@pytest.fixture
def save(tmp_path):
    """Write members with a configuration and load them."""

    def save_and_load(members, config, **options):
        folder = save_weights(tmp_path / "saved_v1", members, config, **options)
        return load_model(folder, device="cpu")

    return save_and_load


@pytest.fixture
def make_prepared():
    """Prepared spectra for a model, with fields replaced."""
    from dataclasses import replace

    from astro_latent.models.check import reference_input

    def make(model, count=5, **fields):
        return replace(reference_input(model, range(10, 10 + count)), **fields)

    return make


@pytest.fixture
def record(label_config):
    """A configuration as its file holds it."""
    weights = {"file": "model.safetensors", "sha256": "0", "size": 1}
    return {
        **label_config,
        "schema_version": 1,
        "weights": {**weights, "dtype": "float32"},
    }
