# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Estimators of mutual information: against other code, tables and exact values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from astro_latent.latent import (
    PUBLISHED_BINNINGS,
    histogram_information,
    neighbour_information,
    permuted_information,
)

#: Plug-in estimates at n = 4,061: independent normals, and correlation 0.9.
INDEPENDENT = dict(
    zip(PUBLISHED_BINNINGS, (0.0018, 0.010, 0.038, 0.125, 0.408, 1.075), strict=True)
)
CORRELATED = dict(
    zip(PUBLISHED_BINNINGS, (0.46, 0.68, 0.81, 0.87, 1.03, 1.43), strict=True)
)
N_LABELLED = 4061


def gaussian_pair(rng, rho, n):
    x, noise = rng.normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


def gaussian_information(rho):
    return -0.5 * np.log(1 - rho**2)


@pytest.mark.parametrize("n_bins", PUBLISHED_BINNINGS)
@pytest.mark.parametrize("n", [50, 4061])
def test_agrees_with_numpy_histogram_and_sklearn(rng, n_bins, n):
    x, y = gaussian_pair(rng, 0.6, n)
    counts, _, _ = np.histogram2d(x, y, bins=n_bins)
    truth = mutual_info_score(None, None, contingency=counts.astype(int))
    found = histogram_information(x, y, n_bins=n_bins)
    assert found == pytest.approx(truth, abs=1e-10)


@pytest.mark.parametrize(("rho", "table"), [(0.0, INDEPENDENT), (0.9, CORRELATED)])
@pytest.mark.parametrize("n_bins", PUBLISHED_BINNINGS)
def test_bias_table_of_the_published_estimator(rng, rho, table, n_bins):
    draws = [
        histogram_information(*gaussian_pair(rng, rho, N_LABELLED), n_bins=n_bins)
        for _ in range(40)
    ]
    # The table holds single draws, rounded: it must be one that these could be.
    rounding = 0.005 if rho else 0.0005
    assert table[n_bins] == pytest.approx(
        np.mean(draws), abs=4 * np.std(draws, ddof=1) + rounding
    )


def test_miller_madow_removes_the_first_order_bias_of_independent_data(rng):
    # With every cell well filled the bias is (B - 1)^2 / (2 n): 0.0045 here.
    x, y = rng.uniform(size=(2, 300, 1000))
    plain = [histogram_information(a, b, n_bins=4) for a, b in zip(x, y, strict=True)]
    corrected = [
        histogram_information(a, b, n_bins=4, correction="miller-madow")
        for a, b in zip(x, y, strict=True)
    ]
    error = np.std(plain) / np.sqrt(300)
    assert np.mean(plain) == pytest.approx(9 / 2000, abs=4 * error)
    assert np.mean(corrected) == pytest.approx(0, abs=4 * error)


def test_miller_madow_is_better_but_not_enough_with_many_bins(rng):
    x, y = gaussian_pair(rng, 0.0, N_LABELLED)
    plain = histogram_information(x, y, n_bins=160)
    corrected = histogram_information(x, y, n_bins=160, correction="miller-madow")
    assert 0.3 < corrected < plain - 0.2


@pytest.mark.parametrize("n_bins", PUBLISHED_BINNINGS)
def test_permutations_reproduce_the_bias(rng, n_bins):
    x, y = gaussian_pair(rng, 0.9, N_LABELLED)
    null = permuted_information(x, y, n_bins=n_bins, n_permutations=30, rng=rng)
    assert null.shape == (30, 1)
    independent = [
        histogram_information(*gaussian_pair(rng, 0.0, N_LABELLED), n_bins=n_bins)
        for _ in range(30)
    ]
    scatter = np.hypot(np.std(null), np.std(independent))
    assert null.mean() == pytest.approx(np.mean(independent), abs=4 * scatter)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.99])
def test_neighbours_reach_the_exact_value_of_gaussians(rng, rho):
    draws = [
        neighbour_information(*gaussian_pair(rng, rho, 2000), rng=rng) for _ in range(6)
    ]
    # Kraskov et al. (2004), figure 4: no bias seen; estimates below 0 are cut to 0.
    allowed = 4 * np.std(draws, ddof=1) / np.sqrt(6) + 0.02
    assert np.mean(draws) == pytest.approx(gaussian_information(rho), abs=allowed)


def test_one_to_one_map_has_the_entropy_of_the_bins():
    x = np.arange(1000.0)
    for n_bins in (2, 5, 10):
        information = histogram_information(x, -x, n_bins=n_bins)
        assert information == pytest.approx(np.log(n_bins), abs=1e-12)


def test_constant_says_nothing(rng):
    x = rng.normal(size=100)
    assert histogram_information(np.full(100, 7.0), x, n_bins=20) == 0
    assert histogram_information(x, np.full(100, 7.0), n_bins=20) == 0


def test_many_nodes_at_once_are_each_alone(rng):
    x, y = rng.normal(size=(700, 23)), rng.normal(size=700)
    for n_bins in (5, 160):  # one chunk, and chunks of ten nodes
        together = histogram_information(x, y, n_bins=n_bins)
        alone = [histogram_information(node, y, n_bins=n_bins) for node in x.T]
        np.testing.assert_allclose(together, alone, atol=1e-13)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 8, 30]),
    st.floats(0.01, 100),
    st.floats(-1000, 1000),
    st.sampled_from([1, -1]),
)
def test_affine_maps_symmetry_and_bounds(seed, n_bins, factor, shift, sign):
    x, y = gaussian_pair(np.random.default_rng(seed), 0.5, 200)
    information = histogram_information(x, y, n_bins=n_bins)
    moved = histogram_information(sign * factor * x + shift, y, n_bins=n_bins)
    swapped = histogram_information(y, x, n_bins=n_bins)
    assert moved == pytest.approx(float(information), abs=1e-9)
    assert swapped == pytest.approx(float(information), abs=1e-12)
    assert 0 <= information <= np.log(n_bins)


@given(st.integers(0, 2**32 - 1))
def test_order_of_the_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    x, y = gaussian_pair(rng, 0.5, 100)
    order = rng.permutation(100)
    assert histogram_information(x[order], y[order], n_bins=8) == pytest.approx(
        float(histogram_information(x, y, n_bins=8)), abs=1e-12
    )


@pytest.mark.parametrize(
    ("x", "y", "arguments", "message"),
    [
        (np.zeros(3), np.zeros(4), {}, r"x has shape \(3,\) and y \(4,\)"),
        (np.array([0, np.nan]), np.zeros(2), {}, "must be finite"),
        (np.zeros(3), np.zeros(3), {"n_bins": 1}, "at least 2, not 1"),
        (np.zeros(3), np.zeros(3), {"correction": "jackknife"}, "not 'jackknife'"),
    ],
)
def test_wrong_arguments_are_named(x, y, arguments, message):
    with pytest.raises(ValueError, match=message):
        histogram_information(x, y, **{"n_bins": 5, **arguments})
