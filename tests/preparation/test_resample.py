# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Resampling against specutils, analytic truth and Monte Carlo."""

import numpy as np
import pytest
from astropy import units as u
from hypothesis import example, given, settings
from hypothesis import strategies as st
from specutils import Spectrum
from specutils.manipulation import FluxConservingResampler, LinearInterpolatedResampler

from astro_latent.preparation import (
    Recipe,
    Resampler,
    SpectralGrid,
    get_grid,
    prepare_spectra,
)
from astro_latent.preparation.pixels import pixel_edges


def integral(wavelength, flux):
    lower, upper = pixel_edges(wavelength)
    return np.sum(flux * (upper - lower))


@pytest.mark.parametrize("step", [0.4, 1.0, 1.7, 3.3])
def test_flux_as_specutils(step, rng):
    wavelength = np.cumsum(rng.uniform(0.9, 1.1, 300)) + 5000
    target = np.arange(5010.0, 5280.0, step)
    flux = rng.normal(10, 1, 300)
    ours = Resampler.between(wavelength, target)(flux)[0]
    spectrum = Spectrum(flux=flux * u.one, spectral_axis=wavelength * u.AA)
    theirs = FluxConservingResampler()(spectrum, target * u.AA).flux.value
    np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_linear_as_specutils(rng):
    wavelength = np.cumsum(rng.uniform(0.9, 1.1, 300)) + 5000
    target = np.arange(5010.0, 5280.0, 0.7)
    flux = rng.normal(10, 1, 300)
    ours = Resampler.between(wavelength, target, method="linear")(flux)[0]
    spectrum = Spectrum(flux=flux * u.one, spectral_axis=wavelength * u.AA)
    theirs = LinearInterpolatedResampler()(spectrum, target * u.AA).flux.value
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_variance_of_whole_pixels_is_analytic():
    wavelength, variance = np.arange(12.0), np.arange(1.0, 13.0)
    target = np.array([1.0, 4.0, 7.0])  # the mean of three pixels each
    out = Resampler.between(wavelength, target)(np.ones(12), variance)[1]
    sums = [variance[3 * k : 3 * k + 3].sum() / 9 for k in range(3)]
    np.testing.assert_allclose(out, sums, rtol=1e-14)


@pytest.mark.parametrize("method", ["linear", "flux_conserving"])
def test_variance_by_monte_carlo(method, rng):
    wavelength = 5000 + np.arange(40) * 0.83
    target = 5003 + np.arange(20) * 1.21
    way = Resampler.between(wavelength, target, method=method)
    good = rng.random(40) > 0.15
    sigma = rng.uniform(0.5, 2, 40)
    draws = [way(sigma * rng.normal(size=40), None, good)[0] for _ in range(6000)]
    _, variance, fraction = way(np.zeros(40), sigma**2, good)
    use = fraction > 0.5
    np.testing.assert_allclose(np.var(draws, axis=0)[use], variance[use], rtol=0.1)


@settings(max_examples=40, deadline=None)
@given(
    offset=st.floats(-0.49, 0.49),
    step=st.floats(0.3, 3.0),
    seed=st.integers(0, 1000),
)
def test_flux_is_conserved(offset, step, seed):
    rng = np.random.default_rng(seed)
    wavelength = np.arange(100.0)
    flux = np.zeros(100)
    flux[20:80] = rng.uniform(0, 5, 60)
    target = np.arange(5 + offset, 95, step)
    out = Resampler.between(wavelength, target)(flux)[0]
    assert integral(target, out) == pytest.approx(integral(wavelength, flux), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(n_in=st.integers(2, 40), n_out=st.integers(2, 40), seed=st.integers(0, 10_000))
@example(n_in=2, n_out=3, seed=149)  # the last pixel of the target is the widest
def test_as_the_matrix_of_all_overlaps(n_in, n_out, seed):
    """Gaps in either grid, pixels of any width, ends that stick out, bad pixels."""
    rng = np.random.default_rng(seed)
    source, target = (
        np.cumsum(rng.uniform(0.3, 1.2, n) + 4 * (rng.random(n) < 0.1))
        + rng.uniform(0, 9)
        for n in (n_in, n_out)
    )
    flux, variance = rng.normal(size=n_in), rng.uniform(1, 2, n_in)
    good = rng.random(n_in) > 0.2
    (low, high), (left, right) = pixel_edges(source), pixel_edges(target)
    ends = np.minimum.outer(right, high), np.maximum.outer(left, low)
    weights = np.maximum(ends[0] - ends[1], 0.0) * good
    total = weights.sum(axis=1)
    out, spread, fraction = Resampler.between(source, target)(flux, variance, good)
    np.testing.assert_allclose(fraction, total / (right - left), atol=1e-12)
    use = total > 1e-3
    np.testing.assert_allclose(out[use], (weights @ flux)[use] / total[use], atol=1e-9)
    expected = (weights**2 @ variance)[use] / total[use] ** 2
    np.testing.assert_allclose(spread[use], expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["linear", "flux_conserving"])
def test_own_grid_is_identity(method, rng):
    wavelength = np.cumsum(rng.uniform(0.5, 1.5, 200)) + 4000
    flux, variance = rng.normal(size=200), rng.uniform(1, 2, 200)
    good = rng.random(200) > 0.1
    way = Resampler.between(wavelength, wavelength, method=method)
    assert way.plan is None
    out, spread, fraction = way(flux, variance, good)
    np.testing.assert_array_equal(out, np.where(good, flux, 0))
    np.testing.assert_array_equal(spread[good], variance[good])
    np.testing.assert_array_equal(fraction, good)


def test_harps_product_is_cropped_without_interpolation(rng):
    grid = get_grid("harps_327680")
    wavelength = 3781.73 + 0.01 * np.arange(313_131)
    way = Resampler.between(wavelength, grid)
    assert way.plan is None
    flux = rng.normal(size=313_131)
    out = way(flux)[0]
    np.testing.assert_array_equal(out[7589:159_453], flux[327 : 327 + 151_864])
    assert not out[~grid.valid].any()


def test_apstar_is_cropped_to_the_chips():
    grid = get_grid("apogee_7214")
    full = get_grid("apogee_8575").wavelength
    way = Resampler.between(full, grid)
    assert way.plan is None
    index = np.concatenate([np.arange(a, b) for a, b in [(322, 3242), (3648, 6048)]])
    np.testing.assert_array_equal(way(np.arange(8575.0))[0][: len(index)], index)


def test_a_hundredth_of_a_pixel_is_not_aligned():
    wavelength = np.arange(50.0)
    assert Resampler.between(wavelength, wavelength[5:20] + 0.01).plan is not None


@pytest.mark.parametrize("method", ["linear", "flux_conserving"])
def test_nothing_is_invented_in_a_gap(method):
    wavelength = np.concatenate([np.arange(0.0, 20), np.arange(40.0, 60)])
    target = np.arange(0.3, 59)
    way = Resampler.between(wavelength, target, method=method)
    in_gap = (target > 20.1) & (target < 38.9)
    assert not way.coverage[in_gap].any()
    assert way.coverage[(target < 18.5)].min() > 0.99


def test_outside_nothing_is_covered():
    way = Resampler.between(np.arange(10.0), np.arange(20.0, 30.0))
    assert not way.coverage.any()
    assert np.isnan(way(np.ones(10), np.ones(10))[1]).all()


def test_unknown_method():
    with pytest.raises(ValueError, match="'spline'"):
        Resampler.between(np.arange(3.0), np.arange(3.0), method="spline")


def test_one_pixel_has_no_edges():
    with pytest.raises(ValueError, match="two or more"):
        pixel_edges([5000.0])


@pytest.mark.parametrize("least", [0.2, 0.25, 0.5, 0.6, 0.75, 1.0])
def test_a_pixel_is_valid_if_enough_of_it_is(make_star, least):
    """Each output pixel is four input pixels, of which 0 to 4 are good, in turn."""
    n_pixels = 50
    grid = SpectralGrid(
        name="coarse", spacing="linear", start=5000.0, step=1.0, n_pixels=n_pixels,
        medium="vacuum", frame="rest", segments=((0, n_pixels),), resolving_power=22500,
    )  # fmt: skip
    n_good = np.arange(n_pixels) % 5
    star = make_star(
        wavelength=4999.625 + 0.25 * np.arange(4 * n_pixels),
        mask=(np.arange(4) >= n_good[:, None]).ravel(),
    )
    step = {"step": "resample", "method": "flux_conserving", "min_good": least}
    recipe = Recipe.from_dict({"steps": [step]})
    prepared = prepare_spectra([star], grid, recipe)
    expected = np.isin(n_good, [n for n in range(1, 5) if n / 4 >= least])
    np.testing.assert_array_equal(prepared.valid[0], expected)
