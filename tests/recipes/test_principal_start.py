# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights from principal components, and spectra from a bank."""

import numpy as np
import pytest
import torch
from torch import nn

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from astro_latent.simulation.harps_bank import HarpsBank, bank_batches
from astro_latent.training.loop import group_parameters
from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps.linear_start import sampling_order
from recipes.harps.stars import make_star_bank, open_simulator
from recipes.harps_dae128_v1.principal_start import start_from_components

LEVELS = 3
FACTOR = 2**LEVELS
N_PIXELS = 8 * 2048  # joined by eights: 2048; two averagings: 512 = 64 channels x 8


def smooth_spectra(n, rng):
    """Return spectra of three factors, without detail finer than the samples."""
    x = np.linspace(0.0, 1.0, N_PIXELS // FACTOR)
    factors = rng.normal(size=(n, 3))
    shapes = np.stack([np.sin(7 * x), np.cos(19 * x), np.sin(40 * x + 1.0)])
    return torch.from_numpy((1.0 + 0.1 * factors @ shapes).astype(np.float32))


@pytest.fixture(scope="module")
def started():
    """Return a small network with its first weights, and spectra it never saw."""
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    full = DisentangledAutoencoder(
        n_pixels=N_PIXELS, n_latent=8, channels=(4, 4, 4, 8, 8, 8, 8, 16, 32, 32, 64)
    )
    coarse = CoarseAutoencoder(full, LEVELS)
    start_from_components(coarse, smooth_spectra(60, rng))
    return coarse.eval(), smooth_spectra(20, rng)


def test_samples_are_sorted_as_the_halvings_sort_them():
    order = sampling_order(512, 64)
    halved = torch.arange(512)[None]
    while len(halved) < 64:
        halved = torch.cat([halved[:, 0::2], halved[:, 1::2]])
    assert sorted(order.tolist()) == list(range(512))
    assert order.unflatten(0, (64, 8))[0].tolist() == list(range(0, 512, 64))
    assert torch.equal(order, halved.flatten())


def test_smooth_spectra_of_few_factors_pass_unchanged(started):
    coarse, flux = started
    with torch.no_grad():
        rebuilt, _, _ = coarse(flux)
    inside = slice(32, -32)  # a transposed convolution lacks neighbours at the ends
    worst = (rebuilt - flux)[:, inside].abs().max()
    assert worst < 2e-3
    assert (flux - flux.mean(0)).abs().mean() > 0.05


def test_nodes_begin_uncorrelated_with_unit_variance_in_order(started):
    coarse, _ = started
    with torch.no_grad():
        _, mean, log_variance = coarse(smooth_spectra(4000, np.random.default_rng(1)))
    leading = torch.cov(mean[:, :3].T)
    assert torch.allclose(leading, torch.eye(3), atol=0.5)
    spread = torch.exp(0.5 * log_variance[0])
    assert torch.all(spread[:3].diff() > 0)
    assert torch.all(spread <= 1.0)


def test_rates_shrink_with_the_number_of_inputs():
    model = nn.Sequential(nn.Linear(320, 4), nn.ConvTranspose2d(64, 2, (1, 4), (1, 2)))
    width = {
        parameter: group["width"]
        for group in group_parameters(model, scale_by_fan_in=True)
        for parameter in group["params"]
    }
    assert width[model[0].weight] == 10.0
    assert width[model[1].weight] == 4.0  # two of the four taps reach an output
    assert width[model[0].bias] == width[model[1].bias] == 1.0
    (everything,) = group_parameters(model, scale_by_fan_in=False)
    assert len(everything["params"]) == 4


@pytest.fixture(scope="module")
def small_bank(real_data, tmp_path_factory):
    """Return the folder of a bank of four spectra, cut from one part."""
    from astro_latent.simulation import harps_bank

    folder = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harps_bank, "PART", 2)
        patch.setattr(harps_bank, "_AT_ONCE", 2)
        yield make_star_bank(real_data, folder, n_spectra=4, seed=3), folder


def test_a_bank_goes_on_where_it_stopped_and_keeps_what_it_has(real_data, small_bank):
    bank, folder = small_bank
    before = (folder / "clean_0000.npy").read_bytes()
    second = (folder / "clean_0001.npy").read_bytes()
    (folder / "clean_0001.npy").unlink()
    (folder / "unfinished").write_bytes(b"half a part")
    again = make_star_bank(real_data, folder, n_spectra=4, seed=3)
    assert (folder / "clean_0000.npy").read_bytes() == before
    assert (folder / "clean_0001.npy").read_bytes() == second
    assert len(again) == len(bank) == 4
    assert np.array_equal(again.labels, bank.labels)


def test_each_use_of_a_spectrum_has_new_noise_of_the_stated_size(small_bank):
    bank, _ = small_bank
    rows = np.array([1, 1])
    flux, clean = bank.observe(rows, rng=np.random.default_rng(0), snr=100.0)
    noise = flux - clean
    bright = clean > 0.9
    scatter = noise[bright] / clean[bright].sqrt()
    robust = 1.4826 * scatter.abs().median()
    assert 0.009 < robust < 0.011
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.02
    assert torch.allclose(flux.median(1).values, torch.ones(2))


def test_joined_pixels_are_the_means_of_the_fine_ones(small_bank, real_data):
    bank, folder = small_bank
    fine = bank_batches(bank, batch_size=2, seed=9)(7)
    wide = bank_batches(bank, batch_size=2, seed=9, joined=FACTOR)(7)
    again = bank_batches(
        HarpsBank(folder, open_simulator(real_data)), batch_size=2, seed=9
    )
    assert torch.equal(fine["flux"], again(7)["flux"])
    assert torch.equal(fine["rows"], wide["rows"])
    inside = wide["flux"] != 0.0
    means = fine["flux"].unflatten(1, (-1, FACTOR)).mean(2)
    assert torch.allclose(wide["flux"][inside], means[inside], atol=1e-5)
    assert inside.sum() > 2 * 38_000
