# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A wrong label of the medium is found, and a right one is left alone."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits

from astro_latent.preparation import (
    APOGEE_RECIPE,
    HARPS_RECIPE,
    air_to_vacuum,
    doppler_factor,
    get_grid,
    prepare_spectra,
    vacuum_to_air,
)
from astro_latent.preparation.tellurics import O2_LINES
from astro_latent.spectra import decode_flags
from astro_latent.spectra.observation import Observation, SpectrumArrays


def suspect(prepared):
    return ["MEDIUM_SUSPECT" in names for names in decode_flags(prepared.flags)]


@pytest.fixture
def giant(rng):
    path = files("astro_latent.preparation").joinpath("data", "apogee_templates.fits")
    with path.open("rb") as file, fits.open(file) as hdus:
        flux = hdus[0].data[1].astype(float)
    flux = 200 * flux * (1 + 0.02 * rng.normal(size=len(flux)))
    return SpectrumArrays(
        wavelength=get_grid("apogee_7214").wavelength.copy(),
        flux=flux,
        sigma=np.full(len(flux), 4.0),
        mask=np.zeros(len(flux), dtype=bool),
        observation=Observation(medium="vacuum", frame="rest", resolving_power=22500.0),
    )


def test_rest_frame(giant):
    in_air = replace(giant, wavelength=vacuum_to_air(giant.wavelength))
    called_air = replace(giant, observation=replace(giant.observation, medium="air"))
    stars = [giant, in_air, called_air]
    prepared = prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE)
    assert suspect(prepared) == [False, True, True]
    assert "as if taken in air" in prepared.observations[1].message
    assert "as if taken in vacuum" in prepared.observations[2].message


def test_a_velocity_a_little_off_is_not_a_medium(giant):
    stars = [
        replace(giant, wavelength=giant.wavelength * doppler_factor(v))
        for v in (-40.0, -15.0, 15.0, 40.0, 160.0)
    ]
    prepared = prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE)
    assert not any(suspect(prepared))


def harps(correction, *, lines=True, known=True, rng):
    """Flat spectrum with telluric lines as the barycentric correction moves them."""
    wavelength = 3785.0 + 0.01 * np.arange(312_501)
    flux = 1000 * (1 + 0.01 * rng.normal(size=len(wavelength)))
    for line in O2_LINES * doppler_factor(correction) if lines else ():
        near = slice(*np.searchsorted(wavelength, [line - 1, line + 1]))
        flux[near] *= 1 - 0.8 * np.exp(-0.5 * ((wavelength[near] - line) / 0.06) ** 2)
    return SpectrumArrays(
        wavelength=wavelength,
        flux=flux,
        mask=np.zeros(len(flux), dtype=bool),
        observation=Observation(
            medium="air",
            frame="barycentric",
            resolving_power=115_000.0,
            barycentric_correction=correction if known else np.nan,
        ),
    )


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("correction", [-28.0, 0.0, 21.0])
def test_tellurics(correction, known, rng):
    right = harps(correction, known=known, rng=rng)
    in_vacuum = replace(right, wavelength=air_to_vacuum(right.wavelength))
    called_vacuum = replace(
        right, observation=replace(right.observation, medium="vacuum")
    )
    stars = [right, in_vacuum, called_vacuum]
    prepared = prepare_spectra(stars, "harps_327680", HARPS_RECIPE)
    assert suspect(prepared) == [False, True, True]


def off(prepared):
    return ["WAVELENGTHS_SUSPECT" in names for names in decode_flags(prepared.flags)]


@pytest.mark.parametrize(("known", "seen"), [(True, True), (False, False)])
def test_a_shift_of_all_wavelengths(known, seen, rng):
    """Nothing but the Earth's motion, where it is known, tells 3 km/s of a star."""
    right = harps(12.0, known=known, rng=rng)
    stars = [replace(right, wavelength=right.wavelength * (1 + x)) for x in (0, 1e-5)]
    stars += [replace(right, wavelength=right.wavelength * (1 + 1e-4))]  # 42 km/s
    found = off(prepare_spectra(stars, "harps_327680", HARPS_RECIPE))
    assert found == [False, seen, True]


def test_lines_of_combined_exposures_are_not_judged(rng):
    """Where several corrections are mixed, the lines are shallow."""
    nights = [harps(v, rng=rng) for v in (-20.0, -5.0, 11.0, 25.0)]
    mean = np.mean([night.flux for night in nights], axis=0)
    star = replace(nights[0], flux=mean)
    assert off(prepare_spectra([star], "harps_327680", HARPS_RECIPE)) == [False]


def test_without_tellurics_nothing_is_said(rng):
    star = harps(0.0, lines=False, rng=rng)
    assert suspect(prepare_spectra([star], "harps_327680", HARPS_RECIPE)) == [False]


def test_real_nights(real_data):
    from astro_latent.spectra import read_arrays

    paths = sorted((real_data / "harps" / "alpha_cen_b").glob("*.fits"))[:3]
    right = [read_arrays(path)[0] for path in paths]
    assert right
    wrong = [replace(s, wavelength=air_to_vacuum(s.wavelength)) for s in right]
    prepared = prepare_spectra(right + wrong, "harps_327680", HARPS_RECIPE)
    assert suspect(prepared) == [False] * len(right) + [True] * len(wrong)
    assert off(prepared)[: len(right)] == [False] * len(right)
    moved = [replace(s, wavelength=s.wavelength * (1 - 1e-5)) for s in right]
    assert all(off(prepare_spectra(moved, "harps_327680", HARPS_RECIPE)))
