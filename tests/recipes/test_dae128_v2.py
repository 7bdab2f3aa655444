# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Lessons before the published loss: moved spectra, the teacher's nodes, resuming."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps_dae128_v2 import make as made
from recipes.harps_dae128_v2.first_weights import start_from_nodes
from recipes.harps_dae128_v2.lessons import teach
from recipes.harps_dae128_v2.moving import move_spectra
from recipes.harps_dae128_v2.teacher import choose_nodes, encode_bank
from recipes.options import Options

CHANNELS = (4, 4, 8, 8, 8, 16, 32)
N_PIXELS = 2560  # the innermost layer has 20 pixels of 32 channels: 640 values
STAGE = {
    "joined": 4, "width": 30.0, "n_steps": 2, "batch_size": 3, "learning_rate": 1e-3,
    "log_every": 1, "checkpoint_every": 1,
}  # fmt: skip
PRICE = {"lesson": "published", "kl_weight": 0.1, "kl_start": -1, "kl_stop": 0}
RECIPE = {
    "seed": 4, "architecture": "disentangled_autoencoder", "half_precision": False,
    "arguments": {"n_pixels": N_PIXELS, "n_latent": 8, "channels": CHANNELS},
    "bank": {}, "teacher": {"model": "harps_dae_fast_v1", "nodes": {}},
    "first": {"n_spectra": 40, "width": 30.0},
    "stages": [
        {"lesson": "nodes", **STAGE}, {**STAGE, **PRICE},
        {**STAGE, **PRICE, "joined": 1},
    ],
}  # fmt: skip


def draw_moving(bank, nodes, *, velocity_scale, width, joined, batch_size, seed):
    """Make spectra that are linear in two nodes; functions of the batch's number."""
    x = torch.linspace(0.0, 1.0, N_PIXELS // joined)
    shapes = 0.1 * torch.stack([torch.sin(7 * x), torch.cos(19 * x)])

    def make(number):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        nodes = torch.empty(batch_size, 2).normal_(generator=generator)
        clean = 1.0 + nodes @ shapes
        return {"clean": clean, "flux": clean, "nodes": nodes}

    return make


def small_network():
    torch.manual_seed(2)
    full = DisentangledAutoencoder(n_pixels=N_PIXELS, n_latent=8, channels=CHANNELS)
    return CoarseAutoencoder(full, 2).eval()


@pytest.mark.parametrize("joined", [1, 8])
def test_lines_move_by_the_factor_and_keep_their_area(joined):
    wavelength = 5000.0 + 0.01 * np.arange(8000)
    valid = np.ones(8000, dtype=bool)
    valid[:40] = valid[5000:5100] = valid[-30:] = False

    def line(at):
        return 1 - 0.6 * np.exp(-0.5 * ((wavelength - at) / 0.2) ** 2)

    factor = np.array([1.0, 1 + 1e-4, 1 - 1e-4])
    flux = np.tile(line(5030.0)[valid], (3, 1))
    moved = move_spectra(flux, valid, factor, start=5000.0 / 0.01 - 0.5, joined=joined)
    expected = np.stack(
        [line(5030.0 * by).reshape(-1, joined).mean(1) for by in factor]
    )
    np.testing.assert_allclose(moved, expected, atol=2e-4)


def test_linear_nodes_need_no_training():
    coarse = small_network()
    make = draw_moving(None, None, velocity_scale=1, width=1, joined=4, batch_size=60,
                       seed=1)  # fmt: skip
    batch, other = make(0), make(1)
    start_from_nodes(coarse, batch["clean"], batch["nodes"])
    with torch.no_grad():
        rebuilt, mean, log_variance = coarse(other["flux"])
        loss, figures = teach(coarse, other, torch.ones(640, dtype=torch.bool))
    torch.testing.assert_close(mean[:, :2], other["nodes"], atol=0.05, rtol=0.0)
    assert not mean[:, 2:].any()
    assert not log_variance[:, 2:].any()  # at the prior
    inner = slice(32, -32)
    torch.testing.assert_close(
        rebuilt[:, inner], other["clean"][:, inner], atol=5e-3, rtol=0.0
    )
    assert figures["velocity_off"] < 0.05
    assert torch.isfinite(loss)


def test_the_teacher_gives_velocity_first_nodes_and_components_of_the_shape():
    rng = np.random.default_rng(3)
    latents = rng.normal(size=(400, 8)) + 0.3
    latents[:, 6:] = rng.normal(size=(400, 1)) * [3.0, -4.0] + 0.01 * latents[:, 6:]
    teacher = SimpleNamespace(
        latent_groups={
            "star_velocity": [0], "telluric": [2, 3], "star": [4, 5], "shape": [6, 7],
        },
        scale=torch.ones(8),
    )  # fmt: skip
    nodes = choose_nodes(latents, teacher, n_star=1, n_telluric=2, n_shape=1)
    assert nodes.shape == (400, 5)
    np.testing.assert_allclose(nodes[:, 0], latents[:, 0], rtol=1e-6)
    assert abs(np.corrcoef(nodes[:, 1], latents[:, 4])[0, 1]) > 0.9999
    assert abs(np.corrcoef(nodes[:, 4], latents[:, 7])[0, 1]) > 0.9999
    np.testing.assert_allclose(nodes[:, 1:].std(axis=0), 1.0, rtol=1e-5)


def test_a_bank_is_encoded_once(tmp_path):
    class Bank:
        simulator = SimpleNamespace(on_grid=lambda flux: flux)

        def __len__(self):
            return 13

        def observe(self, rows, *, rng):
            return torch.from_numpy(rows[:, None].astype(np.float32)), None

    teacher = SimpleNamespace(encode=lambda flux: (2 * flux, None))
    first = encode_bank(Bank(), teacher, tmp_path / "teacher.npy")
    again = encode_bank(None, None, tmp_path / "teacher.npy")
    assert first[:, 0].tolist() == (2.0 * np.arange(13)).tolist()
    assert np.array_equal(first, again)


def test_a_training_that_was_stopped_goes_on_through_all_stages(tmp_path, monkeypatch):
    monkeypatch.setattr(made, "make_star_bank", lambda *args, **options: None)
    monkeypatch.setattr(made, "encode_bank", lambda *args: None)
    monkeypatch.setattr(made, "choose_nodes", lambda *args, **options: None)
    monkeypatch.setattr(made, "moving_batches", draw_moving)

    def train(name, **rest):
        options = Options(data=tmp_path, work=tmp_path / name, output=tmp_path, **rest)
        return made.train_stages(RECIPE, options)

    whole, done = train("whole")
    assert done == 3
    assert isinstance(whole, DisentangledAutoencoder)
    stages = []
    while not stages or stages[-1] < 3:
        pieces, done = train("pieces", stop_after=-1.0)
        stages.append(done)
    assert stages == [0, 1, 2, 3]  # a call ends in the middle of a stage
    for name, tensor in whole.state_dict().items():
        # convolutions round differently from run to run; other draws change 1e-3
        torch.testing.assert_close(
            tensor, pieces.state_dict()[name], atol=1e-5, rtol=0.0, msg=name
        )
