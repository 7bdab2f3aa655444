"""Text, NumPy archives and what other packages hold in memory."""

import io
import tempfile

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

import astro_latent  # noqa: F401  registers the loaders with specutils
from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import decode_flags, iter_arrays, read_arrays

SIZE = 50
WAVE = np.linspace(5000.0, 5049.0, SIZE)
FLUX = np.linspace(1, 2, SIZE)
ROWS = np.c_[WAVE, FLUX, FLUX / 50]


def check(found, *, errors=True):
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.flux, FLUX)
    if errors:
        np.testing.assert_allclose(found.sigma, FLUX / 50)


@pytest.mark.parametrize(
    ("head", "splitter", "scale"),
    [
        ("wavelength,flux,flux_error", ",", 1),
        ("wavelength [nm],flux,flux_error", ",", 0.1),
        ("# wave_nm flux sigma", " ", 0.1),
        ("# a star\n# wave(um)\tflux\terr", "\t", 1e-4),
        ("WAVE;FLUX;ERR", ";", 1),
    ],
)
def test_text_with_names(tmp_path, head, splitter, scale):
    path = tmp_path / "a.txt"
    rows = ROWS * [scale, 1, 1]
    np.savetxt(path, rows, "%.9g", splitter, header=head, comments="")
    check(read_arrays(path)[0])


def test_text_without_names_needs_a_unit(tmp_path):
    path = tmp_path / "a.dat"
    np.savetxt(path, ROWS * [0.1, 1, 1])
    with pytest.raises(SpectrumReadError, match=r"a\.dat: which of the columns col1"):
        read_arrays(path)
    check(read_arrays(path, wavelength_unit="nm")[0])


def test_text_whose_columns_the_caller_names(tmp_path):
    # as PolarBase has them: two lines, then wavelength, I, V, two nulls, sigma
    path = tmp_path / "a.s"
    rows = np.c_[WAVE / 10, FLUX, np.zeros((SIZE, 3)), FLUX / 50]
    np.savetxt(path, rows, "%.9g", header=f"***Reduced 'HD 1'\n{SIZE} 5", comments="")
    options = {"column_mapping": ("col1", "col2", "col6"), "wavelength_unit": "nm"}
    check(read_arrays(path, **options)[0])
    with pytest.raises(SpectrumReadError, match="Say column_mapping="):
        read_arrays(path)


def test_wavelengths_that_may_be_anything_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    rows = ROWS * [0.1, 1, 1]
    np.savetxt(path, rows, delimiter=",", header="wave,flux,err", comments="")
    with pytest.raises(SpectrumReadError, match=r"a\.csv: .* without a unit; give"):
        read_arrays(path)


def test_ecsv_of_astropy(tmp_path):
    table = Table({"wavelength": WAVE / 10 * u.nm, "flux": FLUX * u.Jy})
    table["error"] = FLUX / 50 * u.Jy
    table.meta = {"OBJECT": "HD 1", "AIRORVAC": "vac"}
    table.write(tmp_path / "a.ecsv")
    (found,) = read_arrays(tmp_path / "a.ecsv")
    check(found)
    assert found.flux_unit == u.Jy
    assert (found.observation.target_name, found.observation.medium) == (
        "HD 1",
        "vacuum",
    )


def test_arrays_of_numpy(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, wavelength_um=WAVE / 1e4, flux=[FLUX, 2 * FLUX], name=["a", "b"])
    first, second = read_arrays(path)
    check(first, errors=False)
    np.testing.assert_allclose(second.flux, 2 * FLUX)
    assert second.observation.obs_id == "a#2"


def test_arrays_whose_names_say_nothing(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=WAVE / 10, y=FLUX, other=np.ones(3))
    with pytest.raises(SpectrumReadError, match="name them: column_mapping="):
        read_arrays(path)
    (found,) = read_arrays(path, column_mapping=("x", "y"), wavelength_unit="nm")
    check(found, errors=False)
    np.savez(path, y=FLUX, other=np.ones(3))
    with pytest.raises(SpectrumReadError, match="no wavelength and flux among"):
        read_arrays(path)


def test_pickles_are_not_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    path = tmp_path / "a.npz"
    np.savez(path, wavelength=np.array([Evil()]), flux=FLUX)
    with pytest.raises(SpectrumReadError, match="no archive of plain NumPy arrays"):
        read_arrays(path)


def hdulist():
    hdu = fits.PrimaryHDU(FLUX)
    hdu.header.update({"CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": "Angstrom"})
    return fits.HDUList([hdu, fits.ImageHDU(FLUX / 50, name="ERR")])


def test_open_files_and_contents(tmp_path):
    buffer = io.BytesIO()
    hdulist().writeto(buffer)
    path = tmp_path / "a.fits"
    path.write_bytes(buffer.getvalue())
    with (
        path.open("rb") as stream,
        tempfile.TemporaryFile() as nameless,
        fits.open(path) as opened,
    ):
        nameless.write(buffer.getvalue())
        sources = [hdulist(), buffer, buffer.getvalue(), stream, nameless, opened]
        for source in sources:
            (found,) = iter_arrays([source])
            check(found)


def test_content_that_is_nothing():
    (found,) = iter_arrays(io.BytesIO(b"\0\1\2"))
    assert decode_flags(found.observation.flags) == ["UNREADABLE"]
    assert "(BytesIO): neither FITS" in found.observation.message


def test_loaders_of_specutils_take_what_is_open(tmp_path):
    from specutils import Spectrum

    found = Spectrum.read(hdulist(), format="wcs1d")
    np.testing.assert_allclose(found.spectral_axis.to_value("AA"), WAVE)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    hdulist().writeto(tmp_path / "a.fits")
    for source in ("~/a.fits", "~/*.fits", Table({"path": ["~/a.fits"]})):
        (found,) = iter_arrays(source)
        check(found)
    check(read_arrays("~/a.fits")[0])


def test_tables_and_mappings():
    table = Table({"wavelength": WAVE / 10 * u.nm, "flux": FLUX})
    table["flux_error"] = FLUX / 50
    columns = {"wave": WAVE * u.AA, "flux": FLUX, "err": FLUX / 50}
    for source in (table, columns, {"spectrum.fits": [table]}):
        (found,) = iter_arrays(source)
        check(found)
