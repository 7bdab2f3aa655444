# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Lines in wide windows, and two stars in one spectrum, on planted spectra."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.models.layers.line_windows import divide_by_line, keep_from_gaps
from astro_latent.models.layers.second_star import broadening_function, second_share

N, LIMIT = 6000, 66


@given(st.integers(10, 60), st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_line_is_that_of_least_squares_over_the_valid_pixels(half, seed):
    rng = np.random.default_rng(seed)
    flux = 2.0 + 0.002 * np.arange(300) + rng.normal(0.0, 0.1, 300)
    valid = rng.random(300) > 0.2
    lines, known = divide_by_line(
        torch.from_numpy(flux)[None], torch.from_numpy(valid)[None], 2 * half
    )
    assert torch.equal(known[0], torch.from_numpy(valid))
    for pixel in np.flatnonzero(valid)[[0, 40, 120, -1]]:
        window = np.arange(max(0, pixel - half), min(300, pixel + half + 1))
        window = window[valid[window]]
        line = np.polyval(np.polyfit(window, flux[window], 1), pixel)
        assert float(lines[0, pixel]) == pytest.approx(flux[pixel] / line - 1, abs=1e-6)


def test_a_slope_is_taken_away_and_a_wing_stays():
    pixel = np.arange(N)
    wing = 1.0 - 0.3 / (1.0 + ((pixel - 3000) / 60.0) ** 2)  # as of a Balmer line
    valid = torch.ones(1, N, dtype=torch.bool)
    tilted = torch.from_numpy((1.0 + 1e-4 * pixel) * wing)[None]
    straight, _ = divide_by_line(torch.from_numpy(wing)[None], valid, 1100)
    lines, _ = divide_by_line(tilted, valid, 1100)
    inside = slice(1000, 5000)
    assert float((lines - straight)[0, inside].abs().max()) < 0.01
    narrow, _ = divide_by_line(torch.from_numpy(wing)[None], valid, 104)
    at = 3000 + 100  # in the wing
    true = wing[at] / wing[3500] - 1
    assert float(straight[0, at] - straight[0, 3500]) == pytest.approx(true, abs=0.02)
    assert abs(float(narrow[0, at])) < 0.2 * abs(true)


def test_pixels_beside_a_gap_do_not_count():
    valid = torch.ones(1, 40, dtype=torch.bool)
    valid[0, 20] = False
    kept = keep_from_gaps(valid, 5)[0]
    assert (~kept).nonzero()[:, 0].tolist() == list(range(15, 26))


@pytest.fixture(scope="module")
def template():
    """Lines of a star without rotation, on pixels of equal velocity."""
    rng = np.random.default_rng(3)
    pixel = np.arange(N)
    lines = np.zeros(N)
    for centre, depth in zip(
        rng.uniform(0, N, 700), rng.uniform(0.05, 0.6, 700), strict=True
    ):
        lines -= depth * np.exp(-0.5 * ((pixel - centre) / 1.3) ** 2)
    return lines - lines.mean()


def observe(template, parts, *, noise=0.01, seed=0):
    """Lines of stars at (pixel, share, half width), with noise."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(0.0, noise, N)
    for shift, share, half in parts:
        kernel = np.sqrt(
            np.clip(1.0 - (np.arange(-40, 41) / max(half, 0.6)) ** 2, 0, None)
        )
        broad = np.convolve(template, kernel / kernel.sum(), "same")
        seen += share * np.roll(broad, shift)
    return torch.from_numpy(seen)[None]


def share_of(template, lines, valid=None):
    valid = torch.ones_like(lines, dtype=torch.bool) if valid is None else valid
    function = broadening_function(
        torch.where(valid, lines, 0.0), valid, torch.from_numpy(template), LIMIT
    )
    return function, float(second_share(function))


def test_the_broadening_function_is_the_shift_and_the_width_that_were_planted(template):
    function, _ = share_of(template, observe(template, [(7, 1.0, 9)]))
    lag = np.arange(-LIMIT, LIMIT + 1)
    area = function[0].numpy().clip(0.0)
    assert np.sum(area * lag) / np.sum(area) == pytest.approx(7.0, abs=0.5)
    above = lag[area > 0.5 * area.max()]
    assert above[0] == pytest.approx(7 - 9 * 0.87, abs=1.5)
    assert above[-1] == pytest.approx(7 + 9 * 0.87, abs=1.5)


@pytest.mark.parametrize("half", [1, 4, 10, 18])
@pytest.mark.parametrize("noise", [0.002, 0.05])
def test_single_stars_are_single_however_fast_they_rotate(template, half, noise):
    shares = [
        share_of(template, observe(template, [(0, 1.0, half)], noise=noise, seed=seed))[
            1
        ]
        for seed in range(12)
    ]
    assert max(shares) < 0.025


@pytest.mark.parametrize("shift", [6, -9, 30, -55])
@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 6), (8, 1)])
def test_second_stars_are_seen(template, shift, first, second):
    if abs(shift) < first + second:
        pytest.skip("their lines touch")
    lines = observe(template, [(0, 0.8, first), (shift, 0.2, second)])
    found = share_of(template, lines)[1]
    assert found > 0.05  # or the share of the broad one, where the narrow is higher


def test_gaps_make_no_second_star(template):
    lines = observe(template, [(0, 1.0, 2)])
    valid = torch.ones_like(lines, dtype=torch.bool)
    valid[:, 1000:2500] = False
    assert share_of(template, lines, valid)[1] < 0.025


def test_a_flat_spectrum_is_no_second_star():
    flat = torch.zeros(2, 2 * LIMIT + 1, dtype=torch.float64)
    assert float(second_share(flat).max()) <= 0.0
