# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Objects of the neighbours go straight in."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io.votable import from_table
from astropy.table import Table

from astro_latent import get_survey, predict_parameters, surveys
from astro_latent.pipeline.loop import as_spectra, to_table
from astro_latent.spectra.tablefile import as_table
from astro_latent.surveys import SURVEYS, fetch
from astro_latent.utils.files import PATH_COLUMNS


@pytest.fixture(scope="module")
def listed():
    """Two APOGEE spectra as a table with identifiers of our own."""
    sample = get_survey("sample").table()
    paths = [str(path) for path in sample["path"][:2]]
    return Table({"obs_id": ["first", "second"], "path": paths})


@pytest.fixture(scope="module")
def expected(listed):
    return predict_parameters(listed)


def same(result, expected):
    assert list(result["obs_id"]) == list(expected["obs_id"])
    np.testing.assert_array_equal(result["teff"], expected["teff"])


def test_pandas(listed, expected):
    pytest.importorskip("pandas")
    same(predict_parameters(listed.to_pandas()), expected)


def test_a_frame_keeps_what_is_said_beside_its_columns(listed):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": ["a.fits", None], 3: [1, 2]})
    frame.attrs["survey"] = "harps"
    for read in (to_table, as_table):
        table = read(frame)
        assert table.colnames == ["path", "3"]
        assert table.meta["survey"] == "harps"
        assert table["path"].filled("").tolist() == ["a.fits", ""]


@pytest.mark.parametrize("name", PATH_COLUMNS)
def test_all_columns_that_name_files(listed, expected, name):
    named = Table(listed, copy=True)
    named.rename_column("path", name)
    same(predict_parameters(named), expected)


def test_what_an_archive_calls_a_file_is_fetched(listed, expected, monkeypatch):
    monkeypatch.setattr(surveys, "fetch", lambda table: listed)
    table = Table({"file": ["x.fits", "y.fits"], "apogee_id": ["2M1", "2M2"]})
    same(predict_parameters(table), expected)


def test_a_list_of_files_that_are_all_missing_is_flagged():
    found = predict_parameters(Table({"file": ["x.fits"]}))
    assert "x.fits" in found["message"][0]
    assert found["flags"][0] & 1


def test_polars(listed, expected):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: listed[name].tolist() for name in listed.colnames})
    same(predict_parameters(frame), expected)


def test_mapping_of_columns(listed, expected):
    same(predict_parameters({n: listed[n].tolist() for n in listed.colnames}), expected)


def test_one_row(listed, expected):
    assert predict_parameters(listed[1])["teff"][0] == expected["teff"][1]


def test_pyvo_results_are_fetched(listed, expected, monkeypatch):
    from pyvo.dal import DALResults

    rows = Table({"obs_id": ["first", "second"], "access_url": ["u1", "u2"]})
    seen = []

    def bring(table, **options):
        seen.append(table["access_url"].tolist())
        return listed

    monkeypatch.setattr(surveys, "fetch", bring)
    votable = from_table(rows)
    votable.resources[0].type = "results"
    same(predict_parameters(DALResults(votable)), expected)
    assert seen == [["u1", "u2"]]


def test_arrays_in_a_mapping_are_a_spectrum():
    wavelength = np.linspace(500, 510, 50) * u.nm
    (arrays,) = as_spectra(
        {"WAVE": wavelength, "FLUX": np.full(50, 2.0) * u.Jy, "ERR": np.ones(50) * u.Jy}
    )
    np.testing.assert_allclose(arrays.wavelength, wavelength.to_value(u.AA))
    assert arrays.flux_unit == u.Jy
    np.testing.assert_array_equal(arrays.sigma, 1.0)


def test_wavelengths_without_a_unit_are_not_guessed():
    with pytest.raises(ValueError, match="wavelengths from 1 to 8 without a unit"):
        as_spectra({"wave": np.arange(9.0), "flux": np.ones(9)})


def test_a_table_of_no_spectra_says_what_it_needs():
    with pytest.raises(ValueError, match=r"Needed: a column path.*there is star, mag"):
        predict_parameters(Table({"star": ["a"], "mag": [1.0]}))


@pytest.mark.parametrize(
    ("row", "survey", "identifier"),
    [
        # columns as astroquery and the archives' own interfaces spell them
        ({"plate": 266, "mjd": 51602, "fiberID": 31, "run2d": "26"}, "sdss",
         "spec-0266-51602-0031"),
        ({"APOGEE_ID": "2M00005143+5615568", "TELESCOPE": "apo25m",
          "FIELD": "116-04"}, "apogee", "apStar-dr17-2M00005143+5615568-apo25m-116-04"),
        ({"obsid": 101001, "RAJ2000": 1.0}, "lamost", "101001"),
        ({"dp_id": "ADP.2014-09-16T11:04:45.123", "OBJECT": "x"}, "harps",
         "ADP.2014-09-16T11:04:45.123"),
        ({"SOURCE_ID": 5937083312263887616, "has_rvs": True}, "gaia",
         "Gaia-DR3-RVS-5937083312263887616"),
        ({"source_id": 5937083312263887616}, "gaia_xp",
         "Gaia-DR3-XP_SAMPLED-5937083312263887616"),
        ({"Access_URL": "http://x/y"}, "obscore", "http://x/y"),
    ],
)  # fmt: skip
def test_rows_of_others_find_their_survey(monkeypatch, row, survey, identifier):
    asked = []

    def bring(self, table, directory=None, **options):
        asked.append((self.name, table["obs_id"].tolist()))
        return table

    for name in SURVEYS:
        monkeypatch.setattr(SURVEYS[name], "fetch", bring)
    fetch(Table(rows=[row]))
    assert asked == [(survey, [identifier])]
