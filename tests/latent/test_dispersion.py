# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The count by dispersion, on planted nodes and on published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, median_abs_deviation, norm

from astro_latent.latent import (
    find_gap,
    mean_deviation,
    measure_dispersion,
    median_deviation,
    prior_divergence,
)

# Read off the figures of Sedaghat et al. (2021): node -> dispersion.
PUBLISHED_MEDIAN = {11: 0.64, 19: 0.11, 58: 0.033, 85: 0.56, 99: 0.67, 124: 0.435}
PUBLISHED_MEAN = {11: 0.785, 19: 0.315, 58: 0.11, 85: 0.74, 99: 0.745, 124: 0.64}


def two_points(dispersion, *, rest):
    """Means at plus and minus the wanted dispersion: both deviations are exact."""
    wanted = np.full(128, rest)
    wanted[list(dispersion)] = list(dispersion.values())
    return np.concatenate([wanted * np.ones((50, 1)), -wanted * np.ones((50, 1))])


def test_unit_normal_gives_the_published_ceilings(rng):
    mean = rng.normal(size=(200_000, 1))
    # standard errors: 0.0018 and 0.0014 / ... of the deviations at this size
    assert median_deviation(mean)[0] == pytest.approx(norm.ppf(0.75), abs=0.008)
    assert mean_deviation(mean)[0] == pytest.approx(np.sqrt(2 / np.pi), abs=0.006)
    assert measure_dispersion(mean).occupancy[0] == pytest.approx(1, abs=0.012)


def test_median_deviation_agrees_with_scipy(rng):
    mean = rng.standard_cauchy(size=(301, 7))
    np.testing.assert_allclose(
        median_deviation(mean), median_abs_deviation(mean, scale=1.0)
    )


def test_published_thresholds_give_the_published_nodes():
    by_median = measure_dispersion(two_points(PUBLISHED_MEDIAN, rest=0.01))
    assert sorted(by_median.nodes) == [11, 19, 58, 85, 99, 124]
    assert by_median.nodes[0] == 99  # the most dispersed comes first
    by_mean = measure_dispersion(
        two_points(PUBLISHED_MEAN, rest=0.015), statistic="mean"
    )
    assert sorted(by_mean.nodes) == [11, 19, 85, 99, 124]


def test_gap_in_the_published_values_is_where_the_notes_say():
    threshold, ratio = find_gap(mean_deviation(two_points(PUBLISHED_MEAN, rest=0.015)))
    assert ratio == pytest.approx(0.11 / 0.015)
    assert threshold == pytest.approx(np.sqrt(0.11 * 0.015))
    result = measure_dispersion(
        two_points(PUBLISHED_MEDIAN, rest=0.01), threshold="gap"
    )
    assert result.count == 4


def test_six_planted_nodes_among_collapsed_ones_are_recovered(rng):
    planted = [3, 40, 41, 77, 100, 127]
    mean = rng.uniform(-0.02, 0.02, size=(3000, 128))
    mean[:, planted] = rng.normal(size=(3000, 6)) * [0.06, 0.2, 0.5, 0.8, 1, 1]
    sigma = np.full(mean.shape, 1.0)
    sigma[:, planted] = 0.2
    for arguments in (
        {"threshold": 0.02},
        {"threshold": "published"},
        {"threshold": "gap"},
        {"threshold": "gap", "statistic": "divergence"},
        {"threshold": 0.01, "statistic": "divergence"},
    ):
        result = measure_dispersion(
            mean, sigma=sigma, n_bootstrap=20, rng=rng, **arguments
        )
        assert sorted(result.nodes) == planted, arguments
        assert result.count_interval == (6, 6)
        assert set(result.frequency[planted]) == {1.0}


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (1.3, 0.4), (-0.2, 2.5)])
def test_divergence_agrees_with_the_integral(mean, sigma):
    posterior = norm(mean, sigma)

    def integrand(z):
        return posterior.pdf(z) * (posterior.logpdf(z) - norm.logpdf(z))

    truth, _ = quad(integrand, mean - 12 * sigma, mean + 12 * sigma)
    assert prior_divergence([[mean]], [[sigma]])[0] == pytest.approx(truth, abs=1e-8)


def test_bootstrap_by_star_knows_that_repeats_are_not_new_stars(rng):
    # Twelve stars, a hundred spectra each; only a star's own value moves the node.
    own = rng.normal(0, 0.03, size=12)
    mean = (np.repeat(own, 100) + rng.normal(0, 1e-4, 1200))[:, None]
    star = np.repeat(np.arange(12), 100)
    common = {"threshold": 1.1 * median_deviation(mean)[0], "n_bootstrap": 200}
    by_star = measure_dispersion(mean, star=star, rng=1, **common)
    by_spectrum = measure_dispersion(mean, rng=1, **common)
    assert (by_star.n_stars, by_spectrum.n_stars) == (12, 1200)
    assert 0.1 < by_star.frequency[0] < 0.9
    assert by_star.frequency[0] > by_spectrum.frequency[0]
    assert by_star.count_interval == (0, 1)


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_interval_of_the_count_is_binomial(rng, confidence):
    """Nodes at the threshold that know nothing of each other are coins."""
    n_spectra, n_nodes = 500, 64
    noise = rng.normal(size=(n_spectra, n_nodes + 1))
    noise[:, 0] = 1  # columns orthogonal to a constant have no mean
    columns = np.linalg.qr(noise)[0][:, 1:] * np.sqrt(n_spectra)
    divergence = 1 + 0.1 * columns  # mean 1, resampled means uncorrelated
    result = measure_dispersion(
        np.sqrt(2 * divergence), sigma=np.ones(columns.shape), statistic="divergence",
        threshold=1.0, n_bootstrap=1000, confidence=confidence, rng=3,
    )  # fmt: skip
    low, high = binom(n_nodes, 0.5).interval(confidence)
    np.testing.assert_allclose(result.count_interval, (low, high), atol=1)


def test_rows_of_flagged_spectra_are_left_out(rng):
    mean = rng.normal(size=(100, 4)).astype(np.float32)
    spoilt = np.vstack([mean, np.full((3, 4), np.nan, dtype=np.float32)])
    result = measure_dispersion(spoilt, sigma=np.ones_like(spoilt))
    assert result.n_spectra == 100
    np.testing.assert_allclose(result.median_deviation, median_deviation(mean))
    assert np.isfinite(result.divergence).all()


def test_table_repeats_the_result(rng):
    mean = rng.normal(size=(100, 4)) * [1, 1, 0.001, 0.001]
    result = measure_dispersion(mean, n_bootstrap=5, rng=rng)
    table = result.to_table()
    assert table["node"][table["informative"]].tolist() == [0, 1]
    assert table.meta["count"] == 2
    assert table.meta["threshold"] == 0.02
    assert np.isnan(table["divergence"]).all()  # no sigma was given
    assert table["frequency"].tolist() == [1, 1, 0, 0]


def test_same_seed_same_interval(rng):
    mean = rng.normal(0, 0.03, size=(50, 20))
    first, second = (measure_dispersion(mean, n_bootstrap=30, rng=4) for _ in range(2))
    assert first.count_interval == second.count_interval
    np.testing.assert_array_equal(first.frequency, second.frequency)


@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=30),
    st.floats(-100, 100),
    st.floats(-10, 10),
)
def test_deviations_scale_and_do_not_shift(column, shift, factor):
    mean = np.array(column)[:, None]
    for deviation in (median_deviation, mean_deviation):
        np.testing.assert_allclose(
            deviation(shift + factor * mean),
            abs(factor) * deviation(mean),
            atol=1e-10,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": np.zeros(5)}, r"shape \(n_spectra, n_latent\), not \(5,\)"),
        ({"statistic": "variance"}, "not 'variance'"),
        ({"statistic": "divergence"}, "needs sigma"),
        ({"threshold": "auto"}, "'published' or 'gap', not 'auto'"),
        ({"sigma": np.ones((5, 3))}, r"sigma \(5, 3\)"),
        ({"sigma": np.zeros((5, 2))}, "smallest value is 0.0"),
        ({"star": ["a"]}, "1 star names for 5 spectra"),
        ({"mean": np.full((5, 2), np.nan)}, "none of the 5 rows"),
        (
            {"sigma": np.ones((5, 2)), "statistic": "divergence"},
            "no threshold was published",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    arguments = {"mean": np.zeros((5, 2)), **arguments}
    with pytest.raises(ValueError, match=message):
        measure_dispersion(**arguments)


def test_gap_needs_two_nodes():
    with pytest.raises(ValueError, match="at least two nodes, not 1"):
        find_gap([0.5])
