# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Probes: planted relations, stars kept apart, rows joined by identifier."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from scipy.stats import norm

from astro_latent.latent import align_labels, fit_probes, one_per_star, probe_table


def named(n):
    return [f"spectrum {i}" for i in range(n)]


def fit(latents, labels, *, star=None, **options):
    names = named(len(latents))
    return fit_probes(
        latents,
        labels,
        latent_id=names,
        label_id=names,
        star=names if star is None else star,
        **{"n_bootstrap": 200, "rng": 1, **options},
    )


def test_linear_probe_reaches_the_planted_noise(rng):
    latents = rng.normal(size=(1500, 6))
    label = 5500 + latents @ [300, -100, 0, 0, 50, 0] + 40 * rng.normal(size=1500)
    probe = fit(latents, {"teff": label}, confidence=0.999)["teff"]
    value, low, high = probe.scores["rmse"]
    assert low < 40 < high
    assert high - low == pytest.approx(2 * 3.29 * 40 / np.sqrt(2 * 1500), rel=0.4)
    assert value == pytest.approx(np.sqrt(np.mean((probe.predicted - label) ** 2)))
    assert probe.scores["mae"][0] == pytest.approx(40 * np.sqrt(2 / np.pi), rel=0.08)
    assert probe.scores["scatter"][0] == pytest.approx(40, rel=0.1)
    signal = 300**2 + 100**2 + 50**2
    assert probe.scores["r2"][0] == pytest.approx(signal / (signal + 1600), abs=0.01)
    assert abs(probe.scores["bias"][0]) < 5
    # a constant leaves the whole spread
    assert probe.scores["mae_constant"][0] == pytest.approx(
        np.sqrt(2 / np.pi) * np.sqrt(signal + 1600), rel=0.08
    )


@pytest.mark.parametrize("confidence", [0.5, 0.68, 0.95])
def test_limits_of_a_mean_are_those_of_the_normal_law(rng, confidence):
    latents = rng.normal(size=(1500, 2))
    label = latents[:, 0] + rng.normal(size=1500)
    probe = fit(latents, {"y": label}, confidence=confidence, n_bootstrap=2000)["y"]
    error = np.std(probe.predicted - label) / np.sqrt(1500)
    value, *limits = probe.scores["bias"]
    truth = norm(value, error).interval(confidence)
    np.testing.assert_allclose(limits, truth, rtol=0, atol=0.1 * error)


def test_trees_see_what_a_line_cannot(rng):
    latents = rng.normal(size=(1500, 3))
    label = np.abs(latents[:, 1])
    linear = fit(latents, {"y": label})["y"]
    trees = fit(latents, {"y": label}, kind="boosting", n_folds=3)["y"]
    assert linear.scores["r2"][0] < 0.05
    assert trees.scores["r2"][0] > 0.95


def test_star_that_is_recognised_is_not_a_label_that_is_known():
    # Latents name the star, labels are drawn per star at random: nothing to learn.
    rng = np.random.default_rng(8)
    star = np.repeat(np.arange(60), 15)
    latents = rng.normal(size=(60, 4))[star] + 0.01 * rng.normal(size=(900, 4))
    label = rng.normal(size=60)[star]
    apart = fit(latents, {"y": label}, star=star, kind="boosting", n_folds=3)["y"]
    mixed = fit(latents, {"y": label}, kind="boosting", n_folds=3)["y"]
    assert mixed.scores["r2"][0] > 0.9  # what a split by row would claim
    assert apart.scores["r2"][0] < 0.1
    assert (apart.n_stars, mixed.n_stars) == (60, 900)
    for one in np.unique(star):
        assert len(set(apart.fold[star[apart.rows] == one])) == 1


def test_interval_is_one_of_stars_not_of_spectra():
    rng = np.random.default_rng(9)
    star = np.repeat(np.arange(30), 40)
    latents = rng.normal(size=(1200, 2))
    label = latents[:, 0] + rng.normal(size=30)[star]  # an error common to the star
    by_star = fit(latents, {"y": label}, star=star)["y"].scores["mae"]
    by_row = fit(latents, {"y": label})["y"].scores["mae"]
    assert by_star[2] - by_star[1] > 2.5 * (by_row[2] - by_row[1])


def test_rows_in_another_order_are_refused_and_can_be_aligned(rng):
    latents = rng.normal(size=(200, 2))
    names = named(200)
    order = rng.permutation(200)
    table = Table({"obs_id": np.array(names)[order], "teff": latents[order, 0]})
    with pytest.raises(ValueError, match=r"not aligned in .* use align_labels first"):
        fit_probes(
            latents, table["teff",], latent_id=names, label_id=table["obs_id"],
            star=names,
        )  # fmt: skip
    aligned = align_labels(names, table)
    probe = fit_probes(
        latents, aligned, latent_id=names, label_id=aligned["obs_id"], star=names,
        n_bootstrap=0,
    )["teff"]  # fmt: skip
    assert probe.scores["r2"][0] > 0.9999
    assert np.isnan(probe.scores["r2"][1])  # no bootstrap, no interval


@pytest.mark.parametrize(
    ("latent_id", "label_id", "message"),
    [
        (["a", "b"], ["a", "b", "c"], "2 latents for 3 labels"),
        (["a", "b", "a"], ["a", "b", "a"], "occurs more than once"),
        (["a", "b", "c"], ["a", "c", "b"], "first being row 1: 'b' is not 'c'"),
        (["a", "b"], ["a", "b"], "latent_id has 2 entries for 3 latents"),
    ],
)
def test_identifiers_that_do_not_fit(latent_id, label_id, message):
    with pytest.raises(ValueError, match=message):
        fit_probes(
            np.zeros((3, 1)),
            {"y": np.zeros(3)},
            latent_id=latent_id,
            label_id=label_id,
            star=["s"] * 3,
        )


def test_prediction_does_not_extrapolate(rng):
    latents = rng.uniform(-1, 1, size=(400, 5))
    probe = fit(latents, {"y": 2 * latents[:, 3]}, nodes=[3, 4])["y"]
    asked = np.zeros((5, 5))
    asked[:, 3] = [0.5, -1.0, 1.5, np.nan, 0.0]
    asked[4, 4] = -7  # the other node that it reads
    asked[0, 0] = 99  # a node that it does not read
    predicted = probe.predict(asked)
    np.testing.assert_allclose(predicted[:2], [1.0, -2.0], atol=0.01)
    assert np.isnan(predicted[2:]).all()
    assert np.isnan(probe.predict(np.full((1, 5), np.nan))).all()


def test_missing_labels_and_flagged_spectra_are_left_out(rng):
    latents = rng.normal(size=(100, 2))
    latents[0] = np.nan
    label = latents[:, 1].copy()
    label[1:6] = np.nan
    probe = fit(latents, {"y": label})["y"]
    assert probe.rows.tolist() == list(range(6, 100))
    assert np.isfinite(probe.predicted).all()


def test_table_of_scores(rng):
    latents = rng.normal(size=(150, 2))
    probes = fit(latents, {"teff": latents[:, 0], "logg": latents[:, 1]})
    table = probe_table(probes)
    assert table["label"].tolist() == ["teff", "logg"]
    assert table["n_used"].tolist() == [150, 150]
    assert (table["mae_low"] <= table["mae"]).all()
    assert (table["mae"] <= table["mae_high"]).all()


def test_wrong_arguments_are_named():
    latents = np.zeros((6, 1))
    with pytest.raises(ValueError, match="known for 2 stars: too few for 5 folds"):
        fit(latents, {"y": np.zeros(6)}, star=list("aaabbb"))
    with pytest.raises(ValueError, match="kind must be ridge or boosting, not 'svm'"):
        fit(latents, {"y": np.zeros(6)}, kind="svm")


def test_align_keeps_units_masks_and_gaps():
    table = Table(
        {
            "obs_id": ["b", "c", "a"],
            "teff": MaskedColumn([1.0, 2.0, 3.0], mask=[0, 1, 0], unit=u.K),
            "spectral_type": ["G", "K", "M"],
        }
    )
    aligned = align_labels(["a", "b", "c", "d"], table)
    assert aligned.colnames == ["obs_id", "teff"]
    assert aligned["teff"].unit == u.K
    np.testing.assert_array_equal(aligned["teff"], [3, 1, np.nan, np.nan])


def test_align_refuses_what_is_ambiguous():
    table = Table({"obs_id": ["a", "b", "a"], "teff": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="obs_id 'a' occurs more than once"):
        align_labels(["a"], table)
    with pytest.raises(ValueError, match="no obs_id is in both"):
        align_labels(["z"], table[:2])


def test_one_per_star_draws_each_star_once_and_evenly():
    star = np.array(["x"] * 3 + ["y"])
    drawn = [one_per_star(star, rng=seed).tolist() for seed in range(300)]
    assert {len(rows) for rows in drawn} == {2}
    assert {rows[1] for rows in drawn} == {3}
    counts = np.bincount([rows[0] for rows in drawn], minlength=3)
    assert (np.abs(counts - 100) < 4 * np.sqrt(300 * 2 / 9)).all()
