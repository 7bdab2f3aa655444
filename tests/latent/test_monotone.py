# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Monotone ranges: curves whose turning points are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from astro_latent.latent import find_monotone_range


def test_velocity_node_like_the_published_one_folds_on_both_sides(rng):
    # Falls between its turning points at -25 and +45 km/s, back to zero beyond.
    velocity = rng.uniform(-150, 150, 6000)
    offset = (velocity - 10) / 35
    node = -4.7 * offset * np.exp(-(offset**2) / 2) + 0.1 * rng.normal(size=6000)
    found = find_monotone_range(node, velocity)
    bin_width = 300 / 40
    assert found.low == pytest.approx(-25, abs=bin_width)
    assert found.high == pytest.approx(45, abs=bin_width)
    assert found.direction == -1
    assert found.folds_below
    assert found.folds_above
    assert found.spearman < -0.98
    assert abs(spearmanr(node, velocity)[0]) < 0.9  # over everything it looks poor
    assert found.messages[0].startswith("the node folds back below -2")


def test_temperature_node_like_the_published_one_saturates(rng):
    teff = rng.uniform(3200, 30000, 6000)
    node = np.interp(teff, [3200, 10_000, 30_000], [2.3, -2.0, -2.05])
    found = find_monotone_range(node + 0.05 * rng.normal(size=6000), teff)
    assert found.saturates_above
    assert not found.saturates_below
    assert (found.folds_below, found.folds_above) == (False, False)
    assert found.low == teff.min()
    # the last 5 % of the swing begin at 9,660 K
    assert found.high == pytest.approx(9660, abs=2 * 26_800 / 40)
    assert found.messages == (f"the node saturates above {found.high:.4g}",)


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("slope", [2.0, -0.01])
def test_straight_line_has_no_warning_and_the_full_range(rng, noise, slope):
    label = rng.normal(size=3000)
    node = slope * (label + noise * rng.normal(size=3000))
    found = find_monotone_range(node, label)
    assert found.messages == ()
    assert (found.low, found.high) == (label.min(), label.max())
    assert found.direction == np.sign(slope)
    assert found.spearman == pytest.approx(spearmanr(node, label)[0])
    assert found.n_inside == found.n_used == 3000


def test_unrelated_node_follows_nothing(rng):
    for _ in range(50):
        found = find_monotone_range(*rng.normal(size=(2, 800)))
        assert found.direction == 0
        assert np.isnan([found.low, found.high, found.spearman]).all()
        assert found.n_inside == 0
        assert found.messages == ("the node does not follow the label",)
        assert not found.contains([0.0]).any()


def test_constant_node_follows_nothing():
    assert find_monotone_range(np.zeros(400), np.arange(400.0)).direction == 0


def test_parabola_keeps_its_longer_branch():
    label = np.linspace(-1, 3, 2000)
    found = find_monotone_range(label**2, label)
    assert found.low == pytest.approx(0, abs=4 / 40)
    assert found.high == 3
    assert (found.direction, found.folds_below, found.folds_above) == (1, True, False)


def test_contains_excludes_the_fold_and_nan():
    label = np.linspace(-1, 3, 2000)
    found = find_monotone_range(label**2, label)
    assert found.contains([-0.5, 1.0, np.nan, 3.0, 4.0]).tolist() == [
        False, True, False, True, False,
    ]  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-100, 100))
def test_units_and_sign_of_either_axis_do_not_matter(seed, factor, shift):
    rng = np.random.default_rng(seed)
    label = rng.uniform(-2, 2, 880)  # 22 bins of 40, which mirror onto each other
    node = np.sin(1.5 * label) + 0.1 * rng.normal(size=880)
    found = find_monotone_range(node, label)
    scaled = find_monotone_range(shift + factor * node, shift + factor * label)
    assert scaled.low == pytest.approx(shift + factor * found.low, abs=1e-6)
    assert scaled.high == pytest.approx(shift + factor * found.high, abs=1e-6)
    mirrored = find_monotone_range(node, -label)
    assert mirrored.direction == -found.direction
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


def test_pairs_with_nan_are_left_out(rng):
    label = rng.normal(size=500)
    node = label.copy()
    node[:50], label[50:60] = np.nan, np.nan
    assert find_monotone_range(node, label).n_used == 440


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"node has shape \(3,\) and label \(4,\)"):
        find_monotone_range(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="20 spectra are too few for 8 bins"):
        find_monotone_range(np.zeros(20), np.zeros(20))
