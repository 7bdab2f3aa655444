"""The resource that publishes a table says all of it, and only what is fit."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from astro_latent.pipeline import predict_parameters
from astro_latent.tables import read_table, write_resource


@pytest.fixture
def resource(tmp_path, spectra, predictor):
    table = predict_parameters(spectra, model=predictor)
    table.meta["query"] = "SELECT 1 < 2"
    path = write_resource(
        table, tmp_path / "stars", title="Stars & co", creator="Doe, J.; Roe, R."
    )
    return table, path, ET.parse(path).getroot()


def test_resource_describes_itself(resource):
    _, path, root = resource
    assert root.get("schema") == "stars"
    meta = {m.get("name"): m.text for m in root.findall("meta")}
    assert meta["title"] == "Stars & co"
    assert meta["creator"] == "Doe, J.; Roe, R."
    assert "Model: mean_v1" in meta["description"]
    assert "SELECT 1 < 2" in meta["description"]
    assert meta["source"] == "Nobody (2026)"
    assert path.name == "q.rd"


def test_columns_are_those_of_the_table(resource):
    table, _, root = resource
    columns = {c.get("name"): c for c in root.iter("column")}
    assert list(columns) == table.colnames
    assert columns["teff"].get("type") == "real"
    assert columns["teff"].get("unit") == "K"
    assert columns["teff"].get("ucd") == "phys.temperature.effective"
    assert columns["ra"].get("type") == "double precision"
    assert columns["obs_id"].get("type") == "text"
    assert columns["target_name"].get("type") == "unicode"  # has an Å
    assert columns["label_covariance"].get("type") == "real[4]"
    assert columns["flags"].find("values").get("nullLiteral") == str(-(2**63))


def test_data_lie_beside_it(resource):
    table, path, root = resource
    source = path.parent / root.find("data/sources").text
    np.testing.assert_array_equal(read_table(source)["obs_id"], table["obs_id"])
    assert root.find("data/make").get("table") == root.find("table").get("id")


def test_cone_search_asks_for_a_row_that_exists(resource):
    table, _, root = resource
    query = {m.get("name"): m.text for m in root.iter("meta")}
    assert float(query["ra"]) == table["ra"][0].value
    assert root.find("service/scsCore").get("queriedTable") == root.find("table").get(
        "id"
    )
    assert root.find("table/stc").text == 'Position ICRS "ra" "dec"'


def test_all_reasons_against_are_given(tmp_path, table):
    table["Bad name"] = table["teff"]
    table["teff"].info.meta = {"ucd": "pos.eq.ra;meta.main"}
    with pytest.raises(
        ValueError, match=r"2 columns have UCD.*'Bad name' is not a plain"
    ):
        write_resource(table, tmp_path, title="x", creator="y", schema="z")


def test_nothing_is_overwritten(tmp_path, spectra, predictor):
    table = predict_parameters(spectra, model=predictor)
    options = {"title": "x", "creator": "y", "schema": "z"}
    write_resource(table, tmp_path, **options)
    with pytest.raises(OSError, match=r"q\.rd exists"):
        write_resource(table, tmp_path, **options)
    write_resource(table, tmp_path, **options, overwrite=True)
