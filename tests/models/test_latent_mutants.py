# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Altered autoencoders and aligned networks: refused, or every NaN carries a flag."""

import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from astro_latent.exceptions import WeightsError
from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures import (
    AlignedAutoencoder,
    AlignedParameters,
    DisentangledAutoencoder,
)
from astro_latent.models.check import reference_input
from astro_latent.preparation import SpectralGrid
from astro_latent.preparation.grid import GRIDS
from astro_latent.utils.quality import QualityFlag
from tests.fixtures.altered_weights import find_unsound, write, write_altered
from tests.models.conftest import AUTOENCODER_ARGUMENTS, LATENT_OUTPUTS, make_config

LINEAR = {
    "name": "tiny_linear", "spacing": "linear", "start": 5700.0, "step": 0.1,
    "n_pixels": 3200, "medium": "air", "frame": "barycentric",
    "segments": [[4, 1500], [1600, 3190]], "resolving_power": 50_000.0,
}  # fmt: skip
ENCODER = {
    "grid": "tiny_linear", "step": 6.0, "limit": 60.0, "n_components": 3, "n_star": 2,
    "n_telluric": 1, "n_shape": 1, "n_hidden": 8, "red": 5860.0,
}  # fmt: skip
LABELS = [
    {"name": "radial_velocity", "unit": "km / s", "scale": 30.0},
    {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
]


def fill(aligned):
    """Give templates and components of which none is zero."""
    for tensor in aligned.buffers():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.1)


def make(kind):
    """Return a network, its arguments and its outputs."""
    if kind == "disentangled_autoencoder":
        arguments, outputs = AUTOENCODER_ARGUMENTS, LATENT_OUTPUTS
        return DisentangledAutoencoder(**arguments), arguments, outputs
    if kind == "aligned_autoencoder":
        network = AlignedAutoencoder(**ENCODER)
        fill(network)
        return network, ENCODER, [{"name": "latent", "n": network.n_latent}]
    arguments = {"n_labels": 1, "n_hidden": 8, "encoder": ENCODER}
    network = AlignedParameters(**arguments)
    fill(network.encoder)
    return network, arguments, LABELS


@pytest.fixture(
    params=["disentangled_autoencoder", "aligned_autoencoder", "aligned_parameters"]
)
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setitem(GRIDS, "tiny_linear", lambda: SpectralGrid.from_dict(LINEAR))
    torch.manual_seed(4)
    network, arguments, outputs = make(request.param)
    config = make_config(request.param, arguments, outputs)
    if request.param != "disentangled_autoencoder":
        config["grid"] = {"name": "tiny_linear"}
    return save_weights(tmp_path / "tiny_v1", network.eval(), config)


@pytest.fixture
def original(folder):
    record = json.loads((folder / "config.json").read_text())
    return record, safetensors.torch.load_file(folder / "model.safetensors")


def test_whole_weights_are_sound(folder):
    assert find_unsound(folder) == (False, [])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", ["config", "arguments", "tensors"])
def test_altered_weights_are_refused_or_answer_soundly(
    folder, original, what, tmp_path
):
    altered = tmp_path / "altered_v1"
    shutil.copytree(folder, altered)
    count = 0
    for number in range(150):
        write_altered(altered, original, what, number)
        refused, problems = find_unsound(altered)
        assert problems == [], number
        count += refused
    assert 30 < count <= 150


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", ["disentangled_autoencoder"], indirect=True)
def test_what_the_decoder_cannot_render_is_flagged(folder, original):
    record, tensors = original
    names = [name for name in tensors if name.startswith("up.")]
    write(folder, record, {**tensors, **{n: tensors[n] * 1e30 for n in names}})
    model = load_model(folder, device="cpu")
    result = model.reconstruct(reference_input(model, [1, 2]))
    assert np.isfinite(result.latents.mean).all()
    assert np.isnan(result.flux).all()
    assert np.all(result.flags & QualityFlag.POOR_RECONSTRUCTION)


@pytest.mark.parametrize("folder", ["aligned_autoencoder"], indirect=True)
@pytest.mark.parametrize(
    ("argument", "value", "match"),
    [
        ("step", 1e-6, r"step is 1e-06 km/s; pixels of 'tiny_linear' are up to 5\.26"),
        ("red", 9000.0, r"red is 9000\.0 Angstrom, outside of 5700\.4 to 6018\.9"),
        ("limit", -1.0, r"limit is -1\.0 km/s; it must be positive and at most"),
        ("grid", "apogee_7214", "is listed; one of equal steps is needed"),
    ],
)
def test_pixels_that_cannot_be_are_refused_before_they_are_made(
    folder, original, argument, value, match
):
    record, tensors = original
    record["arguments"][argument] = value
    write(folder, record, tensors)
    with pytest.raises(WeightsError, match=match):
        load_model(folder, device="cpu")
