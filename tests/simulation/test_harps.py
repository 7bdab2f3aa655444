# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The simulated HARPS, piece by piece against analytic cases, and as a whole."""

import numpy as np
import pytest
import torch

from astro_latent.models.layers.interpolate import cubic_at
from astro_latent.simulation import (
    HarpsConditions,
    HarpsExposures,
    rotation_kernels,
)
from astro_latent.simulation.harps_bank import simulate_batches
from astro_latent.simulation.harps_library import HarpsLibrary, draw_harps_labels
from recipes.harps.stars import CATALOGUE, open_simulator


def test_cubic_interpolation_is_exact_for_parabolas():
    x = torch.arange(30.0)
    values = (0.3 * x**2 - x + 2)[None]
    at = torch.tensor([[3.25, 10.5, 20.0]])
    expected = 0.3 * at**2 - at + 2
    torch.testing.assert_close(cubic_at(values, at), expected, rtol=1e-5, atol=1e-4)


def test_rotation_kernel_has_the_variance_of_its_profile():
    vsini, limb = 20.0, 0.6
    kernel = rotation_kernels(
        torch.tensor([vsini]), torch.tensor([0.05]), step=0.5, half=60, limb=limb
    )[0]
    velocity = torch.arange(-60, 61) * 0.5
    assert kernel.sum().item() == pytest.approx(1.0, abs=1e-6)
    # second moment of Gray's profile: v^2 (1 - 7 limb / 15) / (4 (1 - limb / 3))
    expected = vsini**2 * (1 - 7 * limb / 15) / (4 * (1 - limb / 3))
    assert (kernel * velocity**2).sum().item() == pytest.approx(expected, rel=0.01)


def test_macroturbulence_adds_its_variance():
    kernel = rotation_kernels(
        torch.tensor([0.1]), torch.tensor([4.0]), step=0.5, half=60
    )[0]
    velocity = torch.arange(-60, 61) * 0.5
    # binning over pixels of 0.5 km/s adds a twelfth of their square
    variance = (kernel * velocity**2).sum().item()
    assert variance == pytest.approx(4.0**2 / 2 + 0.5**2 / 12, rel=0.02)


def test_slow_star_is_not_broadened():
    kernel = rotation_kernels(
        torch.tensor([0.05]), torch.tensor([0.05]), step=1.2, half=10
    )[0]
    assert kernel[10].item() > 0.99


def test_conditions_are_of_the_archive(rng):
    drawn = HarpsConditions.draw(rng.uniform(4500, 6500, 4000), rng=rng)
    assert np.abs(drawn.berv).max() <= 30
    assert drawn.snr.min() >= 8
    assert 20 < drawn.radial_velocity.std() < 45
    assert drawn.as_array().shape == (4000, 8)


@pytest.fixture(scope="module")
def simulator(real_data):
    return open_simulator(real_data)


def test_library_reproduces_nodes_left_out(real_data):
    path = real_data / "harps/synthetic/harps_like_pca160_gp.npz"
    library = HarpsLibrary(path)
    with np.load(path, allow_pickle=False) as file:
        held_out = file["test_index"][:40]
        truth = torch.from_numpy(file["coef"][held_out])
    expected = library.mean + truth @ library.basis_t
    found = library.flux(torch.from_numpy(library.nodes[held_out]))
    rms = (found - expected).square().mean(1).sqrt()
    assert rms.median() < 0.003  # 0.14 % is the published median


def one_star(simulator, velocity, *, snr=1e4, seed=3):
    conditions = HarpsConditions(
        **{
            name: np.array([value])
            for name, value in {
                "radial_velocity": velocity,
                "vsini": 2.0,
                "vmacro": 3.0,
                "berv": 10.0,
                "airmass": 1.0,
                "pwv": 0.5,
                "snr": snr,
                "tilt": 0.0,
            }.items()
        }
    )
    labels = np.array([[5700.0, 4.4, 0.0, 0.0, 1.0, 0.0, 0.0]])
    rng = np.random.default_rng(seed)
    return simulator.simulate(labels, conditions, rng=rng)


def test_lines_move_with_the_star(simulator):
    at_rest, moving = (
        one_star(simulator, velocity)[1][0].numpy() for velocity in (0.0, 30.0)
    )
    grid = simulator.grid
    region = (grid.wavelength > 6050) & (grid.wavelength < 6250)
    wavelength = grid.wavelength[region]
    shifted = np.interp(
        wavelength / np.sqrt((1 + 30 / 299792.458) / (1 - 30 / 299792.458)),
        wavelength,
        at_rest[region],
    )
    inner = slice(200, -2500)
    difference = moving[region][inner] / shifted[inner]
    assert np.std(difference / np.median(difference)) < 0.02
    assert np.std(moving[region][inner] / at_rest[region][inner]) > 0.05


def test_padding_gap_and_median(simulator):
    flux, clean = one_star(simulator, -5.0, snr=100.0)
    valid = simulator.grid.valid
    assert not flux[0, ~torch.from_numpy(valid.copy())].any()
    assert np.median(flux[0].numpy()[valid]) == pytest.approx(1.0, abs=1e-5)
    noise = (flux - clean)[0].numpy()[valid]
    assert np.median(np.abs(noise)) == pytest.approx(0.6745 / 100, rel=0.3)


def test_batches_depend_on_their_number_alone(simulator, real_data):
    batches = simulate_batches(simulator, real_data / CATALOGUE, batch_size=2, seed=1)
    first, other, again = batches(4), batches(5), batches(4)
    torch.testing.assert_close(first["flux"], again["flux"], rtol=0, atol=0)
    assert not torch.equal(first["flux"], other["flux"])


def test_labels_are_flattened_over_temperature(real_data, rng):
    labels = draw_harps_labels(
        3000, real_data / "harps/catalogue/HARPScat_param.csv", rng=rng
    )
    assert labels.shape == (3000, 7)
    assert np.quantile(labels[:, 0], 0.1) < 5000
    assert np.quantile(labels[:, 0], 0.9) > 6000
    assert np.isfinite(labels).all()


def test_exposures_of_few_stars_are_those_of_the_simulator(simulator, real_data, rng):
    labels = draw_harps_labels(2, real_data / CATALOGUE, rng=rng)
    stars = HarpsConditions.draw(labels[:, 0], rng=rng)
    each = HarpsConditions.draw(np.zeros(3), rng=rng)
    exposures = HarpsExposures(simulator, labels, stars, each.berv)
    night = np.array([2, 0, 2])
    drawn = each.select(slice(None))
    found = exposures.clean(1, night, drawn, rng=np.random.default_rng(5))
    for name in ("radial_velocity", "vsini", "vmacro"):
        setattr(each, name, np.repeat(getattr(stars, name)[1], 3))
    each.berv = each.berv[night]
    expected = simulator.clean(labels[[1, 1, 1]], each, rng=np.random.default_rng(5))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-5)
    flux = exposures.observe(1, night, drawn, rng=np.random.default_rng(5))
    assert not flux[:, ~torch.from_numpy(simulator.grid.valid.copy())].any()
    noise = flux.numpy()[:, simulator.grid.valid] - found.numpy()
    ratio = np.abs(noise).mean(1) * each.snr
    assert ratio == pytest.approx(np.full(3, 0.8), rel=0.25)  # of a unit normal
