"""What lies beside the flux: wavelengths, errors, masks; several spectra in a file."""

import bz2
from pathlib import Path

import numpy as np
import pytest
import specutils
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import decode_flags, read_arrays
from astro_latent.spectra.multispec import multispec_wavelengths

SIZE = 120
WAVE = np.linspace(5000.0, 5100.0, SIZE)
FLUX = np.linspace(1, 2, SIZE, dtype=np.float32)
AXIS = {"CRVAL1": 5000.0, "CDELT1": WAVE[1] - WAVE[0], "CRPIX1": 1.0, "CUNIT1": "A"}
BAD = np.isin(np.arange(SIZE), [7, 60])


def write(path, *extensions, flux=FLUX, keys=AXIS, name=None):
    first = fits.PrimaryHDU(flux) if name is None else fits.PrimaryHDU()
    hdus = [first]
    if name is not None:
        hdus.append(fits.ImageHDU(flux, name=name))
    hdus[-1].header.update(keys)
    hdus += [fits.ImageHDU(data, name=label) for label, data in extensions]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ERRS", np.full(SIZE, 0.5)),
        ("ERR", np.full(SIZE, 0.5)),
        ("SIGMA", np.full(SIZE, 0.5)),
        ("IVAR", np.full(SIZE, 4.0)),
        ("VARIANCE", np.full(SIZE, 0.25)),
        ("STAT_ERROR", np.full(SIZE, 0.5)),
    ],
)
def test_errors(tmp_path, name, values):
    (found,) = read_arrays(write(tmp_path / "a.fits", (name, values)))
    np.testing.assert_allclose(found.sigma, 0.5)


@pytest.mark.parametrize("name", ["QUAL", "MASK", "DQ", "BADPIX", "AND_MASK"])
def test_masks(tmp_path, name):
    (found,) = read_arrays(write(tmp_path / "a.fits", (name, BAD.astype(np.int32) * 4)))
    np.testing.assert_array_equal(found.mask, BAD)


def test_unit_of_the_errors(tmp_path):
    path = write(tmp_path / "a.fits", ("ERR", np.full(SIZE, 0.5)))
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["BUNIT"] = "erg/s/cm2/A"
        hdus[1].header["BUNIT"] = "10**(-3) erg/s/cm2/A"
    np.testing.assert_allclose(read_arrays(path)[0].sigma, 0.5e-3)


@pytest.mark.parametrize("keys", [{}, AXIS])
def test_wavelengths_of_an_extension_count_before_the_header(tmp_path, keys):
    truth = WAVE + 0.3 * np.sin(WAVE)
    path = write(tmp_path / "a.fits", ("WAVELENGTH", truth), keys=keys)
    np.testing.assert_allclose(read_arrays(path)[0].wavelength, truth)


def test_log10_wavelengths_of_an_extension(tmp_path):
    path = write(tmp_path / "a.fits", ("LOGLAM", np.log10(WAVE)), keys={})
    np.testing.assert_allclose(read_arrays(path)[0].wavelength, WAVE)


def test_wavelengths_that_do_not_fit_are_refused(tmp_path):
    path = write(tmp_path / "a.fits", ("WAVE", WAVE[:-1]))
    with pytest.raises(SpectrumReadError, match=r"WAVE \(119,\) does not fit"):
        read_arrays(path)


def test_flux_in_an_extension(tmp_path):
    path = write(tmp_path / "a.fits", ("ERR", np.full(SIZE, 0.5)), name="SCI")
    (found,) = read_arrays(path)
    np.testing.assert_array_equal(found.flux, FLUX)
    np.testing.assert_allclose(found.sigma, 0.5)


def test_blank_pixels_of_integers(tmp_path):
    values = np.round(FLUX * 1000).astype(np.int16)
    values[BAD] = -32768
    path = write(tmp_path / "a.fits", flux=values, keys={**AXIS, "BLANK": -32768})
    np.testing.assert_array_equal(read_arrays(path)[0].mask, BAD)


def test_image_with_one_row(tmp_path):
    (found,) = read_arrays(write(tmp_path / "a.fits", flux=FLUX[None]))
    np.testing.assert_array_equal(found.flux, FLUX)


def test_rows_with_errors_are_as_many_spectra(tmp_path):
    rows = np.stack([FLUX, 2 * FLUX])
    first, second = read_arrays(
        write(tmp_path / "a.fits", ("ERROR", rows / 10), flux=rows)
    )
    assert (first.observation.obs_id, second.observation.obs_id) == ("a#1", "a#2")
    np.testing.assert_array_equal(second.flux, 2 * FLUX)
    np.testing.assert_allclose(second.sigma, FLUX / 5)


def test_rows_of_unknown_meaning_are_refused(tmp_path):
    path = write(tmp_path / "a.fits", flux=np.stack([FLUX, FLUX, FLUX]))
    with pytest.raises(SpectrumReadError, match="no spectrum found"):
        read_arrays(path)


def test_packed_by_fpack_and_bzip2(tmp_path):
    image = fits.CompImageHDU(
        FLUX, fits.Header(AXIS), compression_type="GZIP_1", quantize_level=0
    )
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits.fz")
    plain = write(tmp_path / "b.fits")
    packed = tmp_path / "b.fits.bz2"
    packed.write_bytes(bz2.compress(plain.read_bytes()))
    for path in (tmp_path / "a.fits.fz", packed):
        (found,) = read_arrays(path)
        np.testing.assert_array_equal(found.flux, FLUX)
        np.testing.assert_allclose(found.wavelength, WAVE)


def test_desi_coadd_of_specutils():
    folder = Path(specutils.__file__).parent / "io/default_loaders/tests/desi_test_data"
    path = folder / "coadd-sv3-dark-26065.fits"
    if not path.exists():
        pytest.skip("this specutils carries no DESI files")
    found = read_arrays(path)
    with fits.open(path) as hdus:
        rows = len(hdus["B_FLUX"].data)
        assert len(found) == 3 * rows
        np.testing.assert_array_equal(found[rows].flux, hdus["R_FLUX"].data[0])
        np.testing.assert_allclose(found[0].wavelength, hdus["B_WAVELENGTH"].data)
        ivar = hdus["Z_IVAR"].data[-1]
        place = hdus["FIBERMAP"].data["TARGET_RA"][-1]
    seen = found[-1].observation
    assert (seen.medium, seen.frame, seen.survey) == ("vacuum", "barycentric", "desi")
    assert seen.ra == place
    good = ~found[-1].mask
    np.testing.assert_allclose(found[-1].sigma[good], ivar[good] ** -0.5, rtol=1e-6)


ORDER = "{n} {n} {kind} {start} 0.5 100 {z} 1. 5. {more}"
CHEBYSHEV = "1. 0. 1 3 1. 100. 5025. 25. 0.5"


def specwcs(*orders):
    parts = [f'spec{n} = "{text}"' for n, text in enumerate(orders, 1)]
    text = "wtype=multispec " + " ".join(parts)
    return {
        f"WAT2_{n // 68 + 1:03d}": text[n : n + 68] for n in range(0, len(text), 68)
    }


def test_orders_of_multispec():
    header = specwcs(
        ORDER.format(n=1, kind=0, start=5000.0, z=0.001, more=""),
        ORDER.format(n=2, kind=1, start=3.7, z=0.0, more="").replace("0.5", "1e-4"),
        ORDER.format(n=3, kind=2, start=5000.0, z=0.0, more=CHEBYSHEV),
        ORDER.format(n=4, kind=-1, start=1.0, z=0.0, more=""),
    )
    linear, log, curved, none = multispec_wavelengths(header, 100)
    pixel = np.arange(100)
    x = (2 * (pixel + 1) - 101) / 99
    np.testing.assert_allclose(linear, (5000 + 0.5 * pixel) / 1.001)
    np.testing.assert_allclose(log, 10 ** (3.7 + 1e-4 * pixel))
    np.testing.assert_allclose(curved, 5025 + 25 * x + 0.5 * (2 * x**2 - 1))
    assert np.isnan(none).all()


def test_splines_of_multispec():
    line = "1. 0. 4 2 1. 101. 5000. 5100. 5300."  # through three knots
    cubic = "1. 0. 3 1 1. 101. 1000. 1000. 1000. 1000."
    header = specwcs(
        ORDER.format(n=1, kind=2, start=1.0, z=0.0, more=line),
        ORDER.format(n=2, kind=2, start=1.0, z=0.0, more=cubic),
    )
    first, second = multispec_wavelengths(header, 100)
    np.testing.assert_allclose(first[[0, 25, 50, 75]], [5000, 5050, 5100, 5200])
    np.testing.assert_allclose(second, 6000)  # the four weights add up to six


def test_multispec_file_as_specutils_reads_it(tmp_path):
    header = specwcs(
        *(
            ORDER.format(n=n, kind=2, start=1.0, z=0.0, more=CHEBYSHEV)
            for n in (1, 2, 3)
        )
    )
    hdu = fits.PrimaryHDU(np.ones((3, 100), np.float32))
    hdu.header.update({"CTYPE1": "MULTISPE", "CTYPE2": "MULTISPE", "WCSDIM": 2})
    hdu.header["WAT1_001"] = "wtype=multispec label=Wavelength units=angstroms"
    hdu.header.update(header)
    hdu.writeto(tmp_path / "a.fits")
    with pytest.warns(UserWarning, match="Flux unit was not provided"):
        truth = specutils.SpectrumCollection.read(tmp_path / "a.fits", format="iraf")
    found = read_arrays(tmp_path / "a.fits")
    assert len(found) == 3
    np.testing.assert_allclose(found[1].wavelength, truth.spectral_axis.value[1])


def test_one_order_without_wavelengths_loses_only_itself(tmp_path):
    hdu = fits.PrimaryHDU(np.ones((2, 100), np.float32))
    hdu.header.update({"CTYPE1": "MULTISPE", "CTYPE2": "MULTISPE"})
    hdu.header["WAT1_001"] = "wtype=multispec label=Wavelength units=angstroms"
    good = ORDER.format(n=1, kind=0, start=5000.0, z=0.0, more="")
    bad = ORDER.format(n=2, kind=1, start=9849.84, z=0.0, more="")  # 10**9849
    hdu.header.update(specwcs(good, bad))
    hdu.writeto(tmp_path / "a.fits")
    first, second = read_arrays(tmp_path / "a.fits")
    assert first.wavelength[0] == 5000
    assert "UNREADABLE" in decode_flags(second.observation.flags)
    assert "order 2 has no wavelengths" in second.observation.message
