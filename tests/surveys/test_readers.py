"""Readers of SDSS optical and the tables of newer LAMOST releases."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra.facts import stated_medium
from tests.fixtures.examples import read_one


def edit(path, change):
    with fits.open(path, mode="update") as hdus:
        change(hdus)


# SDSS


def test_sdss_facts(example):
    found = read_one(example("sdss_spec")[0])
    known = found.observation
    assert (known.survey, known.medium, known.frame) == (
        "sdss",
        "vacuum",
        "barycentric",
    )
    assert known.normalisation == "none"
    assert known.obs_id == "spec-4055-55359-0596"
    # the fibre, not where the telescope pointed
    assert (known.ra, known.dec) == (150.1, -30.2)
    assert np.isnan(known.time)
    assert known.radial_velocity == pytest.approx(29.9792458)
    unit = u.Unit("1e-17 erg / (s cm2 Angstrom)")
    assert found.flux_unit.to(unit) == pytest.approx(1)


def test_sdss_wavelengths_are_those_of_the_common_grid(example):
    path, wavelength, _ = example("sdss_spec")
    stored = fits.getdata(path, 1)["loglam"]
    assert stored.dtype.itemsize == 4
    found = read_one(path).wavelength
    np.testing.assert_allclose(found, wavelength, rtol=1e-12)
    # the nearest float32 of each: half a unit of the last place at 4
    np.testing.assert_allclose(np.log10(found), stored, rtol=0, atol=2.4e-7)


def test_sdss_off_the_grid_is_left_alone(example):
    wavelength = np.linspace(4000.0, 9000.0, 3000)
    path, _, _ = example("sdss_spec", wavelength=wavelength)
    np.testing.assert_allclose(read_one(path).wavelength, wavelength, rtol=6e-7)


def test_sdss_masks(example):
    sigma = np.full(3904, 2.0)
    sigma[7] = 0  # inverse variance 0: no data
    bits = np.zeros(3904, int)
    bits[100] = 1 << 23  # BRIGHTSKY
    bits[200] = 1 << 24  # NODATA
    found = read_one(example("sdss_spec", sigma=sigma, pixmask=bits)[0])
    assert np.flatnonzero(found.mask).tolist() == [7, 100, 200]
    np.testing.assert_allclose(found.sigma[~found.mask], 2, rtol=1e-6)
    assert found.observation.noise == "file"


@pytest.mark.parametrize(("width", "expected"), [(1.0, 1844.3), (0.8, 2305.4)])
def test_sdss_resolving_power_follows_wdisp(example, width, expected):
    # lambda / FWHM = 1 / (2.3548 * 1e-4 ln 10 * width)
    path, _, _ = example("sdss_spec")

    def change(hdus):
        hdus[1].data["wdisp"] = width
        hdus[1].data["wdisp"][:50] = 0  # no fit there

    edit(path, change)
    assert read_one(path).observation.resolving_power == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize(("name", "value"), [("CLASS", "GALAXY"), ("ZWARNING", 4)])
def test_sdss_velocity_only_of_sure_stars(example, name, value):
    path, _, _ = example("sdss_spec")
    edit(path, lambda hdus: hdus[2].data[name].__setitem__(0, value))
    assert np.isnan(read_one(path).observation.radial_velocity)


def test_sdss_without_catalogue_row_and_widths(example):
    path, _, _ = example("sdss_spec", PLATEID=None)
    with fits.open(path) as hdus:
        table = hdus[1]
        table.columns.del_col("wdisp")
        fits.HDUList([hdus[0], table]).writeto(path, overwrite=True)
    known = read_one(path).observation
    assert np.isnan(known.radial_velocity)
    assert np.isnan(known.resolving_power)
    assert known.obs_id == "sdss_spec"


def test_sdss_truncated(example):
    path, _, _ = example("sdss_spec")
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(SpectrumReadError, match=r"sdss_spec\.fits: truncated"):
        read_one(path)


@pytest.mark.parametrize(
    ("kind", "medium"),
    [
        ("WAVE", "vacuum"),
        ("AWAV", "air"),
        ("WAVE-LOG", "vacuum"),
        ("Wavelength", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_the_words_of_the_standard_state_a_medium(kind, medium):
    assert stated_medium({"CTYPE1": kind}) == medium


# the data model in FITS


def test_sdm_fits(example):
    path, wavelength, flux = example("sdm_fits")
    found = read_one(path)
    known = found.observation
    assert (known.medium, known.frame, known.normalisation) == (
        "air",
        "unknown",
        "unknown",
    )
    assert (known.target_name, known.time, known.snr) == ("EXAMPLE", 60000.255, 120)
    assert known.noise == "file"  # the error is known by its name
    assert found.flux_unit == u.adu
    np.testing.assert_array_equal(found.flux, flux)
    np.testing.assert_array_equal(found.wavelength, wavelength)


def test_sdm_fits_without_ucd_states_no_medium(example):
    path, _, _ = example("sdm_fits")
    edit(path, lambda hdus: hdus[1].header.remove("TUCD1"))
    assert read_one(path).observation.medium == "unknown"


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("TUNIT1", "km/s", "axis is in 'km/s'; only wavelengths"),
        ("TUNIT3", "mJy", "the flux is in adu, its error in 'mJy'"),
    ],
)
def test_sdm_fits_units(example, keyword, value, message):
    path, _, _ = example("sdm_fits")
    edit(path, lambda hdus: hdus[1].header.set(keyword, value))
    with pytest.raises(SpectrumReadError, match=message):
        read_one(path)
