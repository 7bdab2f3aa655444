# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What headers say: the axes of linear images, positions, times, names."""

import numpy as np
import pytest

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra.facts import facts_from_header, identifier_from_path
from tests.fixtures.examples import read_one

# linear images


def test_wcs1d_units(example):
    path, wavelength, _ = example("wcs1d")
    assert read_one(path).observation.medium == "air"
    head = {"CUNIT1": "NM", "CRVAL1": 500.0, "CDELT1": 0.001}
    found = read_one(example("wcs1d", **head)[0])
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-12)
    assert found.observation.noise == "file"


def test_wcs1d_without_unit_is_angstrom_and_says_so(example):
    found = read_one(example("wcs1d", CUNIT1=None, CTYPE1=None)[0])
    assert found.wavelength[0] == 5000
    assert found.observation.medium == "unknown"
    assert "taken as Angstrom" in found.observation.message


def test_wcs1d_wrong_units(example):
    with pytest.raises(SpectrumReadError, match="axis is in 'furlong'; only"):
        read_one(example("wcs1d", CUNIT1="furlong")[0])
    with pytest.raises(SpectrumReadError, match="axis is in 'km/s'; only wavelengths"):
        read_one(example("wcs1d", CUNIT1="km/s")[0])


def test_wcs1d_unlikely_air_wavelengths_are_questioned(example):
    path, wavelength, _ = example("wcs1d", CUNIT1="nm")
    assert "check CUNIT1='nm'" in read_one(path).observation.message
    found = read_one(path, wavelength_unit="Angstrom")
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-12)
    assert found.observation.message == ""


def test_wcs1d_log_axis(example):
    keys = {"CRVAL1": 3.7, "CDELT1": 1e-5, "DC-FLAG": 1, "CTYPE1": "LINEAR"}
    found = read_one(example("wcs1d", **keys)[0])
    np.testing.assert_allclose(found.wavelength, 10 ** (3.7 + 1e-5 * np.arange(6000)))


def test_wcs1d_zeros_are_masked_but_single_ones_among_counts(example, rng):
    flux = rng.normal(100, 1, 6000).astype(np.float32)
    flux[100:110] = 0
    flux[500] = 0
    mask = read_one(example("wcs1d", flux=flux)[0]).mask
    assert np.flatnonzero(mask).tolist() == [*range(100, 110), 500]
    mask = read_one(example("wcs1d", flux=np.round(flux))[0]).mask
    assert np.flatnonzero(mask).tolist() == list(range(100, 110))


# headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"RA": 10.0, "DEC": -5.0}, (10.0, -5.0)),
        ({"RA": "15:43:02.3", "DEC": "-10:56:03.0"}, (235.759583, -10.934167)),
        ({"RA": -9999.0, "DEC": -9999.0}, (np.nan, np.nan)),
        ({"RA": 10.0}, (np.nan, np.nan)),
        ({"RA": "bad", "DEC": "worse"}, (np.nan, np.nan)),
        # precession from B1950, e.g. the equations of Explanatory Supplement 3.591
        (
            {"RA": 180.0, "DEC": 0.0, "EQUINOX": 1950.0, "RADECSYS": "FK4"},
            (180.6408, -0.2783),
        ),
    ],
)
def test_position(header, expected):
    facts = facts_from_header(header, "a.fits")
    got = (facts["ra"], facts["dec"])
    np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"MJD-OBS": 50000.0, "EXPTIME": 86400.0}, 50000.5),
        ({"MJD-OBS": 50000.0, "MJD-END": 50001.0}, 50000.5),
        ({"DATE-OBS": "2000-01-01T12:00:00", "EXPTIME": 0}, 51544.5),
        ({"DATE-OBS": "2000-01-01T12:00:00"}, np.nan),
        ({"DATE-OBS": "yesterday", "EXPTIME": 10}, np.nan),
        ({"TMID": 57000.25}, 57000.25),
    ],
)
def test_mid_exposure(header, expected):
    got = facts_from_header(header, "a.fits")["time"]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "x/HARPS.2012-04-14T09_01_09.658_s1d_A.fits",
            "HARPS.2012-04-14T09_01_09.658_s1d_A",
        ),
        ("a.fits.gz", "a"),
        (".fits", ".fits"),
        ("b.dat", "b.dat"),
    ],
)
def test_identifier(path, expected):
    assert identifier_from_path(path) == expected
