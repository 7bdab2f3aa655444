"""Stars that move are found where they were when each spectrum was taken."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.time import Time

from astro_latent import predict_parameters
from astro_latent.exceptions import NoResultsWarning
from astro_latent.matching import crossmatch
from astro_latent.matching.epochs import position_epoch

ARCSEC = u.arcsec
#: van Leeuwen 2007, as SIMBAD gives it for the year 2000.
ALPHA_CEN_B = SkyCoord(
    "14h39m35.06311s -60d50m15.0992s",
    pm_ra_cosdec=-3614.39 * u.mas / u.yr,
    pm_dec=802.98 * u.mas / u.yr,
    distance=1.255 * u.pc,
    obstime=Time("J2000"),
)


def catalogue_of(star, epoch=2000.0):
    table = QTable({"ra": star.ra.reshape(-1), "dec": star.dec.reshape(-1)})
    table["pmra"] = star.pm_ra_cosdec.reshape(-1)
    table["pmdec"] = star.pm_dec.reshape(-1)
    table["ref_epoch"] = np.full(len(table), epoch) * u.yr
    return table


def mjd(years):
    return 51544.5 + 365.25 * (np.asarray(years) - 2000.0)


def observed(star, years, **columns):
    """Results whose positions Astropy moved to the time of each."""
    there = star.apply_space_motion(Time(years, format="jyear", scale="tdb"))
    table = QTable({"ra": there.ra.to(u.deg), "dec": there.dec.to(u.deg)})
    table["obs_time"] = mjd(years) * u.day
    for name, values in columns.items():
        table[name] = values
    return table


@pytest.mark.parametrize("swap", [False, True])
def test_each_row_has_its_own_epoch(swap):
    results = observed(ALPHA_CEN_B, np.linspace(1995.0, 2025.0, 7))
    pair = (results, catalogue_of(ALPHA_CEN_B))
    found = crossmatch(*(pair[::-1] if swap else pair), radius=1 * ARCSEC, find="all")
    assert len(found) == 7
    assert found["separation"].max() < 0.05 * ARCSEC
    assert found.meta["crossmatch"][0]["epoch"] == "each row"


@pytest.mark.filterwarnings("ignore:ERFA function .pmsafe")
def test_many_stars_of_any_speed_equal_brute_force(rng):
    """Independent: every pair moved by Astropy, one observation at a time."""
    n = 60
    stars = SkyCoord(
        rng.uniform(10, 10.02, n) * u.deg,
        rng.uniform(70, 70.01, n) * u.deg,
        pm_ra_cosdec=rng.normal(0, 1, n) * 10 ** rng.uniform(0, 4, n) * u.mas / u.yr,
        pm_dec=rng.normal(0, 1, n) * 10 ** rng.uniform(0, 4, n) * u.mas / u.yr,
        distance=np.full(n, 1.0) * u.kpc,
        obstime=Time("J2000"),
    )
    years = rng.uniform(1995, 2025, n)
    places = [
        star.apply_space_motion(Time(year, format="jyear", scale="tdb"))
        for star, year in zip(stars, years, strict=True)
    ]
    results = QTable({"ra": [p.ra.deg for p in places] * u.deg})
    results["dec"] = [p.dec.deg for p in places] * u.deg
    results["obs_time"] = mjd(years) * u.day
    results["i"], expected = np.arange(n), set()
    for i, (place, year) in enumerate(zip(places, years, strict=True)):
        then = stars.apply_space_motion(Time(year, format="jyear", scale="tdb"))
        near = np.flatnonzero(place.separation(then) <= 3 * ARCSEC)
        expected |= {(i, int(j)) for j in near}
    other = catalogue_of(stars)
    other["j"] = np.arange(n)
    found = crossmatch(results, other, radius=3 * ARCSEC, find="all")
    pairs = zip(found["i"].tolist(), found["j"].tolist(), strict=True)
    assert set(pairs) == expected
    assert len(expected) > n  # some have a neighbour


def test_input_catalogues_of_fibres_are_of_2000():
    years = np.array([2012.0, 2015.0])
    results = observed(ALPHA_CEN_B, [2000.0, 2000.0], survey=["apogee-2s", "apogee"])
    results["obs_time"] = mjd(years) * u.day
    catalogue = catalogue_of(ALPHA_CEN_B)
    assert len(crossmatch(results, catalogue)) == 2
    results["survey"] = ["harps", "harps"]
    with pytest.warns(NoResultsWarning, match="50 arcsec .* epoch of each"):
        assert len(crossmatch(results, catalogue)) == 0
    assert len(crossmatch(results, catalogue, epoch=2000.0)) == 2


def test_a_row_without_a_time_is_taken_as_catalogued():
    results = observed(ALPHA_CEN_B, [2000.0, 2010.0, 2020.0])
    results["obs_time"][0] = np.nan
    assert len(crossmatch(results, catalogue_of(ALPHA_CEN_B))) == 3


def test_a_survey_says_of_which_year_its_positions_are():
    results = observed(ALPHA_CEN_B, [2016.0, 2004.0, 2000.0, 2019.0])
    results["survey"] = ["gaia_xp", "sdss", "apogee", "lamost_mrs"]
    results["obs_time"] += 3650 * u.day  # of the spectrum, not of the position
    years = position_epoch(results, "ra")
    np.testing.assert_array_equal(years, [2016.0, 2004.0, 2000.0, np.nan])
    assert len(crossmatch(results, catalogue_of(ALPHA_CEN_B))) == 3


def test_twelve_nights_of_alpha_centauri_b(real_data):
    """HARPS pointed up to 30 arcsec beside it; by 2012 it had moved by 45."""
    results = predict_parameters(real_data / "harps" / "alpha_cen_b", progress=False)
    catalogue = catalogue_of(ALPHA_CEN_B)
    found = crossmatch(results, catalogue, radius=30 * ARCSEC)
    assert len(found) == 12
    there = ALPHA_CEN_B.apply_space_motion(
        Time(results["obs_time"].to_value("d"), format="mjd")
    )
    apart = there.separation(SkyCoord(results["ra"], results["dec"]))
    np.testing.assert_allclose(
        found["separation"].to_value(ARCSEC), apart.to_value(ARCSEC), atol=1e-3
    )
    catalogue.remove_columns(["pmra", "pmdec"])
    with pytest.warns(NoResultsWarning, match="35.7 arcsec apart: no proper motions"):
        assert len(crossmatch(results, catalogue, radius=30 * ARCSEC)) == 0
