"""Positions in headers, against astropy's own reading of the same text."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_latent.spectra.facts import read_position


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ("05 34 31.9", "-05 23 28"),
        ("05:34:31.9", "-05:23:28"),
        ("05h34m31.9s", "-05d23m28s"),
        ("05h 34m 31.9s", "-00d 23m 28s"),
        (" 01:05:17.0", "+33:44:54."),
    ],
)
@pytest.mark.parametrize("keys", [("RA", "DEC"), ("OBJCTRA", "OBJCTDEC")])
def test_sexagesimal(ra, dec, keys):
    truth = SkyCoord(ra, dec.rstrip("."), unit=(u.hourangle, u.deg))
    found = read_position(dict(zip(keys, (ra, dec), strict=True)))
    np.testing.assert_allclose(found, (truth.ra.deg, truth.dec.deg), atol=1e-9)


def test_degrees_as_numbers_and_as_text():
    assert read_position({"RA": 83.63, "DEC": -5.4}) == (83.63, -5.4)
    assert read_position({"RA": "83.63", "DEC": "-5.4"}) == (83.63, -5.4)
    assert read_position({"RA": "83d30m", "DEC": "-5"}) == (83.5, -5.0)


@pytest.mark.parametrize(
    "header", [{}, {"RA": "none", "DEC": ""}, {"RA": "10:70:00", "DEC": "0"}]
)
def test_what_is_no_position(header):
    assert np.isnan(read_position(header)).all()


def test_place_of_target_where_that_of_telescope_makes_no_sense():
    header = {"RA": -999.0, "DEC": -999.0, "OBJCTRA": "10 00 00", "OBJCTDEC": "20 30 0"}
    assert read_position(header) == (150.0, 20.5)
