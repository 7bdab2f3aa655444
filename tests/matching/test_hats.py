"""HATS catalogues hold what a table holds, and match like one."""

import sys

import numpy as np
import pytest
from astropy import units as u

from astro_latent import get_survey, predict_parameters
from astro_latent.matching import add_hats_results, crossmatch, hats, write_hats
from astro_latent.tables import ResultTable, read_table, to_wide


def make_table(rng, n):
    table = ResultTable({"obs_id": [f"s{i}" for i in range(n)]})
    table["ra"] = rng.uniform(40, 50, n) * u.deg  # of HEALPix, 45 is an edge
    table["dec"] = rng.uniform(-5, 5, n) * u.deg
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


@pytest.fixture
def one_thread():
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="synchronous"):
        yield pytest.importorskip("lsdb")


@pytest.fixture
def spectra(tmp_path):
    """Spectra of which one cannot be read, their results, and a catalogue of them."""
    rows = get_survey("sample").table()[:5]
    rows["path"][2] = "nowhere.fits"
    found = predict_parameters(rows, model="apogee_starnet_v1")
    found["ra"][:] = [10, 20, 200, 210, 330] * u.deg
    known = found["obs_id", "target_name", "survey", "ra", "dec"]
    return found, write_hats(known, tmp_path / "spectra", name="s", spectra=rows)


@pytest.mark.filterwarnings("ignore")  # of LSDB and what it is built on
def test_spectra_in_a_catalogue_give_the_results_of_their_files(
    one_thread, spectra, tmp_path
):
    expected, folder = spectra
    catalogue = one_thread.open_catalog(folder)
    assert catalogue.nested_columns == ["spectrum"]
    labels = add_hats_results(
        folder, tmp_path / "labels", task="predict", model="apogee_starnet_v1"
    )
    found = one_thread.open_catalog(labels).compute().set_index("obs_id")
    found = found.loc[expected["obs_id"].tolist()]
    wide = to_wide(expected)
    for name in set(wide.colnames) - {"obs_id", "message"}:
        column = getattr(wide[name], "value", wide[name])
        values = found[name].to_numpy(column.dtype)
        if column.dtype.kind == "f":  # which depend on the batch in the last bit
            np.testing.assert_allclose(values, column, rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(values, column, name)
    assert found["message"].iloc[2].endswith("the cell of the frame is empty")


@pytest.mark.filterwarnings("ignore")
def test_units_ucds_and_provenance_stay_with_a_catalogue(one_thread, spectra, tmp_path):
    expected, folder = spectra
    labels = add_hats_results(
        folder, tmp_path / "labels", task="predict", model="apogee_starnet_v1"
    )
    beside = read_table(labels / "columns.vot")
    catalogue = one_thread.open_catalog(labels)
    assert set(beside.colnames) == {*catalogue.columns}
    assert beside["teff"].unit == u.K
    assert beside["ra"].info.meta["ucd"] == "pos.eq.ra;meta.main"
    assert beside.meta["model_sha256"] == expected.meta["model_sha256"]
    (place,) = labels.rglob("_common_metadata")
    pq = pytest.importorskip("pyarrow.parquet")
    text = pq.read_schema(place).metadata[b"IVOA.VOTable-Parquet.content"].decode()
    assert 'name="teff"' in text
    assert 'ucd="phys.temperature.effective"' in text
    (place,) = folder.rglob("_common_metadata")
    text = pq.read_schema(place).metadata[b"IVOA.VOTable-Parquet.content"].decode()
    assert 'ucd="em.wl" unit="Angstrom"' in text


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_stopped_goes_on(one_thread, spectra, tmp_path, monkeypatch):
    _, folder = spectra
    labels, calls = tmp_path / "labels", []
    real = hats.add_results

    def counted(frame, **options):
        calls.append(len(frame))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(frame, **options)

    monkeypatch.setattr(hats, "add_results", counted)
    do = {"task": "predict", "model": "apogee_starnet_v1"}
    with pytest.raises(KeyboardInterrupt):
        add_hats_results(folder, labels, **do)
    first = len(calls)
    with pytest.raises(ValueError, match="was begun with"):
        add_hats_results(folder, labels, task="predict", model="lamost_starnet_v1")
    add_hats_results(folder, labels, **do)
    whole = one_thread.open_catalog(labels)
    assert len(whole.compute()) == 5
    assert len(calls) - first < whole.npartitions + 2  # one of them without rows
    with pytest.raises(FileExistsError, match="is a whole catalogue"):
        add_hats_results(folder, labels, **do)
