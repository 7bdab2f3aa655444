# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verb ``similar``: the same neighbours as the index gives."""

import numpy as np
import pytest

from astro_latent.latent import LatentIndex
from astro_latent.tables import read_table


@pytest.fixture
def latents(run, harps, tmp_path):
    code, *_ = run("encode", *harps, "-o", tmp_path / "latents.vot", "-q")
    assert code == 0
    return tmp_path / "latents.vot"


def test_neighbours_of_a_row_are_those_of_the_index(run, latents, tmp_path):
    table = read_table(latents)
    name = str(table["obs_id"][0])
    out = tmp_path / "near.ecsv"
    code, _, err = run("similar", name, "--in", latents, "-n", 2, "-o", out)
    assert code == 0
    assert f"{len(table)} spectra compared by 3 latents" in err
    found, expected = read_table(out), LatentIndex(table).query_id(name, n=2)
    assert set(found["query"]) == {name}
    assert found["obs_id"].tolist() == expected["obs_id"].tolist()
    assert found["distance"].tolist() == expected["distance"].tolist()


def test_a_file_is_encoded_and_its_own_row_left_out(run, latents, harps):
    code, printed, err = run(
        "similar", harps[1], "nowhere.fits", "--in", latents, "-n", 1
    )
    assert code == 1  # of two spectra one cannot be read
    assert "nowhere.fits" in err
    *_, row = printed.strip().splitlines()
    asked, rank, found, *_ = row.split()
    assert asked == str(read_table(latents)["obs_id"][1])
    assert rank == "1"
    assert found != asked


def test_some_latents(run, latents):
    name = read_table(latents)["obs_id"][0]
    for nodes, count in (("all", 3), ("0,2", 2)):
        code, _, err = run("similar", name, "--in", latents, "--nodes", nodes)
        assert code == 0
        assert f"by {count} latents" in err
    assert run("similar", name, "--in", latents, "--nodes", "star")[0] == 2


def test_a_table_without_latents_is_refused(run, sample, tmp_path):
    sample.write(tmp_path / "rows.ecsv")
    code, _, err = run("similar", "a", "--in", tmp_path / "rows.ecsv")
    assert code == 1
    assert "no column latent; encode writes such tables" in err


def test_a_row_without_latents_is_no_file(run, harps, tmp_path):
    out = tmp_path / "latents.vot"
    lost = tmp_path / "lost.fits"
    lost.write_bytes(b"")
    # two unreadable rows of one name refuse neither the index nor the others
    run("encode", *harps, lost, lost, "-o", out, "-q")
    table = read_table(out)
    bad = table[np.isnan(table["latent"]).any(axis=1)]
    assert bad["obs_id"].tolist() == ["lost", "lost"]
    name = str(table["obs_id"][0])
    code, printed, err = run("similar", "lost", name, "--in", out, "-n", 1)
    assert code == 1
    assert f"lost: {bad['message'][0]}" in err
    assert name in printed
    assert "lost" not in printed


def test_files_are_not_compared_with_latents_of_other_weights(
    run, latents, harps, tmp_path
):
    table = read_table(latents)
    table.meta["model_sha256"] = "ab" * 32
    table.write(tmp_path / "other.vot")
    code, _, err = run("similar", harps[1], "--in", tmp_path / "other.vot")
    assert code == 1
    assert f"with SHA-256 {'ab' * 32}" in err
    assert "encode the table anew" in err
    # rows of the table itself need no model
    name = str(table["obs_id"][0])
    assert run("similar", name, "--in", tmp_path / "other.vot", "-n", 1)[0] == 0
