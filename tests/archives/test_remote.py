# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The real archives, asked politely: pytest --remote-data -k remote."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

import astro_latent
from astro_latent.archives import CORE_COLUMNS, conf
from astro_latent.surveys import fetch, get_survey

pytestmark = [pytest.mark.remote_data, pytest.mark.slow]

# A well observed star of each survey, and a field with a few spectra.
FIELDS = {
    "harps": (SkyCoord(26.0170, -15.9375, unit="deg"), 1 * u.arcmin),
    "apogee": (SkyCoord(132.85, 11.82, unit="deg"), 3 * u.arcmin),
    "sdss": (SkyCoord(146.71, -1.04, unit="deg"), 10 * u.arcmin),
    "gaia": (SkyCoord(132.85, 11.82, unit="deg"), 10 * u.arcmin),
    "gaia_xp": (SkyCoord(132.85, 11.82, unit="deg"), 3 * u.arcmin),
    "galah": (SkyCoord(132.85, 11.82, unit="deg"), 10 * u.arcmin),
    "lamost": (SkyCoord(132.85, 11.82, unit="deg"), 10 * u.arcmin),
}


@pytest.fixture(autouse=True)
def patient():
    """Real archives need more patience than the server on loopback."""
    with (
        conf.set_temp("backoff", 2.0),
        conf.set_temp("connect_timeout", 20.0),
        astro_latent.conf.set_temp("timeout", 120.0),
    ):
        yield


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.filterwarnings("ignore::astro_latent.exceptions.TruncatedResultsWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", list(FIELDS))
def test_from_region_to_files(name, tmp_path):
    """The same assertions as for the server on loopback."""
    centre, radius = FIELDS[name]
    survey = get_survey(name)
    table = survey.query_region(centre, radius, row_limit=2)
    assert len(table) == 2
    assert set(CORE_COLUMNS) <= set(table.colnames)
    assert table["s_ra"].unit == u.deg
    positions = SkyCoord(table["s_ra"], table["s_dec"])
    assert np.all(positions.separation(centre) < radius + 10 * u.arcsec)
    fetched = fetch(table, tmp_path)
    assert list(fetched["message"]) == ["", ""]
    assert list(fetch(table, tmp_path)["fetch_status"]) == ["cached"] * 2
