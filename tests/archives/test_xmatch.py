# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The cross-match service of CDS, against answers in its own format."""

import re
from io import BytesIO

import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.archives import conf
from astro_latent.archives.xmatch import query_xmatch, vizier_crossmatch
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveFormatError,
)

REFUSAL = b"""<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="ERROR">Unknown table: vizier:X/1</INFO>
</RESOURCE></VOTABLE>"""


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
