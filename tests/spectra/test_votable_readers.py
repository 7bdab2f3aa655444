"""Spectra in VOTables: roles, what Gaia fixes, and XML that means harm."""

import gzip
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import decode_flags, iter_arrays, read_arrays
from astro_latent.spectra.sdm_votable import find_roles
from astro_latent.spectra.units import parse_unit
from astro_latent.surveys import get_survey
from tests.fixtures.examples import read_one

XP_UNIT = "W.m**-2.nm**-1"


def rewrite(path, *changes):
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def states(found):
    known = found.observation
    return known.medium, known.frame, known.normalisation


# Gaia


def test_gaia_rvs(example):
    path, wavelength, flux = example("gaia", designation="Gaia DR3 61964579")
    found = read_one(path)
    known = found.observation
    assert states(found) == ("vacuum", "rest", "continuum")
    assert known.survey == "gaia"
    assert known.resolving_power == 11_500
    assert known.radial_velocity == 0
    assert known.target_name == "Gaia DR3 61964579"
    assert (known.ra, known.dec) == (150.1, -30.2)
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-12)
    np.testing.assert_array_equal(found.flux, flux)
    assert found.flux_unit == u.dimensionless_unscaled
    assert found.meta["header"]["source_id"] == "6196457933368101888"
    assert known.flags == 0


def test_gaia_source_id_is_the_name_without_a_designation(example):
    known = read_one(example("gaia")[0]).observation
    assert known.target_name == "6196457933368101888"


def test_gaia_sampled_bp_rp_states_only_its_unit(example):
    wavelength = 10.0 * np.arange(336, 1021, 2)
    path, _, _ = example("gaia", wavelength=wavelength, flux_unit=XP_UNIT)
    found = read_one(path)
    assert states(found) == ("unknown", "unknown", "none")
    assert np.isnan(found.observation.resolving_power)
    assert found.flux_unit == u.W / u.m**2 / u.nm
    np.testing.assert_allclose(found.wavelength, wavelength, rtol=1e-12)


@pytest.mark.parametrize("name", ["gaia", "gaia_xp"])
def test_gaia_says_the_same_before_and_after_the_files_are_here(name, example):
    wavelength = {
        "gaia": 8460 + 0.1 * np.arange(2401),
        "gaia_xp": np.arange(3360.0, 10201, 20),
    }
    unit = {"flux_unit": XP_UNIT} if name == "gaia_xp" else {}
    found = read_one(example("gaia", wavelength=wavelength[name], **unit)[0])
    survey = get_survey(name)
    assert states(found) == (survey.medium, survey.frame, survey.normalisation)
    expected = survey.resolving_power
    assert found.observation.resolving_power == pytest.approx(expected, nan_ok=True)
    ends = (found.wavelength[0], found.wavelength[-1])
    assert survey.wavelength_range == pytest.approx(ends)


@pytest.mark.parametrize(
    "wavelength",
    [8460 + 0.25 * np.arange(961), 5000 + 0.1 * np.arange(500)],
    ids=["epoch", "elsewhere"],
)
def test_gaia_of_other_kinds_is_not_called_at_rest(example, wavelength):
    found = read_one(example("gaia", wavelength=wavelength)[0])
    assert states(found) == ("unknown", "unknown", "unknown")
    assert "neither the DR3 mean RVS" in found.observation.message


def test_gaia_nan_is_masked(example, rng):
    flux = rng.normal(1, 0.01, 2401)
    flux[:5] = np.nan
    found = read_one(example("gaia", flux=flux)[0])
    assert np.flatnonzero(found.mask).tolist() == [0, 1, 2, 3, 4]


def test_gaia_product_that_is_no_spectrum(example):
    # astrometry has the same utype on its root, but no spectral axis
    path, _, _ = example("gaia")
    axis = 'utype="spec:Data.SpectralAxis.Value" ucd="em.wl"'
    rewrite(path, (axis, 'ucd="time.epoch"'))
    with pytest.raises(SpectrumReadError, match=r"gaia\.vot: no spectrum found"):
        read_one(path)
    (row,) = iter_arrays(path)
    assert decode_flags(row.observation.flags) == ["UNREADABLE"]


# the data model


def test_sdm_facts(example):
    path, wavelength, flux = example("sdm_votable")
    found = read_one(path)
    known = found.observation
    assert states(found) == ("air", "barycentric", "none")
    assert (known.target_name, known.survey) == ("EXAMPLE", "harps")
    assert (known.ra, known.dec) == (150.1, -30.2)
    assert known.time == 60000.255
    assert known.exposure_time == 864
    assert known.obs_publisher_did == "ivo://org.example/~?example.fits"
    assert found.flux_unit == u.adu
    np.testing.assert_array_equal(found.wavelength, wavelength)
    np.testing.assert_array_equal(found.flux, flux)


def test_sdm_plain_wavelength_is_not_taken_for_vacuum(example):
    path = rewrite(example("sdm_votable")[0], (";obs.atmos", ""))
    assert read_one(path).observation.medium == "unknown"


def test_sdm_states_nothing_that_it_is_not_told(example):
    path, _, _ = example("sdm_votable", ssa_specframe=None, ssa_fluxcalib="RELATIVE")
    assert states(read_one(path)) == ("air", "unknown", "unknown")


def test_sdm_roles_by_ucd_alone(example):
    path, _, flux = example("sdm_votable")
    for end in ("SpectralAxis.Value", "FluxAxis.Value", "FluxAxis.Accuracy.StatError"):
        rewrite(path, (f'utype="spec:Data.{end}" ', ""))
    found = read_one(path)
    np.testing.assert_array_equal(found.flux, flux)
    assert found.observation.noise == "file"


@pytest.mark.parametrize(
    ("fields", "roles"),
    [
        ([("em.wl", ""), ("phot.flux", ""), ("stat.error;phot.flux", "")], "wfs"),
        ([("em.wl;obs.atmos", ""), ("arith.ratio;phot.flux.density", "")], "wf"),
        ([("em.wl", ""), ("phys.transmission", "spec:Data.FluxAxis.Value")], "w"),
        ([("em.freq", ""), ("phot.flux.density;em.freq", "")], "wf"),
        ([("em.wl", ""), ("spect", ""), ("stat.error;spect", "")], "wfs"),
        ([("em.wl", ""), ("phot.fluDens;em.wl", "")], "wf"),
        ([("", "Spectrum.Data.SpectralAxis.Value"), ("phot.mag", "")], "w"),
        ([("stat.error", ""), ("pos.eq.ra", "")], ""),
        ([("em.wl.central", ""), ("phot.flux", "")], "f"),
    ],
)
def test_roles(fields, roles):
    found = find_roles([{"ucd": ucd, "utype": utype} for ucd, utype in fields])
    assert "".join(sorted(role[0] for role in found)) == "".join(sorted(roles))


def test_sdm_quality_is_masked(example):
    bits = np.zeros(6000, int)
    bits[[3, 40]] = 1, 4
    found = read_one(example("sdm_votable", pixmask=bits)[0])
    assert np.flatnonzero(found.mask).tolist() == [3, 40]


def test_sdm_units_are_converted(example):
    path, wavelength, _ = example("sdm_votable", sigma=np.full(6000, 2.0))
    text = path.read_text().replace('unit="Angstrom"', 'unit="nm"')
    path.write_text(text)
    np.testing.assert_allclose(read_one(path).wavelength, 10 * wavelength)
    path.write_text(text.replace('unit="adu"', 'unit="mJy"', 1))
    with pytest.raises(SpectrumReadError, match="flux is in mJy, its error in 'adu'"):
        read_one(path)
    parts = text.rpartition('unit="adu"')
    path.write_text(f'{parts[0]}unit="Jy"{parts[2]}'.replace('"adu"', '"mJy"'))
    np.testing.assert_allclose(read_one(path).sigma, 2000)


def test_sdm_axis_that_is_no_length(example):
    path = rewrite(example("sdm_votable")[0], ('unit="Angstrom"', 'unit="km/s"'))
    with pytest.raises(SpectrumReadError, match="axis is in 'km/s'; only wavelengths"):
        read_one(path)


def test_sdm_unknown_flux_unit_is_said(example):
    path = rewrite(example("sdm_votable")[0], ('"adu"', '"arbitrary things"'))
    found = read_one(path)
    assert found.flux_unit == u.dimensionless_unscaled
    assert "unit of the flux is unknown" in found.observation.message


def test_sdm_descending_and_null(example, rng):
    wavelength = 6000 - 0.01 * np.arange(500)
    flux = rng.normal(100, 1, 500)
    path, _, _ = example("sdm_votable", wavelength=wavelength, flux=flux)
    rewrite(path, (f"<TD>{float(flux[7])!r}</TD>", "<TD></TD>"))
    found = read_one(path)
    np.testing.assert_array_equal(found.wavelength, wavelength[::-1])
    keep = np.arange(500) != 492
    np.testing.assert_array_equal(found.flux[keep], flux[::-1][keep])
    assert np.flatnonzero(found.mask).tolist() == [492]


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
def test_any_serialisation_that_astropy_writes(tmp_path, serialisation):
    table = Table({"w": np.linspace(500, 510, 50) * u.nm, "f": np.full(50, 3.0)})
    table["w"].meta["ucd"], table["f"].meta["ucd"] = "em.wl;obs.atmos", "phot.flux"
    path = tmp_path / "own.xml"
    table.write(path, format="votable", tabledata_format=serialisation)
    found = read_one(path)
    np.testing.assert_allclose(found.wavelength, np.linspace(5000, 5100, 50))
    assert found.sigma is None
    assert states(found) == ("air", "unknown", "unknown")
    assert found.observation.obs_id == "own"


def test_several_spectra_in_one_file_are_said(example):
    path, _, flux = example("sdm_votable")
    text = path.read_text()
    start, end = text.index("<TABLE "), text.index("</RESOURCE>")
    path.write_text(text[:end] + text[start:end].replace("100", "1") + text[end:])
    first, second = read_arrays(path)
    np.testing.assert_array_equal(first.flux, flux)
    assert first.observation.obs_id == "sdm_votable#1"
    assert not np.array_equal(first.flux, second.flux)


def test_second_table_may_be_the_spectrum(example):
    path, _, flux = example("sdm_votable")
    other = '<TABLE><FIELD name="a" datatype="int"/><DATA><TABLEDATA/></DATA></TABLE>'
    rewrite(path, ("<TABLE ", f"{other}\n<TABLE "))
    np.testing.assert_array_equal(read_one(path).flux, flux)


def test_folders_and_patterns_have_votables(samples, tmp_path):
    for name in ("gaia", "sdm_votable"):
        content = samples[name].read_bytes()
        (tmp_path / f"{name}.vot").write_bytes(content)
        (tmp_path / f"{name}.xml.gz").write_bytes(gzip.compress(content))
    names = ["gaia", "gaia", "sdm_votable", "sdm_votable"]
    assert [s.observation.obs_id for s in iter_arrays(tmp_path)] == names
    found = iter_arrays(str(tmp_path / "*.vot"))
    assert [s.observation.obs_id for s in found] == ["gaia", "sdm_votable"]


def test_no_warning_of_astropy_gets_out(example):
    path = rewrite(example("sdm_votable")[0], ("<TABLE ", '<TABLE odd="1" '))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_one(path).observation.noise == "file"


@pytest.mark.parametrize("part", [0.99, 0.5, 0.1])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated(samples, tmp_path, part, packed):
    content = samples["gaia"].read_bytes()
    content = gzip.compress(content) if packed else content
    path = tmp_path / "cut.vot"
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(SpectrumReadError, match=r"cut\.vot: .*truncated"):
        read_one(path)


STREAM = '<DATA><BINARY><STREAM encoding="base64"{}>AAAA</STREAM></BINARY></DATA>'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<VOTABLE", '<!DOCTYPE a [<!ENTITY x "y">]><VOTABLE', "the XML entity 'x'"),
        (
            "<VOTABLE",
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hosts">]><VOTABLE',
            "the XML entity 'x'",
        ),
        ("<TABLE ", '<TABLE nrows="9000000000" ', "promises more than the file"),
        ('"float"', '"float" arraysize="30000x30000"', "promises more than the file"),
        (
            "<DATA>",
            STREAM.format(' href="file:///etc/hosts"') + "<DATA>",
            "has its data elsewhere",
        ),
        (
            "<DATA>",
            '<DATA><BINARY><STREAM encoding="gzip">x</STREAM></BINARY></DATA><DATA>',
            "has its data elsewhere",
        ),
        ("<DATA>", "<DATA><FITS/></DATA><DATA>", "data as FITS within the VOTable"),
    ],
)
def test_harmful_xml_is_refused(example, old, new, message):
    path, _, _ = example("gaia")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SpectrumReadError, match=message):
        read_one(path)


def test_formats_of_the_wrong_container(samples):
    with pytest.raises(SpectrumReadError, match="is a votable file, apstar files are"):
        read_one(samples["gaia"], format="apstar")
    with pytest.raises(SpectrumReadError, match="is a fits file, gaia files are"):
        read_one(samples["apstar"], format="gaia")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (XP_UNIT, u.W / u.m**2 / u.nm),
        ("Angstrom", u.AA),
        ("", u.dimensionless_unscaled),
        ("erg/cm**2/s/Angstrom", u.erg / u.cm**2 / u.s / u.AA),
        ("10-17erg/cm2/s/Angstrom", 1e-17 * u.erg / u.cm**2 / u.s / u.AA),
        ("furlong", None),
    ],
)
def test_units(text, unit):
    assert parse_unit(text) == unit
