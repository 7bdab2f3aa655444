"""Noise estimated from the flux alone."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.spectra import estimate_noise
from astro_latent.spectra.corrupt import find_zeros


@pytest.mark.parametrize("sigma", [1e-3, 1.0, 1e4])
def test_white_noise_on_a_slope(rng, sigma):
    flux = 1e3 * sigma + sigma * (rng.normal(0, 1, 50_000) + np.arange(50_000) / 100)
    np.testing.assert_allclose(estimate_noise(flux), sigma, rtol=0.2)
    assert np.median(estimate_noise(flux)) == pytest.approx(sigma, rel=0.02)


def test_noise_follows_the_flux(rng):
    truth = np.linspace(1, 5, 100_000)
    found = estimate_noise(rng.normal(100, truth))
    np.testing.assert_allclose(found, truth, rtol=0.25)


def test_masked_pixels_do_not_count(rng):
    flux = rng.normal(1, 0.01, 5000)
    flux[1000:3500] = rng.normal(1e6, 1e6, 2500)
    mask = np.zeros(5000, bool)
    mask[1000:3500] = True
    found = estimate_noise(flux, mask=mask)
    np.testing.assert_allclose(found, 0.01, rtol=0.3)


@pytest.mark.parametrize("size", [0, 3, 20])
def test_too_few_pixels(size):
    found = estimate_noise(np.ones(size))
    assert found.shape == (size,)
    assert np.isnan(found).all()


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-6, 1e6), size=st.integers(100, 5000))
def test_scales_with_the_flux(scale, size):
    flux = np.random.default_rng(3).normal(5, 1, size)
    one, other = estimate_noise(flux), estimate_noise(flux * scale)
    np.testing.assert_allclose(other, one * scale, rtol=1e-3)
    assert one.shape == (size,)


@given(st.lists(st.sampled_from([0.0, 1.0, -2.0]), min_size=1, max_size=40))
def test_whole_numbers_may_be_zero_but_not_thrice_in_a_row(values):
    found = find_zeros(np.array(values))
    text = "".join("0" if value == 0 else "x" for value in values)
    runs = [match.span() for match in re.finditer("0{3,}", text)]
    expected = np.zeros(len(values), dtype=bool)
    for first, last in runs:
        expected[first:last] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("place", [0, 1, 64, 999])
def test_a_single_fraction_tells_that_zeros_are_no_counts(place):
    flux = np.full(1000, 3.0)
    flux[500] = 0.0
    assert not find_zeros(flux).any()
    flux[place] = 2.5
    np.testing.assert_array_equal(np.flatnonzero(find_zeros(flux)), [500])


@given(st.lists(st.sampled_from([0.0, 1.5, -0.2]), min_size=1, max_size=40))
def test_no_fraction_is_exactly_zero(values):
    flux = np.array([*values, 0.25])
    np.testing.assert_array_equal(find_zeros(flux), flux == 0)
