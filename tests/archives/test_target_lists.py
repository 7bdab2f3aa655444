"""Target lists for services that take no uploads, as ESO's: boxes, as jobs."""

import html
import re
import sqlite3
from contextlib import closing
from io import BytesIO
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.archives import conf
from astro_latent.archives.boxes import box_condition, match_targets
from astro_latent.exceptions import (
    ArchiveError,
    ArchiveTimeoutError,
    TruncatedResultsWarning,
)
from astro_latent.surveys import get_survey
from astro_latent.surveys.eso.config import conf as eso_conf

RADIUS = 5 * u.arcmin
JOB = """<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink"><uws:jobId>{n}</uws:jobId>
<uws:phase>{phase}</uws:phase><uws:results><uws:result id="result"
 xlink:href="{url}/tap/async/{n}/results/result"/></uws:results></uws:job>"""


@pytest.fixture
def sky(rng):
    """Observations near 0 h, at the poles and elsewhere."""
    ra, dec = rng.uniform(0, 360, 3000), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 3000)))
    ra[:800] = rng.uniform(-0.3, 0.3, 800) % 360
    dec[:800] = rng.uniform(9.8, 10.2, 800)
    dec[800:1000] = rng.uniform(89.85, 90, 200)
    dec[1000:1100] = rng.uniform(-90, -89.85, 100)
    ids = [f"ADP.{n:05d}" for n in range(3000)]
    return Table({"dp_id": ids, "s_ra": ra * u.deg, "s_dec": dec * u.deg})


TARGETS = Table(
    {
        "target_id": ["across", "north", "south", "empty"],
        "ra": [0.01, 120.0, 33.0, 200.0],
        "dec": [10.0, 89.97, -89.99, -45.0],
    }
)


@pytest.fixture
def eso(stub, say, sky):
    """A TAP service with jobs, whose queries a real SQL engine answers."""
    queries, job = [], {"phase": "COMPLETED", "slow": 0}

    def select(query):
        where = re.search(r"AND (\(\(s_dec.*?\)\))(?: AND|$)", query)[1]
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("CREATE TABLE t (n INTEGER, s_ra REAL, s_dec REAL)")
            rows = zip(range(len(sky)), *(sky[c].tolist() for c in ("s_ra", "s_dec")),
                       strict=True)  # fmt: skip
            database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
            found = database.execute(f"SELECT n FROM t WHERE {where}").fetchall()
        stream = BytesIO()
        sky[[n for (n,) in found]].write(stream, format="votable")
        return stream.getvalue()

    def submit(request):
        queries.append(parse_qs(request.body.decode())["QUERY"][0])
        return say(status=303, headers={"Location": f"{stub.url}/tap/async/1"})

    def status(request):
        slow = job["slow"] and queries[-1].count("BETWEEN") > job["slow"]
        phase = "EXECUTING" if slow else job["phase"]
        text = JOB.format(n=1, phase=phase, url=stub.url)
        return say(text.encode(), content_type="text/xml")

    def result(request):
        return say(select(queries[-1]), content_type="application/x-votable+xml")

    stub.routes["/tap/async"] = submit
    stub.routes["/tap/async/1"] = status
    stub.routes["/tap/async/1/phase"] = status
    stub.routes["/tap/async/1/results/result"] = result
    with eso_conf.set_temp("tap_url", f"{stub.url}/tap"):
        yield queries, job


def expected(sky):
    place = SkyCoord(sky["s_ra"], sky["s_dec"])
    pairs = set()
    for target in TARGETS:
        centre = SkyCoord(target["ra"], target["dec"], unit="deg")
        near = np.flatnonzero(place.separation(centre) <= RADIUS)
        pairs |= {(target["target_id"], sky["dp_id"][n]) for n in near}
    return pairs


def found_in(table):
    return {(str(row["target_id"]), str(row["obs_id"])) for row in table}


def test_boxes_find_what_circles_hold(eso, sky):
    table = get_survey("harps").query_targets(TARGETS, RADIUS)
    pairs = expected(sky)
    assert {name for name, _ in pairs} == {"across", "north", "south"}
    assert found_in(table) == pairs
    assert len(table) == len(pairs)
    assert table.colnames.count("target_id") == 1
    queries, _ = eso
    assert len(queries) == 1
    assert "TAP_UPLOAD" not in queries[0]


def test_pieces_give_the_same(eso, sky):
    with conf.set_temp("box_count", 1):
        table = get_survey("harps").query_targets(TARGETS, RADIUS)
    assert len(eso[0]) == 4
    assert found_in(table) == expected(sky)


def test_a_piece_that_takes_too_long_is_halved(eso, sky):
    eso[1]["slow"] = 2  # conditions in one query
    with conf.set_temp("job_timeout", 0.3), conf.set_temp("max_attempts", 1):
        table = get_survey("harps").query_targets(TARGETS, RADIUS)
    assert found_in(table) == expected(sky)
    assert len(eso[0]) > 2


def test_one_target_that_takes_too_long_is_an_error(eso):
    eso[1]["phase"] = "EXECUTING"
    with (
        conf.set_temp("job_timeout", 0.2),
        conf.set_temp("max_attempts", 1),
        pytest.raises(ArchiveTimeoutError),
    ):
        get_survey("harps").query_targets(TARGETS[:1], RADIUS)


SAID = "Table ivoa.ObsCore is locked <until> noon"


def failed_job(stub, say):
    text = JOB.format(n=1, phase="ERROR", url=stub.url).replace(
        "<uws:results>",
        '<uws:errorSummary type="fatal" hasDetail="false"><uws:message>'
        f"{html.escape(SAID)}</uws:message></uws:errorSummary><uws:results>",
    )
    stub.routes["/tap/async/1"] = stub.routes["/tap/async/1/phase"] = say(
        text.encode(), content_type="text/xml"
    )


def failed_result(stub, say):
    stub.routes["/tap/async/1/results/result"] = say(
        (
            '<VOTABLE version="1.3"><RESOURCE type="results"><INFO name="QUERY_STATUS" '
            f'value="ERROR">{html.escape(SAID)}</INFO></RESOURCE></VOTABLE>'
        ).encode(),
        content_type="application/x-votable+xml",
    )


def refused(stub, say):
    stub.routes["/tap/async"] = say(SAID.encode(), status=400)


@pytest.mark.parametrize("fault", [failed_job, failed_result, refused])
def test_what_the_service_says_reaches_the_user(eso, stub, say, fault):
    fault(stub, say)
    with pytest.raises(ArchiveError) as caught:
        get_survey("harps").query_targets(TARGETS, RADIUS)
    assert SAID in str(caught.value)
    assert stub.url in str(caught.value)
    assert not isinstance(caught.value, ArchiveTimeoutError)


def test_a_limit_is_told(eso):
    with pytest.warns(TruncatedResultsWarning, match="more than the 3 rows"):
        table = get_survey("harps").query_targets(TARGETS, RADIUS, row_limit=3)
    assert len(table) == 3


def test_rows_without_a_position_match_nothing():
    rows = Table({"s_ra": [np.nan, 10.0], "s_dec": [5.0, np.nan], "x": [1, 2]})
    assert len(match_targets(rows, TARGETS, RADIUS)) == 0


@pytest.mark.parametrize("dec", [0.0, 60.0, -89.0, 89.99])
@pytest.mark.parametrize("radius", [0.001, 0.5, 2.0, 100.0])
def test_a_box_holds_its_circle(rng, dec, radius):
    centre = SkyCoord(359.9, dec, unit="deg")
    edge = centre.directional_offset_by(
        rng.uniform(0, 360, 200) * u.deg, radius * 0.999 * u.deg
    )
    condition = box_condition(359.9, dec, radius)
    with closing(sqlite3.connect(":memory:")) as database:
        for place in edge:
            query = (
                f"SELECT {condition} FROM (SELECT {place.ra.deg!r} AS s_ra, "
                f"{place.dec.deg!r} AS s_dec)"
            ).replace("np.float64", "")
            assert database.execute(query).fetchone() == (1,)
