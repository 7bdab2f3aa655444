"""What the formats of ESO, APOGEE and LAMOST mean: frames, masks, units, facts."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import decode_flags, read_arrays
from astro_latent.spectra.checks import mask_from_bits
from astro_latent.spectra.fits import FitsFile
from astro_latent.surveys.eso.phase3 import read_phase3
from tests.fixtures.examples import read_one

# ESO Phase 3


def test_phase3_facts_and_nan_errors(example):
    path, _, _ = example("eso_phase3")
    found = read_one(path)
    known = found.observation
    assert (known.medium, known.frame, known.normalisation) == (
        "air",
        "barycentric",
        "none",
    )
    assert known.resolving_power == 115_000
    assert known.snr == 46.1
    assert known.survey == "harps"
    assert known.time == pytest.approx(60000.255)
    assert found.sigma is None
    assert known.noise == "none"
    assert decode_flags(known.flags) == ["NO_UNCERTAINTY"]
    assert found.flux_unit == u.adu


def test_phase3_noise_on_request(example):
    found = read_one(example("eso_phase3")[0], estimate=True)
    assert found.observation.noise == "estimated"
    assert np.median(found.sigma) == pytest.approx(1.0, rel=0.05)


def edit(path, change):
    with fits.open(path, mode="update") as hdus:
        change(hdus)


@pytest.mark.parametrize(
    ("ucd", "medium"),
    [
        ("em.wl", "vacuum"),
        ("em.wl;obs.atmos", "air"),
        ("EM.WL;OBS.ATMOS", "air"),
        ("phot.flux", "unknown"),
        ("", "unknown"),
    ],
)
def test_phase3_medium_from_ucd(example, ucd, medium):
    path, _, _ = example("eso_phase3")
    edit(path, lambda hdus: hdus[1].header.set("TUCD1", ucd))
    assert read_one(path).observation.medium == medium


@pytest.mark.parametrize(
    ("specsys", "frame"),
    [("TOPOCENT", "observed"), ("HELIOCEN", "barycentric"), (None, "unknown")],
)
def test_phase3_frame_from_specsys(example, specsys, frame):
    path, _, _ = example("eso_phase3", SPECSYS=specsys)
    assert read_one(path).observation.frame == frame


@pytest.mark.parametrize(
    ("contnorm", "expected"), [(True, "continuum"), (False, "none"), (None, "unknown")]
)
def test_phase3_normalisation(example, contnorm, expected):
    path, _, _ = example("eso_phase3", CONTNORM=contnorm)
    assert read_one(path).observation.normalisation == expected


def test_phase3_version_two_in_nanometres(example):
    path, wavelength, flux = example("eso_phase3", sigma=np.full(6000, 2.0))

    def divide(hdus):
        hdus[1].data["WAVE"] /= 10

    def change(hdus):
        head = hdus[1].header
        head["TUNIT1"] = "nm"
        head["TUNIT2"] = "10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)"
        head["VOCLASS"] = "SPECTRUM v2.0"
        head["TUNIT3"] = head["TUNIT2"]
        for column in (1, 2, 3):
            text = head[f"TUTYP{column}"].replace("Spectrum.Data.", "spec:Data.")
            head[f"TUTYP{column}"] = text
        head["TTYPE1"], head["TTYPE2"], head["TTYPE3"] = "L", "F", "E"

    edit(path, divide)
    edit(path, change)
    found = read_one(path)
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-13)
    np.testing.assert_array_equal(found.flux, flux)
    assert np.all(found.sigma == 2)
    assert found.flux_unit.is_equivalent(u.erg / u.s / u.cm**2 / u.AA)
    assert found.observation.noise == "file"


def test_phase3_quality_masks(example):
    bits = np.zeros(6000, int)
    bits[[5, 77]] = 1, 4
    found = read_one(example("eso_phase3", pixmask=bits)[0])
    assert np.flatnonzero(found.mask).tolist() == [5, 77]


def test_phase3_velocity_axis_is_refused_with_reason(example):
    path, _, _ = example("eso_phase3")
    edit(path, lambda hdus: hdus[1].header.set("TUNIT1", "km/s"))
    with pytest.raises(SpectrumReadError, match="axis is in 'km/s'; only wavelengths"):
        read_one(path)


def test_phase3_unknown_unit(example):
    path, _, _ = example("eso_phase3")
    edit(path, lambda hdus: hdus[1].header.set("TUNIT1", "furlong"))
    with pytest.raises(SpectrumReadError, match="axis is in 'furlong'; only"):
        read_one(path)


def test_phase3_without_roles(samples):
    with pytest.raises(SpectrumReadError, match="no column has the utype"):
        read_phase3(FitsFile(samples["aspcapstar"]))


# HARPS s1d


def test_s1d_facts_noise_and_gap(example, rng):
    flux = rng.normal(100, 1, 6000).astype(np.float32)
    flux[:20] = 0
    flux[3000:3100] = 0
    found = read_one(example("harps_s1d", flux=flux)[0])
    known = found.observation
    assert (known.medium, known.frame, known.normalisation) == (
        "air",
        "barycentric",
        "none",
    )
    assert known.barycentric_correction == 12.5
    assert known.resolving_power == 115_000
    assert known.time == pytest.approx(60000.255)
    np.testing.assert_array_equal(found.mask, flux == 0)
    good = found.sigma[~found.mask]
    assert np.median(good) == pytest.approx(1.0, rel=0.05)
    assert known.snr == pytest.approx(100, rel=0.05)
    assert decode_flags(known.flags) == ["NOISE_ESTIMATED"]


def test_s1d_mode_gives_resolving_power(example):
    path, _, _ = example("harps_s1d", **{"ESO INS MODE": "EGGS"})
    assert read_one(path).observation.resolving_power == 80_000
    path, _, _ = example("harps_s1d", **{"ESO INS MODE": None})
    assert np.isnan(read_one(path).observation.resolving_power)


def test_s1d_shifted_by_iraf_has_no_known_frame(example):
    path, _, _ = example("harps_s1d", DOPCOR01="-7.04619 all", ORIGIN="NOAO-IRAF")
    known = read_one(path).observation
    assert (known.frame, known.normalisation) == ("unknown", "unknown")
    assert "DOPCOR01='-7.04619 all'" in known.message


def test_s1d_without_estimate(example):
    assert read_one(example("harps_s1d")[0], estimate=False).sigma is None


# APOGEE


def test_apstar_rows(example, grid, rng):
    flux = rng.normal(100, 1, (5, 8575))
    path, _, _ = example("apstar", flux=flux, wavelength=grid("apstar"))
    combined = read_one(path)
    np.testing.assert_allclose(combined.flux, flux[0], rtol=1e-6)
    assert combined.observation.frame == "rest"
    assert combined.observation.medium == "vacuum"
    assert combined.observation.radial_velocity == 0
    assert combined.observation.snr == 100
    assert combined.flux_unit == u.Unit("1e-17 erg / (s cm2 AA)")
    visits = read_arrays(path, visits=True)
    assert [v.observation.obs_id for v in visits] == [
        "apstar#1",
        "apstar#2",
        "apstar#3",
    ]
    np.testing.assert_allclose(visits[2].flux, flux[4], rtol=1e-6)
    assert visits[2].observation.snr == 53
    assert visits[2].observation.barycentric_correction == 13
    assert visits[2].observation.time == pytest.approx(56003.0)


@pytest.mark.parametrize("shape", [(8575,), (1, 8575), (2, 8575)])
def test_apstar_of_one_visit(example, grid, rng, shape):
    flux = rng.normal(100, 1, shape)
    path, _, _ = example("apstar", flux=flux, wavelength=grid("apstar"))
    assert read_one(path).flux.shape == (8575,)
    assert read_one(path).observation.time == pytest.approx(56001.0)
    visits = read_arrays(path, visits=True)
    assert len(visits) == (shape[0] if len(shape) == 2 else 1)


@pytest.mark.parametrize("name", ["apstar", "apvisit"])
def test_apogee_mask_bits(example, grid, name):
    size = grid(name).size
    bits = np.zeros(size, int)
    bits[: 15 * 10 : 10] = 1 << np.arange(15)
    found = read_one(example(name, pixmask=bits)[0])
    bad = [0, 10, 20, 30, 40, 50, 60, 70, 80, 120, 140]  # not persistence, tellurics
    assert np.flatnonzero(found.mask).tolist() == bad
    only = read_one(example(name, pixmask=bits)[0], bad_bits=(13,))
    assert np.flatnonzero(only.mask).tolist() == [130]


def test_mask_from_bits_takes_any_integer():
    assert mask_from_bits(np.array([-32768, 1, 0], np.int16), [14, 0]).tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("bits", [[15], [16], [0, 20], []])
@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4"])
def test_bits_beyond_the_type_are_those_of_the_number(kind, bits):
    values = [0, 1, 3, 200] + ([-1, -32768] if kind in ("i2", "i4") else [])
    expected = [any(value >> bit & 1 for bit in bits) for value in values]
    assert mask_from_bits(np.array(values, kind), bits).tolist() == expected


def test_apvisit_is_sorted_and_keeps_its_frame(example, grid):
    flux = np.arange(12288, dtype=np.float32) + 1
    found = read_one(example("apvisit", flux=flux)[0])
    np.testing.assert_array_equal(found.wavelength, grid("apvisit"))
    np.testing.assert_array_equal(found.flux, flux)
    known = found.observation
    assert (known.frame, known.medium) == ("observed", "vacuum")
    assert known.barycentric_correction == 11.3
    assert known.radial_velocity == -44.4
    assert known.time == pytest.approx(56000.25)


def test_apvisit_velocity_from_heliocentric(example):
    known = read_one(example("apvisit", VRAD=None)[0]).observation
    assert known.radial_velocity == pytest.approx(-33.1 - 11.3)


def test_aspcapstar_gaps(example, rng):
    flux = rng.normal(1, 0.01, 8575)
    flux[3500:3700] = 0
    found = read_one(example("aspcapstar", flux=flux)[0])
    np.testing.assert_array_equal(found.mask, flux == 0)
    assert found.flux_unit == u.dimensionless_unscaled
    assert found.observation.normalisation == "continuum"
    assert found.observation.frame == "rest"


# LAMOST


def test_lamost_image_and_table_agree(example, tmp_path):
    sigma = np.full(3904, 2.0)
    sigma[7] = 0  # inverse variance 0: no data
    bits = np.zeros(3904, int)
    bits[100] = 1
    path, wavelength, _ = example("lamost_lrs", sigma=sigma, pixmask=bits)
    old = read_one(path)
    assert np.flatnonzero(old.mask).tolist() == [7, 100]
    assert np.nanmedian(old.sigma) == pytest.approx(2)
    rows = fits.getdata(path)
    names = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK")
    values = (rows[0], rows[1], wavelength.astype(np.float32), rows[3], rows[4])
    columns = [
        fits.Column(name, format="3904E", array=value[None])
        for name, value in zip(names, values, strict=True)
    ]
    head = fits.getheader(path)
    primary = fits.PrimaryHDU()
    for key in ("TELESCOP", "RA", "DEC", "VACUUM", "HELIO", "DATE-OBS", "Z"):
        primary.header[key] = head[key]
    table = fits.BinTableHDU.from_columns(columns)
    fits.HDUList([primary, table]).writeto(tmp_path / "new.fits")
    new = read_one(tmp_path / "new.fits")
    np.testing.assert_array_equal(new.flux, old.flux)
    np.testing.assert_array_equal(new.mask, old.mask)
    np.testing.assert_allclose(new.wavelength, old.wavelength, rtol=1e-7)
    assert (new.observation.medium, new.observation.frame) == ("vacuum", "barycentric")


def test_lamost_says_what_the_header_says(example):
    known = read_one(example("lamost_lrs", VACUUM=None, HELIO=False)[0]).observation
    assert (known.medium, known.frame) == ("unknown", "unknown")
    assert known.snr == 70  # mean of g, r, i
    assert known.radial_velocity == pytest.approx(-47.97, abs=0.01)
