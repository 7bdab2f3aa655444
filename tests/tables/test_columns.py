"""Every column that the package may write has a valid name, unit and UCD."""

import re

import pytest
from astropy import units as u

from astro_latent.pipeline import encode_spectra, predict_parameters
from astro_latent.tables import COLUMNS, LABELS, check_table, is_ucd, is_vounit
from astro_latent.tables.fields import unit_to_text


@pytest.mark.parametrize("info", [*COLUMNS.values(), *LABELS.values()], ids=str)
def test_column_is_well_described(info):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", info.name)
    assert is_ucd(info.ucd)
    assert is_vounit(unit_to_text(u.Unit(info.unit)))
    assert info.description


@pytest.mark.parametrize("name", LABELS)
def test_error_of_each_label_has_a_valid_ucd(name):
    assert is_ucd(f"stat.error;{LABELS[name].ucd}")


@pytest.mark.parametrize(
    "ucd", ["foo.bar", "stat.min;phys.gravity", "phys.gravity;;", "meta.software", ""]
)
def test_invalid_ucds_are_found(ucd):
    assert not is_ucd(ucd)


def test_results_pass_the_check(spectra, encoder, predictor):
    assert check_table(encode_spectra(spectra, model=encoder)) == []
    assert check_table(predict_parameters(spectra, model=predictor)) == []


def test_check_finds_what_is_wrong(table):
    table["teff"].info.meta = {"ucd": "pos.eq.ra;meta.main"}
    table["logg"] = table["logg"].value * u.def_unit("bananas")
    problems = check_table(table)
    assert any("2 columns have UCD 'pos.eq.ra;meta.main'" in p for p in problems)
    assert any("'bananas' is not a VOUnit" in p for p in problems)
