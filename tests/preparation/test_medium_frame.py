# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Air, vacuum and frames against independent formulae."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils.utils.wcs_utils import air_to_vac, vac_to_air

from astro_latent.preparation import (
    Recipe,
    air_to_vacuum,
    doppler_factor,
    get_grid,
    prepare_spectra,
    vacuum_to_air,
)
from astro_latent.preparation.wavelengths import frame_factor
from astro_latent.spectra import decode_flags
from astro_latent.utils.physics import add_velocities

PLAIN = Recipe.from_dict(
    {
        "steps": [
            {"step": "convert_medium"},
            {"step": "shift_frame"},
            {"step": "resample"},
        ]
    }
)


def test_same_as_specutils():
    wavelength = np.linspace(2100.0, 25_000.0, 501)
    air = vac_to_air(wavelength * u.AA, method="Morton2000").to_value(u.AA)
    np.testing.assert_allclose(vacuum_to_air(wavelength), air, rtol=1e-12)
    vacuum = air_to_vac(wavelength * u.AA, scheme="iteration").to_value(u.AA)
    np.testing.assert_allclose(air_to_vacuum(wavelength), vacuum, rtol=1e-11)


def test_sodium_d_line():
    # NIST: D2 at 5889.950 in air and 5891.583 in vacuum.
    assert vacuum_to_air(5891.5833) == pytest.approx(5889.9510, abs=2e-3)


@settings(deadline=None)
@given(st.floats(1000.0, 30_000.0))
def test_there_and_back(wavelength):
    assert air_to_vacuum(vacuum_to_air(wavelength)) == pytest.approx(
        wavelength, rel=1e-12
    )


def test_far_ultraviolet_is_always_vacuum():
    assert vacuum_to_air(1500.0) == 1500.0
    assert air_to_vacuum(1500.0) == 1500.0


@settings(deadline=None)
@given(st.floats(-1000, 1000))
def test_doppler_as_astropy(velocity):
    shifted = (5000 * doppler_factor(velocity) * u.AA).to_value(
        u.km / u.s, equivalencies=u.doppler_relativistic(5000 * u.AA)
    )
    assert shifted == pytest.approx(velocity, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-500, 500), st.floats(-500, 500))
def test_velocities_add_as_factors_multiply(first, second):
    together = doppler_factor(add_velocities(first, second))
    assert together == pytest.approx(
        doppler_factor(first) * doppler_factor(second), rel=1e-13
    )


@pytest.mark.parametrize("frame", ["observed", "barycentric"])
def test_frames_and_back(frame):
    there = frame_factor(frame, "rest", 30.0, -12.0)
    assert frame_factor(frame, frame, 30.0, -12.0) == 1.0
    observed = frame_factor("observed", "barycentric", 30.0, -12.0)
    back = frame_factor("barycentric", "observed", 30.0, -12.0)
    assert observed * back == pytest.approx(1.0, rel=1e-15)
    assert there is not None


@pytest.mark.parametrize(
    ("facts", "caller", "expected", "source"),
    [
        ({"frame": "barycentric", "radial_velocity": 42.0}, None, 42.0, "file"),
        ({"frame": "barycentric", "radial_velocity": 42.0}, 50.0, 50.0, "caller"),
        ({"frame": "rest", "radial_velocity": 0.0}, 50.0, 0.0, "none"),
        (
            {
                "frame": "observed",
                "radial_velocity": 42.0,
                "barycentric_correction": 10.0,
            },
            None,
            add_velocities(42.0, 10.0),
            "file",
        ),
        ({"frame": "observed", "radial_velocity": 42.0}, 50.0, 42.0, "file"),
    ],
)
def test_whose_velocity(make_star, facts, caller, expected, source):
    prepared = prepare_spectra(
        [make_star(**facts)], "apogee_7214", PLAIN, radial_velocity=caller
    )
    assert prepared.radial_velocity[0] == pytest.approx(expected)
    assert prepared.radial_velocity_source == [source]


@pytest.mark.parametrize(
    ("facts", "factor"),
    [
        ({"frame": "barycentric", "radial_velocity": 60.0}, doppler_factor(60.0)),
        (
            {
                "frame": "observed",
                "radial_velocity": 60.0,
                "barycentric_correction": 20.0,
            },
            doppler_factor(60.0),
        ),
        ({"medium": "air"}, None),
    ],
)
def test_shifted_spectrum_comes_back_to_rest(make_star, facts, factor):
    star = make_star(noise=1e-9)
    at_rest = prepare_spectra([star], "apogee_7214", PLAIN)
    if factor is None:
        wavelength = vacuum_to_air(star.wavelength)
    else:
        wavelength = star.wavelength * factor
    moved = make_star(noise=1e-9, **facts)
    moved = type(moved)(
        **{**vars(moved), "wavelength": wavelength},
    )
    back = prepare_spectra([moved], "apogee_7214", PLAIN)
    np.testing.assert_allclose(back.flux, at_rest.flux, rtol=1e-5)


@pytest.mark.parametrize(
    ("facts", "flag"),
    [
        ({"medium": "unknown"}, "MEDIUM_UNKNOWN"),
        ({"frame": "unknown"}, "FRAME_UNKNOWN"),
        ({"frame": "barycentric"}, "RV_UNKNOWN"),
        ({"frame": "observed", "barycentric_correction": 3.0}, "RV_UNKNOWN"),
    ],
)
def test_the_unknown_is_flagged(make_star, facts, flag):
    prepared = prepare_spectra([make_star(**facts)], "apogee_7214", PLAIN)
    assert flag in decode_flags(prepared.flags[0])
    assert prepared.usable[0]


def test_step_left_out_is_flagged(make_star):
    bare = Recipe.from_dict({"steps": [{"step": "resample"}]})
    star = make_star(medium="air", frame="observed")
    prepared = prepare_spectra([star], "apogee_7214", bare)
    assert {"MEDIUM_UNKNOWN", "FRAME_UNKNOWN"} <= set(decode_flags(prepared.flags[0]))
    assert "no conversion" in prepared.observations[0].message


@pytest.mark.parametrize("steps", [["resample"], ["convert_medium", "shift_frame"]])
@pytest.mark.parametrize(
    "facts", [{}, {"medium": "air", "frame": "barycentric", "radial_velocity": 90.0}]
)
def test_a_grid_that_does_not_know_takes_spectra_as_they_are(make_star, steps, facts):
    grid = replace(get_grid("apogee_7214"), medium="unknown", frame="unknown")
    wanted = [{"step": step} for step in dict.fromkeys([*steps, "resample"])]
    star = make_star(**facts)
    prepared = prepare_spectra([star], grid, Recipe.from_dict({"steps": wanted}))
    inside = np.interp(grid.wavelength[grid.valid], star.wavelength, star.flux)
    np.testing.assert_allclose(prepared.flux[0][grid.valid], inside, rtol=2e-3)
    assert not {"MEDIUM_UNKNOWN", "FRAME_UNKNOWN"} & set(
        decode_flags(prepared.flags[0])
    )
