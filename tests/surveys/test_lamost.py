"""LAMOST in medium resolution, laid out as laspec and pylamost read it.

Old files (until DR8) have a row per pixel with LOGLAM, new ones a row of arrays; see
``MrsSpec.from_hdu`` of laspec 2023.819.0 and ``read_mrs_fits`` of pylamost.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_latent.spectra import decode_flags, iter_arrays, read_arrays
from astro_latent.surveys import get_survey

ARMS = {"B": np.linspace(4950, 5350, 300), "R": np.linspace(6300, 6800, 280)}
CARDS = {
    "TELESCOP": "LAMOST",
    "ORIGIN": "NAOC-LAMOST",
    "OBSID": 685914083,
    "DESIG": "LAMOST J063715.90+271356.5",
    "RA": 99.316263,
    "DEC": 27.23237,
    "DATE-OBS": "2018-10-24T20:02:34.0",
    "VACUUM": True,
    "HELIO": True,
}


def columns(wavelength, *, old, mask):
    size = wavelength.size
    flux, ivar = 1000 + 0.1 * np.arange(size), np.full(size, 0.04)
    bits = np.zeros(size, np.int16)
    bits[5] = 1
    if old:
        axis = np.log10(wavelength)
        layout = [("FLUX", "E", flux), ("IVAR", "E", ivar), ("LOGLAM", "D", axis)]
        layout.append((mask, "I", bits))
    else:
        layout = [
            ("FLUX", f"{size}E", flux[None]),
            ("IVAR", f"{size}E", ivar[None]),
            ("WAVELENGTH", f"{size}D", wavelength[None]),
            (mask, f"{size}I", bits[None]),
        ]
    return [fits.Column(name, form, array=array) for name, form, array in layout]


@pytest.fixture
def medium(tmp_path):
    def write(*names, old=False):
        primary = fits.PrimaryHDU()
        primary.header.update(CARDS)
        hdus = fits.HDUList([primary])
        for name in names:
            arm = ARMS[name.split("_")[-1][0]]
            mask = "ANDMASK" if name.startswith("COADD") else "PIXMASK"
            table = columns(arm, old=old, mask=mask)
            hdus.append(fits.BinTableHDU.from_columns(table, name=name))
            hdus[-1].header["SNR"] = 55.5
        hdus.writeto(tmp_path / "med-58408-HIP507401_sp01-001.fits", overwrite=True)
        return tmp_path / "med-58408-HIP507401_sp01-001.fits"

    return write


ALL = ("COADD_B", "COADD_R", "B-84132345", "R-84132345")


@pytest.mark.parametrize("old", [False, True])
def test_both_arms_in_medium_resolution(medium, old):
    blue, red = read_arrays(medium(*ALL, old=old))
    for found, arm in ((blue, "B"), (red, "R")):
        known = found.observation
        np.testing.assert_allclose(found.wavelength, ARMS[arm], rtol=1e-12)
        np.testing.assert_allclose(found.sigma, 5)
        assert np.flatnonzero(found.mask).tolist() == [5]
        assert known.resolving_power == 7500
        assert (known.medium, known.frame) == ("vacuum", "barycentric")
        assert known.obs_id == f"med-58408-HIP507401_sp01-001#COADD_{arm}"
        assert known.target_name == "LAMOST J063715.90+271356.5"
        assert (known.ra, known.dec, known.snr) == (99.316263, 27.23237, 55.5)


def test_single_exposures(medium):
    names = [a.observation.obs_id for a in read_arrays(medium(*ALL), visits=True)]
    assert [name.partition("#")[2] for name in names] == list(ALL)
    (only,) = read_arrays(medium("R-84132345"))
    assert only.wavelength[0] == 6300


def test_a_table_keeps_the_arms_apart(medium):
    table = Table({"path": [str(medium(*ALL))], "obs_id": ["685914083"]})
    names = [a.observation.obs_id for a in iter_arrays(table)]
    assert names == ["685914083#COADD_B", "685914083#COADD_R"]


def test_a_bad_arm_leaves_the_other(medium):
    path = medium("COADD_B", "COADD_R")
    with fits.open(path, mode="update") as hdus:
        hdus["COADD_R"].data["WAVELENGTH"][0, 7] = 1.0
    blue, red = read_arrays(path)
    assert blue.wavelength.size == 300
    assert decode_flags(red.observation.flags) == ["UNREADABLE"]
    assert "the wavelength turns back" in red.observation.message
    assert red.observation.obs_id.endswith("#COADD_R")


def test_the_low_resolution_is_not_taken_for_it(real_data):
    for path in sorted((real_data / "formats").glob("spec-5*sp*.fits.gz")):
        (found,) = read_arrays(path)
        assert found.observation.resolving_power == 1800
        assert found.observation.medium == "vacuum"


def test_medium_resolution_has_addresses_of_its_own():
    table = Table({"obsid": [685914083], "obs_id": ["685914083"]})
    survey = get_survey("lamost_mrs")
    assert survey.url.endswith("/mrs/voservice/ssap")
    (request,) = survey.file_requests(table)
    assert request.url.endswith("/mrs/spectrum/fits?obsid=685914083")
