"""specutils finds our formats by itself once the loaders are registered."""

import numpy as np
import pytest
from astropy import units as u
from specutils import Spectrum, SpectrumList

import astro_latent.spectra.loaders
from astro_latent.spectra import EXAMPLE_FORMATS, read_arrays

OWN = sorted(set(EXAMPLE_FORMATS) - {"wcs1d"})


@pytest.fixture(autouse=True)
def registered():
    astro_latent.spectra.loaders.register_loaders()


@pytest.mark.parametrize("name", OWN)
def test_auto_detected(name, samples):
    (arrays,) = read_arrays(samples[name])
    found = Spectrum.read(str(samples[name]))
    np.testing.assert_array_equal(found.flux.value, arrays.flux)
    # as text, in which what is unknown is equal to itself
    assert repr(found.meta["observation"]) == repr(arrays.observation)
    assert found.spectral_axis.unit == u.AA
    (listed,) = SpectrumList.read(str(samples[name]))
    np.testing.assert_array_equal(listed.flux.value, arrays.flux)


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_by_name(name, samples):
    found = Spectrum.read(str(samples[name]), format=name)
    (arrays,) = read_arrays(samples[name])
    assert found.meta["observation"].obs_id == arrays.observation.obs_id


def test_options_reach_the_reader(example, grid, rng):
    flux = rng.normal(100, 1, (5, 8575))
    path, _, _ = example("apstar", flux=flux, wavelength=grid("apstar"))
    assert len(SpectrumList.read(str(path), visits=True)) == 3


def test_other_formats_still_go_to_specutils(tmp_path):
    axis = np.linspace(5000, 5100, 50) * u.AA
    path = tmp_path / "own.fits"
    Spectrum(spectral_axis=axis, flux=np.ones(50) * u.Jy).write(
        path, format="tabular-fits"
    )
    found = Spectrum.read(str(path))
    assert found.flux.unit == u.Jy
    (arrays,) = read_arrays(path)
    np.testing.assert_allclose(arrays.wavelength, axis.value)
    assert arrays.observation.obs_id == "own"
    (again,) = read_arrays(path, format="tabular-fits")
    np.testing.assert_array_equal(again.flux, arrays.flux)
