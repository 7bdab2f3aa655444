"""Wavelengths that headers describe, against `astropy.wcs` and the formulae."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import read_arrays

SIZE = 200
FLUX = np.linspace(1, 2, SIZE, dtype=np.float32)


def write(path, **keys):
    hdu = fits.PrimaryHDU(FLUX)
    hdu.header.update({key.replace("__", "-"): value for key, value in keys.items()})
    hdu.writeto(path)
    return path


def wavelengths(path, **options):
    (found,) = read_arrays(path, **options)
    np.testing.assert_array_equal(np.sort(found.flux), FLUX)
    return found.wavelength


@pytest.mark.parametrize(
    "step",
    [
        {"CDELT1": 0.5},
        {"CD1_1": 0.5},
        {"CDELT1": 1.0, "CD1_1": 0.5},  # CDELT1 is left over
        {"CDELT1": 0.25, "PC1_1": 2.0},
        {"CDELT1": -0.5},
    ],
)
@pytest.mark.parametrize("pixel", [1.0, -3.5])
@pytest.mark.parametrize("unit", ["Angstrom", "nm", "um"])
def test_linear_axis_is_that_of_wcslib(tmp_path, step, pixel, unit):
    scale = {"Angstrom": 1.0, "nm": 0.1, "um": 1e-4}[unit]
    step = {k: v * (1 if k == "PC1_1" else scale) for k, v in step.items()}
    head = {"CTYPE1": "WAVE", "CUNIT1": unit, "CRVAL1": 5000 * scale, "CRPIX1": pixel}
    path = write(tmp_path / "a.fits", **head, **step)
    truth = WCS(fits.getheader(path)).wcs_pix2world(np.arange(SIZE)[:, None], 0)[:, 0]
    np.testing.assert_allclose(wavelengths(path), np.sort(truth) * 1e10, rtol=1e-12)


@pytest.mark.parametrize(("kind", "medium"), [("WAVE", "vacuum"), ("AWAV", "air")])
def test_logarithmic_axis_of_the_standard(tmp_path, kind, medium):
    path = write(
        tmp_path / "a.fits",
        **{"CTYPE1": f"{kind}-LOG", "CUNIT1": "A", "CRVAL1": 5000.0},
        **{"CDELT1": 0.5, "CRPIX1": 1.0},
    )
    truth = 5000 * np.exp(0.5 * np.arange(SIZE) / 5000)  # FITS paper III, equation 5
    np.testing.assert_allclose(wavelengths(path), truth, rtol=1e-12)
    assert read_arrays(path)[0].observation.medium == medium


def test_wavelengths_linear_in_frequency(tmp_path):
    path = write(
        tmp_path / "a.fits",
        **{"CTYPE1": "WAVE-F2W", "CUNIT1": "nm", "CRVAL1": 500.0},
        **{"CDELT1": 0.05, "CRPIX1": 1.0},
    )
    frequency = 1 / 500.0 - 0.05 / 500.0**2 * np.arange(SIZE)
    np.testing.assert_allclose(wavelengths(path), 10 / frequency, rtol=1e-12)


def test_frequencies(tmp_path):
    path = write(
        tmp_path / "a.fits",
        **{"CTYPE1": "FREQ", "CUNIT1": "THz", "CRVAL1": 600.0},
        **{"CDELT1": -0.1, "CRPIX1": 1.0},
    )
    truth = 2.99792458e18 / (6e14 - 1e11 * np.arange(SIZE))
    np.testing.assert_allclose(wavelengths(path), truth, rtol=1e-12)


def test_tabulated_wavelengths(tmp_path):
    truth = 5000 + 0.3 * np.arange(SIZE) + 1e-4 * np.arange(SIZE) ** 2
    column = fits.Column("w", f"{SIZE}D", dim=f"(1,{SIZE})", array=truth[None, :, None])
    table = fits.BinTableHDU.from_columns([column], name="WCS-TAB")
    primary = fits.PrimaryHDU(FLUX)
    primary.header.update(
        {"CTYPE1": "WAVE-TAB", "CUNIT1": "Angstrom", "CRPIX1": 1.0, "CRVAL1": 1.0}
    )
    primary.header.update({"CDELT1": 1.0, "PS1_0": "WCS-TAB", "PS1_1": "w"})
    fits.HDUList([primary, table]).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(wavelengths(tmp_path / "a.fits"), truth, rtol=1e-9)


@pytest.mark.parametrize(
    "keys", [{"DC__FLAG": 1}, {"CTYPE1": "LOG-LINEAR"}, {"CTYPE1": "LOG10(LAMBDA)"}]
)
def test_log10_that_the_header_says(tmp_path, keys):
    path = write(tmp_path / "a.fits", **{"CRVAL1": 3.7, "CDELT1": 1e-4, **keys})
    truth = 10 ** (3.7 + 1e-4 * np.arange(SIZE))
    np.testing.assert_allclose(wavelengths(path), truth, rtol=1e-12)


@pytest.mark.parametrize("unit", [{}, {"CUNIT1": "Angstrom"}])
def test_log10_that_only_the_numbers_say(tmp_path, unit):
    path = write(tmp_path / "a.fits", CRVAL1=3.7, CDELT1=1e-4, CTYPE1="LINEAR", **unit)
    truth = 10 ** (3.7 + 1e-4 * np.arange(SIZE))
    np.testing.assert_allclose(wavelengths(path), truth, rtol=1e-12)
    assert "log10" in read_arrays(path)[0].observation.message


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, "has no wavelengths"),
        ({"CRVAL1": 5000.0}, "has no wavelengths"),
        ({"CTYPE1": "RA---TAN", "CRVAL1": 10.0, "CDELT1": 1.0}, "has no wavelengths"),
        ({"CRVAL1": 500.0, "CDELT1": 0.1}, "without a unit; give wavelength_unit="),
        ({"CRVAL1": 8.5, "CDELT1": 1e-4, "CUNIT1": "Angstrom"}, "are no star's"),
        (
            {"CTYPE1": "VRAD", "CUNIT1": "km/s", "CRVAL1": 0.0, "CDELT1": 1.0},
            "velocity",
        ),
    ],
)
def test_no_wavelengths_are_made_up(tmp_path, keys, reason):
    path = write(tmp_path / "a.fits", **keys)
    with pytest.raises(SpectrumReadError, match=reason):
        read_arrays(path)


def test_what_the_caller_says(tmp_path):
    path = write(tmp_path / "a.fits", CRVAL1=500.0, CDELT1=0.1)
    found = wavelengths(path, wavelength_unit="nm")
    np.testing.assert_allclose(found, 5000 + np.arange(SIZE))
