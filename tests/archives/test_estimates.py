# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What archives say of sizes (ObsCore ``access_estsize``, SSA ``Access.Size``)."""

from io import BytesIO

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable.tree import Info, Resource, TableElement, VOTableFile
from astropy.table import MaskedColumn, Table

from astro_latent.surveys import fetch, get_survey
from astro_latent.surveys.eso.config import conf as eso_conf
from tests.fixtures.servers import flood

CENTRE = SkyCoord(10.0, 5.0, unit="deg")


def rows(url, sizes, unit="kbyte"):
    n = len(sizes)
    return Table(
        {
            "dp_id": [f"ADP.{i}" for i in range(n)],
            "obs_publisher_did": [f"ivo://x?{i}" for i in range(n)],
            "s_ra": np.full(n, 10.0) * u.deg,
            "s_dec": np.full(n, 5.0) * u.deg,
            "access_url": [f"{url}?{i}" for i in range(n)],
            "access_format": ["application/fits"] * n,
            "access_estsize": MaskedColumn(sizes, unit=unit),
        }
    )


def votable(table, utypes=None):
    document = VOTableFile()
    resource = Resource(type="results")
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))
    element = TableElement.from_table(document, table)
    for field in element.fields:
        field.utype = (utypes or {}).get(field.name)
    resource.tables.append(element)
    document.resources.append(resource)
    stream = BytesIO()
    document.to_xml(stream)
    return stream.getvalue()


VOT = {"content_type": "application/x-votable+xml"}
SIZES = np.ma.array([5000, 0, 7], mask=[0, 0, 1], dtype=np.int64)
EXPECTED = [5e6, None, None]


@pytest.mark.parametrize("file_url", ["", "{url}/file/{{dp_id}}"])
def test_eso(stub, say, file_url):
    stub.routes["/tap/sync"] = say(votable(rows(stub.url, SIZES)), **VOT)
    with (
        eso_conf.set_temp("tap_url", f"{stub.url}/tap"),
        eso_conf.set_temp("file_url", file_url.format(url=stub.url)),
    ):
        survey = get_survey("harps")
        wanted = survey.file_requests(survey.query_region(CENTRE, 1 * u.deg))
    assert [request.estimate for request in wanted] == EXPECTED


def test_obscore(stub, say):
    stub.routes["/tap/sync"] = say(votable(rows(stub.url, SIZES)), **VOT)
    survey = get_survey("obscore", url=f"{stub.url}/tap")
    wanted = survey.file_requests(survey.query_region(CENTRE, 1 * u.deg))
    assert [request.estimate for request in wanted] == EXPECTED


@pytest.mark.parametrize(
    ("unit", "factor"), [("kbyte", 1000), ("byte", 1), ("Mbyte", 1e6), (None, None)]
)
def test_ssa(stub, say, unit, factor):
    """A size without a unit says nothing: some give it in bytes, some in kilobytes."""
    table = rows(stub.url, [500.0], unit)
    table.rename_column("access_estsize", "length")
    utypes = {
        "length": "ssa:Access.Size", "access_url": "ssa:Access.Reference",
        "obs_publisher_did": "ssa:Curation.PublisherDID",
    }  # fmt: skip
    stub.routes["/ssa"] = say(votable(table, utypes), **VOT)
    survey = get_survey("ssa", url=f"{stub.url}/ssa")
    (request,) = survey.file_requests(survey.query_region(CENTRE, 1 * u.deg))
    assert request.estimate == (None if factor is None else pytest.approx(500 * factor))


@pytest.mark.parametrize("name", ["harps", "obscore", "ssa"])
def test_a_body_much_larger_than_the_estimate_is_refused(raw, tmp_path, name):
    raw.talk = flood
    table = rows(raw.url, [1.0])
    with eso_conf.set_temp("file_url", ""):
        fetched = fetch(table, tmp_path, survey=name)
    # five times the estimate and 10 MB more
    assert "more than 10.0 MB: either the archive's estimate" in fetched["message"][0]
    assert "Without the column access_estsize" in fetched["message"][0]


def test_a_file_about_as_large_as_estimated_arrives(stub, say, make_fits, tmp_path):
    body = make_fits()
    stub.routes["/"] = say(body)
    table = rows(f"{stub.url}/", [len(body) / 3000])
    with eso_conf.set_temp("file_url", ""):
        assert fetch(table, tmp_path, survey="harps")["flags"][0] == 0
