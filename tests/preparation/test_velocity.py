# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Velocities by cross-correlation: simulated shifts, and visits with known velocity."""

import numpy as np
import pytest
from astropy.io import fits

from astro_latent.exceptions import UnknownNameError
from astro_latent.preparation import (
    APOGEE_RECIPE,
    doppler_factor,
    get_grid,
    measure_velocity,
    prepare_spectra,
)
from astro_latent.preparation.velocity import _FILES, _load
from astro_latent.spectra import decode_flags
from astro_latent.spectra.observation import Observation, SpectrumArrays

# Visits of 2M00005143+5615568 and VHELIO1..3 of its apStar file, km/s.
VISITS = {
    "apVisit-r6-5094-55874-088.fits": -60.5824,
    "apVisit-r6-5094-56643-088.fits": -60.5498,
    "apVisit-r6-5094-56651-082.fits": -60.4353,
}


def template(number):
    from importlib.resources import files

    path = files("astro_latent.preparation").joinpath("data", _FILES["apogee"])
    with path.open("rb") as file, fits.open(file) as hdus:
        return get_grid("apogee_7214").wavelength, hdus[0].data[number].astype(float)


@pytest.mark.parametrize("velocity", [-310.3, -45.1, -1.7, 0.0, 2.1, 87.77, 403.9])
@pytest.mark.parametrize("number", [1, 3])
def test_simulated_shift(velocity, number, rng):
    wavelength, flux = template(number)
    flux = flux * 1000 * (1 + 0.01 * rng.normal(size=len(flux)))
    flux *= 1 + (wavelength - 16_000) / 4000  # a slope is no velocity
    found = measure_velocity(wavelength * doppler_factor(velocity), flux)
    assert found.clear
    assert found.template == number
    assert found.velocity == pytest.approx(velocity, abs=0.3)
    assert 0.005 < found.error < 0.5


def test_error_follows_the_scatter(rng):
    wavelength, flux = template(3)
    found = [
        measure_velocity(wavelength, flux * (1 + 0.1 * rng.normal(size=len(flux))))
        for _ in range(40)
    ]
    scatter = np.std([f.velocity for f in found])
    assert np.median([f.error for f in found]) == pytest.approx(scatter, rel=0.6)


def test_noise_has_no_velocity(rng):
    wavelength, _ = template(0)
    found = measure_velocity(wavelength, 1 + 0.1 * rng.normal(size=len(wavelength)))
    assert not found.clear


def test_two_stars_are_ambiguous():
    wavelength, flux = template(3)
    both = np.interp(wavelength, wavelength * doppler_factor(150.0), flux) + flux
    assert not measure_velocity(wavelength, both).clear


def test_nothing_in_common():
    found = measure_velocity(np.linspace(5000, 6000, 5000), np.ones(5000))
    assert np.isnan(found.velocity)
    assert not found.clear


def test_unknown_templates():
    with pytest.raises(UnknownNameError, match="apogee"):
        measure_velocity(np.arange(1.0, 10), np.ones(9), templates="apoge")


def test_templates_stay_small():
    assert _load("apogee").transform.shape[0] == 6


def observed(velocity, correction=np.nan, *, noise=0.01, rng):
    wavelength, flux = template(3)
    flux = 300 * flux * (1 + noise * rng.normal(size=len(flux)))
    return SpectrumArrays(
        wavelength=wavelength * doppler_factor(velocity),
        flux=flux,
        sigma=np.full(len(flux), 300 * noise),
        mask=np.zeros(len(flux), dtype=bool),
        observation=Observation(
            medium="vacuum",
            frame="observed",
            barycentric_correction=correction,
            resolving_power=22500.0,
        ),
    )


def test_measured_velocity_is_recorded_as_such(rng):
    star = observed(40.0, -15.0, rng=rng)
    prepared = prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    assert prepared.radial_velocity[0] == pytest.approx(25.0, abs=0.3)
    assert prepared.radial_velocity_source == ["cross-correlation"]
    assert "RV_MEASURED" in decode_flags(prepared.flags[0])
    assert "RV_UNCERTAIN" not in decode_flags(prepared.flags[0])
    _, rest = template(3)
    residual = prepared.flux[0] * prepared.scale[0, 0] / 300 - rest
    assert np.std(residual[50:2870]) < 0.02


def test_hopeless_velocity_is_flagged(rng):
    star = observed(40.0, noise=3.0, rng=rng)
    prepared = prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    assert {"RV_UNCERTAIN", "RV_UNKNOWN"} & set(decode_flags(prepared.flags[0]))


@pytest.mark.parametrize(("name", "velocity"), VISITS.items())
def test_real_visits(real_data, name, velocity):
    from astro_latent.spectra import read_arrays

    (visit,) = read_arrays(real_data / "apogee" / "spectra" / name)
    assert visit.observation.frame == "observed"
    found = measure_velocity(
        visit.wavelength, np.asarray(visit.flux, float), valid=~visit.mask
    )
    correction = visit.observation.barycentric_correction
    assert found.clear
    assert found.velocity + correction == pytest.approx(velocity, abs=1.0)
