# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The census of informative and unexplained nodes, with planted answers."""

import numpy as np
import pytest

from astro_latent.latent import take_census
from astro_latent.latent.census_steps import follow_labels

N_STARS = 600
#: Nodes of the planted sample, by what they are.
LIVE, EXPLAINED, NOISY, SILENT = [0, 1, 2, 3, 4, 5], [0, 1], [6], [7, 8, 9]


def plant(seed):
    """Two spectra of each star; six live nodes, of which labels explain two.

    Node 0 follows the velocity, node 1 a label that it folds back over, node 2 a label
    with so much noise that it explains two fifths; 3 to 5 follow nothing. Node 6 is
    as wide as the live ones, and another value for each spectrum. 7 to 9 are silent.
    """
    rng = np.random.default_rng(seed)
    star = rng.normal(size=(N_STARS, 10))
    labels = {
        "velocity": 20 * star[:, 0] + rng.normal(size=N_STARS),
        "folded": np.sign(rng.normal(size=N_STARS)) * np.exp(0.3 * star[:, 1]),
        "vague": star[:, 2] + 1.2 * rng.normal(size=N_STARS),
        "unrelated": rng.normal(size=N_STARS),
    }
    seen = np.repeat(star, 2, axis=0) + 0.05 * rng.normal(size=(2 * N_STARS, 10))
    seen[:, NOISY] = rng.normal(size=(2 * N_STARS, 1))
    seen[:, SILENT] *= 1e-3
    names = np.repeat([f"star {i}" for i in range(N_STARS)], 2)
    return seen, {k: np.repeat(v, 2) for k, v in labels.items()}, names.tolist()


@pytest.fixture(scope="module")
def census():
    seen, labels, star = plant(3)
    return take_census(
        seen, labels, star=star, groups={"star": range(7), "shape": SILENT},
        n_permutations=99, n_bootstrap=10, rng=4,
    )  # fmt: skip


def test_planted_nodes_are_counted(census):
    assert np.flatnonzero(census.by_dispersion).tolist() == LIVE
    assert np.flatnonzero(census.explained).tolist() == EXPLAINED
    assert np.flatnonzero(census.unexplained).tolist() == [2, 3, 4, 5]
    assert census.count("unexplained")[0] == 4  # six less two
    assert np.array(census.label)[:3].tolist() == ["velocity", "folded", "vague"]


def test_strong_labels_are_followed(census):
    assert np.flatnonzero(census.by_information).tolist() == EXPLAINED


def test_a_label_explains_what_it_predicts(census):
    # y = x + 1.2 noise tells 1 / 2.44 of the variance of x
    assert census.share[2] == pytest.approx(1 / 2.44, abs=0.1)
    assert census.share[0] > 0.95
    assert census.share[3:].max() < 0.05


def test_spread_that_does_not_repeat_is_not_informative(census):
    assert census.dispersion[6] > 0.5
    assert census.p_repeat[6] > 0.02
    assert census.p_repeat[0] == 1 / 100


def test_without_repeats_spread_alone_decides():
    seen, labels, _ = plant(3)
    alone = take_census(
        seen[::2], {k: v[::2] for k, v in labels.items()}, n_permutations=29,
        n_bootstrap=0, rng=4,
    )  # fmt: skip
    assert np.flatnonzero(alone.by_dispersion).tolist() == LIVE + NOISY
    assert np.isnan(alone.p_repeat).all()
    assert alone.n_repeated == 0
    assert np.isnan(alone.count("by_dispersion")[1:]).all()
    assert np.isnan(alone.to_table()["by_dispersion_chance"][0])


def test_intervals_hold_the_planted_counts(census):
    for name, planted in (("by_dispersion", 6), ("explained", 2), ("unexplained", 4)):
        count, low, high = census.count(name)
        assert low <= planted <= high
        assert low <= count <= high
        assert high - low <= 1


def test_table_counts_groups_apart(census):
    table = census.to_table()
    assert table["group"].tolist() == ["all", "without shape", "star", "shape"]
    assert table["nodes"].tolist() == [10, 7, 7, 3]
    assert table["by_dispersion"].tolist() == [6, 6, 6, 0]
    left = table["by_dispersion"] - table["explained"]
    assert table["unexplained"].tolist() == left.tolist()
    # the level of significance is for any node: about one shuffle in a hundred
    assert table["by_dispersion_chance"][0] < 0.05
    assert table["by_information_chance"][0] < 0.05
    nodes = census.node_table()
    assert nodes["group"].tolist() == ["star"] * 7 + ["shape"] * 3


def test_stars_drawn_twice_are_no_information():
    rng = np.random.default_rng(8)
    latents = rng.normal(size=(200, 5))
    labels = {"unrelated": rng.normal(size=200)}
    found = 0
    for _ in range(10):
        drawn = rng.integers(200, size=200)
        following, _ = follow_labels(latents, labels, drawn, 50, level=0.01, rng=rng)
        found += following.sum()
    assert found <= 1  # of 50; drawn rows shuffled one by one would give nearly all


def test_bad_input_is_told():
    latents = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(ValueError, match="2 star names for 40 spectra"):
        take_census(latents, {"teff": latents[:, 0]}, star=["a", "b"])
    with pytest.raises(ValueError, match="20 stars with finite latents; 30 are needed"):
        take_census(latents[:20], {"teff": latents[:20, 0]})
    census = take_census(latents, {"teff": latents[:, 0]}, n_bootstrap=0)
    with pytest.raises(ValueError, match="not 'all'"):
        census.count("all")
    with pytest.raises(ValueError, match="nodes must be a list of indices"):
        take_census(latents, {"teff": latents[:, 0]}, groups={"star": [3]})
