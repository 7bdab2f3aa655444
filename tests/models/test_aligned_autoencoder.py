# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The aligned autoencoder on planted spectra, whose answers are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.models._alignment import (
    VelocityGrid,
    best_shift,
    masked_projection,
    small_shift,
)
from astro_latent.models._interpolate import cubic_at, running_mean
from astro_latent.models.aligned_autoencoder import AlignedAutoencoder
from astro_latent.preparation import get_grid

LIGHT_SPEED = 299_792.458


@given(st.integers(2, 30), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_running_mean_is_the_mean_of_the_valid_pixels_in_the_window(half, seed):
    rng = np.random.default_rng(seed)
    flux = rng.normal(1.0, 0.3, 200)
    valid = rng.random(200) > 0.3
    mean, fraction = running_mean(
        torch.from_numpy(flux * valid)[None], torch.from_numpy(valid)[None], 2 * half
    )
    for pixel in (0, 1, 77, 150, 199):
        window = slice(max(0, pixel - half), min(200, pixel + half))
        count = valid[window].sum()
        expected = flux[window][valid[window]].mean() if count else 0.0
        assert float(mean[0, pixel]) == pytest.approx(expected, abs=1e-9)
        assert float(fraction[0, pixel]) == pytest.approx(count / (2 * half))


@given(st.floats(-40.0, 40.0), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_shift_of_a_planted_spectrum_is_found(shift, seed):
    rng = np.random.default_rng(seed)
    pixel = np.arange(4000.0)
    centres = rng.uniform(100, 3900, 60)
    depth = rng.uniform(0.1, 0.8, 60)

    def spectrum(offset):
        lines = np.exp(-0.5 * ((pixel[:, None] - centres - offset) / 3.0) ** 2)
        return torch.from_numpy(-(lines * depth).sum(1))

    noisy = spectrum(shift) + 0.01 * torch.from_numpy(rng.normal(size=4000))
    found, variance = best_shift(noisy[None], spectrum(0.0), 50)
    assert float(found[0]) == pytest.approx(shift, abs=0.1)
    assert 0.0 < float(variance[0]) < 0.05
    rest = shift - np.round(shift)
    near, spread = small_shift(
        torch.roll(noisy, -int(np.round(shift)))[None], spectrum(0.0)
    )
    assert float(near[0]) == pytest.approx(rest, abs=0.1)
    assert float(spread[0]) == pytest.approx(float(variance[0]), rel=0.2)


def test_the_stated_spread_of_a_shift_is_that_of_repeats():
    rng = np.random.default_rng(4)
    pixel = np.arange(3000.0)
    centres = rng.uniform(50, 2950, 40)
    lines = np.exp(-0.5 * ((pixel[:, None] - centres) / 4.0) ** 2).sum(1)
    template = torch.from_numpy(-0.3 * lines)
    noise = torch.from_numpy(rng.normal(size=(400, 3000)))
    found, variance = best_shift(template + 0.2 * noise, template, 30)
    assert float(found.std()) == pytest.approx(float(variance.mean()) ** 0.5, rel=0.25)


def test_masked_projection_is_the_ridge_solution_of_the_pixels_that_are_left():
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(300, 5)))[0].T
    scale = np.array([3.0, 2.0, 1.0, 0.5, 0.1])
    truth = rng.normal(size=(4, 5)) * scale
    rows = truth @ basis + 0.01 * rng.normal(size=(4, 300))
    valid = rng.random((4, 300)) > 0.3
    found, variance = masked_projection(
        *(torch.from_numpy(a) for a in (rows, valid, basis, scale))
    )
    for row in range(4):
        expected = np.linalg.lstsq(
            basis[:, valid[row]].T, rows[row, valid[row]], rcond=None
        )[0]
        np.testing.assert_allclose(found[row], expected, atol=0.02)
    np.testing.assert_allclose(found, truth, atol=0.05)
    assert variance.sqrt().numpy() == pytest.approx(0.01, rel=0.3)


def test_wavelengths_move_by_the_relativistic_doppler_factor():
    grid = VelocityGrid(get_grid("harps_327680"), step=1.0, red=5860.0)
    velocity = torch.tensor([-80.0, 0.0, 120.0])
    pixels = grid.position(velocity)
    wavelength = 3709.11 + 0.01 * pixels  # checked against the grid below
    assert get_grid("harps_327680").wavelength[7589] == pytest.approx(3785.0, abs=1e-6)
    beta = velocity.double() / LIGHT_SPEED
    factor = ((1 + beta) / (1 - beta)).sqrt()
    torch.testing.assert_close(
        wavelength[0] / wavelength[1], factor[0].expand(grid.n_rest), rtol=1e-9, atol=0
    )
    back = grid.inverse(velocity)
    there = cubic_at(back, pixels)[:, 1000:-1000]
    rest = torch.arange(grid.n_rest, dtype=torch.float64)[1000:-1000]
    torch.testing.assert_close(there, rest.expand(3, -1), rtol=0, atol=1e-3)


@pytest.fixture(scope="module")
def planted():
    """Return a model whose components are random lines, and its tellurics."""
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    model = AlignedAutoencoder(
        step=2.0, n_components=3, n_star=3, n_telluric=1, n_shape=2, n_hidden=16
    ).eval()
    n_rest, n_red = model.velocities.n_rest, model.velocities.n_red

    def lines(length, n_lines, depth):
        spectrum = np.zeros(length)
        np.add.at(spectrum, rng.integers(0, length, n_lines), depth)
        kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
        return torch.from_numpy(np.convolve(spectrum, kernel, "same")).float()

    red = model.velocities.red
    mean = lines(n_rest, 1500, -0.3)
    components = torch.stack([lines(n_rest, 800, 0.05) for _ in range(3)])
    components = components - components.mean(1, keepdim=True)
    model.weight[red] = 0.0
    blue = components * model.weight
    triangle = torch.linalg.qr(blue.T).R.T
    model.star_basis.copy_(torch.linalg.solve(triangle, components))
    model.star_mean.copy_(mean - mean.mean())
    model.template.copy_(model.star_mean)
    model.star_scale.copy_(torch.tensor([3.0, 2.0, 1.0]))
    depth = lines(n_red, 300, 0.4)
    model.telluric_template.copy_(depth - depth.mean())
    model.telluric_mean.copy_(depth - depth.mean())
    unit = (depth - depth.mean()) / (depth - depth.mean()).norm()
    model.telluric_basis.copy_(unit[None])
    knot = torch.linspace(-1, 1, model.shape_mean.shape[0])
    basis = torch.linalg.qr(torch.stack([torch.ones_like(knot), knot]).T).Q.T
    model.shape_basis.copy_(basis)
    model.scale[-2:] = 5.0
    model.scale[0] = 30.0
    model.scale[1], model.scale[2] = 20.0, 5.0
    return model


@pytest.mark.parametrize("velocity", [-63.7, 0.0, 88.2])
@pytest.mark.parametrize("earth", [-24.3, 17.6])
def test_what_was_planted_is_found_again(planted, velocity, earth):
    latent = torch.zeros(1, planted.n_latent)
    latent[0, 0], latent[0, 1] = velocity / 30.0, earth / 20.0
    latent[0, 2], latent[0, -2:] = 1.5, torch.tensor([0.4, -0.8])
    with torch.no_grad():
        flux = planted.decode(latent)
        mean, log_variance = planted.encode(flux)
    assert float(mean[0, 0]) * 30.0 == pytest.approx(velocity, abs=0.3)
    assert float(mean[0, 1]) * 20.0 == pytest.approx(earth, abs=0.3)
    assert float(mean[0, 2]) == pytest.approx(1.5, abs=0.25)
    assert mean[0, -2:].tolist() == pytest.approx([0.4, -0.8], abs=0.05)
    assert torch.isfinite(log_variance).all()


def test_star_nodes_do_not_see_the_velocity(planted):
    latent = torch.zeros(1, planted.n_latent)
    found = []
    for velocity in (-50.0, 0.0, 50.0):
        latent[0, 0] = velocity / 30.0
        with torch.no_grad():
            found.append(planted.encode(planted.decode(latent))[0][0, 3:6])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=0.05, rtol=0.0)


def test_masked_pixels_do_not_matter(planted):
    latent = torch.zeros(1, planted.n_latent)
    with torch.no_grad():
        flux = planted.decode(latent)
        valid = planted.velocities.valid[None] & (torch.rand(flux.shape) > 0.05)
        broken = torch.where(valid, flux, torch.full_like(flux, 1e6))
        clean, _ = planted.encode(flux)
        masked, _ = planted.encode(broken, valid)
    assert torch.isfinite(masked).all()
    torch.testing.assert_close(masked[:, :2], clean[:, :2], atol=0.02, rtol=0.0)


def test_nothing_to_see_gives_numbers_and_no_velocity(planted):
    with torch.no_grad():
        mean, log_variance = planted.encode(torch.zeros(1, planted.n_pixels))
    assert torch.isfinite(mean).all()
    assert torch.isfinite(log_variance).all()
