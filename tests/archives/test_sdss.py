# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The database of SDSS (CAS), against answers in its own format."""

import math
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.exceptions import (
    ArchiveError,
    NoResultsWarning,
    TruncatedResultsWarning,
    UnsupportedQueryError,
)
from astro_latent.surveys import fetch, get_survey
from astro_latent.surveys.sdss.config import conf as sdss_conf
from astro_latent.surveys.sdss.rows import name_columns
from astro_latent.surveys.sdss.sql import name_literal, sky_condition

CENTRE = SkyCoord(150.0, 2.0, unit="deg")
CAS = "/dr17/en/tools/search/x_results.aspx"

APOGEE_ROWS = """#Table1
apstar_id,apogee_id,telescope,field,ra,dec,snr,nvisits,starflag,vhelio,teff,teff_err,logg,logg_err,m_h,m_h_err,aspcapflag
apogee.lco25m.stars.293-37-C.2M03174068-7748459,2M03174068-7748459,lco25m,293-37-C,49.4195,-77.8128,190.5,3,0,12.5,4734.2,77,4.63,0.05,-0.1,0.01,0
apogee.apo25m.stars.M67.2M08510076+1153115,2M08510076+1153115,apo25m,M67,132.753,11.887,90.5,1,0,33.1,5800,90,4.4,0.05,0.0,0.01,0
"""
SPEC_ROWS = """#Table1
specobjid,plate,mjd,fiberid,run2d,ra,dec,snmedian,subclass,z,zwarning,wavemin,wavemax
299489677444933632,266,51630,12,26,146.71,-1.04,21.4,F5,0.0001,0,3810.5,9210.5
8000000000000000000,10000,57346,7,v5_13_2,30.1,28.2,15.1,K3,-0.0002,0,3600.1,10320.2
"""
#: The columns that are asked for; values made up but for the first two names.
SPALL_ROWS = """#Table1
sdss_id,field,mjd,catalogid,run2d,ra,dec,snmedian,subclass,z,zwarning,wavemin,wavemax
54459273,15143,59205,4375786564,v6_1_3,150.1,2.1,21.4,F5,0.0001,0,3594.8,10380.0
54459274,101077,59845,27021598109009995,v6_1_3,149.9,1.9,15.1,K3,-0.0002,0,3594.8,10380.0
"""


@pytest.fixture
def sdss(stub, say):
    def answers(text):
        stub.routes[CAS] = say(text.encode(), content_type="text/csv")

    def asked():
        query = parse_qs(urlsplit(stub.requests_for(CAS)[-1].path).query)
        return query["cmd"][0]

    answers.asked, answers.stub = asked, stub
    with (
        sdss_conf.set_temp("skyserver_url", stub.url),
        sdss_conf.set_temp("sas_url", f"{stub.url}/sas"),
    ):
        yield answers


class TestSql:
    def test_the_circle_is_one(self, rng):
        """A real SQL engine selects with it what astropy selects."""
        ra, dec = rng.uniform(0, 360, 4000), rng.uniform(-90, 90, 4000)
        ra[:500], dec[:500] = rng.uniform(-0.5, 0.5, 500) % 360, rng.uniform(1, 3, 500)
        centre, radius = SkyCoord(0.1, 2.0, unit="deg"), 0.4 * u.deg
        with closing(sqlite3.connect(":memory:")) as database:
            for name, count, function in (
                ("POWER", 2, math.pow),
                ("SIN", 1, math.sin),
                ("COS", 1, math.cos),
                ("RADIANS", 1, math.radians),
            ):
                database.create_function(name, count, function)
            database.execute("CREATE TABLE t (n INTEGER, ra REAL, dec REAL)")
            rows = zip(range(4000), ra.tolist(), dec.tolist(), strict=True)
            database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
            where = sky_condition(centre, radius, prefix="t.")
            found = {
                row[0] for row in database.execute(f"SELECT n FROM t WHERE {where}")
            }
        inside = SkyCoord(ra, dec, unit="deg").separation(centre) <= radius
        assert len(found) > 20
        assert found == set(np.flatnonzero(inside).tolist())

    @pytest.mark.parametrize("name", ["a'; DROP TABLE x", "a--b", ""])
    def test_names_cannot_be_commands(self, name):
        with pytest.raises(ValueError, match="is not a name that the SDSS database"):
            name_literal(name)


class TestApogee:
    def test_rows_become_obscore(self, sdss):
        sdss(APOGEE_ROWS)
        table = get_survey("apogee").query_region(CENTRE, 1 * u.deg, snr=50)
        assert list(table["target_name"]) == [
            "2M03174068-7748459",
            "2M08510076+1153115",
        ]
        assert table["s_ra"].unit == u.deg
        assert table["radial_velocity"].unit == u.km / u.s
        assert table["teff"].unit == u.K
        np.testing.assert_allclose(table["em_min"], 1.51008e-6)
        query = sdss.asked()
        assert query.strip().startswith("SELECT TOP 1001 s.apstar_id, s.apogee_id,")
        assert "apogeeStar AS s LEFT JOIN aspcapStar AS a" in query
        assert "s.snr >= 50.0" in query

    @pytest.mark.parametrize(
        ("product", "addresses"),
        [
            (
                "apStar",
                (
                    "redux/dr17/stars/lco25m/293-37-C/asStar-dr17-2M03174068-7748459.fits",
                    "redux/dr17/stars/apo25m/M67/apStar-dr17-2M08510076+1153115.fits",
                ),
            ),
            (
                "aspcapStar",
                (
                    "aspcap/dr17/synspec_rev1/lco25m/293-37-C/"
                    "aspcapStar-dr17-2M03174068-7748459.fits",
                    "aspcap/dr17/synspec_rev1/apo25m/M67/"
                    "aspcapStar-dr17-2M08510076+1153115.fits",
                ),
            ),
        ],
    )
    def test_addresses_of_the_real_archive(self, sdss, product, addresses):
        sdss(APOGEE_ROWS)
        survey = get_survey("apogee", product=product)
        table = survey.query_region(CENTRE, 1 * u.deg)
        with sdss_conf.set_temp("sas_url", "https://data.sdss.org/sas"):
            wanted = survey.file_requests(table)
        base = "https://data.sdss.org/sas/dr17/apogee/spectro/"
        assert [request.url for request in wanted] == [base + end for end in addresses]

    def test_visits(self, sdss):
        sdss(
            "#Table1\nvisit_id,apogee_id,telescope,field,plate,mjd,fiberid,ra,dec,snr,"
            "starflag,vhelio\nv,2M08510076+1153115,apo25m,M67,5587,55847,7,132.7,11.8,"
            "50,0,33\n"
        )
        survey = get_survey("apogee", product="apVisit")
        table = survey.query_region(CENTRE, 1 * u.deg, time=(55847.0, 55848.0))
        assert "s.mjd BETWEEN 55846.0 AND 55849.0" in sdss.asked()
        assert survey.file_requests(table)[0].url.endswith(
            "redux/dr17/visit/apo25m/M67/5587/55847/apVisit-dr17-5587-55847-007.fits"
        )

    def test_mwm_star(self):
        survey = get_survey("apogee", product="mwmStar")
        request = survey.file_requests(Table({"sdss_id": [114705074]}))[0]
        assert request.url.endswith(
            "dr19/spectro/astra/0.6.0/spectra/star/50/74/mwmStar-0.6.0-114705074.fits"
        )
        with pytest.raises(NotImplementedError, match="fetched by sdss_id"):
            survey.query_region(CENTRE, 1 * u.deg)

    def test_an_apogee_id_needs_no_name_service(self, sdss):
        sdss(APOGEE_ROWS)
        get_survey("apogee").query_object("2M03174068-7748459")
        assert "WHERE s.apogee_id = '2M03174068-7748459'" in sdss.asked()

    def test_files_arrive(self, sdss, say, make_fits, tmp_path):
        sdss(APOGEE_ROWS)
        table = get_survey("apogee").query_region(CENTRE, 1 * u.deg)
        for address in table["access_url"]:
            sdss.stub.routes[urlsplit(address).path] = say(make_fits())
        fetched = fetch(table, tmp_path)
        assert list(fetched["fetch_status"]) == ["downloaded"] * 2
        assert list(fetched["obs_id"]) == list(table["obs_id"])

    @pytest.mark.parametrize("field", ["../../../etc", "a b", ".", ""])
    def test_a_strange_field_leads_nowhere(self, field):
        row = Table({"apogee_id": ["2M1"], "telescope": ["apo25m"], "field": [field]})
        with pytest.raises(ArchiveError, match="the row needs field"):
            get_survey("apogee").file_requests(row)

    def test_nothing_found(self, sdss):
        sdss("#Table1\napogee_id,ra,dec\n")
        with pytest.warns(NoResultsWarning, match="apogee: the query found nothing"):
            assert len(get_survey("apogee").query_region(CENTRE, 1 * u.deg)) == 0

    def test_combined_spectra_have_no_time(self):
        with pytest.raises(ValueError, match="combines visits"):
            get_survey("apogee").query_region(CENTRE, 1 * u.deg, time=(1, 2))


class TestSdss:
    def test_rows_and_addresses(self, sdss):
        sdss(SPEC_ROWS)
        table = get_survey("sdss").query_region(
            CENTRE, 1 * u.deg, band=[5000, 6000] * u.AA
        )
        assert list(table["obs_id"]) == [
            "spec-0266-51630-0012",
            "spec-10000-57346-0007",
        ]
        np.testing.assert_allclose(table["em_min"], [3810.5e-10, 3600.1e-10])
        base = f"{sdss.stub.url}/sas/dr17/sdss/spectro/redux/"
        assert list(table["access_url"]) == [
            f"{base}26/spectra/lite/0266/spec-0266-51630-0012.fits",
            f"{base}v5_13_2/spectra/lite/10000/spec-10000-57346-0007.fits",
        ]
        assert "s.class = 'STAR'" in sdss.asked()
        assert "s.wavemax >= 5000.0" in sdss.asked()

    def test_truncation_is_told(self, sdss):
        sdss(SPEC_ROWS)
        with pytest.warns(TruncatedResultsWarning, match="more than the 1 rows"):
            table = get_survey("sdss").query_region(CENTRE, 1 * u.deg, row_limit=1)
        assert len(table) == 1

    def test_a_busy_database_is_asked_again(self, sdss, say):
        good = say(SPEC_ROWS.encode(), content_type="text/csv")
        sdss.stub.routes[CAS] = [say(status=503), good]
        assert len(get_survey("sdss").query_region(CENTRE, 1 * u.deg)) == 2

    def test_an_error_message_is_passed_on(self, sdss):
        sdss("error_message: Invalid column name 'nope'")
        with pytest.raises(ArchiveError, match=r"refused the query.*Invalid column"):
            get_survey("sdss").query_adql("SELECT nope FROM SpecObj")

    def test_release(self):
        with pytest.raises(ValueError, match="release must lie between 13 and 19"):
            get_survey("sdss", release=20)
        with pytest.raises(
            UnsupportedQueryError, match=r"DR18 are not listed by position: ask DR19"
        ):
            get_survey("sdss", release=18).query_region(CENTRE, 1 * u.deg)

    def test_what_an_archive_does_not_offer_is_an_error_of_this_package(self):
        """It names the remedy, and is what Python calls it, too."""
        targets = Table({"ra": [1.0], "dec": [0.0]})
        with pytest.raises(UnsupportedQueryError, match="loop over query_region"):
            get_survey("sdss").query_targets(targets, 1 * u.arcsec)
        with pytest.raises(UnsupportedQueryError, match="use query_region"):
            get_survey("galah").query_adql("SELECT 1")
        assert issubclass(UnsupportedQueryError, ArchiveError)

    def test_spectra_of_sdss_v(self, sdss, say):
        """Columns of spAll as the schema of the database has them (sciserver)."""
        path = CAS.replace("dr17", "dr19")
        sdss.stub.routes[path] = say(SPALL_ROWS.encode(), content_type="text/csv")
        survey = get_survey("sdss", release=19)
        table = survey.query_region(
            CENTRE, 1 * u.deg, snr=10, time=(59600, 59700), band=[5000, 6000] * u.AA
        )
        query = parse_qs(urlsplit(sdss.stub.seen[-1].path).query)["cmd"][0]
        assert "s.plug_ra AS ra" in query
        assert "FROM spAll AS s WHERE s.class = 'STAR' AND s.plug_dec BETWEEN" in query
        assert "s.sn_median_all >= 10.0 AND s.mjd BETWEEN 59599.0 AND 59701.0" in query
        assert "specobjid" not in query
        assert list(table["obs_id"]) == [
            "spec-015143-59205-4375786564", "spec-101077-59845-27021598109009995",
        ]  # fmt: skip
        np.testing.assert_allclose(table["s_ra"], [150.1, 149.9])
        base = f"{sdss.stub.url}/sas/dr19/spectro/boss/redux/v6_1_3/spectra/lite"
        assert [request.url for request in survey.file_requests(table)] == [
            f"{base}/015143/59205/spec-015143-59205-4375786564.fits",
            f"{base}/101077/59845/spec-101077-59845-27021598109009995.fits",
        ]

    def test_long_identifiers_name_no_plate(self):
        """Those of SDSS-V have 30 digits; until DR17 they encode plate and fibre."""
        table = Table({"specobjid": ["123456789012345678901234567890"]})
        assert name_columns(table).colnames == ["specobjid"]
