# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Results in the hands of the neighbours: plain Astropy, pandas, coordinates."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

from astro_latent import list_models, load_model, predict_parameters
from astro_latent.tables import ResultTable, read_table


@pytest.fixture
def table(spectra, predictor):
    return predict_parameters(spectra, model=predictor)


def test_coordinates_are_guessed(table):
    sky = SkyCoord.guess_from_table(table[:3])
    np.testing.assert_array_equal(sky.ra.deg, table["ra"][:3].value)
    np.testing.assert_array_equal(sky.dec.deg, table["dec"][:3].value)


@pytest.mark.parametrize("name", list_models()["name"].tolist())
def test_no_model_gives_columns_that_hide_the_position(name):
    labels = [output.name for output in load_model(name, device="cpu").outputs]
    names = [label + suffix for label in labels for suffix in ("", "_error")]
    table = QTable({label: [1.0] for label in names})
    table["ra"], table["dec"] = [10.0] * u.deg, [20.0] * u.deg
    assert SkyCoord.guess_from_table(table).dec.deg.tolist() == [20.0]


def test_a_value_is_a_number_and_knows_its_unit(table):
    value = table[0]["teff"]
    assert float(value) == table["teff"].value[0]
    assert value.unit == u.K
    assert value.to_value(u.kK) == pytest.approx(float(value) / 1000)
    assert [float(row["logg"]) for row in table[:2]] == table["logg"][:2].value.tolist()
    assert table[0]["obs_id"] == "star0"


def test_plain_astropy_reads_fits_without_warning_and_with_descriptions(
    table, tmp_path
):
    table.write(tmp_path / "a.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = Table.read(tmp_path / "a.fits")
        quantities = QTable.read(tmp_path / "a.fits")
    for name in table.colnames:
        assert plain[name].description == table[name].info.description, name
    assert plain["teff"].unit == u.K
    np.testing.assert_array_equal(quantities["teff"], table["teff"])
    again = read_table(tmp_path / "a.fits")
    assert again["logg"].unit == u.dex
    assert again.meta["labels"] == ["teff", "logg"]


def test_pandas_keeps_the_units(table):
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert frame.attrs["units"]["teff"] == "K"
    assert frame["teff"].tolist()[:3] == table["teff"].value.tolist()[:3]
    assert "label_covariance_003" in frame.columns


def test_parquet_with_a_votable_within(table, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Astropy's reader, of its own writer's strings
        table.write(path, format="parquet.votable")
        again = Table.read(path, format="parquet.votable")
    assert again["teff"].unit == u.K
    assert again["teff"].meta["ucd"] == "phys.temperature.effective"
    assert again["logg"].description == table["logg"].info.description
    np.testing.assert_array_equal(again["teff"], table["teff"].value)
    with pytest.raises(OSError, match="exists"):
        table.write(path, format="parquet.votable")


def test_ecsv_of_many_rows_is_little_more_than_its_numbers(table, tmp_path):
    many = ResultTable(table[np.zeros(2000, int)], copy=False)
    many.write(tmp_path / "a.ecsv")
    many.remove_columns([n for n in many.colnames if many[n].ndim > 1])
    Table(many).write(tmp_path / "a.csv", format="ascii.csv")
    numbers = (tmp_path / "a.csv").stat().st_size
    assert (tmp_path / "a.ecsv").stat().st_size < 1.5 * numbers + 20_000


def test_the_head_of_ecsv_says_each_thing_once(table, tmp_path):
    table.write(tmp_path / "a.ecsv")
    text = (tmp_path / "a.ecsv").read_text()
    assert "__serialized_columns__" not in text
    again = read_table(tmp_path / "a.ecsv")
    assert again.meta == table.meta
    for name in table.colnames:
        mine, its = table[name], again[name]
        assert (type(mine), mine.dtype, mine.unit) == (type(its), its.dtype, its.unit)
        assert mine.info.description == its.info.description
        assert mine.info.meta == its.info.meta
    assert Table.read(tmp_path / "a.ecsv")["teff"].unit == u.K
