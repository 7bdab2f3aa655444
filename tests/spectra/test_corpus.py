"""Public files of other people's making: each is read rightly, or refused with reason.

Wavelengths at both ends (Ångström) come from `astropy.io.fits` and the documents of
the files, not from this package.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import read_arrays

FOLDER = Path(os.environ.get("ASTRO_LATENT_TEST_DATA", "/nowhere")) / "formats"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="ASTRO_LATENT_TEST_DATA names no folder with formats/"
)

# name: spectra; of the first: its first and last wavelength, medium, whether errors
READ = {
    "2101150001010011": (1, 4714.061, 4902.218, "air", True),
    "2101150001010012": (1, 5648.730, 5872.702, "air", True),
    "2101150001010013": (1, 6476.255, 6734.897, "air", True),
    "2101150001010014": (1, 7584.114, 7885.412, "air", True),
    "AAO": (51, 8286.260, 8415.138, "unknown", False),
    "Combined": (51, 32712.82, 32947.75, "unknown", False),
    "Europa_20221014_HughAllen.FIT": (1, 3710.0, 7734.633, "unknown", False),
    "Goldilocks_20210212T072837_v1.0_0037.spectra": (
        28, 8079.04, 8183.56, "unknown", True,
    ),
    "L5g_0355+11_Cruz09": (1, 6100.0, 10250.0, "unknown", False),
    "NGC2691.COMB.RSS": (3, 3701.0, 7501.0, "unknown", True),
    "ProximaCentauri_Ribas2017.fit": (1, 7.0, 300000.0, "unknown", False),
    "UM669_nF": (1, 3041.453, 10283.95, "unknown", False),
    "UVES": (1, 3732.056, 4999.738, "unknown", False),
    "a0v": (1, 1150.0, 25000.0, "unknown", False),
    "alpha_lyr_stis_011": (1, 900.452, 2993651.7, "unknown", False),
    "coadd-5-169-thru20210419": (15, 3600.0, 5800.0, "vacuum", False),
    "emlLinearSkyAirHelio": (1, 3753.599, 8979.177, "unknown", True),
    "emlLinearVacuumNoHelio": (1, 3754.667, 8981.648, "vacuum", True),
    "emlLogVacuumHelioCMB": (1, 3754.667, 8981.648, "vacuum", True),
    "emlLogVacuumHelioMultiple": (3, 3754.667, 8981.648, "vacuum", True),
    "evega.0039.rs.ec.dispcor": (107, 10025.713, 10290.583, "unknown", False),
    "grw_70d5824_stisnic_005": (1, 1140.56, 24976.71, "unknown", True),
    "he1523-0901": (1, 3400.004, 9400.010, "unknown", False),
    "k93_4500_0_5_rn_box": (1, 88.3723, 1828571.4, "unknown", False),
    "spec-0266-51602-0031": (1, 3800.14, 9202.38, "vacuum", True),
    "spec-55939-GAC_061N46_V3_sp07-078": (1, 3699.986, 9067.756, "vacuum", True),
    "spec-56309-GAC088N20V1_sp08-126": (1, 3699.986, 9074.022, "vacuum", True),
    "spec-59517-EG025613N082253M02_sp08-200": (1, 3699.986, 9099.134, "vacuum", True),
    "spec-6064-56097-0980": (1, 3599.98, 10387.24, "vacuum", True),
    "spec1d.1245.066.12004136": (4, 6485.87, 7811.73, "unknown", True),
    "spec_1": (1, 21117.845, 21235.530, "unknown", False),
    "spec_wavecal": (1, 21118.76, 21235.86, "unknown", False),
    "starb1_template": (1, 1235.0, 9945.0, "unknown", False),
    "sun_reference_stis_002": (1, 1195.0, 26957.35, "unknown", False),
}  # fmt: skip
REFUSED = {
    "ClassA_Data": "no spectrum found",  # a catalogue
    "GES_UVESRed580_Lambda": "has no wavelengths",  # they are its flux
    "cone_search.vot": "none of the tables",
    "gbt_1d": "axis is a velocity",
    "generic_spectra": "no spectrum found",  # flux and error without wavelengths
    "n2hp_cube": "no spectrum found",
    "sn2009ip_halpha": "no spectrum found",  # wavelengths, flux and error in rows
}


def find(name):
    return next(
        path for path in FOLDER.iterdir()
        if path.name.removesuffix(".gz").removesuffix(".fits") == name
    )  # fmt: skip


def test_every_file_has_its_verdict():
    names = {path.name.removesuffix(".gz").removesuffix(".fits") for path in
             FOLDER.glob("*.gz")}  # fmt: skip
    assert names == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_read_rightly(name):
    count, first, last, medium, errors = READ[name]
    found = read_arrays(find(name))
    assert len(found) == count
    seen = found[0]
    np.testing.assert_allclose(seen.wavelength[[0, -1]], [first, last], rtol=2e-6)
    assert seen.observation.medium == medium
    assert (seen.sigma is not None) == errors


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_reason(name):
    with pytest.raises(SpectrumReadError, match=REFUSED[name]) as caught:
        read_arrays(find(name))
    assert name in str(caught.value)


def test_linear_axes_are_those_of_wcslib():
    compared = 0
    for path in sorted(FOLDER.glob("*.gz")):
        if ".vot" in path.name:
            continue
        with fits.open(path) as hdus:
            head = hdus[0].header
        if head["NAXIS"] != 1 or "CRVAL1" not in head or head.get("DC-FLAG") == 1:
            continue
        keys = ("CRVAL1", "CRPIX1", "CDELT1", "CD1_1", "PC1_1")
        bare = fits.Header({key: head[key] for key in keys if key in head})
        pixels = np.arange(head["NAXIS1"])[:, None]
        truth = WCS(bare, naxis=1).wcs_pix2world(pixels, 0)[:, 0]
        try:
            (found,) = read_arrays(path)
        except SpectrumReadError:
            continue
        if "WAVELENGTH" in [hdu.name for hdu in fits.open(path)]:
            continue
        factor = 10 if head.get("CUNIT1") == "nm" else 1
        np.testing.assert_allclose(found.wavelength, truth * factor, rtol=1e-12)
        compared += 1
    assert compared >= 8
