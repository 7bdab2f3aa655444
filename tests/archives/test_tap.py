# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""TAP, DataLink and name service: what is asked, and what becomes of bad answers."""

import warnings
from io import BytesIO
from urllib.parse import parse_qs

import numpy as np
import pytest
import requests
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable.tree import Info, Resource, TableElement, VOTableFile
from astropy.table import Table
from urllib3 import HTTPResponse

import astro_latent
from astro_latent.archives import conf
from astro_latent.archives.tap import TapClient
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveFormatError,
    ArchiveTimeoutError,
    NoResultsWarning,
    TruncatedResultsWarning,
)
from astro_latent.matching import TapTable, crossmatch
from astro_latent.surveys import fetch, get_survey, query_object
from astro_latent.surveys.eso.config import conf as eso_conf

CENTRE = SkyCoord(150.0, -30.0, unit="deg")


def votable(table, status="OK"):
    """What a TAP service sends."""
    document = VOTableFile()
    resource = Resource(type="results")
    resource.infos.append(Info(name="QUERY_STATUS", value=status))
    resource.tables.append(TableElement.from_table(document, table))
    if status == "OVERFLOW":
        resource.infos.append(Info(name="QUERY_STATUS", value=status))
    document.resources.append(resource)
    stream = BytesIO()
    document.to_xml(stream)
    return stream.getvalue()


def rows(count, start=0):
    ids = [f"ADP.{number_:05d}" for number_ in range(start, start + count)]
    return Table(
        {
            "dp_id": ids,
            "target_name": ["HD 1"] * count,
            "s_ra": np.full(count, 150.0) * u.deg,
            "s_dec": np.full(count, -30.0) * u.deg,
            "snr": np.linspace(100, 50, count),
            "access_url": [f"http://127.0.0.1:9/{name}" for name in ids],
            "access_format": ["application/x-votable+xml;content=datalink"] * count,
        }
    )


@pytest.fixture
def tap(stub, say):
    """A TAP service that answers what it is told; ``asked`` are the queries."""

    def answers(*tables, status="OK"):
        stub.routes["/tap/sync"] = [
            say(votable(table, status), content_type="application/x-votable+xml")
            for table in tables
        ]

    def asked():
        return [
            parse_qs(request.body.decode())["QUERY"][0]
            for request in stub.requests_for("/tap/sync")
        ]

    with eso_conf.set_temp("tap_url", f"{stub.url}/tap"):
        answers.asked = asked
        yield answers


class TestRealAddresses:
    """What would be sent to the real archives, to the letter."""

    @pytest.fixture
    def sent(self, monkeypatch):
        requests_, body = [], votable(rows(1))

        def send(adapter, request, **options):
            requests_.append((request, options))
            response = requests.Response()
            response.status_code = 200
            response.raw = HTTPResponse(BytesIO(body), preload_content=False)
            response.request, response.url = request, request.url
            return response

        monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)
        return requests_

    def test_eso(self, sent):
        get_survey("harps").query_region(
            CENTRE, 0.1 * u.deg, snr=50, time=(56000, 57000), row_limit=999
        )
        request, options = sent[0]
        assert request.method == "POST"
        assert request.url == "https://archive.eso.org/tap_obs/sync"
        body = parse_qs(request.body)
        assert body["MAXREC"] == ["1000"]
        assert body["LANG"] == ["ADQL"]
        assert body["QUERY"] == [
            "SELECT TOP 1000 dp_id, target_name, s_ra, s_dec, dataproduct_type, "
            "obs_collection, t_min, t_max, t_exptime, em_min, em_max, em_res_power, "
            "em_xel, snr, proposal_id, obs_release_date, obs_publisher_did, "
            "access_url, access_format, access_estsize FROM ivoa.ObsCore "
            "WHERE obs_collection = 'HARPS' AND dataproduct_type = 'spectrum' AND "
            "INTERSECTS(s_region, CIRCLE('ICRS', 150.0, -30.0, 0.1)) = 1 "
            "AND snr >= 50.0 AND t_max >= 56000.0 AND t_min <= 57000.0 "
            "ORDER BY snr DESC"
        ]
        assert options["timeout"] == (2.0, 5.0)
        assert request.headers["User-Agent"].startswith("astro_latent/")

    @pytest.mark.parametrize("name", ["espresso", "feros", "uves", "nirps"])
    def test_other_instruments_of_eso(self, sent, name):
        get_survey(name).query_region(CENTRE, 0.1 * u.deg)
        query = parse_qs(sent[0][0].body)["QUERY"][0]
        assert f"obs_collection = '{name.upper()}'" in query

    def test_eso_files(self, sent):
        request = get_survey("harps").file_requests(
            Table({"obs_id": ["ADP.2014-09-16T11:04:53.853"]})
        )[0]
        assert request.url == (
            "https://dataportal.eso.org/dataPortal/file/ADP.2014-09-16T11:04:53.853"
        )

    def test_gaia(self, sent):
        get_survey("gaia").query_region(CENTRE, 0.1 * u.deg, row_limit=10, snr=20)
        request = sent[0][0]
        assert request.url == "https://gea.esac.esa.int/tap-server/tap/sync"
        assert parse_qs(request.body)["QUERY"] == [
            "SELECT TOP 11 source_id, designation, ra, dec, ref_epoch, parallax, pmra, "
            "pmdec, phot_g_mean_mag, radial_velocity, rvs_spec_sig_to_noise "
            "FROM gaiadr3.gaia_source WHERE has_rvs = 't' AND "
            "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 150.0, -30.0, 0.1)) "
            "AND rvs_spec_sig_to_noise >= 20.0 ORDER BY phot_g_mean_mag"
        ]

    def test_galah(self, sent):
        get_survey("galah").query_region(CENTRE, 0.1 * u.deg)
        url, _, query = sent[0][0].url.partition("?")
        assert url == "https://datacentral.org.au/vo/ssa/query"
        parameters = parse_qs(query)
        assert parameters["COLLECTION"] == ["galah_dr3"]
        assert parameters["REQUEST"] == ["queryData"]
        np.testing.assert_allclose(
            [float(text) for text in parameters["POS"][0].split(",")], [150, -30]
        )
        assert float(parameters["SIZE"][0]) == pytest.approx(0.2)


class TestAnswers:
    def test_one_row_more_than_wanted_means_truncation(self, tap):
        tap(rows(4))
        with pytest.warns(TruncatedResultsWarning, match="more than the 3 rows"):
            table = get_survey("harps").query_region(CENTRE, 1 * u.deg, row_limit=3)
        assert len(table) == 3

    def test_the_services_own_limit_is_noticed(self, tap):
        tap(rows(2), status="OVERFLOW")
        with pytest.warns(TruncatedResultsWarning, match="more than the 2 rows"):
            get_survey("harps").query_region(CENTRE, 1 * u.deg, row_limit=3)

    @pytest.mark.parametrize("status", ["OK", "OVERFLOW"])
    def test_a_match_that_is_cut_short_is_told(self, tap, stub, status):
        answer = Table({"al_row": [0, 1], "al_distance": [1e-4, 2e-4], "star": [7, 8]})
        tap(answer, status=status)
        mine = Table({"ra": [10.0, 20.0, 30.0] * u.deg, "dec": [0.0, 0, 0] * u.deg})
        mine["obs_id"] = ["a", "b", "c"]
        service = TapTable(url=f"{stub.url}/tap", table="s.stars", mode="sync")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = crossmatch(mine, service, radius=1 * u.arcsec)
        assert list(found["star"]) == [7, 8]
        told = [w for w in caught if w.category is TruncatedResultsWarning]
        assert len(told) == (status == "OVERFLOW")
        for warning in told:
            assert "s.stars: there are more than the 2 rows" in str(warning.message)
            assert "lower archives.conf.upload_size" in str(warning.message)

    def test_pages_follow_each_other_by_identifier(self, tap):
        tap(rows(3), rows(3, 3), rows(1, 6))
        with conf.set_temp("page_size", 3):
            table = get_survey("harps").query_region(CENTRE, 1 * u.deg, row_limit=-1)
        assert list(table["obs_id"]) == [f"ADP.{n:05d}" for n in range(7)]
        first, second, third = tap.asked()
        assert "ORDER BY dp_id" in first
        assert "dp_id >" not in first
        assert "AND dp_id > 'ADP.00002'" in second
        assert "AND dp_id > 'ADP.00005'" in third

    def test_a_service_with_a_lower_limit_than_the_page(self, tap, stub, say):
        kind = {"content_type": "application/x-votable+xml"}
        stub.routes["/tap/sync"] = [
            say(votable(rows(2), "OVERFLOW"), **kind),
            say(votable(rows(2, 2)), **kind),
        ]
        table = get_survey("harps").query_region(CENTRE, 1 * u.deg, row_limit=-1)
        assert len(table) == 4

    def test_nothing_found_is_a_table_and_a_warning(self, tap):
        tap(rows(0))
        with pytest.warns(NoResultsWarning, match="harps: the query found nothing"):
            table = get_survey("harps").query_region(CENTRE, 1 * u.deg)
        assert "s_ra" in table.colnames
        assert len(table) == 0

    def test_a_list_that_overflows_is_split(self, tap, stub, say):
        targets = Table({"ra": [1.0, 2.0], "dec": [0.0, 0.0]})
        kind = {"content_type": "application/x-votable+xml"}
        one, other = rows(1), rows(1, 5)
        one["target_id"], other["target_id"] = [0], [1]
        stub.routes["/tap/sync"] = [
            say(votable(one, "OVERFLOW"), **kind),
            say(votable(one), **kind),
            say(votable(other), **kind),
        ]
        survey = get_survey("obscore", url=f"{stub.url}/tap")
        table = survey.query_targets(targets, 1 * u.arcsec)
        assert list(table["target_id"]) == [0, 1]

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_busy_service_is_asked_again(self, tap, stub, say, status):
        busy = say(status=status, headers={"Retry-After": "0"})
        good = say(votable(rows(1)), content_type="application/x-votable+xml")
        stub.routes["/tap/sync"] = [busy, good]
        assert len(get_survey("harps").query_region(CENTRE, 1 * u.deg)) == 1

    @pytest.mark.parametrize("fault", ["drop", "cut"])
    def test_a_broken_connection_is_tried_again(self, tap, stub, say, fault):
        body = votable(rows(500))
        kind = {"content_type": "application/x-votable+xml"}
        stub.routes["/tap/sync"] = [say(body, fault=fault, **kind), say(body, **kind)]
        assert len(get_survey("harps").query_region(CENTRE, 1 * u.deg)) == 500

    def test_a_service_that_hangs(self, stub, say):
        stub.routes["/tap/sync"] = say(fault="hang")
        with (
            astro_latent.conf.set_temp("timeout", 0.2),
            pytest.raises(ArchiveTimeoutError, match="no answer in time; given up"),
        ):
            TapClient(f"{stub.url}/tap").run("SELECT 1")

    def test_a_refused_query_says_why_and_which(self, stub, say):
        body = votable(rows(0)).replace(b'value="OK"', b'value="ERROR"')
        stub.routes["/tap/sync"] = say(body, content_type="application/x-votable+xml")
        with pytest.raises(ArchiveError, match=r"refused the query.*SELECT nope"):
            TapClient(f"{stub.url}/tap").run("SELECT nope")

    def test_a_web_page_instead_of_a_table(self, stub, say):
        stub.routes["/tap/sync"] = say(b"<html>Down</html>", content_type="text/html")
        with pytest.raises((ArchiveFormatError, ArchiveError), match=r"\[http://127"):
            TapClient(f"{stub.url}/tap").run("SELECT 1")

    def test_only_http(self):
        with pytest.raises(ArchiveError, match="only http and https"):
            TapClient("file:///etc")

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match="mode must be"):
            TapClient("http://127.0.0.1:9", mode="later")


class TestDataLink:
    def links(self, **changes):
        link = {
            "ID": "ivo://x",
            "access_url": "",
            "service_def": "",
            "error_message": "",
            "semantics": "#this",
            "description": "",
            "content_type": "application/fits",
            "content_length": 0,
        }
        table = Table([{**link, **changes}])
        for name in table.colnames:
            table[name].meta["ucd"] = ""
        return votable(table)

    def test_the_file_is_found_behind_the_list(
        self, tap, stub, say, make_fits, tmp_path
    ):
        stub.routes["/links"] = say(
            self.links(access_url=f"{stub.url}/file"),
            content_type="application/x-votable+xml;content=datalink",
        )
        stub.routes["/file"] = say(make_fits())
        table = rows(1)
        table["obs_id"], table["access_url"] = table["dp_id"], [f"{stub.url}/links"]
        with eso_conf.set_temp("file_url", ""):
            assert fetch(table, tmp_path, survey="harps")["flags"][0] == 0
        # A list that comes where a file was expected is followed as well.
        with eso_conf.set_temp("file_url", f"{stub.url}/links?{{dp_id}}"):
            table["obs_id"] = ["other"]
            assert fetch(table, tmp_path, survey="harps")["flags"][0] == 0

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"error_message": "NotFoundFault: no"}, "NotFoundFault: no"),
            ({"semantics": "#preview"}, "no #this among its links"),
            ({"access_url": "file:///etc/passwd"}, "only http and https"),
        ],
    )
    def test_bad_lists(self, tap, stub, say, tmp_path, changes, message):
        stub.routes["/links"] = say(
            self.links(**changes), content_type="application/x-votable+xml"
        )
        table = rows(1)
        table["obs_id"], table["access_url"] = table["dp_id"], [f"{stub.url}/links"]
        with eso_conf.set_temp("file_url", ""):
            fetched = fetch(table, tmp_path, survey="harps")
        assert message in fetched["message"][0]


class TestNames:
    @pytest.fixture
    def sesame(self, stub, say):
        answer = "# HD 128621\n#=S=Simbad:  1\n%J 219.896 -60.8375 = 14:39 -60:50\n"
        stub.routes["/SNV"] = say(answer.encode(), content_type="text/plain")
        with conf.set_temp("name_resolver_url", f"{stub.url}/"):
            yield stub

    def test_a_name_becomes_a_position(self, tap, sesame):
        tap(rows(2))
        query_object("HD 128621", survey="harps", radius=5 * u.arcsec)
        region = "CIRCLE('ICRS', 219.896, -60.8375, 0.001388888888888889)"
        assert region in tap.asked()[0]

    def test_an_unknown_name_says_so(self, stub, say):
        body = b"# nobody\n#!  Nothing found\n"
        stub.routes["/SNV"] = say(body, content_type="text/plain")
        with (
            conf.set_temp("name_resolver_url", f"{stub.url}/"),
            pytest.raises(ArchiveError, match="no position was found for 'nobody'"),
        ):
            query_object("nobody", survey="harps")

    def test_an_empty_name_is_refused(self):
        with pytest.raises(ValueError, match="name of the star is empty"):
            query_object(" ", survey="harps")
