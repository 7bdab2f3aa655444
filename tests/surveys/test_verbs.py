# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Surveys by name, and the two surveys that need no network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table

from astro_latent.archives import OBSCORE_COLUMNS, to_obscore
from astro_latent.archives.ledger import Ledger
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveFormatError,
    NoResultsWarning,
    UnknownNameError,
)
from astro_latent.surveys import (
    SURVEYS,
    fetch,
    get_survey,
    list_surveys,
    query_object,
    query_region,
)
from astro_latent.surveys.local.survey import LocalSurvey
from astro_latent.surveys.sample.survey import SampleSurvey
from astro_latent.surveys.verbs import _find_owners


def write_star(path, name, ra, dec, *, snr=20.0, mjd=56000.0):
    hdu = fits.PrimaryHDU(np.ones(4, dtype=np.float32))
    hdu.header.update(
        {
            "OBJECT": name,
            "RA": ra,
            "DEC": dec,
            "MJD-OBS": mjd,
            "EXPTIME": 864.0,
            "SNR": snr,
        }
    )
    hdu.writeto(path)
    return path


@pytest.fixture
def folder(tmp_path):
    write_star(tmp_path / "one.fits", "HD 1", 10.0, 5.0, snr=20.0, mjd=56000.0)
    write_star(tmp_path / "two.fits", "HD 2", 10.5, 5.0, snr=80.0, mjd=57000.0)
    (tmp_path / "deep").mkdir()
    write_star(tmp_path / "deep" / "three.fits", "HD 3", 200.0, -5.0)
    (tmp_path / "notes.txt").write_text("not a spectrum")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = nonsense")
    return tmp_path


@pytest.fixture
def sample(tmp_path):
    write_star(tmp_path / "a.fits", "HD 1", 10.0, 5.0)
    index = Table(
        {
            "obs_id": ["sample-a", "sample-b"],
            "target_name": ["HD 1", "HD 2"],
            "survey": ["harps", "harps"],
            "s_ra": [10.0, 20.0] * u.deg,
            "s_dec": [5.0, 5.0] * u.deg,
            "dataproduct_type": ["spectrum", "spectrum"],
            "em_min": [378.0, 378.0] * u.nm,
            "em_max": [691.0, 691.0] * u.nm,
            "file_name": ["a.fits", "missing.fits"],
        }
    )
    index.write(tmp_path / "index.ecsv")
    return SampleSurvey(tmp_path)


class TestRegistry:
    def test_unknown_names_list_the_near_ones(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'sample'"):
            get_survey("sampel")

    def test_a_survey_is_returned_as_it_is(self):
        survey = LocalSurvey()
        assert get_survey(survey) is survey
        with pytest.raises(TypeError, match="takes no further options"):
            get_survey(survey, path="x")

    def test_every_survey_is_listed_with_its_facts(self):
        table = list_surveys()
        assert set(table["name"]) == set(SURVEYS)
        assert set(table["medium"]) <= {"air", "vacuum", "unknown"}
        assert set(table["frame"]) <= {"observed", "barycentric", "rest", "unknown"}
        assert set(table["normalisation"]) <= {"none", "continuum", "unknown"}
        assert table["wavelength_min"].unit == u.AA
        assert all(len(text) > 5 for text in table["title"])


class TestObsCore:
    @pytest.mark.parametrize("name", list(OBSCORE_COLUMNS))
    def test_ucds_are_words_of_the_vocabulary(self, name):
        column = OBSCORE_COLUMNS[name]
        parse_ucd(column.ucd, check_controlled_vocabulary=True)
        u.Unit(column.unit)

    def test_units_are_converted_and_masks_become_blanks(self):
        rows = Table(
            {
                "EM_MIN": [378.0, 400.0] * u.nm,
                "target": np.ma.MaskedArray(["a", "b"], mask=[False, True]),
                "snr": np.ma.MaskedArray([5, 6], mask=[True, False]),
            }
        )
        table = to_obscore(rows, survey="x", rename={"target": "target_name"})
        np.testing.assert_allclose(table["em_min"], [378e-9, 400e-9])
        assert list(table["target_name"]) == ["a", ""]
        assert np.isnan(table["snr"][0])
        assert table["snr"][1] == 6
        assert not table.has_masked_columns

    def test_the_archives_own_columns_survive(self):
        rows = Table({"apogee_id": ["2M1"], "ra": [1.0]})
        table = to_obscore(rows, survey="x", rename={"ra": "s_ra"})
        assert table["apogee_id"][0] == "2M1"
        assert rows.colnames == ["apogee_id", "ra"]

    def test_an_existing_name_is_not_overwritten(self):
        rows = Table({"ra": [1.0], "s_ra": [2.0]})
        table = to_obscore(rows, survey="x", rename={"ra": "s_ra"})
        assert table["s_ra"][0] == 2.0
        assert table["ra"][0] == 1.0


class TestLocal:
    def test_a_folder_is_searched_with_everything_below(self, folder):
        table = get_survey("local", path=folder).table()
        assert set(table["obs_id"]) == {"one", "two", "three", "broken"}
        assert table["s_ra"].unit == u.deg

    def test_region(self, folder):
        survey = LocalSurvey(folder)
        table = query_region(SkyCoord(10, 5, unit="deg"), 1 * u.deg, survey=survey)
        assert set(table["obs_id"]) == {"one", "two"}

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"snr": 50}, {"two"}),
            ({"time": (56000.005, 56000.006)}, {"one"}),
            ({"time": (56500, 58000)}, {"two"}),
            ({"row_limit": 1}, {"one"}),
            ({"row_limit": -1}, {"one", "two"}),
        ],
    )
    def test_filters(self, folder, filters, expected):
        position = SkyCoord(10, 5, unit="deg")
        table = LocalSurvey(folder).query_region(position, 1 * u.deg, **filters)
        assert set(table["obs_id"]) == expected

    def test_a_name_needs_no_network_and_nothing_found_is_said(self, folder):
        survey = LocalSurvey(folder)
        assert list(query_object("hd1", survey=survey)["obs_id"]) == ["one"]
        with pytest.warns(NoResultsWarning, match="found nothing"):
            assert len(survey.query_object("HD 99")) == 0

    def test_paths_are_relative_to_the_table(self, folder):
        Table({"file": ["one.fits"]}).write(folder / "list.ecsv")
        table = LocalSurvey(folder / "list.ecsv").table()
        assert table["path"][0] == str(folder / "one.fits")
        assert table["obs_id"][0] == "one"

    def test_a_table_without_paths_is_refused(self):
        with pytest.raises(ArchiveFormatError, match="none of the columns"):
            LocalSurvey(Table({"x": [1]})).table()

    @pytest.mark.parametrize(
        ("filters", "message"),
        [
            ({"row_limit": 0}, "row_limit must be positive"),
            ({"snr": np.nan}, "snr must be finite"),
            ({"time": (1, 2, 3)}, "time must be two"),
            ({"band": [1, 2] * u.kg}, "not convertible"),
        ],
    )
    def test_bad_filters_are_named(self, folder, filters, message):
        with pytest.raises(ValueError, match=message):
            LocalSurvey(folder).query_region(
                SkyCoord(0, 0, unit="deg"), 1 * u.deg, **filters
            )


class TestSample:
    def test_the_index_is_the_archive(self, sample):
        table = sample.query_object("HD 1")
        assert table["survey"][0] == "harps"
        assert table["em_min"].unit == u.m
        np.testing.assert_allclose(table["em_min"], 378e-9)

    def test_a_missing_index_is_named(self, tmp_path):
        with pytest.raises(ArchiveError, match=r"index\.ecsv is missing"):
            SampleSurvey(tmp_path).table()

    def test_the_index_cannot_point_outside(self, tmp_path):
        Table({"obs_id": ["x"], "file_name": ["../x.fits"]}).write(
            tmp_path / "index.ecsv"
        )
        with pytest.raises(ArchiveError, match="outside the sample folder"):
            SampleSurvey(tmp_path).table()

    def test_fetch_keeps_order_and_flags_what_is_missing(self, sample):
        table = sample.table()[::-1]
        fetched = fetch(table)
        assert list(fetched["obs_id"]) == ["sample-b", "sample-a"]
        assert list(fetched["fetch_status"]) == ["failed", "local"]
        assert list(fetched["flags"]) == [1, 0]
        assert "no file at" in fetched["message"][0]

    def test_fetch_copies_into_a_folder(self, sample, tmp_path):
        target = tmp_path / "copies"
        fetched = fetch(sample.query_object("HD 1"), target)
        assert [path.name for path in target.iterdir()] == ["sample-a.fits"]
        assert fits.getheader(fetched["path"][0])["OBJECT"] == "HD 1"

    def test_rows_of_several_surveys_keep_their_order(
        self, stub, say, make_fits, tmp_path
    ):
        """Fetched survey by survey, in a shuffle that is not its own inverse."""
        owners = ["obscore", "ssa", "ssa", "obscore"]
        names = [f"row-{n}" for n in range(4)]
        bodies = [make_fits(100 + n) for n in range(4)]
        for name, body in zip(names, bodies, strict=True):
            stub.routes[f"/{name}"] = say(body)
        mixed = Table(
            {
                "obs_id": names,
                "obs_publisher_did": names,
                "survey": owners,
                "access_url": [f"{stub.url}/{name}" for name in names],
                "access_format": ["application/fits"] * 4,
            }
        )
        fetched = fetch(mixed, tmp_path)
        assert list(fetched["obs_id"]) == names
        assert list(fetched["survey"]) == owners
        files = [Path(path).read_bytes() for path in fetched["path"]]
        assert files == bodies

    def test_a_file_that_was_fetched_is_here_until_it_is_gone(self, tmp_path):
        (tmp_path / "a.fits").write_bytes(b"")
        (tmp_path / "d.fits").write_bytes(b"")  # nobody fetched this one
        Ledger(tmp_path).note(tmp_path / "a.fits")
        paths = [
            str(tmp_path / name) for name in ("a.fits", "b.fits", "c.fits", "d.fits")
        ]
        table = Table({"survey": ["harps"] * 4, "path": paths})
        table["access_url"] = ["https://x/a", "https://x/b", "", "https://x/d"]
        owners = _find_owners(table).tolist()
        assert owners == ["local", "harps", "local", "harps"]

    def test_a_table_that_names_no_survey_is_refused(self):
        with pytest.raises(ValueError, match="nothing says where the spectra are"):
            fetch(Table({"obs_id": ["a"]}))


def test_the_list_of_surveys_needs_no_protocol():
    code = (
        "import sys; from astro_latent.archives import list_surveys; list_surveys();"
        "print({'requests', 'pyvo', 'astroquery', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
