# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Neighbours and outliers in latent space, against brute force."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from astro_latent.exceptions import UnknownNameError
from astro_latent.latent import LatentIndex


def index_of(latents, **options):
    return LatentIndex(latents, [f"s{i}" for i in range(len(latents))], **options)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_neighbours_are_those_of_all_distances(seed, n):
    rng = np.random.default_rng(seed)
    latents, asked = rng.normal(size=(60, 5)), rng.normal(size=(4, 5))
    table = index_of(latents, nodes=[0, 3]).query(asked, n=n)
    distance = cdist(asked[:, [0, 3]], latents[:, [0, 3]])
    order = np.argsort(distance, axis=1)[:, :n]
    assert table["obs_id"].tolist() == [f"s{i}" for i in order.ravel()]
    np.testing.assert_allclose(
        table["distance"], np.take_along_axis(distance, order, axis=1).ravel()
    )
    assert table["query"].tolist() == np.repeat(np.arange(4), n).tolist()
    assert table["rank"].tolist() == list(range(1, n + 1)) * 4


def test_query_by_name_leaves_the_spectrum_itself_out(rng):
    latents = rng.normal(size=(30, 3))
    latents[7] = latents[4]  # the same star again, at distance 0
    table = index_of(latents).query_id("s4", n=3)
    assert table["obs_id"][0] == "s7"
    assert table["distance"][0] == 0
    assert "s4" not in table["obs_id"]
    assert table["rank"].tolist() == [1, 2, 3]


def test_collapsed_nodes_do_not_count(rng):
    latents = rng.normal(size=(20, 2))
    asked = latents[:1] + np.array([0, 50])
    assert index_of(latents, nodes=[0]).query(asked, n=1)["obs_id"][0] == "s0"


def test_flagged_rows_are_neither_found_nor_answered(rng):
    latents = rng.normal(size=(20, 2))
    latents[3] = np.nan
    index = index_of(latents)
    assert len(index) == 19
    table = index.query(np.array([[np.nan, 0.0], [0.0, 0.0]]), n=50)
    assert set(table["query"]) == {1}
    assert len(table) == 19
    assert "s3" not in table["obs_id"]
    assert len(index.query(np.full(2, np.nan))) == 0


def test_unreadable_rows_of_one_name_do_not_refuse_the_others(rng):
    latents = rng.normal(size=(5, 2))
    latents[[1, 3]] = np.nan
    index = LatentIndex(latents, ["a", "lost", "b", "lost", "c"])
    assert index.obs_id.tolist() == ["a", "b", "c"]
    again = LatentIndex(latents, ["a", "b", "b", "lost", "c"])
    assert again.obs_id.tolist() == ["a", "b", "c"]


def test_outlier_score_has_the_stated_false_alarms(rng):
    index = index_of(rng.normal(size=(4000, 3)))
    score = index.outlier_score(rng.normal(size=(4000, 3)), false_alarms=0.05)
    alarms = np.mean(score > 1)
    # binomial error 0.0035 twice: the limit and the test sample
    assert alarms == pytest.approx(0.05, abs=4 * 0.005)


def test_outliers_score_above_one_and_nan_stays_nan(rng):
    index = index_of(rng.normal(size=(500, 3)))
    score = index.outlier_score(np.array([[8.0, 0, 0], [0, 0, 0], [np.nan, 0, 0]]))
    assert score[0] > 3
    assert score[1] < 1
    assert np.isnan(score[2])


def test_saved_index_answers_the_same(rng, tmp_path):
    index = index_of(rng.normal(size=(50, 4)), nodes=[1, 2])
    index.save(tmp_path / "index.npz")
    again = LatentIndex.load(tmp_path / "index.npz")
    asked = rng.normal(size=(3, 4))
    first, second = index.query(asked), again.query(asked)
    for name in first.colnames:
        np.testing.assert_array_equal(first[name], second[name])


def test_wrong_arguments_are_named(rng):
    latents = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match=r"obs_id has shape \(2,\) for 5 latents"):
        LatentIndex(latents, ["a", "b"])
    with pytest.raises(ValueError, match="occurs more than once"):
        LatentIndex(latents, list("aabcd"))
    with pytest.raises(ValueError, match="none of the 2 rows"):
        LatentIndex(np.full((2, 2), np.nan), ["a", "b"])
    index = index_of(latents)
    with pytest.raises(ValueError, match=r"shape \(1, 3\), the index 2 nodes"):
        index.query(np.zeros(3))
    with pytest.raises(ValueError, match="5 spectra has no 10 neighbours"):
        index.outlier_score(latents)
    with pytest.raises(UnknownNameError, match="no indexed spectrum is called 's99'"):
        index.query_id("s99")


def test_a_table_brings_its_errors_and_the_latents_of_the_star(rng):
    latents = rng.normal(size=(30, 3))
    table = Table({"obs_id": [f"s{i}" for i in range(30)], "latent": latents})
    table["latent_error"] = np.full((30, 3), 0.003)
    table.meta["latent_groups"] = {"star": [0, 2], "star_velocity": [1]}
    index = LatentIndex(table)
    assert index.nodes.tolist() == [0, 2]
    moved = table[4:5].copy()
    moved["latent"] += [0.003, 99.0, 0.004]  # another velocity is the same star
    found = index.query(moved, n=1)
    assert found["obs_id"].tolist() == ["s4"]
    # both have errors of 0.003: sqrt((9 / 18 + 16 / 18) / 2)
    np.testing.assert_allclose(found["distance_sigma"], np.sqrt(25 / 18 / 2))
    assert LatentIndex(table, nodes=range(3)).nodes.tolist() == [0, 1, 2]


def test_twelve_nights_of_one_star_find_each_other(real_data):
    from astro_latent import encode_spectra

    folder = real_data / "harps"
    paths = sorted(folder.glob("alpha_cen_b/*")) + sorted(folder.glob("s1d/*"))
    table = encode_spectra(paths, model="harps_dae_fast_v1", reconstruct=False)
    index = LatentIndex(table)
    nights = [str(row["obs_id"]) for row in table if row["target_name"] == "HD128621"]
    assert len(nights) == 12
    assert len(index) > 12
    for night in nights:
        others = set(index.query_id(night, n=11)["obs_id"].tolist())
        assert others == set(nights) - {night}


def test_masked_errors_are_unknown_not_zero(rng):
    from astropy.table import MaskedColumn

    errors = MaskedColumn(np.full((3, 2), 0.5), mask=[[0, 0], [1, 1], [0, 0]])
    table = Table({"obs_id": ["a", "b", "c"], "latent": [[0.0, 0], [1, 0], [3, 0]]})
    table["latent_error"] = errors
    found = LatentIndex(table).query_id("a", n=2)
    assert found["obs_id"].tolist() == ["b", "c"]
    assert np.isnan(found["distance_sigma"][0])
    assert found["distance_sigma"][1] == pytest.approx(3.0)  # 3 / 0.5 / 2
