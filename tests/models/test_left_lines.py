# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Lines that a decoder leaves: a second star is found, errors of the first are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from astro_latent.models.left_lines import lopsided_share

STEP = 3.0  # km/s
WAVELENGTH = 4400.0 * np.exp(np.arange(40000) * STEP / 299_792.458 / 2.0)  # half pixels


def star(seed, width=3.0):
    """A spectrum of 700 lines, of a width in pixels."""
    rng = np.random.default_rng(seed)
    lines = np.zeros(len(WAVELENGTH))
    lines[rng.integers(0, len(lines), 700)] = rng.uniform(1.0, 4.0, 700)
    return 1.0 - gaussian_filter1d(lines, 2.0 * width) / 1.5


def shifted(flux, velocity):
    return np.interp(WAVELENGTH, WAVELENGTH * (1 + velocity / 299_792.458), flux)


@settings(max_examples=15, deadline=None)
@given(
    ratio=st.floats(0.2, 1.0),
    velocity=st.floats(20.0, 190.0),
    sign=st.sampled_from([-1, 1]),
)
def test_a_like_star_counts_by_its_light(ratio, velocity, sign):
    one = star(1)
    both = (one + ratio * shifted(one, sign * velocity)) / (1 + ratio)
    share = lopsided_share(WAVELENGTH, both, 1 + (one - 1) / (1 + ratio))
    assert share == pytest.approx(ratio, rel=0.35)


@settings(max_examples=15, deadline=None)
@given(
    depth=st.floats(0.7, 1.3), width=st.floats(2.0, 8.0), noise=st.floats(0.0, 0.1),
    ripple=st.floats(0.0, 0.1), seed=st.integers(0, 99),
)  # fmt: skip
def test_what_a_decoder_gets_wrong_about_one_star_is_no_other(
    depth, width, noise, ripple, seed
):
    """Wrong depths, widths, ripples and noise are the same on both sides."""
    rng = np.random.default_rng(seed)
    seen = star(seed, width) * (1 + ripple * np.sin(WAVELENGTH / 20.0))
    seen += rng.normal(0.0, noise, len(seen))
    rebuilt = 1 + depth * (star(seed, 3.0) - 1)
    assert lopsided_share(WAVELENGTH, seen, rebuilt) < 0.01


def test_lines_that_the_decoder_lacks_are_no_second_star():
    one = star(3)
    assert lopsided_share(WAVELENGTH, one + star(4) - 1, one) < 0.02


def test_nothing_is_said_of_short_spectra_or_without_lines():
    few = slice(1500)
    assert np.isnan(lopsided_share(WAVELENGTH[few], star(1)[few], star(1)[few]))
    flat = np.ones(len(WAVELENGTH))
    assert np.isnan(lopsided_share(WAVELENGTH, star(1), flat))
