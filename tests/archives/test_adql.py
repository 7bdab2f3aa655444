# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""ADQL and lists of targets, as they are written before anything is sent."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from astro_latent.archives.adql import circle, identifier, literal, number
from astro_latent.archives.tap import target_table

CENTRE = SkyCoord(150.0, -30.0, unit="deg")


class TestAdql:
    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
    def test_a_literal_is_one_token(self, text):
        written = literal(text)
        inner = written[1:-1]
        assert written[0] == written[-1] == "'"
        assert inner.replace("''", "").count("'") == 0
        assert inner.replace("''", "'") == text

    @pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\u2028b"])
    def test_control_characters_are_refused(self, text):
        with pytest.raises(ValueError, match="must be printable"):
            literal(text)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_keep_all_digits(self, value):
        assert float(number(value)) == value

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_no_number_is_refused(self, value):
        with pytest.raises(ValueError, match="must be finite"):
            number(value)

    @pytest.mark.parametrize("name", ["ivoa.ObsCore", 'vizier."I/355/gaiadr3"', "t"])
    def test_names(self, name):
        assert identifier(name) == name

    @pytest.mark.parametrize(
        "name", ["a; DROP TABLE b", "a b", "", 'x"', "a.b.c.d", "1"]
    )
    def test_what_is_no_name_is_refused(self, name):
        with pytest.raises(ValueError, match="is not the name of a table"):
            identifier(name)

    def test_a_circle_is_icrs(self):
        galactic = CENTRE.galactic
        written = circle(galactic, 6 * u.arcmin)
        values = [float(text) for text in written[:-1].split(", ")[1:]]
        np.testing.assert_allclose(values, [150.0, -30.0, 0.1])

    @pytest.mark.parametrize("radius", [0 * u.deg, -1 * u.deg, 200 * u.deg])
    def test_a_radius_must_be_one(self, radius):
        with pytest.raises(ValueError, match="radius must lie between"):
            circle(CENTRE, radius)

    def test_one_position_at_a_time(self):
        with pytest.raises(ValueError, match="one position is wanted, not 2"):
            circle(SkyCoord([1, 2], [3, 4], unit="deg"), 1 * u.deg)


class TestTargetTable:
    def test_units_are_converted(self):
        out = target_table(Table({"ra": [1.0] * u.rad, "dec": [0.5] * u.rad}))
        np.testing.assert_allclose(out["ra"], np.rad2deg(1.0))
        assert list(out["target_id"]) == [0]

    def test_positions_must_be_finite(self):
        with pytest.raises(ValueError, match="1 targets have no finite ra"):
            target_table(Table({"ra": [1.0, np.nan], "dec": [0.0, 0.0]}))

    def test_positions_must_be_there(self):
        with pytest.raises(ValueError, match="no columns ra and dec"):
            target_table(Table({"x": [1]}))
