# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""``fetch`` and ``star`` at a toy archive: sizes before bytes, and runs that go on."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent import read_table
from astro_latent.pipeline import checkpoint
from astro_latent.surveys import get_survey


@pytest.fixture
def archive(stub, say, apogee, monkeypatch):
    """A server with three spectra, and the table that a query for them returns."""
    rows = {"obs_id": [], "access_url": [], "access_estsize": []}
    for path in map(Path, apogee[:3]):
        name = path.name.removesuffix(".fits.gz")
        stub.routes[f"/{name}"] = say(path.read_bytes())
        rows["obs_id"].append(name)
        rows["access_url"].append(f"{stub.url}/{name}")
        rows["access_estsize"].append(path.stat().st_size / 1000)
    table = Table(rows)
    table["access_estsize"].unit = u.kbyte
    table["access_format"] = "application/fits"
    stub.table = get_survey("obscore").adopt(table)
    stub.asked = []

    def query(name, *, survey, **filters):
        stub.asked.append(name)
        return stub.table.copy()

    monkeypatch.setattr("astro_latent.surveys.query_object", query)
    monkeypatch.setattr("astro_latent.matching.star.query_object", query)
    monkeypatch.setattr(checkpoint, "PART", 1)
    return stub


def counts(archive):
    names = archive.table["obs_id"]
    return [len(archive.requests_for(f"/{name}")) for name in names]


@pytest.fixture
def fetch(run, tmp_path):
    def fetch_to(name, *more):
        path = tmp_path / f"{name}.vot"
        where = ("-d", tmp_path / "files", "-o", path, "--no-progress")
        return *run("fetch", "obscore", "--object", "x", *where, *more), path

    return fetch_to


@pytest.fixture
def star(run, tmp_path):
    def run_star(name, *more):
        path = tmp_path / f"{name}.vot"
        where = ("-d", tmp_path / "files", "-o", path, "--no-progress")
        return *run("star", "x", "--survey", "obscore", *where, *more), path

    return run_star


def interrupt_at(patch, owner, name, number):
    """Let a method be interrupted when it is called this many times."""
    real, calls = getattr(owner, name), []

    def call(*args, **options):
        calls.append(args)
        if len(calls) == number:
            raise KeyboardInterrupt
        return real(*args, **options)

    patch.setattr(owner, name, call)


def check_same(path, other):
    first, second = read_table(path), read_table(other)
    assert first.colnames == second.colnames
    for name in first.colnames:
        mine, its = (np.asarray(table[name]) for table in (first, second))
        np.testing.assert_array_equal(mine, its, err_msg=name)


def test_fetch_resumes_with_its_own_list_and_asks_for_what_is_lost(
    archive, fetch, say, tmp_path
):
    lost = f"/{archive.table['obs_id'][1]}"
    whole, archive.routes[lost] = archive.routes[lost], say(status=404)
    code, out, err, path = fetch("out")
    assert code == 1
    assert "2 of 3 fetched" in err
    assert len(out.split()) == 2
    archive.routes[lost] = whole
    code, out, err, path = fetch("out")
    assert (code, out) == (1, "")
    assert "out.vot exists; --overwrite replaces it" in err
    before = counts(archive)
    code, out, err, path = fetch("out", "--resume")
    assert code == 0, err
    assert archive.asked == ["x"]
    assert "3 of 3 fetched" in err
    assert [b - a for a, b in zip(before, counts(archive), strict=True)] == [0, 1, 0]
    table = read_table(path)
    assert list(table["fetch_status"]) == ["downloaded"] * 3
    assert list(table["message"]) == [""] * 3
    for file in (tmp_path / "files").iterdir():
        file.unlink() if file.is_file() else None
    *_, uninterrupted = fetch("other")
    check_same(path, uninterrupted)


def test_an_interrupted_fetch_goes_on_behind_what_has_come(archive, fetch, monkeypatch):
    from astro_latent.archives.download import _Job

    with monkeypatch.context() as patch:
        patch.setattr("astro_latent.archives.conf.n_workers", 1)
        interrupt_at(patch, _Job, "done", 2)
        code, out, err, path = fetch("out")
    assert (code, out) == (1, "")
    assert "interrupted; what has come is kept" in err
    assert not path.exists()
    came = counts(archive)
    assert sum(came) >= 2
    code, _, err, path = fetch("out", "--resume")
    assert code == 0, err
    asked = [b - a for a, b in zip(came, counts(archive), strict=True)]
    assert asked[:2] == [0, 0]  # whole files are not asked for again
    assert len(read_table(path)) == 3


def test_star_goes_on_behind_finished_parts(archive, star, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, checkpoint.Checkpoint, "keep", 3)
        code, _, err, path = star("out")
    assert code == 1
    assert "interrupted; 2 finished parts are kept in" in err
    assert "with --resume goes on" in err
    assert not path.exists()
    came = counts(archive)
    code, _, err, _ = star("out")
    assert code == 1
    assert "--resume goes on with it, --overwrite starts anew" in err
    kept = []
    real = checkpoint.Checkpoint.keep
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoint.Checkpoint, "keep",
            lambda self, table: (kept.append(len(table)), real(self, table)),
        )  # fmt: skip
        code, _, err, path = star("out", "--resume")
    assert code == 0, err
    assert kept == [1]  # the third spectrum alone was run
    assert counts(archive) == came
    assert not path.with_name("out.vot.parts").exists()
    *_, uninterrupted = star("other")
    check_same(path, uninterrupted)


def test_star_says_what_would_come_and_asks_above_2_gb(archive, star):
    code, _, err, path = star("small")
    assert code == 0
    size = archive.table["access_estsize"].sum() / 1000
    assert f"3 spectra found, {size:.0f} MB as far as it is stated" in err
    assert err.index("spectra found") < err.index("can be used")
    archive.table["access_estsize"] = [1e6, 1e6, 1e6] * u.kbyte
    archive.seen.clear()
    code, _, err, path = star("large")
    assert code == 1
    assert "3 spectra found, 3000 MB" in err
    assert "that is more than 2 GB: --yes fetches it, --row-limit less" in err
    assert (path.exists(), archive.seen) == (False, [])
    code, _, err, path = star("large", "--yes")
    assert code == 0, err
    assert len(read_table(path)) == 3


def test_fetch_asks_above_2_gb(archive, fetch):
    archive.table["access_estsize"] = [1e6, 1e6, 1e6] * u.kbyte
    code, out, err, path = fetch("out")
    assert (code, out, path.exists(), archive.seen) == (1, "", False, [])
    assert "that is more than 2 GB" in err


def test_star_of_which_there_is_nothing(archive, star):
    archive.table = archive.table[:0]
    code, _, err, path = star("out")
    assert code == 1
    assert "error: obscore has no spectrum of x" in err
    assert not path.exists()


def test_resume_without_a_file_is_wrong_usage(run, apogee):
    code, _, err = run("predict", apogee[0], "--resume")
    assert code == 2
    assert "--resume goes on with a run that writes a file: give -o FILE" in err
