# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A training that was stopped and goes on makes the weights of an uninterrupted one."""

import numpy as np
import pytest
import torch

from astro_latent.models import load_model
from recipes.apogee import training
from recipes.apogee.stars import CALM
from recipes.apogee_starnet_v1.make import make as make_starnet
from recipes.harps_dae128_v1 import autoencoder
from recipes.options import Options

STARNET = {
    "seed": 3, "labels": ["teff", "logg", "fe_h", "alpha_fe", "vmacro"],
    "arguments": {"n_labels": 5, "heteroscedastic": True},
    "bank": {"n_spectra": 12},
    "fit": {
        "n_steps": 3, "batch_size": 4, "learning_rate": 1e-3, "weight_decay": 0.0,
        "warm_up_mse": 1,
    },
}  # fmt: skip
STAGE = {
    "batch_size": 3, "n_steps": 2, "learning_rate": 1e-3, "kl_start": 0, "kl_stop": 2,
    "kl_weight": 0.3,
}  # fmt: skip
AUTOENCODER = {
    "seed": 4, "architecture": "disentangled_autoencoder",
    "arguments": {
        "n_pixels": 8 * 2048, "n_latent": 8,
        "channels": [4, 4, 4, 8, 8, 8, 8, 16, 32, 32, 64],
    },
    "bank": {}, "coarse": STAGE, "fit": STAGE,
}  # fmt: skip


def draw_bank(data, work, *, n_spectra, seed):
    """Make spectra and labels without any ingredient."""
    rng = np.random.default_rng(seed)
    labels = rng.normal([5000.0, 3.0, 0.0, 0.1, 5.0], size=(n_spectra, 5))
    flux = 1.0 - 0.1 * rng.random((n_spectra, 7214), dtype=np.float32)
    return flux.astype(np.float16), labels


def draw_batches(bank, *, batch_size, seed, joined=1):
    """Make smooth spectra that are functions of the number of the batch."""
    x = torch.linspace(0.0, 1.0, 8 * 2048 // joined)

    def make(number):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        clean = 1.0 + 0.1 * torch.sin(
            20 * x * torch.rand(batch_size, 1, generator=generator)
        )
        noise = torch.empty_like(clean).normal_(generator=generator)
        return {"clean": clean, "flux": clean + 0.01 * noise}

    return make


@pytest.fixture
def calm(monkeypatch):
    monkeypatch.setattr(training, "training_conditions", lambda recipe, step: CALM)


def train_starnet(work, **options):
    return training.train_starnet(
        STARNET, data="nowhere", work=work, bank_maker=draw_bank, **options
    )


def test_a_starnet_that_was_stopped_goes_on(tmp_path, calm):
    whole = train_starnet(tmp_path / "whole")
    steps = []
    while not steps or steps[-1] < 3:
        pieces = train_starnet(tmp_path / "pieces", stop_after=-1.0)
        steps.append(pieces.step)
    assert steps == [1, 2, 3]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, pieces.model.state_dict()[name]), name


def test_a_starnet_that_begins_with_weights_has_them(tmp_path, calm, monkeypatch):
    monkeypatch.setitem(STARNET, "fit", {**STARNET["fit"], "n_steps": 0})
    fresh = train_starnet(tmp_path / "fresh")
    given = train_starnet(tmp_path / "given", from_weights="apogee_starnet_v1")
    published = load_model("apogee_starnet_v1", device="cpu").members[0]
    for name, tensor in published.named_parameters():
        assert torch.equal(tensor, given.model.get_parameter(name)), name
    assert not torch.equal(fresh.model.output.weight, given.model.output.weight)


def test_a_recipe_that_was_stopped_writes_no_weights(tmp_path, calm, monkeypatch):
    train = training.train_starnet
    monkeypatch.setattr(
        training,
        "train_starnet",
        lambda *args, **options: train(*args, **options, bank_maker=draw_bank),
    )
    options = Options(
        data=tmp_path, work=tmp_path, output=tmp_path / "weights", stop_after=-1.0
    )
    assert not make_starnet(STARNET, options)
    assert (tmp_path / "checkpoint.pt").exists()
    assert not options.output.exists()


def test_an_autoencoder_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoder, "make_star_bank", lambda *args, **options: None)
    monkeypatch.setattr(autoencoder, "bank_batches", draw_batches)
    monkeypatch.setattr(autoencoder, "_N_COMPONENTS", 40)

    def train(name, **options):
        return autoencoder.train_autoencoder(
            AUTOENCODER, data="nowhere", work=tmp_path / name, **options
        )

    whole, step = train("whole")
    assert step == 2
    runs, step = 0, 0
    while step < 2:
        pieces, step = train("pieces", stop_after=-1.0)
        runs += 1
    assert runs == 3  # the last coarse step is followed by one at full length
    for name, tensor in whole.state_dict().items():
        # convolutions round differently from run to run; other draws change 1e-3
        torch.testing.assert_close(
            tensor, pieces.state_dict()[name], atol=1e-5, rtol=0.0, msg=name
        )
