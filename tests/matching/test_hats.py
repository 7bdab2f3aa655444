"""HATS catalogues hold what a table holds, and match like one."""

import sys

import numpy as np
import pytest
from astropy import units as u

from astro_latent.matching import crossmatch, write_hats
from astro_latent.tables import ResultTable, to_wide


def make_table(rng, n):
    table = ResultTable({"obs_id": [f"s{i}" for i in range(n)]})
    table["ra"] = rng.uniform(0, 360, n) * u.deg
    table["dec"] = np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg
    table["latent"] = rng.normal(size=(n, 4)).astype("f4")
    table["logg"] = rng.normal(size=n).astype("f4") * u.dex
    for name, ucd in {
        "obs_id": "meta.id;meta.main",
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "logg": "phys.gravity",
    }.items():
        table[name].info.meta = {"ucd": ucd}
    table.meta["model"] = "mean_v1"
    return table


def test_rows_without_a_position_are_refused(tmp_path, rng):
    table = make_table(rng, 5)
    table["ra"][2] = np.nan * u.deg
    with pytest.raises(ValueError, match="1 rows have no position"):
        write_hats(table, tmp_path / "catalogue")


def test_missing_lsdb_is_said(tmp_path, rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(ImportError, match="HATS catalogues need LSDB"):
        write_hats(make_table(rng, 5), tmp_path / "catalogue")


@pytest.mark.filterwarnings("ignore")  # of LSDB and what it is built on
def test_match_equals_the_match_in_memory(tmp_path, rng):
    dask = pytest.importorskip("dask")
    pytest.importorskip("lsdb")
    table = make_table(rng, 2000)
    path = write_hats(table, tmp_path / "catalogue")
    moved = table["ra", "dec"][np.arange(2400) // 2 % 1000 * 2]  # each twice or more
    stars = ResultTable({"i": np.arange(len(moved))})
    stars["ra"], stars["dec"] = moved["ra"], moved["dec"] + 0.5 * u.arcsec
    with dask.config.set(scheduler="synchronous"):
        there = crossmatch(stars, f"hats:{path}", radius=2 * u.arcsec)
    here = crossmatch(stars, to_wide(table), radius=2 * u.arcsec)
    assert len(there) == len(stars)
    np.testing.assert_array_equal(there["obs_id"], here["obs_id"])
    np.testing.assert_allclose(
        there["separation"].to_value(u.arcsec),
        here["separation"].to_value(u.arcsec),
        atol=1e-6,
    )
    for name in ("logg", "z000", "n_match"):
        np.testing.assert_array_equal(np.asarray(there[name]), np.asarray(here[name]))
    assert there["logg"].unit == u.dex
    assert there["logg"].info.meta["ucd"] == "phys.gravity"
