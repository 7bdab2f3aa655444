# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files that only specutils reads: what is known of their surveys, and what is not."""

import numpy as np
import pytest
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import FORMATS, read_arrays
from astro_latent.spectra.foreign import list_formats, read_foreign


@pytest.fixture
def jwst(tmp_path):
    """Return a file of x1d spectra that specutils builds for its own tests."""
    builder = pytest.importorskip("specutils.io.default_loaders.tests.test_jwst_reader")

    def write(count):
        primary = fits.PrimaryHDU()
        primary.header["TELESCOP"] = "JWST"
        tables = [
            builder.create_spectrum_hdu(100, "POINT", ver=number + 1)
            for number in range(count)
        ]
        path = tmp_path / "jw00001_x1d.fits"
        fits.HDUList([primary, *tables, fits.BinTableHDU(name="ASDF")]).writeto(path)
        return path

    return write


@pytest.mark.parametrize("count", [1, 3])
def test_jwst_is_in_vacuum_and_of_no_known_frame(jwst, count):
    path = jwst(count)
    found = read_foreign(path, None, own=FORMATS)
    assert len(found) == count
    for number, one in enumerate(found):
        data = fits.getdata(path, number + 1)
        np.testing.assert_allclose(one.wavelength, 1e4 * data["WAVELENGTH"])
        np.testing.assert_allclose(one.flux, data["FLUX"], rtol=1e-6)
        assert (one.observation.medium, one.observation.frame) == ("vacuum", "unknown")


def test_names_of_several_spectra_differ(jwst):
    found = read_foreign(jwst(3), None, own=FORMATS)
    names = [one.observation.obs_id for one in found]
    assert names == [f"jw00001_x1d#{number}" for number in (1, 2, 3)]


def test_cos_of_hubble_is_in_vacuum(tmp_path):
    """As its loader in specutils expects it: a table with arrays in one row."""
    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"], primary.header["INSTRUME"] = "HST", "COS"
    axis = np.linspace(1130.0, 1430.0, 500)
    values = {"WAVELENGTH": axis, "FLUX": np.ones(500), "ERROR": np.full(500, 0.1)}
    columns = [fits.Column(n, "500D", array=v[None]) for n, v in values.items()]
    path = tmp_path / "lbgu17qnq_x1d.fits"
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(path)
    (found,) = read_foreign(path, "HST/COS")
    np.testing.assert_allclose(found.wavelength, axis)
    assert (found.observation.medium, found.observation.frame) == ("vacuum", "unknown")


def test_a_format_that_does_not_fit_is_an_error_with_the_file(tmp_path):
    path = tmp_path / "plain.fits"
    fits.PrimaryHDU(np.ones(10)).writeto(path)
    with pytest.raises(SpectrumReadError, match=r"plain\.fits: no spectrum found"):
        read_foreign(path, "HST/COS")
    with pytest.raises(SpectrumReadError, match="none fits"):
        read_foreign(path, None, own=FORMATS)


def test_formats_of_specutils_can_be_named(jwst):
    names = list_formats()
    assert len(names) == len(set(names))
    assert {"JWST x1d", "JWST x1d multi", "HST/COS", "iraf"} <= set(names)
    (found,) = read_arrays(jwst(1), format="JWST x1d")
    assert found.observation.medium == "vacuum"
