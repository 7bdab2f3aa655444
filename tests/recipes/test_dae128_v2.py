# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The published autoencoder set to move lines: what is set, what learns, resuming."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from astro_latent.preparation.grid import get_grid
from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps_dae128_v2 import make as made
from recipes.harps_dae128_v2.lessons import free_layers
from recipes.harps_dae128_v2.log_encoder import fit_log, set_encoder
from recipes.harps_dae128_v2.moving import move_spectra
from recipes.harps_dae128_v2.moving_decoder import MOVING_LAYERS, Motion, set_decoder
from recipes.harps_dae128_v2.nodes import choose_components, smooth_shapes
from recipes.harps_dae128_v2.reader import Reader, fit_reader, whiten_lines
from recipes.harps_dae128_v2.stars import held_out
from recipes.harps_dae128_v2.start import Teaching
from recipes.harps_dae128_v2.teacher import choose_nodes, encode_bank
from recipes.harps_dae128_v2.template import (
    cut_pieces,
    fit_exponential,
    fit_half_steps,
)
from recipes.options import Options

SPEED_OF_LIGHT = 299792.458
FLOOR, UNIT, N_SAMPLES = 0.1, 20.0, 20480  # km/s of node 0
CHANNELS = (4, 4, 8, 8, 8, 16, 32)
RECIPE = {
    "seed": 4, "architecture": "disentangled_autoencoder",
    "arguments": {"n_pixels": 2560, "n_latent": 8, "channels": CHANNELS},
    "bank": {}, "teacher": {"model": "harps_dae_fast_v1", "n_star": 1}, "first": {},
    "lessons": {
        "n_steps": 4, "batch_size": 3, "learning_rate": 1e-3, "window": 320,
        "width": 30.0, "log_every": 1, "checkpoint_every": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("joined", "window"), [(1, None), (8, None), (1, (2400, 4000))]
)
def test_lines_move_by_the_factor_and_keep_their_area(joined, window):
    wavelength = 5000.0 + 0.01 * np.arange(8000)
    valid = np.ones(8000, dtype=bool)
    valid[:40] = valid[5000:5100] = valid[-30:] = False

    def line(at):
        return 1 - 0.6 * np.exp(-0.5 * ((wavelength - at) / 0.2) ** 2)

    factor = np.array([1.0, 1 + 1e-4, 1 - 1e-4])
    flux = np.tile(line(5030.0)[valid], (3, 1))
    moved = move_spectra(
        flux, valid, factor, start=5000.0 / 0.01 - 0.5, joined=joined, window=window
    )
    expected = np.stack(
        [line(5030.0 * by).reshape(-1, joined).mean(1) for by in factor]
    )
    np.testing.assert_allclose(moved, expected[:, slice(*window or (None,))], atol=2e-4)


@pytest.fixture(scope="module")
def template():
    """Return logarithms of a planted star and of what one node adds, (n_samples, 2)."""
    rng = np.random.default_rng(8)
    at = np.arange(N_SAMPLES)
    depth, change = np.zeros(N_SAMPLES), np.zeros(N_SAMPLES)
    for place in rng.uniform(20, N_SAMPLES - 20, 1500):
        near = slice(max(int(place) - 20, 0), int(place) + 21)
        line = np.exp(-0.5 * ((at[near] - place) / 2.5) ** 2)
        depth[near] += rng.uniform(0.1, 0.9) * line
        change[near] += rng.uniform(0.0, 0.1) * line
    return np.column_stack([0.2 * np.sin(at / 4000.0) - depth, change])


@pytest.fixture(scope="module")
def exponential(template):
    return fit_exponential(template[::7, 0], n_steps=200)


@pytest.fixture(scope="module")
def decoder(template, exponential):
    torch.manual_seed(3)
    coarse = CoarseAutoencoder(DisentangledAutoencoder(), 4)
    pieces = cut_pieces(template, np.ones(N_SAMPLES))
    wavelength = get_grid("harps_327680").wavelength
    set_decoder(
        coarse, pieces, Motion(wavelength[0] - 0.005, 0.16, UNIT),
        fit_half_steps(template[:, 0]), exponential, floor=FLOOR,
    )  # fmt: skip
    return coarse.eval(), pieces.join()


@pytest.mark.parametrize("velocity", [-60.0, -13.7, 0.0, 2.1, 60.0])
def test_the_decoder_moves_lines_as_interpolation_does(decoder, velocity):
    coarse, stored = decoder
    latent = torch.zeros(1, 128)
    latent[0, 0], latent[0, 1] = velocity / UNIT, 0.7
    with torch.no_grad():
        found = coarse.decode(latent)[0].numpy()
    rest = stored @ [1.0, 0.7]
    first = get_grid("harps_327680").wavelength[0] - 0.005
    wavelength = first + 0.16 * (np.arange(N_SAMPLES) + 0.5)
    # twice as many samples, by Fourier's series, so that np.interp does no harm
    waves = np.fft.rfft(np.concatenate([rest, rest[::-1]]))
    fine = 8 * np.fft.irfft(np.append(waves, np.zeros(7 * N_SAMPLES)), 16 * N_SAMPLES)
    source = (wavelength / (1 + velocity / SPEED_OF_LIGHT) - first) / 0.16 - 0.5
    moved = np.interp(source * 8, np.arange(8 * N_SAMPLES), fine[: 8 * N_SAMPLES])
    expected = np.exp(moved) - FLOOR
    inner = slice(300, -300)
    off = np.abs(found - expected)[inner]
    still = np.abs(np.exp(rest) - FLOOR - expected)[inner].mean()
    assert off.mean() < 0.025
    assert velocity == 0.0 or abs(velocity) < 5 or off.mean() < 0.2 * still


def test_three_copies_of_a_constant_give_its_exponential(exponential):
    y, fraction = np.meshgrid(np.linspace(-1.2, 0.2, 50), np.linspace(-0.5, 0.5, 21))
    found = np.zeros_like(y)
    for copy in (-0.5, 0.0, 0.5):
        distance = np.minimum(np.abs(fraction - copy) / 0.5, 1.0)
        weight = np.interp(distance, exponential.distances, exponential.log_weights)
        hinges = np.maximum((y + weight)[..., None] - exponential.thresholds, 0.0)
        found += hinges @ exponential.slopes
    off = np.abs(found - np.exp(y))
    assert off.mean() < 0.02
    assert off.max() < 0.15


def test_the_encoder_reads_what_the_regression_reads():
    rng = np.random.default_rng(2)
    log = fit_log(rng.lognormal(0.0, 0.4, 4000), floor=FLOOR)
    flux = torch.from_numpy(rng.lognormal(0.0, 0.4, (3, N_SAMPLES))).float()
    joined = torch.log(flux + FLOOR).unflatten(1, (-1, 2)).mean(2)
    torch.testing.assert_close(log.join(flux), joined, atol=0.15, rtol=0.0)
    assert (log.join(flux) - joined).abs().mean() < 0.01
    weights = torch.from_numpy(rng.normal(0, 0.01, (5, N_SAMPLES // 2))).float()
    reader = Reader(weights, torch.arange(5.0))
    torch.manual_seed(1)
    coarse = CoarseAutoencoder(DisentangledAutoencoder(), 4)
    set_encoder(coarse, log, reader, torch.full((5,), -2.0))
    with torch.no_grad():
        mean, log_variance = coarse.encode(flux)
    torch.testing.assert_close(
        mean[:, :5], reader.read(log.join(flux)), atol=2e-3, rtol=1e-3
    )
    assert not mean[:, 5:].any()
    assert log_variance[0].tolist() == [-2.0] * 5 + [0.0] * 123


def test_the_reader_is_the_ridge_with_the_price_of_lines():
    rng = np.random.default_rng(6)
    seen = rng.normal(size=(30, 64)).astype(np.float32)
    nodes = rng.normal(size=(30, 2)).astype(np.float32)
    whitening = whiten_lines(torch.from_numpy(seen), line_error=0.3)
    reader = fit_reader(whitening, torch.from_numpy(seen), torch.from_numpy(nodes))
    lower = whitening.factor.double().numpy()
    price = np.zeros((64, 64))
    for k, block in enumerate(lower):
        price[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] = block @ block.T
    apart = (seen - seen.mean(0)).astype(float)
    expected = np.linalg.solve(
        apart.T @ apart + price, apart.T @ (nodes - nodes.mean(0))
    )
    np.testing.assert_allclose(reader.weights.T, expected, atol=1e-4)
    found = reader.read(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(found.mean(0), nodes.mean(0), atol=1e-4)


def test_shapes_that_are_regressed_do_not_change_what_is_read():
    rng = np.random.default_rng(7)
    signal = rng.normal(size=(200, 1))
    seen = signal * rng.normal(size=64) + 0.1 * rng.normal(size=(200, 64))
    seen, signal = (torch.from_numpy(a).float() for a in (seen, signal))
    shape = smooth_shapes(64, 3, size=1.0)
    whitening = whiten_lines(seen, line_error=0.0)
    deaf = fit_reader(whitening, seen, signal, shape * 200**0.5, torch.zeros(3, 1))
    change = (deaf.read(seen + shape[1]) - deaf.read(seen)).abs().max()
    plain = fit_reader(whitening, seen, signal)
    assert change < 0.1 * (plain.read(seen + shape[1]) - plain.read(seen)).abs().max()
    assert (deaf.read(seen) - signal).abs().mean() < 0.1


def test_planted_components_are_found_if_they_can_be_read():
    rng = np.random.default_rng(9)
    n, n_samples = 300, 256
    star, readable, hidden = rng.normal(size=(3, n, 1))
    x = 2 * np.pi * np.arange(n_samples) / n_samples
    rest = star * np.sin(40 * x) + readable * np.cos(70 * x) + hidden * np.sin(95 * x)
    seen = np.hstack([star * np.cos(30 * x[::2]), readable * np.sin(50 * x[::2])])
    shapes = smooth_shapes(n_samples, 2, size=0.2)
    rest, seen, star = (torch.from_numpy(a).float() for a in (rest, seen, star))
    noise = torch.empty_like(seen).normal_(generator=torch.Generator().manual_seed(1))
    seen = seen + 0.01 * noise
    choice = choose_components(
        rest, seen, star, shapes, whiten_lines(seen, line_error=0.1), ~held_out(n),
        weight=torch.ones(n_samples), n_components=2,
    )  # fmt: skip
    assert torch.equal(choice.nodes[:, :1], star)
    found = np.corrcoef(choice.nodes.T.numpy(), readable.T)[-1, 1:-1]
    assert np.abs(found).max() > 0.99
    lost = np.corrcoef(choice.nodes.T.numpy(), hidden.T)[-1, 1:-1]
    assert np.abs(lost).max() < 0.3
    spread = choice.nodes.var(0)[1:] + choice.row_nodes[:, 1:].square().sum(0) / 262
    torch.testing.assert_close(spread, torch.ones(2), atol=0.1, rtol=0.0)
    assert not choice.row_nodes[:, 0].any()  # a flux shape is no change of the star


def test_the_teacher_gives_the_velocity_and_first_nodes_of_the_star():
    latents = np.random.default_rng(3).normal(size=(400, 4)) + 0.3
    teacher = SimpleNamespace(
        latent_groups={"star_velocity": [0], "star": [2, 3]},
        scale=torch.tensor([5.0, 1.0, 1.0, 1.0]),
    )  # fmt: skip
    velocity, star = choose_nodes(latents, teacher, n_star=1)
    np.testing.assert_allclose(velocity, 5 * latents[:, 0])
    assert star.shape == (400, 1)
    assert abs(np.corrcoef(star[:, 0], latents[:, 2])[0, 1]) > 0.9999
    np.testing.assert_allclose(star.std(axis=0), 1.0, rtol=1e-5)


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


def test_only_innermost_and_outer_layers_learn():
    network = DisentangledAutoencoder()
    free_layers(network)
    free = {
        n.rpartition(".")[0] for n, p in network.named_parameters() if p.requires_grad
    }
    outer = {f"up.{k}" for k in range(MOVING_LAYERS, len(network.up))}
    assert free == {"expand", "smooth"} | outer


class LinearBank:
    """Forty spectra that are sums of a constant and one shape."""

    n_valid = 2500
    simulator = SimpleNamespace(
        grid=SimpleNamespace(
            wavelength=5000 + 0.01 * np.arange(2560), valid=np.arange(2560) < 2500
        )
    )
    nodes = torch.linspace(-1, 1, 40)

    def __len__(self):
        return 40

    def clean(self, rows):
        shape = torch.sin(torch.linspace(0, 9, self.n_valid))
        return 1 + 0.1 * self.nodes[torch.as_tensor(rows), None] * shape


def test_a_training_that_was_stopped_goes_on(tmp_path, monkeypatch):
    calls = []

    def set_weights(coarse, bank, velocity, star, scale, options):
        calls.append(scale)
        nodes = torch.stack([torch.zeros(40), bank.nodes], 1)
        return Teaching(nodes, np.zeros(40), scale)

    monkeypatch.setattr(made, "make_star_bank", lambda *args, **rest: LinearBank())
    monkeypatch.setattr(made, "encode_bank", lambda *args: None)
    monkeypatch.setattr(made, "choose_nodes", lambda *args, **rest: (None, None))
    monkeypatch.setattr(made, "set_first_weights", set_weights)

    def train(name, **rest):
        options = Options(data=tmp_path, work=tmp_path / name, output=tmp_path, **rest)
        options.work.mkdir(exist_ok=True)
        return made.train(RECIPE, options)

    whole, done = train("whole")
    assert done == 4
    steps = []
    while not steps or steps[-1] < 4:
        pieces, done = train("pieces", stop_after=-1.0)
        steps.append(done)
    assert steps == [1, 2, 3, 4]
    assert len(calls) == 2  # first weights are set once
    for name, tensor in whole.state_dict().items():
        # convolutions round differently from run to run; other draws change 1e-3
        torch.testing.assert_close(
            tensor, pieces.state_dict()[name], atol=1e-5, rtol=0.0, msg=name
        )
