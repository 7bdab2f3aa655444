# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Layouts that others recorded or build for tests of their own, read by this package.

mwmStar and mwmVisit: the files that specutils builds for its tests, which follow Astra.
``spec`` of DR19: the layout of spec-112360-60000-27021598150202075 as the data model of
SDSS records it (sdss/datamodel, ``specLite.yaml``). ObsCore of ESO: columns and a row
of an answer that astroquery recorded (``eso/tests/data/query_coll_vvv_sgra.csv``).
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_latent.spectra import decode_flags, read_arrays
from astro_latent.surveys import get_survey


@pytest.fixture
def build(tmp_path):
    """Let specutils build a file, and give it a signal: its own is all zeros."""
    builder = pytest.importorskip("specutils.io.default_loaders.tests.test_sdss_v")

    def write(*, star, visits):
        hdus = builder.mwm_HDUList([1, 0, 1, 0], with_wl=star, nvisits=visits)
        for hdu in hdus[1:]:
            bits = np.zeros(hdu.data["pixel_flags"].shape)
            # BADPIX of APOGEE and NOSKY of BOSS; the columns are of floats, as Astra's
            bits[..., 7] = 1.0 if hdu.header["INSTRMNT"] == "APOGEE" else 2.0**22
            hdu.data["flux"], hdu.data["ivar"] = 100.0, 4.0
            hdu.data["pixel_flags"] = bits
        path = tmp_path / f"mwm{'Star' if star else 'Visit'}-0.5.0-34.fits"
        hdus.writeto(path)
        return path

    return write


@pytest.mark.parametrize(("star", "visits"), [(True, 1), (False, 1), (False, 3)])
def test_mwm_files_of_specutils(build, star, visits):
    found = read_arrays(build(star=star, visits=visits))
    assert len(found) == 4 * visits  # two instruments at two observatories
    assert len({one.observation.obs_id for one in found}) == len(found)
    for one in found:
        known = one.observation
        apogee = known.survey == "apogee"
        start, step = (4.179, 6e-6) if apogee else (3.5523, 1e-4)
        grid = 10 ** (start + step * np.arange(8575 if apogee else 4648))
        np.testing.assert_allclose(one.wavelength, grid, rtol=1e-7)
        assert (known.medium, known.frame, known.target_name) == (
            "vacuum", "rest", "SDSS 34",
        )  # fmt: skip
        assert (known.ra, known.dec) == (198.4346, 67.110405)
        assert np.flatnonzero(one.mask).tolist() == [7]
        assert np.all(one.sigma == 0.5)
        assert decode_flags(known.flags) == []


def test_mwm_agrees_with_the_loader_of_specutils(build):
    from specutils import Spectrum

    path = build(star=True, visits=1)
    theirs = Spectrum.read(path, hdu=3, format="SDSS-V mwm")
    (ours,) = (a for a in read_arrays(path) if a.observation.obs_id.endswith("EE-APO"))
    np.testing.assert_allclose(theirs.spectral_axis.to_value("AA"), ours.wavelength)
    np.testing.assert_array_equal(theirs.flux.value.ravel(), ours.flux)
    assert theirs.flux.unit == ours.flux_unit


#: What is of use in the primary header of the recorded file.
DR19 = {
    "TELESCOP": "SDSS 2.5-M", "OBSERVAT": "APO", "NEXP": 8, "EXPTIME": 7200.62010498,
    "PLATEID": "", "CARTID": "FPS-N", "FIELDID": "112360", "MJD": 60000,
    "RA": 150.013468, "DEC": 2.183181, "EQUINOX": 2000.0, "RADECSYS": "FK5",
    "VERS2D": "v6_1_3", "RUN2D": "v6_1_3", "VACUUM": True, "COEFF0": 3.5523,
    "COEFF1": 0.0001, "CRVAL1": 3.5523, "CD1_1": 0.0001, "CRPIX1": 1,
    "CTYPE1": "LINEAR", "DC-FLAG": 1, "PLUG_RA": 148.965814255,
    "PLUG_DEC": 1.51883669717, "HELIO_RV": 2.06627481498, "V_RAD": 2.06627481498,
}  # fmt: skip
COADD = [
    ("FLUX", "E", "10^-17 ergs/s/cm^2/Angs"), ("LOGLAM", "E", "log10(Angs)"),
    ("IVAR", "E", None), ("AND_MASK", "J", None), ("OR_MASK", "J", None),
    ("WDISP", "E", "Pixels"), ("SKY", "E", "10^-17 ergs/s/cm^2/Angs"),
    ("MODEL", "E", None), ("WRESL", "E", "Angs"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
def test_spec_of_dr19_as_its_data_model_records_it(tmp_path):
    grid = 3.5523 + 1e-4 * np.arange(4648)
    values = dict.fromkeys((name for name, _, _ in COADD), np.ones(4648))
    values |= {"LOGLAM": grid, "AND_MASK": 0 * grid, "OR_MASK": 0 * grid + (1 << 16)}
    columns = [
        fits.Column(name, form, unit=unit, array=values[name])
        for name, form, unit in COADD
    ]
    primary = fits.PrimaryHDU()
    primary.header.update(DR19)
    row = [fits.Column("FIBER_RA", "D", array=[1.0])]  # of the moment, not J2000
    row.append(fits.Column("FIBER_DEC", "D", array=[2.0]))
    path = tmp_path / "spec-112360-60000-27021598150202075.fits"
    tables = [
        fits.BinTableHDU.from_columns(columns, name="COADD"),
        fits.BinTableHDU.from_columns(row, name="SPALL"),
    ]
    fits.HDUList([primary, *tables]).writeto(path)
    (found,) = read_arrays(path, format="sdss_spec")
    (same,) = read_arrays(path)
    np.testing.assert_array_equal(found.flux, same.flux)
    known = found.observation
    np.testing.assert_allclose(found.wavelength, 10**grid, rtol=1e-9)
    assert known.obs_id == "spec-112360-60000-27021598150202075"
    assert (known.medium, known.frame, known.survey) == (
        "vacuum",
        "barycentric",
        "sdss",
    )
    assert (known.ra, known.dec) == pytest.approx((148.965814255, 1.51883669717))
    # V_RAD is what the Earth contributed, not the velocity of the star
    assert np.isnan(known.radial_velocity)
    assert not found.mask.any()


#: Columns of ``ivoa.ObsCore`` at ESO, in the recorded answer.
ESO_COLUMNS = """
abmaglim access_estsize access_format access_url bib_reference calib_level
dataproduct_subtype dataproduct_type dp_id em_max em_min em_res_power em_xel
facility_name filter gal_lat gal_lon instrument_name last_mod_date multi_ob n_obs
o_calib_status o_ucd obs_collection obs_creator_did obs_creator_name obs_id
obs_publisher_did obs_release_date obs_title obstech p3orig pol_states pol_xel
preview_html proposal_id publication_date release_description s_dec s_fov
s_pixel_scale s_ra s_region s_resolution s_xel1 s_xel2 snr strehl t_exptime t_max
t_min t_resolution t_xel target_name
"""
#: The first row, as far as it is asked for.
ESO_ROW = {
    "dp_id": "ADP.2014-11-12T16:17:06.307", "target_name": "b333", "s_ra": 265.9635,
    "s_dec": -29.297, "dataproduct_type": "measurements", "obs_collection": "VVV",
    "t_min": 55423.14393939, "t_max": 55423.14637251, "t_exptime": 16.0,
    "em_min": 1.992e-06, "em_max": 2.301e-06, "em_res_power": 6.9466, "em_xel": 1,
    "snr": np.ma.masked, "proposal_id": "179.B-2002(B)",
    "obs_release_date": "2014-11-13T13:53:35.087Z",
    "obs_publisher_did": "ivo://eso.org/ID?ADP.2014-11-12T16:17:06.307",
    "access_url": "http://archive.eso.org/datalink/links?ID=ivo://eso.org/ID?"
    "ADP.2014-11-12T16:17:06.307",
    "access_format": "application/x-votable+xml;content=datalink",
    "access_estsize": 501405,
}  # fmt: skip


def test_eso_has_the_columns_that_are_asked_for():
    asked = {name.strip() for name in get_survey("harps").columns.split(",")}
    assert asked <= set(ESO_COLUMNS.split())
    assert asked == set(ESO_ROW)
    assert "s_region" in ESO_COLUMNS.split()  # which the condition of a region names


def test_a_recorded_row_of_eso_names_its_file(monkeypatch):
    from astro_latent.surveys.eso.config import conf

    survey = get_survey("harps")
    table = Table({name: [value] for name, value in ESO_ROW.items()}, masked=True)
    table = survey._to_common_shape(table)
    assert table["obs_id"].tolist() == [ESO_ROW["dp_id"]]
    (request,) = survey.file_requests(table)
    assert request.url.endswith(ESO_ROW["dp_id"])
    with conf.set_temp("file_url", ""):
        (request,) = survey.file_requests(table)
    assert (request.url, request.datalink) == (ESO_ROW["access_url"], True)
