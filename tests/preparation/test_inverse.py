# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A prepared array becomes the spectrum that it came from."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from astro_latent.exceptions import GridMismatchError
from astro_latent.preparation import (
    APOGEE_CHEBYSHEV_RECIPE,
    APOGEE_RECIPE,
    doppler_factor,
    get_grid,
    prepare_spectra,
    restore_spectrum,
    vacuum_to_air,
)
from astro_latent.spectra import to_spectrum

CHIPS = np.zeros(8575, dtype=bool)
for first, last in ((322, 3242), (3648, 6048), (6412, 8306)):
    CHIPS[first:last] = True


@pytest.mark.parametrize("recipe", [APOGEE_RECIPE, APOGEE_CHEBYSHEV_RECIPE])
def test_aligned_grid_is_exact(make_star, recipe):
    star = make_star()
    prepared = prepare_spectra([star], "apogee_7214", recipe)
    back = restore_spectrum(prepared.flux[0], prepared, 0, like=star)
    np.testing.assert_allclose(back.flux.value[CHIPS], star.flux[CHIPS], rtol=2e-7)
    np.testing.assert_array_equal(back.mask, ~CHIPS)
    np.testing.assert_array_equal(back.spectral_axis.value, star.wavelength)


def test_other_frame_and_medium(make_star):
    star = make_star(noise=1e-9)
    moved = replace(
        star,
        wavelength=vacuum_to_air(star.wavelength * doppler_factor(71.0 - 12.0)),
        observation=replace(
            star.observation,
            medium="air",
            frame="observed",
            radial_velocity=71.0 - 12.0,
            barycentric_correction=12.0,
        ),
    )
    # Made by shifting to an observer, so that it agrees to the order of (v/c)^2.
    prepared = prepare_spectra([moved], "apogee_7214", APOGEE_RECIPE)
    back = restore_spectrum(prepared.flux[0], prepared, 0, like=moved)
    inside = ~back.mask
    assert inside.sum() > 7100
    np.testing.assert_allclose(back.flux.value[inside], moved.flux[inside], rtol=2e-3)


@pytest.mark.parametrize("unit", ["AA", "nm", "um"])
def test_like_a_spectrum_in_other_units(make_star, unit):
    from specutils import Spectrum

    star = replace(make_star(), flux_unit=u.Unit("1e-17 erg / (s cm2 AA)"))
    prepared = prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    like = to_spectrum(star)
    like = Spectrum(flux=like.flux, spectral_axis=like.spectral_axis.to(unit))
    back = restore_spectrum(prepared.flux[0], prepared, 0, like=like)
    assert back.flux.unit == star.flux_unit
    assert back.spectral_axis.unit == u.Unit(unit)
    np.testing.assert_allclose(back.flux.value[CHIPS], star.flux[CHIPS], rtol=1e-6)


def test_without_like_the_grid_of_the_model(make_star):
    prepared = prepare_spectra([make_star()], "apogee_7214", APOGEE_RECIPE)
    back = restore_spectrum(prepared.flux[0], prepared, 0)
    assert back.flux.unit == u.dimensionless_unscaled
    grid = get_grid("apogee_7214")
    np.testing.assert_array_equal(back.spectral_axis.to_value(u.AA), grid.wavelength)
    assert back.meta["observation"] == prepared.observations[0]


def test_wrong_shape_and_row(make_star):
    prepared = prepare_spectra([make_star()], "apogee_7214", APOGEE_RECIPE)
    with pytest.raises(GridMismatchError, match="7214 pixels, flux is \\(7213,\\)"):
        restore_spectrum(np.ones(7213), prepared, 0)
    with pytest.raises(IndexError, match="no row 1 among 1"):
        restore_spectrum(prepared.flux[0], prepared, 1)
