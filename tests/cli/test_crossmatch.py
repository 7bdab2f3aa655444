# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verb ``crossmatch``, and what VOTable checkers say of files the verbs write."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u

from astro_latent import crossmatch, read_table
from astro_latent.matching import TapTable
from astro_latent.tables import ResultTable, check_table, write_table


@pytest.fixture
def files(tmp_path):
    """Results for four stars, and a catalogue in which one has two neighbours."""
    stars = ResultTable({"obs_id": ["a", "b", "c", "d"]})
    stars["ra"] = [10.0, 20.0, 30.0, np.nan] * u.deg
    stars["dec"] = [0.0, 45.0, -60.0, 0.0] * u.deg
    stars["teff"] = np.array([4000, 5000, np.nan, 6000], "f4") * u.K
    catalogue = ResultTable({"source_id": np.array([1, 2, 3])})
    catalogue["ra"] = [10.0, 10.0003, 20.0] * u.deg
    catalogue["dec"] = [0.0001, 0.0, 45.0] * u.deg
    for table, name in ((stars, "obs_id"), (catalogue, "source_id")):
        for column, ucd in (
            (name, "meta.id"),
            ("ra", "pos.eq.ra"),
            ("dec", "pos.eq.dec"),
        ):
            table[column].info.meta = {"ucd": f"{ucd};meta.main"}
    stars["teff"].info.meta = {"ucd": "phys.temperature.effective"}
    write_table(stars, tmp_path / "stars.vot")
    write_table(catalogue, tmp_path / "catalogue.fits")
    return tmp_path / "stars.vot", tmp_path / "catalogue.fits"


def test_it_writes_what_the_function_returns(run, files, tmp_path):
    out = tmp_path / "out.vot"
    code, printed, err = run("crossmatch", *files, "--radius", 2, "-o", out)
    assert (code, printed) == (0, "")
    assert f"4 rows, 2 matches, 1 of them ambiguous -> {out}" in err
    table = read_table(out)
    expected = crossmatch(read_table(files[0]), files[1], radius=2 * u.arcsec)
    assert table.colnames == expected.colnames
    assert list(table["source_id"]) == [1, 3]
    np.testing.assert_array_equal(table["separation"], expected["separation"])
    assert table["separation"].unit == u.arcsec
    assert table["teff"].info.meta["ucd"] == "phys.temperature.effective"
    assert check_table(table) == []


def test_it_prints_who_matches_whom(run, files):
    code, printed, _ = run("crossmatch", *files, "--radius", "2")
    assert code == 0
    header, _, _, *rows = printed.splitlines()
    assert header.split() == [
        *("obs_id", "ra", "dec", "source_id", "ra_2", "dec_2", "separation", "n_match")
    ]
    assert [row.split()[0] for row in rows] == ["a", "b"]


def test_all_pairs_and_all_rows(run, files, tmp_path):
    options = ("--radius", "2", "--find", "all", "--join", "left")
    code, _, err = run("crossmatch", *files, *options, "-o", tmp_path / "out.ecsv")
    assert code == 0
    assert "3 matches, 2 of them ambiguous" in err
    table = read_table(tmp_path / "out.ecsv")
    assert list(table["obs_id"]) == ["a", "a", "b", "c", "d"]


def test_the_epoch_can_be_stated_and_no_match_is_explained(run, files, tmp_path):
    """A star that moves by 10 arcsec a year was at its place of 2000 in 2000 only."""
    moving = ResultTable({"ra": [10.0] * u.deg, "dec": [10 / 3600] * u.deg})
    moving["pmra"], moving["pmdec"] = [[0.0], [1e4]] * u.mas / u.yr
    moving["ref_epoch"] = [2001.0] * u.yr
    write_table(moving, tmp_path / "moving.vot")
    code, _, err = run("crossmatch", files[0], tmp_path / "moving.vot")
    assert code == 0
    assert "the nearest pair is 10 arcsec apart" in err
    assert "state one with epoch" in err
    code, _, err = run("crossmatch", files[0], tmp_path / "moving.vot", "--epoch", 2000)
    assert "1 matches" in err
    assert "warning" not in err


@pytest.mark.parametrize(
    ("other", "meant"),
    [
        ("vizier:I/355/gaiadr3", "vizier:I/355/gaiadr3"),
        ("hats:/data/gaia", "hats:/data/gaia"),
        (
            "tap:https://example.org/tap#survey.stars",
            TapTable(url="https://example.org/tap", table="survey.stars"),
        ),
    ],
)
def test_other_reaches_the_function(run, files, monkeypatch, other, meant):
    from astro_latent import matching

    asked = []

    def instead(table, other, **options):
        asked.append((other, options))
        return crossmatch(table, files[1])

    monkeypatch.setattr(matching, "crossmatch", instead)
    code, _, err = run("crossmatch", files[0], other, "--radius", "5")
    assert code == 0, err
    options = {"radius": 5 * u.arcsec, "find": "best", "join": "inner", "epoch": None}
    options["other_columns"] = None
    assert asked == [(meant, options)]


@pytest.mark.parametrize(
    ("other", "code", "message"),
    [
        ("tap:https://example.org/tap", 2, "must be tap:URL#SCHEMA.TABLE"),
        ("missing.vot", 1, "missing.vot"),
        (__file__, 1, "neither name nor content tell the format"),
    ],
)
def test_what_cannot_be_matched(run, files, other, code, message):
    given, printed, err = run("crossmatch", files[0], other)
    assert (given, printed) == (code, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.skipif(shutil.which("stilts") is None, reason="needs STILTS")
def test_votlint_finds_nothing_in_files_of_any_verb(
    run, apogee, harps, broken, tmp_path
):
    """Its words count: it ends with 0 even when it finds errors."""
    out = {name: tmp_path / f"{name}.vot" for name in ("p", "e", "m", "f")}
    quiet = "--no-progress"
    commands = [
        ("predict", *apogee, broken[0], quiet, "-o", out["p"]),
        ("encode", *harps, broken[1], quiet, "-o", out["e"]),
        ("crossmatch", out["p"], out["e"], "--join", "left", "-o", out["m"]),
        ("fetch", "sample", "--object", "Sample giant A", quiet, "-o", out["f"]),
        ("demo", "-o", tmp_path / "demo"),
    ]
    for command in commands:
        code, _, err = run(*command)
        assert code == 0, err
    written = sorted(Path(tmp_path).rglob("*.vot"))
    assert len(written) == 6
    for path in written:
        command = ["stilts", "votlint", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() + done.stderr.strip() == "", path.name
