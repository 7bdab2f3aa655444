# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS, Gaia and XMatch through astroquery, against answers in their own formats."""

import io
import math
import re
import sqlite3
import zipfile
from contextlib import closing
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.archives import conf
from astro_latent.archives.xmatch import query_xmatch, vizier_crossmatch
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveFormatError,
    NoResultsWarning,
    TruncatedResultsWarning,
)
from astro_latent.surveys import fetch, get_survey
from astro_latent.surveys.gaia.config import conf as gaia_conf
from astro_latent.surveys.sdss.config import conf as sdss_conf
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
REFUSAL = b"""<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="ERROR">Unknown table: vizier:X/1</INFO>
</RESOURCE></VOTABLE>"""


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
            NotImplementedError, match="field, mjd, catalogid and run2d"
        ):
            get_survey("sdss", release=19).query_region(CENTRE, 1 * u.deg)


def rvs_votable(source):
    """What one member of Gaia's zip archive holds."""
    table = Table(
        {
            "wavelength": np.linspace(846, 870, 5) * u.nm,
            "flux": np.ones(5),
            "flux_error": np.full(5, 0.01),
        }
    )
    table.meta["description"] = f"Gaia DR3 {source}"
    stream = BytesIO()
    table.write(stream, format="votable")
    return stream.getvalue()


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of astroquery's import
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestGaia:
    ids = (4295806720, 34361129088)

    @pytest.fixture
    def gaia(self, stub, say):
        stub.routes["/data-server/data"] = say(
            zipped(
                {
                    f"RVS-Gaia DR3 {self.ids[1]}.xml": rvs_votable(self.ids[1]),
                    "../../evil.xml": b"evil",
                    f"RVS-Gaia DR3 {self.ids[0]}.xml": rvs_votable(self.ids[0]),
                }
            ),
            content_type="application/zip",
        )
        with gaia_conf.set_temp("server_url", f"{stub.url}/"):
            yield stub

    def rows(self, *ids):
        table = Table({"source_id": np.array(ids or self.ids, dtype=np.int64)})
        table["obs_id"] = [f"Gaia-DR3-RVS-{source}" for source in table["source_id"]]
        return table

    def test_one_request_for_all_sources(self, gaia, tmp_path):
        here = set(Path.cwd().iterdir())
        fetched = fetch(self.rows(), tmp_path / "in", survey="gaia")
        assert list(fetched["fetch_status"]) == ["downloaded"] * 2
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["ID"] == [",".join(map(str, self.ids))]
        assert body["RELEASE"] == ["Gaia DR3"]
        assert body["RETRIEVAL_TYPE"] == ["RVS"]
        assert body["DATA_STRUCTURE"] == ["INDIVIDUAL"]
        first = Table.read(fetched["path"][0], format="votable")
        assert len(first) == 5
        assert str(self.ids[0]) in Path(fetched["path"][0]).name
        # Nothing but our own names, and nothing outside the folder.
        assert len(list((tmp_path / "in").glob("[!.]*"))) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
        assert set(Path.cwd().iterdir()) == here

    def test_a_second_run_makes_no_request(self, gaia, tmp_path):
        fetch(self.rows(), tmp_path, survey="gaia")
        again = fetch(self.rows(), tmp_path, survey="gaia")
        assert list(again["fetch_status"]) == ["cached"] * 2
        assert len(gaia.requests_for("/data-server/data")) == 1

    def test_a_source_without_spectrum_is_a_flagged_row(self, gaia, tmp_path):
        fetched = fetch(self.rows(99999999, self.ids[0]), tmp_path, survey="gaia")
        assert list(fetched["flags"]) == [1, 0]
        assert "no RVS spectrum of this source" in fetched["message"][0]

    def test_words_of_the_next_release(self, gaia, tmp_path):
        with gaia_conf.set_temp("release", "DR4"):
            fetch(self.rows(), tmp_path, survey="gaia")
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["RELEASE"] == ["Gaia DR4"]
        assert body["RETRIEVAL_TYPE"] == ["MEAN_SPECTRUM_RVS"]
        assert body["DATA_STRUCTURE"] == ["DATAMODEL_STANDARD"]

    def test_xp(self, gaia, tmp_path):
        fetch(self.rows(), tmp_path, survey="gaia_xp")
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["RETRIEVAL_TYPE"] == ["XP_SAMPLED"]

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ({"body": b"<html>maintenance</html>"}, "the answer is no zip archive"),
            ({"status": 500}, "answered 500.*given up after 3"),
            ({"status": 400, "body": b"bad word"}, "answered 400.*bad word"),
        ],
    )
    def test_faults_flag_the_rows(self, gaia, say, tmp_path, answer, message):
        gaia.routes["/data-server/data"] = say(**answer)
        fetched = fetch(self.rows(), tmp_path, survey="gaia")
        assert list(fetched["flags"]) == [1, 1]
        assert np.all([np.char.find(text, "[") > 0 for text in fetched["message"]])
        assert re.search(message, fetched["message"][0])

    def test_a_table_without_sources_is_refused(self, gaia, tmp_path):
        with pytest.raises(ValueError, match="needs a column source_id"):
            fetch(Table({"obs_id": ["x"]}), tmp_path, survey="gaia")


class TestXMatch:
    mine = Table({"ra": [10.0, 20.0] * u.deg, "dec": [5.0, -5.0] * u.deg})

    @pytest.fixture
    def cds(self, stub, say):
        pairs = Table(
            {
                "angDist": [0.8, 0.2],
                "al_row": [1, 0],
                "al_ra": [20.0, 10.0],
                "al_dec": [-5.0, 5.0],
                "Jmag": [9.5, 8.5] * u.mag,
            }
        )
        stream = BytesIO()
        pairs.write(stream, format="votable")
        stub.routes["/sync"] = say(stream.getvalue(), content_type="text/xml")
        with conf.set_temp("xmatch_url", f"{stub.url}/sync"):
            yield stub

    def test_pairs_in_order(self, cds):
        pairs = vizier_crossmatch(self.mine, "II/246/out", 2 * u.arcsec)
        assert list(pairs["row"]) == [0, 1]
        assert list(pairs["separation"]) == [0.2, 0.8]
        assert pairs["separation"].unit == u.arcsec
        assert pairs["Jmag"].unit == u.mag
        body = cds.requests_for("/sync")[0].body.decode()
        assert "vizier:II/246/out" in body
        assert re.search(r"al_row,al_ra,al_dec\s+0,10\.0,5\.0", body)
        assert [request.path for request in cds.seen] == ["/sync"]

    def test_pieces(self, cds, monkeypatch):
        monkeypatch.setattr("astro_latent.archives.xmatch.MAX_ROWS", 1)
        assert len(vizier_crossmatch(self.mine, "simbad", 2 * u.arcsec)) == 4
        assert len(cds.requests_for("/sync")) == 2

    @pytest.mark.parametrize("radius", [0 * u.arcsec, 181 * u.arcsec])
    def test_radius(self, radius):
        with pytest.raises(ValueError, match="radius must lie between"):
            query_xmatch(self.mine, "simbad", radius=radius)

    def test_a_busy_service_is_asked_again(self, cds, say):
        good = cds.routes["/sync"]
        cds.routes["/sync"] = [say(fault="drop"), good]
        assert len(vizier_crossmatch(self.mine, "simbad", 1 * u.arcsec)) == 2

    @pytest.mark.parametrize(
        ("status", "body", "told"),
        [
            (400, REFUSAL, "400 Bad Request: Unknown table: vizier:X/1"),
            (400, b"", "400 Bad Request"),
            (403, b"<html><p>Banned</p></html>", "403 Forbidden: Banned"),
            (404, b"<html><h1>Not\nhere</h1></html>", "404 Not Found: Not here"),
        ],
    )
    def test_a_refusal_says_why(self, cds, say, status, body, told):
        cds.routes["/sync"] = say(body, status=status, content_type="text/xml")
        with pytest.raises(ArchiveError, match=f"refused the request: {told}"):
            vizier_crossmatch(self.mine, "X/1", 1 * u.arcsec)
        assert len(cds.requests_for("/sync")) == 1

    def test_a_web_page_of_a_busy_service(self, cds, say):
        page = say(b"<html>Busy</html>", status=503, content_type="text/html")
        cds.routes["/sync"] = [page, cds.routes["/sync"]]
        assert len(vizier_crossmatch(self.mine, "simbad", 1 * u.arcsec)) == 2

    def test_a_web_page_instead_of_a_table(self, cds, say):
        cds.routes["/sync"] = say(b"<html>Down</html>", content_type="text/html")
        with pytest.raises(ArchiveFormatError, match="answered with something else"):
            vizier_crossmatch(self.mine, "simbad", 1 * u.arcsec)
