"""Units as headers spell them, and any spectral axis in Ångström."""

import time

import numpy as np
import pytest
from astropy import units as u

from astro_latent.spectra.units import FLAM, parse_unit, to_angstrom


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("A", u.AA),
        ("ANGSTROM", u.AA),
        ("Angstroms", u.AA),
        ("MICRON", u.um),
        ("nanometers", u.nm),
        ("erg/A/s/cm2", FLAM),
        ("erg/s/cm2/A", FLAM),
        ("FLAM", FLAM),
        ("ERG/CM2/S/A", FLAM),
        ("1E-17 erg/cm^2/s/Ang", 1e-17 * FLAM),
        ("10**-17 erg/(s cm2 Angstrom)", 1e-17 * FLAM),
        ("10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)", 1e-16 * FLAM),
        ("10^-20 erg/s/cm^2/Angstrom", 1e-20 * FLAM),
        ("W.m**-2.nm**-1", u.W / u.m**2 / u.nm),
        ("ADU", u.adu),
        ("counts", u.ct),
        ("e-", u.electron),
        ("e-/s", u.electron / u.s),
        ("mJy", u.mJy),
        ("", u.dimensionless_unscaled),
        ("Normalised", u.dimensionless_unscaled),
        ("log10(Angstrom)", u.dex(u.AA)),
    ],
)
def test_spellings(text, unit):
    found = parse_unit(text)
    assert found == unit
    if isinstance(unit, u.UnitBase):
        assert found.to(unit) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("text", ["arbitrary things", "10**99999999", "m" * 500])
def test_what_is_no_unit_is_none_at_once(text):
    started = time.process_time()
    assert parse_unit(text) is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([500.0, 600.0], "nm"),
        ([0.5, 0.6], "MICRON"),
        ([2.99792458e18 / 5000, 2.99792458e18 / 6000], "Hz"),
        ([12398.41984 / 5000, 12398.41984 / 6000], "eV"),
        ([20000.0, 1e8 / 6000], "cm-1"),
        ([np.log10(5000), np.log10(6000)], "log10(Angstrom)"),
    ],
)
def test_any_axis_in_angstrom(values, unit):
    np.testing.assert_allclose(to_angstrom(np.array(values), unit), [5000, 6000])


def test_velocities_are_no_wavelengths():
    assert to_angstrom(np.array([1.0]), "km/s") is None
    assert to_angstrom(np.array([1.0]), "furlong of a kind") is None
