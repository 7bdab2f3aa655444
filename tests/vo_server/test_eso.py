# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The code that asks ESO, run unchanged against a real TAP and DataLink server."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from astro_latent.archives import OBSCORE_COLUMNS, conf
from astro_latent.exceptions import (
    ArchiveError,
    NoResultsWarning,
    TruncatedResultsWarning,
)
from astro_latent.pipeline import fetch_spectra
from astro_latent.surveys import (
    fetch,
    get_survey,
    query_adql,
    query_object,
    query_region,
)
from astro_latent.surveys.eso.config import conf as eso_conf

pytestmark = pytest.mark.vo_server

ALPHA_CEN_B = SkyCoord(219.8960, -60.8375, unit="deg")


def published(server, **limits):
    """Identifiers of what was published and satisfies simple limits."""
    return {
        row["dp_id"]
        for row in server.rows
        if row["target_name"] in limits.get("names", row["target_name"])
        and row["snr"] >= limits.get("snr", 0)
    }


class TestQueries:
    def test_the_answer_has_obscore_names_units_and_ucds(self, as_eso):
        table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps")
        assert set(table["obs_id"]) == published(as_eso, names=["HD 128621"])
        for name in ("s_ra", "em_min", "t_min", "snr", "access_url"):
            assert table[name].meta["ucd"] == OBSCORE_COLUMNS[name].ucd
        assert table["s_ra"].unit == u.deg
        np.testing.assert_allclose(table["s_ra"], ALPHA_CEN_B.ra.deg, atol=1e-7)
        np.testing.assert_allclose(table["em_min"], 5e-7, rtol=1e-6)
        np.testing.assert_allclose(table["t_max"] - table["t_min"], 0.01, rtol=1e-6)
        assert set(table["survey"]) == {"harps"}
        assert list(table["snr"]) == sorted(table["snr"], reverse=True)

    def test_neighbours_are_within_the_circle_only(self, as_eso):
        table = query_region(ALPHA_CEN_B, 1 * u.arcmin, survey="harps")
        assert set(table["target_name"]) == {"HD 128621", "HD 128620"}

    def test_a_circle_across_zero_hours(self, as_eso):
        table = query_region(
            SkyCoord(359.9999, 0, unit="deg"), 3 * u.arcsec, survey="harps"
        )
        assert set(table["target_name"]) == {"HD 0"}

    @pytest.mark.parametrize(
        ("filters", "count"),
        [
            ({"snr": 182}, 4),
            ({"time": Time([56000.0, 56001.1], format="mjd")}, 1),
            ({"time": (56000.205, 56001.205)}, 2),
            ({"band": [5005, 5006] * u.AA}, 6),
            ({"band": [1, 2] * u.um}, 0),
        ],
    )
    @pytest.mark.filterwarnings("ignore::astro_latent.exceptions.NoResultsWarning")
    def test_filters_are_applied_by_the_server(self, as_eso, filters, count):
        table = get_survey("harps").query_region(ALPHA_CEN_B, 2 * u.arcsec, **filters)
        assert len(table) == count

    def test_truncation_is_told(self, as_eso):
        with pytest.warns(TruncatedResultsWarning, match="more than the 3 rows"):
            table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps", row_limit=3)
        assert list(table["snr"]) == [185, 184, 183]

    def test_a_limit_that_is_met_exactly_is_no_truncation(self, as_eso):
        table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps", row_limit=6)
        assert len(table) == 6

    def test_all_rows_come_page_by_page(self, as_eso):
        with conf.set_temp("page_size", 4):
            table = query_region(
                ALPHA_CEN_B, 1 * u.arcmin, survey="harps", row_limit=-1
            )
        wanted = published(as_eso, names=["HD 128621", "HD 128620"])
        assert list(table["obs_id"]) == sorted(wanted)

    def test_a_name_with_a_quote(self, as_eso):
        table = query_object("Barnard's star", survey="harps", match="name")
        assert len(table) == 3

    def test_a_name_cannot_become_a_command(self, as_eso):
        with pytest.warns(NoResultsWarning, match="found nothing"):
            table = query_object("x' OR '1'='1", survey="harps", match="name")
        assert len(table) == 0

    def test_asynchronous_jobs_give_the_same(self, as_eso):
        slow = get_survey("harps", mode="async").query_region(ALPHA_CEN_B, 2 * u.arcsec)
        quick = get_survey("harps").query_region(ALPHA_CEN_B, 2 * u.arcsec)
        assert list(slow["obs_id"]) == list(quick["obs_id"])

    def test_own_adql_and_its_errors(self, as_eso):
        table = query_adql("SELECT * FROM ivoa.ObsCore WHERE snr > 200", survey="harps")
        assert set(table["obs_id"]) == published(as_eso, snr=201)
        with pytest.raises(ArchiveError, match=r"refused the query: .*column 'nope'"):
            query_adql("SELECT nope FROM ivoa.ObsCore", survey="harps")


class TestTargets:
    targets = Table(
        {"target_id": ["b", "zero"], "ra": [219.896, 0.0003], "dec": [-60.8375, 0.0002]}
    )

    def test_a_target_list_is_one_upload(self, as_eso):
        table = get_survey("harps").query_targets(self.targets, 2 * u.arcsec)
        found = {
            name: int(np.sum(table["target_id"] == name)) for name in ("b", "zero")
        }
        assert found == {"b": 6, "zero": 3}
        assert table["s_ra"].unit == u.deg

    def test_pieces_give_the_same(self, as_eso):
        with conf.set_temp("upload_size", 1):
            table = get_survey("harps").query_targets(
                self.targets, 2 * u.arcsec, snr=62
            )
        assert sorted(table["target_id"]) == ["b"] * 6 + ["zero"]

    def test_a_limit_is_told(self, as_eso):
        with pytest.warns(TruncatedResultsWarning, match="more than the 4 rows"):
            table = get_survey("harps").query_targets(
                self.targets, 2 * u.arcsec, row_limit=4
            )
        assert len(table) == 4


class TestFiles:
    def test_from_query_to_spectra_in_order(self, as_eso, tmp_path):
        table = query_region(ALPHA_CEN_B, 1 * u.arcmin, survey="harps", snr=183)
        spectra = fetch_spectra(table, directory=tmp_path)
        seen = [spectrum.meta["observation"] for spectrum in spectra]
        assert [one.obs_id for one in seen] == list(table["obs_id"])
        assert {one.flags for one in seen} == {0}
        assert {one.medium for one in seen} == {"air"}
        assert {one.frame for one in seen} == {"barycentric"}
        np.testing.assert_allclose([one.ra for one in seen], table["s_ra"])
        assert spectra[0].spectral_axis[0].to_value(u.AA) == pytest.approx(5000)

    @pytest.mark.parametrize("direct", [True, False], ids=["portal", "datalink"])
    def test_files_arrive_and_are_kept(self, as_eso, tmp_path, direct):
        table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps", snr=183)
        address = as_eso.files if direct else ""
        with eso_conf.set_temp("file_url", address):
            first = fetch(table, tmp_path)
            # A second run makes no request: the server could be gone.
            with eso_conf.set_temp("file_url", "http://127.0.0.1:9/{dp_id}"):
                second = fetch(table, tmp_path)
        assert set(first["fetch_status"]) == {"downloaded"}
        assert set(second["fetch_status"]) == {"cached"}
        for row in first:
            header = fits.getheader(row["path"])
            assert header["ARCFILE"] == f"{row['obs_id']}.fits"

    def test_a_missing_file_is_a_flagged_row(self, as_eso, tmp_path):
        table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps", snr=184)
        table["obs_id"][1] = "ADP.of.nothing"
        fetched = fetch(table, tmp_path)
        assert list(fetched["flags"]) == [0, 1]
        assert "answered 404" in fetched["message"][1]
        spectra = fetch_spectra(table, directory=tmp_path)
        lost = spectra[1].meta["observation"]
        assert lost.obs_id == "ADP.of.nothing"
        assert lost.flags & 1
        assert "answered 404" in lost.message
        assert spectra[0].meta["observation"].flags == 0

    def test_datalink_says_what_it_does_not_have(self, as_eso, tmp_path):
        table = query_region(ALPHA_CEN_B, 2 * u.arcsec, survey="harps", row_limit=6)[:1]
        table["access_url"] = [f"{as_eso.url}/alspec/q/sdl/dlmeta?ID=ivo://nobody/x"]
        with eso_conf.set_temp("file_url", ""):
            fetched = fetch(table, tmp_path)
        assert "DataLink lists no data: NotFoundFault" in fetched["message"][0]
