"""SDSS after DR17 and before DR8, and rows that other people asked for.

Layouts: mwmStar and mwmVisit as ``astra.products.mwm`` of sdss/astra writes them; spec
files of SDSS-V and spSpec as the loaders of specutils 2 read them. Addresses are those
of the templates of sdss-tree 4.1.4, filled in by sdss-access 3.0.11.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_latent.exceptions import ArchiveError, SpectrumReadError
from astro_latent.spectra import decode_flags, read_arrays
from astro_latent.surveys import get_survey
from astro_latent.surveys.sdss.config import conf
from astro_latent.surveys.sdss.rows import name_columns

BOSS = 10 ** (3.5523 + 1e-4 * np.arange(4648))
APOGEE = 10 ** (4.179 + 6e-6 * np.arange(8575))
SAS = "https://data.sdss.org/sas"


def table_of(instrument, place, rows, *, visit, velocity=12.0):
    grid = BOSS if instrument == "BOSS" else APOGEE
    pixels = np.ones((rows, grid.size))
    layout = [
        ("snr", "E", np.full(rows, 80.0)),
        ("v_rad", "E", np.full(rows, velocity)),
    ]
    if not visit:
        layout.append(("wavelength", f"{grid.size}D", pixels * grid))
    bits = np.zeros((rows, grid.size), np.int64)
    bits[:, 7] = 1 << (0 if instrument == "APOGEE" else 18)  # BADPIX, FULLREJECT
    bits[:, 9] = 1 << (13 if instrument == "APOGEE" else 16)  # of no consequence
    layout += [
        ("flux", f"{grid.size}E", 100 * pixels),
        ("ivar", f"{grid.size}E", 0.25 * pixels),
        ("pixel_flags", f"{grid.size}K", bits),
    ]
    columns = [fits.Column(n, form, array=values) for n, form, values in layout]
    hdu = fits.BinTableHDU.from_columns(columns, name=f"{instrument}/{place}")
    log = np.log10(grid)
    head = {"CRPIX": 1, "CRVAL": log[0], "CDELT": log[1] - log[0], "NPIXELS": grid.size}
    hdu.header.update({"INSTRMNT": instrument, "OBSRVTRY": place, **head})
    return hdu


@pytest.fixture
def mwm(tmp_path):
    def write(kind, *, boss=(0, 0), apogee=(0, 0), **options):
        primary = fits.PrimaryHDU()
        cards = {"V_ASTRA": "0.6.0", "SDSS_ID": 54459273, "RA": 10.0, "DEC": 41.0}
        primary.header.update(cards)
        hdus = fits.HDUList([primary])
        for name, counts in (("BOSS", boss), ("APOGEE", apogee)):
            for place, rows in zip(("APO", "LCO"), counts, strict=True):
                visit = kind == "mwmVisit"
                hdus.append(table_of(name, place, rows, visit=visit, **options))
        path = tmp_path / f"{kind}-0.6.0-54459273.fits"
        hdus.writeto(path, checksum=True, overwrite=True)
        return path

    return write


def test_mwm_star(mwm):
    boss, apogee = read_arrays(mwm("mwmStar", boss=(0, 1), apogee=(1, 0)))
    known = apogee.observation
    np.testing.assert_allclose(apogee.wavelength, APOGEE, rtol=1e-12)
    assert (known.survey, known.medium, known.frame) == ("apogee", "vacuum", "rest")
    assert (known.radial_velocity, known.resolving_power, known.snr) == (0, 22_500, 80)
    assert known.obs_id == "mwmStar-0.6.0-54459273#APOGEE-APO"
    assert known.target_name == "SDSS 54459273"
    assert (known.ra, known.dec) == (10, 41)
    np.testing.assert_allclose(boss.wavelength, BOSS, rtol=1e-12)
    assert (boss.observation.survey, boss.observation.frame) == ("sdss", "rest")
    assert boss.observation.obs_id.endswith("#BOSS-LCO")
    for found in (boss, apogee):
        np.testing.assert_allclose(found.sigma, 2)
        assert np.flatnonzero(found.mask).tolist() == [7]


def test_mwm_visits_have_their_wavelengths_in_the_header(mwm):
    found = read_arrays(mwm("mwmVisit", boss=(3, 0), apogee=(2, 1)))
    endings = [a.observation.obs_id.partition("#")[2] for a in found]
    assert endings == [
        "BOSS-APO-1", "BOSS-APO-2", "BOSS-APO-3", "APOGEE-APO-1", "APOGEE-APO-2",
        "APOGEE-LCO",
    ]  # fmt: skip
    np.testing.assert_allclose(found[1].wavelength, BOSS, rtol=1e-9)
    np.testing.assert_allclose(found[4].wavelength, APOGEE, rtol=1e-9)
    assert {a.observation.frame for a in found} == {"rest"}


def test_a_visit_of_unknown_velocity_is_not_called_at_rest(mwm):
    (found,) = read_arrays(mwm("mwmVisit", boss=(1, 0), velocity=np.nan))
    assert found.observation.frame == "unknown"
    assert "no velocity is known" in found.observation.message


def test_mwm_without_a_spectrum(mwm):
    with pytest.raises(SpectrumReadError, match="none of its tables has a row"):
        read_arrays(mwm("mwmStar"))


def test_one_bad_row_of_mwm(mwm):
    path = mwm("mwmStar", boss=(1, 0), apogee=(1, 0))
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["wavelength"][0, 9] = 1.0
    bad, good = read_arrays(path)
    assert decode_flags(bad.observation.flags) == ["UNREADABLE"]
    assert bad.observation.obs_id.endswith("#BOSS-APO")
    assert good.wavelength.size == 8575


@pytest.mark.parametrize(
    ("telescope", "place"),
    [
        ("SDSS 2.5-m", {"PLUG_RA": 10.0, "PLUG_DEC": 41.0}),
        ("LCO Du Pont", {"FIELDID": 101077}),
    ],
)
def test_spec_of_sdss_v(tmp_path, telescope, place):
    grid = 10 ** (3.6 + 1e-4 * np.arange(400))
    layout = [
        ("FLUX", "E", np.full(400, 5.0)), ("LOGLAM", "E", np.log10(grid)),
        ("IVAR", "E", np.full(400, 25.0)), ("OR_MASK", "J", np.zeros(400, int)),
        ("WDISP", "E", np.ones(400)),
    ]  # fmt: skip
    bits = layout[3][2]
    bits[:3] = 1 << 24, 1 << 16, 1 << 28  # NODATA, NEARBADPIXEL, REDMONSTER
    columns = [fits.Column(n, form, array=values) for n, form, values in layout]
    row = [fits.Column("FIBER_RA", "D", array=[10.0])]
    row.append(fits.Column("FIBER_DEC", "D", array=[41.0]))
    primary = fits.PrimaryHDU()
    cards = {"TELESCOP": telescope, "VERS2D": "v6_1_3", "MJD": 60100, "RA": 99.0}
    primary.header.update({**cards, "DEC": 9.0, "CATID": 27021598108289694, **place})
    path = tmp_path / "spec-101077-60100-27021598108289694.fits"
    fits.HDUList(
        [
            primary,
            fits.BinTableHDU.from_columns(columns, name="COADD"),
            fits.BinTableHDU.from_columns(row, name="SPALL"),
        ]
    ).writeto(path)
    (found,) = read_arrays(path)
    known = found.observation
    np.testing.assert_allclose(found.wavelength, grid, rtol=1e-9)
    assert (known.medium, known.frame, known.survey) == (
        "vacuum",
        "barycentric",
        "sdss",
    )
    assert (known.ra, known.dec) == (10, 41)  # not where the telescope pointed
    assert known.obs_id == path.stem
    assert np.flatnonzero(found.mask).tolist() == [0, 2]
    np.testing.assert_allclose(found.sigma, 0.2)


def test_spspec_begins_where_coeff0_says(example):
    # one pixel more, as IRAF counts from CRPIX1 = 0, would be 69 km/s
    path, wavelength, flux = example("sdss_spspec", CRPIX1=1)
    (found,) = read_arrays(path)
    known = found.observation
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-9)
    np.testing.assert_allclose(found.flux, flux)
    assert (known.medium, known.frame) == ("vacuum", "barycentric")
    assert (known.ra, known.dec) == (150.1, -30.2)
    assert known.radial_velocity == pytest.approx(29.979, abs=1e-3)
    (galaxy,) = read_arrays(example("sdss_spspec", SPEC_CLN=2)[0])
    assert np.isnan(galaxy.observation.radial_velocity)


# rows


def addresses(table, release):
    with conf.set_temp("sas_url", SAS):
        requests = get_survey("sdss", release=release).file_requests(table)
    return [request.url.removeprefix(SAS) for request in requests]


@pytest.mark.parametrize(
    ("release", "row", "address"),
    [
        (
            19,
            (101077, 60100, 27021598108289694, "v6_1_3"),
            "/dr19/spectro/boss/redux/v6_1_3/spectra/lite/101077/60100/"
            "spec-101077-60100-27021598108289694.fits",
        ),
        (
            19,
            (15000, 59146, 4375786564, "v6_1_3"),
            "/dr19/spectro/boss/redux/v6_1_3/spectra/lite/015000/59146/"
            "spec-015000-59146-4375786564.fits",
        ),
        (
            18,
            (15143, 59205, 4544940698, "v6_0_4"),
            "/dr18/spectro/boss/redux/v6_0_4/spectra/lite/15143p/59205/"
            "spec-15143-59205-04544940698.fits",
        ),
    ],
)
@pytest.mark.parametrize(
    "names",
    [("field", "mjd", "catalogid", "run2d"), ("FIELDID", "MJD", "CATID", "RUN2D")],
)
def test_addresses_since_dr18(release, row, address, names):
    assert addresses(Table(rows=[row], names=names), release) == [address]


#: From xid_sp.txt, which astroquery 0.4.11 recorded.
RECORDED = """ra,dec,objid,z,plate,mjd,fiberID,specobjid,run2d,instrument
2.02344596,14.83982375,1237652943176138868,0.0456,751,52251,160,845594848269461504,26,SDSS
"""


def test_specobjid_says_the_rest():
    whole = Table.read(RECORDED, format="ascii.csv")
    only = whole["ra", "dec", "specobjid"].copy()
    found = name_columns(only)
    expected = name_columns(whole)
    for name in ("plate", "mjd", "fiberid", "run2d"):
        assert str(found[name][0]) == str(expected[name][0])
    for table in (whole, only, Table({"SpecObjID": ["845594848269461504"]})):
        assert addresses(table, 17) == [
            "/dr17/sdss/spectro/redux/26/spectra/lite/0751/spec-0751-52251-0160.fits"
        ]


def test_a_query_of_ones_own(stub, say):
    """Rows come back whatever their columns, with addresses if they can be told."""
    path = "/dr17/en/tools/search/x_results.aspx"
    answers = [
        "#Table1\nplateid,MJD,fiber\n751,52251,160\n",
        "#Table1\nbestobjid,Z\n123,0.1\n",
        "#Table1\nspecObjID,zz\n845594848269461504,0.1\n",
    ]
    stub.routes[path] = [
        say(text.encode(), content_type="text/csv") for text in answers
    ]
    with conf.set_temp("skyserver_url", stub.url), conf.set_temp("sas_url", SAS):
        survey = get_survey("sdss")
        partly, neither, coded = (survey.query_adql("SELECT x") for _ in answers)
        assert list(partly["obs_id"]) == ["spec-0751-52251-0160"]
        assert list(neither["z"]) == [0.1]
        assert str(coded["access_url"][0]).endswith("/0751/spec-0751-52251-0160.fits")
        with pytest.raises(
            ValueError, match=r"needs plate, mjd, fiberid and run2d, or s"
        ):
            survey.file_requests(partly)


def test_what_the_database_says_reaches_the_user(stub, say):
    path = "/dr17/en/tools/search/x_results.aspx"
    page = b"<html><p>SQL query error: Invalid object name 'Nope'.</p></html>"
    stub.routes[path] = say(page, status=500, content_type="text/html")
    with (
        conf.set_temp("skyserver_url", stub.url),
        pytest.raises(
            ArchiveError, match=r"500 .*Invalid object name 'Nope'.*SELECT z"
        ),
    ):
        get_survey("sdss").query_adql("SELECT z FROM Nope")
    assert len(stub.requests_for(path)) == 1
