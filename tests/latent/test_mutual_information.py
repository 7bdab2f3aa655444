# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The count by mutual information: planted owners, and a null that is uniform."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from scipy.stats import binom, chi2

from astro_latent.latent import (
    PUBLISHED_BINNINGS,
    histogram_information,
    measure_mutual_information,
)


@pytest.fixture(scope="module")
def planted():
    """Twelve nodes: 2 owns the velocity, 7 the temperature, 9 follows nothing."""
    rng = np.random.default_rng(5)
    latents = rng.normal(size=(2000, 12))
    latents[:, 10:] *= 0.001  # collapsed
    labels = {
        "radial_velocity": -12 * latents[:, 2] + rng.normal(size=2000),
        "teff": 5500 + 700 * np.tanh(latents[:, 7]) + 30 * rng.normal(size=2000),
        "airmass": rng.uniform(1, 2, size=2000),
    }
    return latents, labels


@pytest.fixture(scope="module")
def measured(planted):
    return measure_mutual_information(
        *planted, n_permutations=199, n_neighbors=3, rng=np.random.default_rng(1)
    )


def test_planted_owners_are_found(measured):
    assert measured.owner("radial_velocity") == 2
    assert measured.owner("teff") == 7
    assert measured.informative(level=0.01).tolist() == [2, 7]
    significant = measured.significant(level=0.01)
    assert np.argwhere(significant).tolist() == [[0, 2], [1, 7]]
    assert measured.p_family[0, :, 2].max() == 1 / 200  # as small as can be seen


def test_values_are_those_of_the_estimators(planted, measured):
    latents, labels = planted
    for i, n_bins in enumerate(PUBLISHED_BINNINGS):
        np.testing.assert_array_equal(
            measured.information[2, i],
            histogram_information(latents, labels["airmass"], n_bins=n_bins),
        )


def test_indicator_is_the_published_row_over_its_largest(measured):
    np.testing.assert_allclose(
        measured.indicator,
        measured.information / measured.information.max(axis=2)[..., None],
    )
    assert (measured.indicator.max(axis=2) == 1).all()
    # ... and its weakness: at 160 bins every node of the row lights up
    assert measured.indicator[2, -1].min() > 0.7


def test_correction_takes_the_bias_away(measured):
    unrelated = measured.corrected[2]
    assert np.abs(unrelated.mean(axis=1)).max() < 0.02
    assert measured.information[2, -1].min() > 0.5
    # truth for the velocity: correlation of 12 : 1
    truth = -0.5 * np.log(1 - 144 / 145)
    assert measured.neighbours[0, 2] == pytest.approx(truth, abs=0.1)
    assert measured.neighbours[2].max() < 0.08


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(11)
    latents, label = rng.normal(size=(300, 400)), rng.normal(size=300)
    result = measure_mutual_information(
        latents, {"nothing": label}, binnings=(5, 20), n_permutations=199, rng=rng
    )
    for p_value, p_tail in zip(result.p_value[0], result.p_tail[0], strict=True):
        for level in (0.05, 0.2, 0.5, 0.8):
            low, high = binom(400, level).ppf([1e-4, 1 - 1e-4])
            assert low <= np.sum(p_value <= level) <= high
            assert low <= np.sum(p_tail <= level) <= high
    assert result.informative(level=0.05).size == 0


def test_family_p_value_keeps_its_level_over_nodes():
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(150):
        result = measure_mutual_information(
            rng.normal(size=(60, 10)),
            {"nothing": rng.normal(size=60)},
            binnings=(5,),
            n_permutations=39,
            rng=rng,
        )
        hits += result.p_family.min() <= 0.2
    low, high = binom(150, 0.2).ppf([1e-4, 1 - 1e-4])
    assert low <= hits <= high


def test_false_discoveries_are_those_of_benjamini_and_hochberg(measured):
    for i in range(len(PUBLISHED_BINNINGS)):
        p_value = measured.p_tail[:, i].ravel()
        order = np.argsort(p_value)
        scaled = p_value[order] * len(p_value) / np.arange(1, len(p_value) + 1)
        truth = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
        np.testing.assert_allclose(measured.q_value[:, i].ravel()[order], truth)


def test_missing_labels_outliers_and_flagged_rows_are_left_out(planted):
    latents, labels = planted
    latents = latents.copy()
    latents[:10] = np.nan
    velocity = labels["radial_velocity"].copy()
    velocity[10:30] = np.nan
    velocity[30:33] = 1e6
    teff = MaskedColumn(labels["teff"], mask=np.arange(2000) < 500, unit=u.K)
    table = Table({"radial_velocity": velocity, "teff": teff, "name": ["x"] * 2000})
    result = measure_mutual_information(latents, table, binnings=(10,))
    assert result.labels == ("radial_velocity", "teff")
    assert result.n_used.tolist() == [2000 - 33, 1500]
    kept = measure_mutual_information(latents, table, binnings=(10,), clip_sigma=None)
    assert kept.n_used[0] == 2000 - 30
    assert kept.information[0].max() < 0.1 < result.information[0].max()


def test_label_with_hardly_any_value_gives_nan_and_keeps_the_others(planted):
    latents, labels = planted
    rare = np.full(2000, np.nan)
    rare[:20] = 1.0
    result = measure_mutual_information(
        latents,
        {"rare": rare, **labels},
        binnings=(5, 10),
        n_permutations=99,
        n_neighbors=3,
        nodes=[2, 7],
        rng=1,
    )
    assert result.n_used[0] == 20
    for name in ("information", "corrected", "p_value", "q_value", "neighbours"):
        assert np.isnan(getattr(result, name)[0]).all(), name
    assert result.owner("rare") is None
    assert result.owner("teff") == 7
    assert not result.significant(level=0.05)[0].any()


def test_repeated_spectra_mislead_unless_one_per_star_is_drawn():
    rng = np.random.default_rng(3)
    star = np.repeat(np.arange(60), 30)  # node and label belong to the star, unrelated
    latents, label = rng.normal(size=(2, 60))[:, star] + rng.normal(size=(2, 1800)) / 50
    common = {"binnings": (5,), "n_permutations": 99, "rng": 4}
    fooled = measure_mutual_information(latents[:, None], {"y": label}, **common)
    honest = measure_mutual_information(
        latents[:, None], {"y": label}, star=star, **common
    )
    assert fooled.p_value.item() == 0.01
    assert honest.p_value.item() > 0.05
    assert honest.n_used.tolist() == [60]


def test_without_permutations_the_first_order_bias_is_taken_off(planted):
    latents, labels = planted
    result = measure_mutual_information(latents, labels, binnings=(5,))
    np.testing.assert_array_equal(
        result.corrected[2, 0],
        histogram_information(
            latents, labels["airmass"], n_bins=5, correction="miller-madow"
        ),
    )
    assert np.isnan(result.p_value).all()
    with pytest.raises(ValueError, match="set n_permutations"):
        result.informative()


def test_table_has_a_row_per_pair(measured):
    table = measured.to_table()
    assert len(table) == 3 * 12
    row = table[(table["label"] == "teff") & (table["node"] == 7)][0]
    np.testing.assert_array_equal(row["information"], measured.information[1, :, 7])
    np.testing.assert_array_equal(row["q_value"], measured.q_value[1, :, 7])
    assert row["neighbours"] == measured.neighbours[1, 7]
    assert row["n_used"] == measured.n_used[1]
    assert table.meta["binnings"] == list(PUBLISHED_BINNINGS)


def test_same_seed_same_answer(planted):
    latents, labels = planted
    first, second = (
        measure_mutual_information(
            latents[:300],
            {"teff": labels["teff"][:300]},
            binnings=(5,),
            n_permutations=19,
            n_neighbors=3,
            rng=7,
        )
        for _ in range(2)
    )
    for name in ("information", "p_value", "p_family", "neighbours"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": {"teff": np.zeros(4)}}, r"'teff' has shape \(4,\) for 5 latents"),
        ({"labels": {}}, "no label was given"),
        ({"nodes": [3]}, r"indices in 0\.\.2"),
        ({"nodes": [-1]}, r"indices in 0\.\.2"),
        ({"nodes": [0.5]}, r"indices in 0\.\.2"),
        ({"star": ["a"]}, "1 star names for 5 spectra"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    arguments = {
        "latents": np.zeros((5, 3)),
        "labels": {"teff": np.zeros(5)},
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        measure_mutual_information(**arguments)


def test_tail_goes_on_where_counting_stops(rng):
    # n I is chi2 / 2 with (B - 1)^2 degrees of freedom for independent data.
    x = rng.uniform(size=(2000, 1))
    label = x[:, 0] + 6 * rng.uniform(size=2000)
    result = measure_mutual_information(
        x, {"y": label}, binnings=(5,), n_permutations=999, clip_sigma=None, rng=rng
    )
    truth = chi2(16).sf(2 * 2000 * result.information.item())
    assert truth < 1e-4
    assert result.p_value.item() == 0.001
    assert np.log10(result.p_tail.item()) == pytest.approx(np.log10(truth), rel=0.25)


def test_label_that_does_not_exist(measured):
    with pytest.raises(ValueError, match="no label is called 'logg'"):
        measured.owner("logg")
