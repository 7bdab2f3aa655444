"""Reader of GALAH: two releases, of which each has its own axes and errors."""

import numpy as np
import pytest
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from tests.fixtures.examples import read_one


def edit(path, change):
    with fits.open(path, mode="update") as hdus:
        change(hdus)


def test_galah_facts(example):
    path, wavelength, flux = example("galah")
    found = read_one(path)
    known = found.observation
    assert (known.survey, known.frame, known.normalisation) == (
        "galah",
        "barycentric",
        "none",
    )
    assert known.medium == "air"
    assert known.resolving_power == 28_000
    assert known.radial_velocity == pytest.approx(25)
    np.testing.assert_array_equal(found.flux, flux)
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-12)


def measure_velocity(found, rest):
    """Velocity of an absorption line in km/s, from the middle of its core."""
    near = np.abs(found.wavelength - rest) < 6
    wavelength, flux = found.wavelength[near], found.flux[near].astype(float)
    depth = np.clip(1 - flux / np.nanmedian(flux), 0, None)
    core = np.abs(wavelength - wavelength[np.argmax(depth)]) < 1
    middle = np.average(wavelength[core], weights=depth[core])
    return (middle / rest - 1) * 299_792.458


BALMER = {"1": 4861.33, "3": 6562.80}  # camera -> wavelength of the line in air


@pytest.mark.parametrize("camera", ["1", "2", "3", "4"])
def test_galah_dr3_real_files(real_data, camera):
    paths = sorted((real_data / "real" / "galah_dr3").glob(f"*{camera}.fits.gz"))
    assert len(paths) == 3
    for path in paths:
        plain, rest = read_one(path), read_one(path, normalised=True)
        assert (plain.observation.frame, rest.observation.frame) == (
            "barycentric",
            "rest",
        )
        # the header of the extension, which the primary's contradicts by 55-110 km/s
        head = fits.getheader(path, 4)
        assert rest.wavelength[0] == head["CRVAL1"]
        assert rest.wavelength[1] - rest.wavelength[0] == pytest.approx(head["CDELT1"])
        assert plain.wavelength[0] == fits.getheader(path, 0)["CRVAL1"]
        if camera in BALMER:
            velocity = plain.observation.radial_velocity
            assert 50 < velocity < 115
            assert abs(measure_velocity(rest, BALMER[camera])) < 5
            assert abs(measure_velocity(plain, BALMER[camera]) - velocity) < 5


def test_galah_dr4_real_files(real_data):
    for camera in "1234":
        path = real_data / "formats" / f"210115000101001{camera}.fits.gz"
        found, known = read_one(path), read_one(path).observation
        assert (known.survey, known.medium, known.frame) == (
            "galah",
            "air",
            "barycentric",
        )
        assert (known.ra, known.dec) == pytest.approx((87.748032307, 7.989630346))
        assert known.radial_velocity == pytest.approx(-18.684, abs=1e-3)
        assert 20_000 < known.resolving_power < 23_000
        relative = fits.getdata(path, "relative_error")
        np.testing.assert_allclose(found.sigma, np.abs(found.flux) * relative)
        if camera in BALMER:
            measured = measure_velocity(found, BALMER[camera])
            assert abs(measured - known.radial_velocity) < 5
        flat = read_one(path, normalised=True)
        assert flat.observation.normalisation == "continuum"
        np.testing.assert_array_equal(flat.wavelength, found.wavelength)
        good = ~found.mask
        # three pixels of camera 4 are negative in one image and not in the other
        signal = [np.abs(a.flux[good]) / a.sigma[good] for a in (flat, found)]
        np.testing.assert_allclose(*signal)


@pytest.fixture
def galah_dr4(tmp_path, rng):
    """Write a file of reduction 6: cards as in the public 2101150001010012.fits."""
    names = ["", "normalized", "relative_error", "sky", "teluric", "scattered"]
    names += ["cross_talk", "resolution_profile"]
    flux = rng.normal(900, 20, 200)
    pixels = {"": flux, "normalized": flux / 1000, "relative_error": 20 / flux}
    cards = {
        "ORIGIN": "IRAF reduction pipeline",
        "OBJECT": "galahfco_3.txt,9466,,omversion=1.0.0,3819721808,10, 14.00",
        "INSTRUME": "HERMES-2dF",
        "MEANRA": 86.8456484537085,
        "MEANDEC": 7.99823366606056,
        "CTYPE1": "LINEAR",
        "CDELT1": 0.054694006247085,
        "CRVAL1": 5648.72979285381,
        "CRPIX1": 1.0,
        "CUNIT1": "angstroms",
        "BARYEFF": -13.35554044793004,
        "OBJ_NAME": "gaiadr2_3335074476514836608",
        "SNR": 43.21375046051418,
        "RES": 0.2666363418102264,
        "RA_ICRS": 87.74803230671,
        "DEC_ICRS": 7.98963034608,
        "PIPE_VER": "6.0",
        "RVCOM": -18.68383087844236,
        "RVCOM_OK": 1,
        "UTMJD": 59229.4797015876,
        "EXPOSED": 5400.0,
        "BUNIT": "counts",
        "DOPCOR01": "13.35554 *",
    }

    def write(**changes):
        hdus = fits.HDUList()
        for name in names:
            hdu = fits.ImageHDU(pixels.get(name, flux)) if name else None
            hdu = fits.PrimaryHDU(flux) if hdu is None else hdu
            hdu.header.update({k: v for k, v in (cards | changes).items() if v})
            if name:
                hdu.header["EXTNAME"] = name
            hdus.append(hdu)
        hdus.writeto(tmp_path / "2101150001010012.fits")
        return tmp_path / "2101150001010012.fits", flux

    return write


def test_galah_dr4(galah_dr4):
    path, flux = galah_dr4()
    found = read_one(path)
    known = found.observation
    np.testing.assert_allclose(found.sigma, 20)
    np.testing.assert_array_equal(found.flux, flux)
    assert known.frame == "barycentric"
    # not where the field is
    assert (known.ra, known.dec) == (87.74803230671, 7.98963034608)
    assert known.target_name == "gaiadr2_3335074476514836608"
    assert known.radial_velocity == -18.68383087844236
    assert known.resolving_power == pytest.approx(5654.2 / 0.26664, rel=1e-4)
    flat = read_one(path, normalised=True)
    np.testing.assert_allclose(flat.flux, flux / 1000)
    np.testing.assert_allclose(flat.sigma, 20 / 1000)
    assert flat.observation.frame == "barycentric"


def test_galah_dr4_that_was_not_shifted(galah_dr4):
    known = read_one(galah_dr4(DOPCOR01=None)[0]).observation
    assert known.frame == "unknown"
    assert np.isnan(known.radial_velocity)


def test_galah_errors_are_relative_in_the_file(example, rng):
    flux = rng.uniform(50, 200, 6000).astype(np.float32)
    flux[10], flux[20] = -40, 0
    sigma = np.full(6000, 3.0, np.float32)
    with np.errstate(divide="ignore"):
        path, _, _ = example("galah", flux=flux, sigma=sigma)
        edit(path, lambda hdus: hdus[1].data.__setitem__(10, 0.075))
    found = read_one(path)
    keep = np.arange(6000) != 20
    np.testing.assert_allclose(found.sigma[keep], 3, rtol=1e-6)
    assert np.flatnonzero(found.mask).tolist() == [20]  # no error can be told
    signal = fits.getdata(path, 1)
    assert np.nanmedian(signal) == pytest.approx(3 / np.median(flux), rel=0.01)


def test_galah_normalised(example):
    path, _, _ = example("galah")
    plain, found = read_one(path), read_one(path, normalised=True)
    assert np.median(found.flux) == pytest.approx(1)
    assert found.observation.normalisation == "continuum"
    assert (found.observation.frame, found.observation.radial_velocity) == ("rest", 0)
    ratio_of_axes = plain.wavelength / found.wavelength
    np.testing.assert_allclose(ratio_of_axes, 1 + 25 / 299_792.458, rtol=1e-9)
    ratio = found.flux / found.sigma
    np.testing.assert_allclose(ratio, plain.flux / plain.sigma, rtol=1e-5)


def test_galah_without_normalised_flux(example, tmp_path):
    path, _, flux = example("galah")
    with fits.open(path) as hdus:
        hdus[:4].writeto(tmp_path / "four.fits")
        hdus[:1].writeto(tmp_path / "one.fits")
    np.testing.assert_array_equal(read_one(tmp_path / "four.fits").flux, flux)
    with pytest.raises(SpectrumReadError, match="holds no normalised flux"):
        read_one(tmp_path / "four.fits", normalised=True)
    with pytest.raises(SpectrumReadError, match="truncated: GALAH files hold 4"):
        read_one(tmp_path / "one.fits")


def test_galah_medium_if_the_header_says_it(example):
    assert read_one(example("galah", CTYPE1="WAVE")[0]).observation.medium == "vacuum"
