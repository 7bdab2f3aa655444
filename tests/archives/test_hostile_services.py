# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Name service, cross-matches, SkyServer and registry keep to the limits of all others.

astroquery and Astropy ask them with requests of their own, which have none.
"""

import time
from io import BytesIO

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

import astro_latent
from astro_latent.archives import conf
from astro_latent.archives.query import resolve_name
from astro_latent.archives.xmatch import vizier_crossmatch
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveFormatError,
    ArchiveTimeoutError,
)
from astro_latent.surveys import fetch, get_survey
from astro_latent.surveys.gaia.config import conf as gaia_conf
from astro_latent.surveys.sdss.cas import query_cas
from astro_latent.surveys.sdss.config import conf as sdss_conf
from tests.fixtures.servers import drip, drip_chunk, flood

MINE = Table({"ra": [10.0], "dec": [5.0]})
CENTRE = SkyCoord(150.0, 2.0, unit="deg")
VOT = {"content_type": "application/x-votable+xml"}


def find_registered():
    return get_survey("ssa", registry="ivo://example/ssa").url


#: Who is asked -> the item with its address, the call, the path that it asks for.
SERVICES = {
    "names": (conf, "name_resolver_url", lambda: resolve_name("HD 1"), "/SNV"),
    "xmatch": (
        conf, "xmatch_url",
        lambda: vizier_crossmatch(MINE, "II/246/out", 1 * u.arcsec), "",
    ),
    "cas": (
        sdss_conf, "skyserver_url", lambda: query_cas("SELECT 1", release=17),
        "/dr17/en/tools/search/x_results.aspx",
    ),
    "registry": (conf, "registry_url", find_registered, "/sync"),
}  # fmt: skip


@pytest.fixture(params=SERVICES)
def service(request):
    """Point one service to a server of ours; returns the call and the path."""
    settings, item, call, path = SERVICES[request.param]

    def use(url):
        return settings.set_temp(item, url)

    return use, call, path


class TestTime:
    @pytest.mark.parametrize("talk", [drip, drip_chunk])
    def test_answers_that_drip(self, raw, service, talk):
        use, call, _ = service
        raw.talk, start = talk, time.monotonic()
        with (
            use(raw.url),
            astro_latent.conf.set_temp("timeout", 0.4),
            conf.set_temp("connect_timeout", 0.4),
            conf.set_temp("answer_timeout", 0.5),
            pytest.raises(ArchiveTimeoutError, match="took too long"),
        ):
            call()
        assert time.monotonic() - start < 5


class TestSize:
    def test_answers_without_end(self, raw, service):
        use, call, _ = service
        raw.talk = flood
        with (
            use(raw.url),
            conf.set_temp("max_answer_size", 1.0),
            pytest.raises(ArchiveError, match=r"larger than 1 MB.*max_answer_size"),
        ):
            call()


class TestElsewhere:
    @pytest.mark.parametrize(
        ("where", "said"),
        [
            ("http://127.0.0.1:9/secret", "private network"),
            ("http://169.254.169.254/latest/meta-data", "private network"),
            ("file:///etc/passwd", "only http and https"),
        ],
    )
    def test_redirects(self, stub, say, service, where, said):
        use, call, path = service
        stub.routes[path or "/"] = say(status=302, headers={"Location": where})
        with (
            use(stub.url + ("" if path else "/")),
            conf.set_temp("allow_private_addresses", False),
            pytest.raises(ArchiveError, match=said),
        ):
            call()
        assert len(stub.seen) == 1

    def test_other_schemes(self, service, tmp_path):
        use, call, _ = service
        with (
            use((tmp_path / "x").as_uri()),
            pytest.raises(ArchiveError, match="only http and https"),
        ):
            call()

    @pytest.mark.parametrize("where", ["file:///etc/passwd", "http://127.0.0.1:9/x"])
    def test_rows_that_lie_elsewhere(self, stub, say, where):
        stub.routes["/x"] = say(
            (
                "<VOTABLE version='1.3'><RESOURCE type='results'><TABLE><FIELD "
                "name='angDist' datatype='double'/><DATA><BINARY><STREAM "
                f"href='{where}'/></BINARY></DATA></TABLE></RESOURCE></VOTABLE>"
            ).encode(),
            **VOT,
        )
        with (
            conf.set_temp("xmatch_url", f"{stub.url}/x"),
            pytest.raises(ArchiveFormatError, match="elsewhere"),
        ):
            vizier_crossmatch(MINE, "II/246/out", 1 * u.arcsec)

    @pytest.mark.parametrize("line", ["{path}", "{url}/rows", "No objects found"])
    def test_a_line_is_not_taken_for_the_name_of_a_file(
        self, stub, say, tmp_path, line
    ):
        """Astropy reads text without an end of line as a file, or from an address."""
        path = tmp_path / "secret.csv"
        path.write_text("a,b\n1,2\n")
        stub.routes["/rows"] = say(path.read_bytes())
        answer = line.format(path=path, url=stub.url)
        stub.routes[SERVICES["cas"][3]] = say(answer.encode())
        with (
            sdss_conf.set_temp("skyserver_url", stub.url),
            pytest.raises(ArchiveError, match="the answer is no table"),
        ):
            query_cas("SELECT 1", release=17)
        assert stub.requests_for("/rows") == []


class TestNames:
    @pytest.mark.parametrize(
        ("body", "kind", "said"),
        [
            (b"<html>Down</html>", ArchiveFormatError, "something else: '<html>"),
            (b"# x\n%J 999.0 -60.8 = x\n", ArchiveFormatError, "something else"),
            (b"# x\n%J 10.0 -95.8 = x\n", ArchiveFormatError, "something else"),
            (b"# x\n#!SIMBAD: No \x1b[31mknown\n", ArchiveError, r"SIMBAD: No \\x1b"),
            (b"", ArchiveFormatError, "something else"),
        ],
    )
    def test_strange_answers(self, stub, say, body, kind, said):
        stub.routes["/SNV"] = say(body, content_type="text/plain")
        with (
            conf.set_temp("name_resolver_url", stub.url),
            pytest.raises(kind, match=said) as caught,
        ):
            resolve_name("HD 1")
        assert type(caught.value) is kind

    def test_the_address_of_the_real_service(self):
        """Sesame is documented at cgi-bin/nph-sesame/SNV?name."""
        assert conf.name_resolver_url == "https://cds.unistra.fr/cgi-bin/nph-sesame/"

    def test_names_are_quoted_and_busy_services_asked_again(self, stub, say):
        good = say(b"# x\n#=S=Simbad:  1\n%J 10.5 +5.25 = 00:42 +05:15\n")
        stub.routes["/SNV"] = [say(status=503), say(fault="drop"), good]
        with conf.set_temp("name_resolver_url", f"{stub.url}/"):
            found = resolve_name("2MASS J1+2 & é#")
        assert (found.ra.deg, found.dec.deg) == (10.5, 5.25)
        assert stub.seen[-1].path == "/SNV?2MASS%20J1%2B2%20%26%20%C3%A9%23"


class TestRegistry:
    def found(self, *addresses):
        stream = BytesIO()
        table = Table({"access_url": list(addresses)}, dtype=["U99"])
        table.write(stream, format="votable")
        return stream.getvalue()

    def test_an_entry_becomes_an_address(self, stub, say):
        stub.routes["/tap/sync"] = say(self.found("https://x.org/ssa?"), **VOT)
        with conf.set_temp("registry_url", f"{stub.url}/tap"):
            assert find_registered() == "https://x.org/ssa?"
        body = stub.seen[0].body.decode()
        assert "ivo%3A%2F%2Fexample%2Fssa" in body

    def test_none(self, stub, say):
        stub.routes["/tap/sync"] = say(self.found(), **VOT)
        with (
            conf.set_temp("registry_url", f"{stub.url}/tap"),
            pytest.raises(ArchiveError, match="knows no SSA service 'ivo://example"),
        ):
            find_registered()

    def test_an_entry_leads_to_no_private_address(self, stub, say):
        stub.routes["/tap/sync"] = say(self.found("http://127.0.0.1:9/ssa"), **VOT)
        with (
            conf.set_temp("registry_url", f"{stub.url}/tap"),
            conf.set_temp("allow_private_addresses", False),
            pytest.raises(ArchiveError, match="private network"),
        ):
            get_survey("ssa", registry="ivo://example/ssa").query_region(
                CENTRE, 1 * u.arcmin
            )


def test_error_messages_without_end(raw, tmp_path):
    """Only the beginning of what is said is read."""

    def complain(client, closing):
        client.sendall(b"HTTP/1.1 400 No\r\nContent-Type: text/plain\r\n\r\nbad word ")
        flood(client, closing)

    raw.talk, start = complain, time.monotonic()
    with gaia_conf.set_temp("server_url", raw.url):
        table = Table({"source_id": [1], "obs_id": ["Gaia-DR3-RVS-1"]})
        fetched = fetch(table, tmp_path, survey="gaia")
    assert "answered 400 No: bad word" in fetched["message"][0]
    assert time.monotonic() - start < 10
