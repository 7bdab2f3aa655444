# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The aligned autoencoder on planted spectra, whose answers are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from astro_latent.models.layers.alignment import best_shift, small_shift
from astro_latent.models.layers.components import masked_projection
from astro_latent.models.layers.interpolate import (
    _Filter,
    running_mean,
    shift_mask,
    shift_rows,
)
from astro_latent.models.layers.log_grid import LogGrid, interpolate_points
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


@pytest.fixture(scope="module")
def log_grid():
    """Return pixels of 1.5 km/s."""
    return LogGrid(get_grid("harps_327680"), step=1.5, red=5860.0)


def log_wavelength(grid):
    """Wavelength of the middles of the pixels: 3785 Angstrom and equal velocities."""
    return 3785.0 * np.exp(1.5 / LIGHT_SPEED * np.arange(grid.n))


def test_joining_pixels_keeps_the_mean_flux(log_grid):
    wavelength = get_grid("harps_327680").wavelength
    flux = 1.0 + 0.3 * np.sin(wavelength / 0.8)
    valid = log_grid.valid[None]
    rows = torch.where(valid, torch.from_numpy(flux).float(), 0.0)
    joined, good = log_grid.join(rows, valid)
    middle = log_wavelength(log_grid)
    half = 0.5 * middle * 1.5 / LIGHT_SPEED
    # mean of a sine over a pixel
    expected = 1.0 + 0.3 * np.sin(middle / 0.8) * np.sinc(half / 0.8 / np.pi)
    inside = good[0].numpy().copy()
    inside[:50] = inside[-400:] = False
    assert inside.sum() > 110_000
    assert np.abs(joined[0].numpy() - expected)[inside].max() < 0.02
    assert np.abs(joined[0].numpy() - expected)[inside].mean() < 1e-3


def test_pixels_without_data_do_not_enter_the_mean(log_grid):
    valid = log_grid.valid[None].clone()
    valid[0, 100_000:101_000:2] = False
    rows = torch.where(valid, 2.0, 0.0)
    joined, good = log_grid.join(rows, valid)
    np.testing.assert_allclose(joined[good].numpy(), 2.0, rtol=1e-5)
    assert int(good.sum()) < int(log_grid.join(rows, log_grid.valid[None])[1].sum())


def test_pixels_and_velocities_are_relativistic(log_grid):
    velocity = torch.tensor([-80.0, 0.0, 120.0])
    pixels = log_grid.to_pixels(velocity)
    beta = velocity.double() / LIGHT_SPEED
    factor = ((1 + beta) / (1 - beta)).sqrt()
    torch.testing.assert_close(
        torch.exp(pixels * 1.5 / LIGHT_SPEED), factor, rtol=1e-12, atol=0
    )
    back = log_grid.to_velocity(pixels)
    torch.testing.assert_close(back.float(), velocity, rtol=1e-5, atol=1e-6)


@given(st.floats(-90.0, 90.0))
@settings(max_examples=30, deadline=None)
def test_moved_rows_are_those_of_a_band_limited_signal(shift):
    pixel = np.arange(600.0)
    centres, widths = np.array([150.0, 300.5, 420.2]), np.array([1.3, 2.0, 4.0])

    def lines(at):
        return np.exp(-0.5 * ((at[:, None] - centres) / widths) ** 2).sum(1)

    row, pixels = torch.from_numpy(lines(pixel))[None], torch.tensor([shift]).double()
    found = shift_rows(row, pixels)
    np.testing.assert_allclose(found[0], lines(pixel + shift), atol=0.01)
    part = shift_rows(row, pixels, slice(140, 430))
    torch.testing.assert_close(part, found[:, 140:430])
    fine = shift_rows(row, pixels, fine=True)
    torch.testing.assert_close(fine[:, ::2], found)
    np.testing.assert_allclose(fine[0, 1::2], lines(pixel + shift + 0.5), atol=0.01)
    mask = shift_mask(row > 0.5, pixels)
    there = lines(pixel + shift)
    assert mask[0].numpy()[there > 0.9].all()
    assert not mask[0].numpy()[there < 0.1].any()


def test_rows_are_moved_each_by_its_own_distance():
    rows = torch.randn(3, 200, dtype=torch.float64)
    pixels = torch.tensor([-7.3, 0.0, 12.9], dtype=torch.float64)
    together = shift_rows(rows, pixels)
    for row in range(3):
        alone = shift_rows(rows[[row]], pixels[[row]])
        torch.testing.assert_close(together[[row]], alone)
    torch.testing.assert_close(together[1], rows[1])


def test_derivatives_of_a_moved_row_are_those_of_the_sum_to_the_bit():
    generator = torch.Generator().manual_seed(5)
    window, by_result = (torch.randn(2, n, generator=generator) for n in (48, 40))
    taps = torch.randn(2, 9, generator=generator)
    found = []
    for own in (True, False):
        inputs = window.clone().requires_grad_(), taps.clone().requires_grad_()
        result = _Filter.apply(*inputs) if own else _add_up(*inputs)
        by_inputs = torch.autograd.grad((result * by_result).sum(), inputs)
        found.append((result.detach(), *by_inputs))
    for ours, plain in zip(*found, strict=True):
        assert torch.equal(ours, plain)


def _add_up(window, taps):
    result = taps[:, :1] * window[:, :40]
    for k in range(1, 9):
        result.addcmul_(taps[:, k, None], window[:, k : k + 40])
    return result


def test_points_are_joined_by_straight_lines():
    points = torch.arange(5.0)[None]  # each at the middle of eight pixels
    pixel = np.arange(40.0)
    expected = (pixel - 3.5) / 8
    inside = slice(4, -4)  # level beyond the first and the last
    np.testing.assert_allclose(interpolate_points(points)[0, inside], expected[inside])
    fine = interpolate_points(points, fine=True)[0]
    np.testing.assert_allclose(fine[::2], interpolate_points(points)[0])
    np.testing.assert_allclose(fine[9:-9:2], expected[4:-5] + 0.5 / 8)
    assert (float(fine[0]), float(fine[-1])) == (0.0, 4.0)


@pytest.fixture(scope="module")
def planted():
    """Return a model whose components are random lines, and its tellurics."""
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    model = AlignedAutoencoder(
        step=2.0, n_components=3, n_star=3, n_telluric=1, n_shape=2, n_hidden=16
    ).eval()
    n_rest, n_red = model.grid.n, model.grid.n_red

    def lines(length, n_lines, depth):
        spectrum = np.zeros(length)
        np.add.at(spectrum, rng.integers(0, length, n_lines), depth)
        kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
        return torch.from_numpy(np.convolve(spectrum, kernel, "same")).float()

    blue = model.grid.blue
    mean = lines(n_rest, 1500, -0.3)
    components = torch.stack([lines(n_rest, 800, 0.05) for _ in range(3)])
    components = components - components.mean(1, keepdim=True)
    triangle = torch.linalg.qr((components[:, blue] * model.weight).T).R.T
    model.star.basis.copy_(torch.linalg.solve(triangle, components))
    model.star.mean.copy_(mean - mean.mean())
    model.star.template.copy_(model.star.mean)
    model.star_scale.copy_(torch.tensor([3.0, 2.0, 1.0]))
    depth = lines(n_red, 300, 0.4)
    model.air.template.copy_(depth - depth.mean())
    model.air.mean.copy_(depth - depth.mean())
    unit = (depth - depth.mean()) / (depth - depth.mean()).norm()
    model.air.basis.copy_(unit[None])
    knot = torch.linspace(-1, 1, model.shape_mean.shape[0])
    basis = torch.linalg.qr(torch.stack([torch.ones_like(knot), knot]).T).Q.T
    model.shape_basis.copy_(basis)
    model.scale[-2:] = 5.0
    model.scale[0] = 30.0
    model.scale[1], model.scale[2] = 20.0, 5.0
    return model


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, 9),
        (7_580, 7_610),
        (159_400, 163_000),
        (216_000, 218_000),
        (320_000, 320_200),
    ],
)
def test_a_part_is_decoded_as_the_whole(planted, first, last):
    latent = torch.zeros(2, planted.n_latent)
    latent[:, 0], latent[:, 1] = torch.tensor([[3.2, -2.9], [1.2, -1.4]])
    latent[:, 2:] = torch.randn(2, planted.n_latent - 2)
    with torch.no_grad():
        part, whole = planted.decode_part(latent, first, last), planted.decode(latent)
    torch.testing.assert_close(part, whole[:, first:last], rtol=1e-5, atol=1e-6)


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
        valid = planted.grid.valid[None] & (torch.rand(flux.shape) > 0.05)
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


def test_what_a_star_takes_from_the_smooth_flux_is_not_shape(planted):
    points = torch.arange(planted.grid.n_points)
    dip = -0.4 * torch.exp(-0.5 * ((points - 0.4 * len(points)) / 300.0) ** 2)
    latent = torch.zeros(1, planted.n_latent)
    latent[0, -2:] = torch.tensor([0.3, -0.2])
    nothing = planted.star.smooth_mean.clone()
    found = {}
    with torch.no_grad():
        for velocity in (-80.0, 0.0, 80.0):
            latent[0, 0] = velocity / 30.0
            planted.star.smooth_mean.copy_(dip)
            flux = planted.decode(latent)
            found[velocity] = planted.encode(flux)[0][0, -2:]
            planted.star.smooth_mean.copy_(nothing)
            ignored = planted.encode(flux)[0][0, -2:]
            assert (ignored - latent[0, -2:]).abs().max() > 0.1
    for shape in found.values():
        torch.testing.assert_close(shape, latent[0, -2:], atol=0.03, rtol=0.0)
