"""Tables whose columns are known by their names, written by astropy and specutils."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.table import Table

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import read_arrays
from astro_latent.spectra.columns import find_roles, role_of_name
from tests.fixtures.examples import read_one

# names of units that the VOTable standard would rather not see
pytestmark = pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")

SIZE = 100
WAVE = np.linspace(5000.0, 5100.0, SIZE)
FLUX = np.linspace(1, 2, SIZE)
FLAM = u.Unit("erg / (s cm2 AA)")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("WAVELENGTH", "wavelength"),
        ("waveobs", "wavelength"),
        ("loglam", "wavelength"),
        ("wavelength_um", "wavelength"),
        ("wave [nm]", "wavelength"),
        ("SPECTRAL_AXIS", "wavelength"),
        ("normalized_flux", "flux"),
        ("FLUX", "flux"),
        ("STATERROR", "sigma"),
        ("flux_err", "sigma"),
        ("ivar", "ivar"),
        ("AND_MASK", "mask"),
        ("sky", ""),
        ("loggf", ""),
        ("transmission", ""),
        ("flux_ratio", ""),
    ],
)
def test_names(name, role):
    assert role_of_name(name)[0] == role


def test_a_name_does_not_overrule_what_is_stated():
    fields = [{"name": "wavelength", "ucd": "time.epoch"}, {"name": "flux"}]
    assert find_roles(fields) == {"flux": 1}


@pytest.mark.parametrize("kind", ["fits", "votable"])
def test_table_of_astropy(tmp_path, kind):
    table = Table({"wavelength": WAVE / 10 * u.nm, "flux": FLUX * FLAM})
    table["flux_error"] = 1e-3 * FLUX * 1e3 * FLAM / 1e3
    path = tmp_path / f"a.{'vot' if kind == 'votable' else kind}"
    table.write(path, format=kind)
    found = read_one(path)
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.sigma, 1e-3 * FLUX)
    assert found.flux_unit == FLAM


@pytest.mark.parametrize("unit", [u.dimensionless_unscaled, u.Jy])
def test_what_specutils_writes(tmp_path, unit):
    from specutils import Spectrum

    spectrum = Spectrum(
        spectral_axis=WAVE * u.AA,
        flux=FLUX * unit,
        uncertainty=StdDevUncertainty(FLUX / 50),
    )
    spectrum.write(tmp_path / "a.fits", format="tabular-fits")
    found = read_one(tmp_path / "a.fits")
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.sigma, FLUX / 50)


def test_logarithms_and_inverse_variances(tmp_path):
    table = Table({"loglam": np.log10(WAVE), "flux": FLUX, "ivar": np.full(SIZE, 4.0)})
    table["ivar"][5] = 0
    table.write(tmp_path / "a.fits")
    found = read_one(tmp_path / "a.fits")
    np.testing.assert_allclose(found.wavelength, WAVE)
    np.testing.assert_allclose(found.sigma[~found.mask], 0.5)
    assert np.flatnonzero(found.mask).tolist() == [5]


def test_unit_of_inverse_variances(tmp_path):
    table = Table({"wave": WAVE * u.AA, "flux": FLUX * 1e-17 * FLAM})
    table["flux"].unit = "1e-17 erg / (s cm2 AA)"
    table["flux"] = table["flux"] * 1e17
    table["flux"].unit = u.Unit(1e-17 * FLAM)
    table["ivar"] = np.full(SIZE, 4e34) / FLAM**2
    table.write(tmp_path / "a.fits")
    np.testing.assert_allclose(read_one(tmp_path / "a.fits").sigma, 0.5, rtol=1e-6)


def test_of_air_and_vacuum_the_latter(tmp_path):
    # as the pipeline of ESPRESSO, HARPS and HARPS-N writes its S1D_A
    table = Table({"wavelength": WAVE * u.AA, "wavelength_air": (WAVE - 1.4) * u.AA})
    table["flux"], table["error"] = FLUX, FLUX / 50
    table["quality"] = np.zeros(SIZE, int)
    hdu = fits.table_to_hdu(table)
    hdu.header["TUNIT3"] = hdu.header["TUNIT4"] = "e-"
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO PRO CATG"] = "S1D_A"
    fits.HDUList([primary, hdu]).writeto(tmp_path / "a.fits")
    found = read_one(tmp_path / "a.fits")
    np.testing.assert_allclose(found.wavelength, WAVE)
    assert found.flux_unit == u.electron
    assert (found.observation.medium, found.observation.frame) == (
        "vacuum",
        "barycentric",
    )


def test_calspec_means_good_by_one(tmp_path):
    table = Table({"WAVELENGTH": WAVE * u.AA, "FLUX": FLUX * FLAM})
    table["DATAQUAL"] = np.ones(SIZE, np.int16)
    table["DATAQUAL"][3] = 0
    table.write(tmp_path / "a.fits")
    assert np.flatnonzero(read_one(tmp_path / "a.fits").mask).tolist() == [3]


@pytest.mark.parametrize("form", ["fixed", "variable"])
def test_arrays_in_one_row(tmp_path, form):
    code = f"{SIZE}D" if form == "fixed" else "PD()"
    rows = np.empty(1, object)
    columns = []
    for name, values in (("WAVE", WAVE / 10), ("FLUX", FLUX)):
        rows = np.array([values])
        unit = "nm" if name == "WAVE" else "adu"
        columns.append(fits.Column(name, code, unit=unit, array=rows))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read_one(tmp_path / "a.fits").wavelength, WAVE)


def test_orders_in_rows_as_stis_has_them(tmp_path):
    wave, flux = np.stack([WAVE, WAVE + 200]), np.stack([FLUX, FLUX + 1])
    names = {"WAVELENGTH": wave, "FLUX": flux, "ERROR": flux / 50}
    columns = [
        fits.Column(
            name,
            f"{SIZE}D",
            array=values,
            unit="Angstroms" if name == "WAVELENGTH" else "erg/s/cm**2/Angstrom",
        )
        for name, values in names.items()
    ]
    fits.BinTableHDU.from_columns(columns, name="SCI").writeto(tmp_path / "a.fits")
    first, second = read_arrays(tmp_path / "a.fits")
    assert (first.wavelength[0], second.wavelength[0]) == (5000, 5200)
    assert second.flux_unit == FLAM
    np.testing.assert_allclose(second.sigma, (FLUX + 1) / 50)


def test_integers_that_mean_nothing(tmp_path):
    values = np.arange(1, SIZE + 1, dtype=np.int16)
    values[4] = -1
    columns = [
        fits.Column("WAVE", "D", unit="Angstrom", array=WAVE),
        fits.Column("FLUX", "I", null=-1, array=values),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert np.flatnonzero(read_one(tmp_path / "a.fits").mask).tolist() == [4]


def test_unit_that_only_the_primary_header_says(tmp_path):
    primary = fits.PrimaryHDU()
    primary.header["CUNIT1"] = "nm"
    table = fits.table_to_hdu(Table({"Wavelength": WAVE, "flux": FLUX}))
    fits.HDUList([primary, table]).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read_one(tmp_path / "a.fits").wavelength, WAVE * 10)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"wavelength": WAVE * u.AA, "loggf": FLUX}, "no spectrum found"),
        ({"wavelength": WAVE / 10, "flux": FLUX}, "without a unit; give"),
        ({"lambda": WAVE * u.deg, "flux": FLUX}, "axis is in 'deg'; only"),
    ],
)
def test_what_is_no_spectrum(tmp_path, table, reason):
    Table(table).write(tmp_path / "a.fits")
    with pytest.raises(SpectrumReadError, match=reason):
        read_arrays(tmp_path / "a.fits")


def test_columns_that_the_caller_names(tmp_path):
    Table({"x": WAVE / 10, "y": FLUX, "dy": FLUX / 50}).write(tmp_path / "a.fits")
    for mapping in (
        ("x", "y", "dy"),
        {"x": ("spectral_axis", "nm"), "y": ("flux", None), "dy": "uncertainty"},
    ):
        found = read_one(
            tmp_path / "a.fits", column_mapping=mapping, wavelength_unit="nm",
            format="sdm_fits",
        )  # fmt: skip
        np.testing.assert_allclose(found.wavelength, WAVE)
        np.testing.assert_allclose(found.sigma, FLUX / 50)
    with pytest.raises(SpectrumReadError, match="there is no column 'z'"):
        read_arrays(tmp_path / "a.fits", column_mapping=("z", "y"), format="sdm_fits")


@pytest.mark.parametrize(("unit", "factor"), [("Hz", 2.99792458e18), ("eV", 12398.42)])
def test_votable_in_other_units(tmp_path, unit, factor):
    table = Table({"spectral": factor / WAVE, "flux": FLUX})
    table["spectral"].unit = unit
    for name, ucd in (("spectral", "em.freq"), ("flux", "phot.flux.density")):
        table[name].meta["ucd"] = ucd
    table.write(tmp_path / "a.vot", format="votable")
    np.testing.assert_allclose(read_one(tmp_path / "a.vot").wavelength, WAVE, rtol=1e-6)


def test_votable_with_arrays_of_any_length(tmp_path):
    rows = {}
    for name, values in (("wavelength", WAVE), ("flux", FLUX)):
        rows[name] = np.empty(1, dtype=object)
        rows[name][0] = values
    table = Table(rows)
    table["wavelength"].unit = "Angstrom"
    table.write(tmp_path / "a.vot", format="votable")
    np.testing.assert_allclose(read_one(tmp_path / "a.vot").wavelength, WAVE)
