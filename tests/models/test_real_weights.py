# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Weights that learned from real spectra, asked about stars that did not teach them.

Test stars have no part in this: they were looked at once, by ``recipes.real.look``.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astro_latent import get_survey, load_model, predict_parameters
from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import PACKAGED
from astro_latent.pipeline.choose import ModelChooser
from astro_latent.spectra import Observation, SpectrumArrays, decode_flags
from astro_latent.training import as_block, compare_labels

DATA = Path(os.environ.get("ASTRO_LATENT_TEST_DATA", "none"), "real")
XP, LAMOST = "gaia_xp_starnet_v1", "lamost_starnet_v1"
MILES = "optical_r2000_starnet_v1"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="real spectra are where ASTRO_LATENT_TEST_DATA says"
)


def make_spectrum(wavelength, **facts):
    """A spectrum without lines."""
    flux = 1.0 + 0.1 * np.sin(wavelength / 300.0)
    return SpectrumArrays(
        wavelength=wavelength, flux=flux, sigma=0.01 * flux,
        mask=np.zeros(len(flux), dtype=bool), observation=Observation(**facts),
    )  # fmt: skip


@pytest.mark.parametrize("name", [XP, LAMOST, MILES])
def test_the_card_says_what_test_stars_say(name):
    config = ModelConfig.from_folder(PACKAGED / name)
    assert config.evaluation["test stars"]
    assert config.evaluation["flagged as not usable"]
    text = load_model(name, device="cpu").card.text
    for words in ("test stars", "held out", "coverage test stars", "In short"):
        assert words in text, words
    assert config.weights["size"] < 10e6


@pytest.mark.parametrize(("survey", "name"), [("gaia_xp", XP), ("lamost", LAMOST)])
def test_surveys_name_their_models(survey, name):
    assert get_survey(survey).models[0] == name


@pytest.mark.parametrize(
    ("wavelength", "facts", "name"),
    [
        (np.arange(3360.0, 10201.0, 20.0), {"survey": "gaia"}, XP),
        (np.arange(3360.0, 10201.0, 20.0), {}, XP),
        (10 ** np.arange(3.5682, 3.959, 1e-4), {"survey": "lamost"}, LAMOST),
        # sharper spectra can be blurred for one of the models, by no means for Gaia's
        (np.arange(3600.0, 9000.0, 0.1), {"resolving_power": 2e4}, MILES),
        (np.arange(3600.0, 9000.0, 0.1), {"survey": "gaia"}, None),
        (np.arange(8460.0, 8700.0, 0.1), {"survey": "gaia"}, None),
    ],
)
def test_each_spectrum_finds_the_model_that_is_for_it(wavelength, facts, name):
    choice = ModelChooser("predict", "cpu").choose(make_spectrum(wavelength, **facts))
    assert (choice.model and choice.model.name) == name


def test_gaia_spectra_are_taken_as_they_come():
    spectrum = make_spectrum(np.arange(3360.0, 10201.0, 20.0), survey="gaia")
    known = replace(spectrum.observation, medium="vacuum", frame="barycentric")
    table = predict_parameters([spectrum, replace(spectrum, observation=known)])
    assert list(table["model"]) == [XP, XP]
    assert table["teff"][0] == table["teff"][1]
    for flags in table["flags"]:
        assert not {"MEDIUM_UNKNOWN", "FRAME_UNKNOWN"} & {*decode_flags(flags)}


def check(found, stars, most, *, rows):
    """Scatter, coverage and false alarms of stars that a model is for."""
    about = Table({n: v for n, v in stars.items() if np.shape(v) == (len(found),)})
    compared = compare_labels(Table(found)[rows], about[rows], [*most], matched=True)
    every = compared.scores[compared.scores["by"] == "all"]
    for row in every:
        assert row["scatter"] < most[row["label"]], row
        noise = 3.0 * np.sqrt(0.22 / row["n"])
        assert abs(row["coverage_68"] - 0.68) < 0.045 + noise, row
        assert abs(row["coverage_95"] - 0.95) < 0.02 + noise / 2, row
    assert np.mean(found["usable"][rows]) > 0.93


@needs_data
def test_gaia_stars_that_calibrated_it():
    path = DATA / "gaia_xp_apogee/gaia_xp_apogee_14500.npz"
    with np.load(path, allow_pickle=False) as file:
        identifiers = file["gaia_source_id"]
        rows = (identifiers % 9 == 4) & (identifiers % 7 != 3)
        error = file["err"][rows]
        stars = {n: file[n][rows] for n in ("teff", "logg", "fe_h", "alpha_m")}
        stars |= {
            "wavelength_nm": file["wavelength_nm"], "error": error,
            "flux": file["flux_over_err_x10"][rows] * error / 10,
        }  # fmt: skip
    found = predict_parameters(as_block(stars), model=XP)
    cool = stars["teff"] < 8000
    most = {"teff": 75.0, "logg": 0.20, "fe_h": 0.14, "alpha_m": 0.045}
    check(found, stars, most, rows=cool)
    assert np.mean(found["usable"][stars["teff"] > 8000]) < 0.12


@needs_data
def test_a_library_without_errors_is_taken_without_errors():
    """Assumed ones may be larger than the noise, which is a fault that is flagged."""
    with np.load(DATA / "miles/miles_v9.1.npz", allow_pickle=False) as file:
        identifiers, teff = file["miles_id"], file["teff"]
        rows = (identifiers % 7 == 2) & (teff > 4000) & (teff < 7000)
        stars = {n: file[n][rows] for n in ("teff", "logg", "fe_h", "flux")}
        stars["wavelength_air"] = file["wavelength_air"]
    facts = {"survey": "miles", "frame": "rest", "resolving_power": 2000.0}
    found = Table(predict_parameters(as_block(stars), model=MILES, facts=facts))
    assert np.mean(found["usable"]) > 0.95
    assert np.nanmedian(np.abs(found["fe_h"] - stars["fe_h"])) < 0.1
    stars["error"] = 0.01 * stars["flux"]
    assumed = Table(predict_parameters(as_block(stars), model=MILES, facts=facts))
    suspect = ["ERRORS_SUSPECT" in decode_flags(f) for f in assumed["flags"]]
    assert 0.04 < np.mean(suspect) < 0.3
    close = np.abs(assumed["teff"] - found["teff"]) < 0.5 * found["teff_error"]
    assert np.mean(close) > 0.95
