# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What every survey promises: facts, checked filters and configurable addresses."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from astro_latent.archives import conf
from astro_latent.archives.base import Survey
from astro_latent.archives.query import QueryFilter
from astro_latent.archives.tap import TapClient, TapResult
from astro_latent.exceptions import ArchiveError
from astro_latent.surveys import SURVEYS, fetch, get_survey

NEED_NO_NETWORK = ("local", "sample")
ADDRESSES = {
    "harps": ("eso", "tap_url"),
    "espresso": ("eso", "tap_url"),
    "feros": ("eso", "tap_url"),
    "uves": ("eso", "tap_url"),
    "nirps": ("eso", "tap_url"),
    "apogee": ("sdss", "skyserver_url"),
    "sdss": ("sdss", "skyserver_url"),
    "gaia": ("gaia", "server_url"),
    "gaia_xp": ("gaia", "server_url"),
    "galah": ("galah", "ssa_url"),
    "lamost": ("lamost", "ssa_url"),
    "lamost_mrs": ("lamost", "mrs_ssa_url"),
}
GENERIC = ("local", "sample", "obscore", "ssa")


@pytest.mark.parametrize("name", list(SURVEYS))
class TestContract:
    def test_it_is_a_survey_of_that_name(self, name):
        survey = get_survey(name)
        assert isinstance(survey, Survey)
        assert survey.name == name
        assert name in repr(survey)

    def test_its_facts_are_facts(self, name):
        survey = get_survey(name)
        low, high = survey.wavelength_range
        assert (np.isnan(low) and np.isnan(high)) or 1000 < low < high < 30000
        assert np.isnan(survey.resolving_power) or 10 < survey.resolving_power < 1e6
        assert survey.medium in ("air", "vacuum", "unknown")
        assert survey.frame in ("observed", "barycentric", "rest", "unknown")
        assert survey.normalisation in ("none", "continuum", "unknown")
        assert survey.licence
        assert survey.object_radius > 0 * u.arcsec
        if name not in GENERIC:
            assert len(survey.citation) == 19  # a bibcode

    def test_its_address_can_be_changed(self, name):
        if name in GENERIC:
            assert get_survey(name).url == ""
            return
        folder, item = ADDRESSES[name]
        settings = import_module(f"astro_latent.surveys.{folder}").conf
        with settings.set_temp(item, "https://mirror.example.org/x"):
            assert get_survey(name).url.startswith("https://mirror.example.org/x")

    def test_bad_filters_are_refused_before_anything_is_sent(self, name, tmp_path):
        options = {"path": tmp_path} if name == "local" else {}
        survey = get_survey(name, **options)
        with pytest.raises(ValueError, match="row_limit must be positive"):
            survey.query_region(SkyCoord(1, 1, unit="deg"), 1 * u.deg, row_limit=-7)


@pytest.mark.parametrize("name", ["obscore", "ssa"])
def test_a_generic_survey_says_that_it_needs_an_address(name):
    with pytest.raises(ValueError, match="needs an address"):
        get_survey(name).query_region(SkyCoord(1, 1, unit="deg"), 1 * u.deg)


class TestRegistry:
    """The registry is asked once, and only when its answer is needed."""

    @pytest.fixture
    def registry(self, monkeypatch):
        asked = []

        def run(client, adql):
            asked.append((client.url, adql))
            known = ["https://archive.example.org/ssa"] * ("'ivo://known/ssa'" in adql)
            return TapResult(Table({"access_url": known}, dtype=["U40"]), False)

        monkeypatch.setattr(TapClient, "run", run)
        return asked

    def test_a_known_service(self, registry):
        survey = get_survey("ssa", registry="ivo://Known/ssa")
        assert registry == []
        assert survey.url == survey.url == "https://archive.example.org/ssa"
        ((url, adql),) = registry
        assert url == conf.registry_url
        assert "FROM rr.capability NATURAL JOIN rr.interface WHERE" in adql
        assert "standard_id LIKE 'ivo://ivoa.net/std/ssa%'" in adql

    def test_an_unknown_service(self, registry):
        with pytest.raises(ArchiveError, match="knows no SSA service 'ivo://other'"):
            get_survey("ssa", registry="ivo://other").query_target("x")

    def test_one_of_both(self):
        with pytest.raises(ValueError, match=r"either the url .* or its registry"):
            get_survey("ssa", url="http://x", registry="ivo://x")


class TestFilter:
    def test_everything_becomes_plain_numbers(self):
        wanted = QueryFilter.build(
            snr=10, time=(2.0, 1.0), band=[2, 1] * u.um, row_limit=-1
        )
        assert wanted == QueryFilter(snr=10.0, time=(1.0, 2.0), band=(1e-6, 2e-6))

    @pytest.mark.parametrize("scale", ["utc", "tai", "tt"])
    @pytest.mark.parametrize("pair", [False, True])
    def test_times_are_utc(self, scale, pair):
        """In April 2012 TAI was 34 s ahead of UTC, and TT another 32.184 s."""
        ahead = {"utc": 0.0, "tai": 34.0, "tt": 66.184}[scale]
        moments = Time(["2012-04-14T00:00:00", "2012-04-15T00:00:00"], scale=scale)
        wanted = QueryFilter.build(time=list(moments) if pair else moments)
        expected = np.array([56031.0, 56032.0]) - ahead / 86400
        np.testing.assert_allclose(wanted.time, expected, rtol=0, atol=1e-8)

    def test_frequencies_are_wavelengths(self):
        wanted = QueryFilter.build(band=[599584.916, 299792.458] * u.GHz)
        np.testing.assert_allclose(wanted.band, (5e-7, 1e-6))

    @pytest.mark.parametrize("band", [[1, 2], [1, 2, 3] * u.nm, [1, np.nan] * u.nm])
    def test_bad_bands(self, band):
        with pytest.raises(ValueError, match=r"not convertible|two finite values"):
            QueryFilter.build(band=band)


class TestLamost:
    def test_addresses(self):
        table = Table({"obsid": ["101005"], "obs_id": ["101005"], "access_url": [""]})
        request = get_survey("lamost").file_requests(table)[0]
        assert request.url == (
            "https://www.lamost.org/openapi/dr11/v2.0/lrs/spectrum/fits?obsid=101005"
        )

    def test_an_obsid_is_a_number(self):
        table = Table({"obsid": ["1&x=../"], "obs_id": ["1"], "access_url": [""]})
        with pytest.raises(ValueError, match="an obsid of LAMOST is a number"):
            get_survey("lamost").file_requests(table)


class TestGalah:
    def test_the_original_files_are_fetched(self, stub, say, make_fits, tmp_path):
        stub.routes["/full"] = say(make_fits())
        table = Table(
            {
                "obs_id": ["1704180037012051"],
                "access_url": [f"{stub.url}/extract"],
                "access_format": ["application/x-votable+xml;content=datalink"],
                "full_data_url": [f"{stub.url}/full"],
            }
        )
        fetched = fetch(table, tmp_path, survey="galah")
        assert fetched["flags"][0] == 0
        assert [request.path for request in stub.seen] == ["/full"]


def test_the_page_of_surveys_says_of_which_year_positions_are():
    page = (Path(__file__).parents[2] / "docs" / "surveys" / "index.rst").read_text()
    _, _, section = page.partition("Of which year positions are")
    cells = [row.split("\n     - ") for row in section.split("\n   * - ")[2:]]
    told = {name: row[1] for row in cells for name in row[0].split(", ")}
    for name in set(SURVEYS) - set(GENERIC):
        epoch = SURVEYS[name].position_epoch
        known = "unknown" if epoch is None else str(epoch)
        assert told[name] == ("the night" if known == "nan" else known), name


def test_positions_of_apogee_are_those_of_the_2mass_name(real_data):
    paths = sorted((real_data / "apogee").rglob("apStar*.fits"))
    paths += sorted((real_data / "apogee").rglob("aspcapStar*.fits"))
    for path in paths:
        header = fits.getheader(path)
        ra, dec = re.search(r"2M(\d{8})([+-]\d{7})", path.name).groups()
        text = f"{ra[:2]}h{ra[2:4]}m{ra[4:6]}.{ra[6:]}s {dec[:3]}d{dec[3:5]}m{dec[5:7]}"
        named = SkyCoord(f"{text}.{dec[7:]}s")
        stated = SkyCoord(header["RA"], header["DEC"], unit="deg")
        assert named.separation(stated) < 0.2 * u.arcsec, path.name
    assert len(paths) >= 5
