"""SSA services as they answer: a recorded list, and data sets in several formats."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.archives import to_obscore
from astro_latent.archives.choices import choose_formats
from astro_latent.exceptions import ArchiveError
from astro_latent.surveys import get_survey

CENTRE = SkyCoord(180.0, 1.0, unit="deg")
FITS, VOT = "application/fits", "application/x-votable+xml"


@pytest.fixture
def recorded():
    """What the service of JHU answered to pyvo (pyvo/dal/tests/data/ssa/result.xml)."""
    home = Path(find_spec("pyvo").origin).parent
    path = home / "dal" / "tests" / "data" / "ssa" / "result.xml"
    if not path.is_file():
        pytest.skip("this pyvo came without its tests")
    return path.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_a_recorded_list(stub, say, recorded):
    stub.routes["/ssa"] = say(recorded, content_type=VOT)
    survey = get_survey("ssa", url=f"{stub.url}/ssa")
    table = survey.query_region(CENTRE, 0.1 * u.deg)
    # 36 rows, one of which is there twice
    assert len(table) == len(set(table["obs_id"])) == 35
    assert table["obs_id"][0] == "ivo://jhu/sdss/dr6/spec/2.5#80442261170552832"
    assert set(table["access_format"]) == {VOT}
    place = SkyCoord(table["s_ra"], table["s_dec"], unit="deg")
    assert np.all(place.separation(CENTRE) < 0.25 * u.deg)  # what the service sent
    requests = survey.file_requests(table)
    assert len({request.identifier for request in requests}) == 35
    assert requests[0].url.startswith("http://vaosa-vm1.aoc.nrao.edu/ivoa-dal/")


def listed(*rows):
    names = ("obs_publisher_did", "access_format", "access_url")
    table = Table(rows=[row[:3] for row in rows], names=names)
    table["obs_id"] = table["obs_publisher_did"]
    return choose_formats(to_obscore(table, survey="ssa"))


@pytest.mark.parametrize(
    ("kinds", "best"),
    [
        ((VOT, FITS, "text/csv"), FITS),
        (("image/png", "text/html", VOT), VOT),
        (("text/csv", ""), ""),
        (("application/x-votable+xml;content=datalink", VOT), VOT),
        (("application/x-votable+xml; content=datalink", "text/plain"),
         "application/x-votable+xml; content=datalink"),
        (("spectrum/fits", "image/jpeg"), "spectrum/fits"),
    ],
)  # fmt: skip
def test_the_best_format_is_listed(kinds, best):
    rows = [("ivo://x?1", kind, f"http://x/{n}") for n, kind in enumerate(kinds)]
    table = listed(*rows, ("ivo://x?2", VOT, "http://x/other"))
    assert list(table["access_format"]) == [best, VOT]
    assert list(table["obs_id"]) == ["ivo://x?1", "ivo://x?2"]


def test_two_spectra_of_one_identifier_are_two():
    table = listed(
        ("ivo://x?1", FITS, "http://x/blue.fits"), ("ivo://x?2", FITS, "http://x/2"),
        ("ivo://x?1", FITS, "http://x/red.fits"), ("ivo://x?1", VOT, "http://x/b.vot"),
    )  # fmt: skip
    assert list(table["obs_id"]) == ["ivo://x?1#1", "ivo://x?2", "ivo://x?1#2"]
    assert [url.rpartition("/")[2] for url in table["access_url"]] == [
        "blue.fits",
        "2",
        "red.fits",
    ]
    assert table["obs_id"].meta["ucd"] == "meta.id;meta.main"


def test_rows_without_identifier_all_stay():
    rows = [("", FITS, "http://x/1"), ("", FITS, "http://x/2"), ("ivo://1", FITS, "")]
    assert len(listed(*rows, ("ivo://1", FITS, ""))) == 4


def test_the_limit_counts_what_the_service_sent(stub, say, recorded):
    stub.routes["/ssa"] = say(recorded, content_type=VOT)
    survey = get_survey("ssa", url=f"{stub.url}/ssa")
    with pytest.warns(UserWarning, match="more than the 10 rows returned"):
        assert len(survey.query_region(CENTRE, 0.1 * u.deg, row_limit=10)) == 10


@pytest.mark.filterwarnings("ignore")
def test_what_the_service_says_reaches_the_user(stub, say):
    """The error document of pyvo (query/errorstatus.xml), which only says ERROR."""
    home = Path(find_spec("pyvo").origin).parent
    path = home / "dal" / "tests" / "data" / "query" / "errorstatus.xml"
    if not path.is_file():
        pytest.skip("this pyvo came without its tests")
    content = path.read_bytes().replace(b">ERROR<", b">Access to it ends in 2027<")
    stub.routes["/ssa"] = say(content, content_type=VOT)
    survey = get_survey("ssa", url=f"{stub.url}/ssa")
    with pytest.raises(ArchiveError, match="Access to it ends in 2027"):
        survey.query_region(CENTRE, 0.1 * u.deg)
