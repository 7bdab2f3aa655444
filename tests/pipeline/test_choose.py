# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Every spectrum finds its model: by survey, by coverage, or it hears why not."""

from dataclasses import replace

import numpy as np
import pytest

from astro_latent import encode_spectra, get_survey, load_model, predict_parameters
from astro_latent.pipeline import choose
from astro_latent.pipeline.choose import ModelChooser
from astro_latent.spectra import Observation, SpectrumArrays, iter_arrays
from astro_latent.utils.quality import FATAL_FLAGS, QualityFlag

SHARED = ("teff", "logg", "fe_h", "rv", "label_covariance")


@pytest.fixture(scope="module")
def sample():
    return get_survey("sample").table()


@pytest.fixture(scope="module")
def mixed(sample):
    """Spectra of two surveys by turns, and one file that is none."""
    return [str(sample["path"][i]) for i in (0, 7, 1, 8)] + ["nowhere.fits"]


@pytest.fixture(scope="module")
def result(mixed):
    return predict_parameters(mixed)


def test_a_mixed_list_gives_each_row_its_model(mixed, result):
    assert list(result["model"]) == [
        "apogee_starnet_v1", "harps_parameters_v2",
        "apogee_starnet_v1", "harps_parameters_v2", "",
    ]  # fmt: skip
    assert [str(i).split("-")[0] for i in result["obs_id"][:4]] == [
        "apStar", "harps", "apStar", "harps",
    ]  # fmt: skip
    assert result["flags"][4] & QualityFlag.UNREADABLE
    assert set(result.meta["models"]) == {"apogee_starnet_v1", "harps_parameters_v2"}


@pytest.mark.parametrize(
    ("name", "rows"), [("apogee_starnet_v1", (0, 2)), ("harps_parameters_v2", (1, 3))]
)
def test_the_numbers_are_those_of_each_model_alone(mixed, result, name, rows):
    alone = predict_parameters([mixed[row] for row in rows], model=name)
    for column in alone.colnames:
        if column == "label_covariance":
            continue
        mine, its = result[column][list(rows)], alone[column]
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(its), column)
    labels = alone.meta["labels"]
    everywhere = result.meta["labels"]
    at = [everywhere.index(label) for label in labels]
    size = len(everywhere)
    wide = np.asarray(result["label_covariance"][list(rows)]).reshape(-1, size, size)
    own = np.asarray(alone["label_covariance"]).reshape(-1, len(at), len(at))
    np.testing.assert_array_equal(wide[:, at][:, :, at], own)
    others = [label for label in everywhere if label not in labels]
    assert others
    for label in others:
        assert np.all(np.isnan(result[label][list(rows)].value))


def test_chunks_change_nothing(mixed, result):
    again = predict_parameters(mixed, batch_size=2)
    assert again.colnames == result.colnames
    for name in result.colnames:
        mine, its = np.asarray(result[name]), np.asarray(again[name])
        if mine.dtype.kind == "f":  # sums of long spectra round as the batch is large
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(mine, its, name)


def test_encode_finds_models_too(sample):
    table = encode_spectra([str(sample["path"][7]), str(sample["path"][0])])
    assert list(table["model"]) == ["harps_dae_fast_v1", ""]
    assert table["flags"][1] & QualityFlag.NO_MODEL
    assert "nearest: harps_dae_fast_v1" in table["message"][1]
    assert np.isnan(table["latent"][1]).all()


def test_without_a_survey_coverage_decides_and_the_row_says_so(sample):
    (arrays,) = iter_arrays(str(sample["path"][0]))
    stripped = replace(arrays, observation=replace(arrays.observation, survey=""))
    table = predict_parameters([stripped, arrays])
    assert list(table["model"]) == ["apogee_starnet_v1"] * 2
    assert table["flags"][0] == table["flags"][1] | QualityFlag.MODEL_BY_COVERAGE
    assert table["usable"][0] == table["usable"][1]
    assert table["teff"][0] == table["teff"][1]


@pytest.mark.parametrize(
    ("wavelength", "facts", "why"),
    [
        (np.arange(5000.0, 5100, 0.1), {}, "it covers"),
        (np.arange(15000.0, 17100, 5.0), {}, "pixels are"),
        (np.geomspace(15000, 17100, 12000), {"resolving_power": 2000.0}, "needs R"),
        (np.geomspace(15000, 17100, 12000), {"survey": "igrins"}, "it is for apogee"),
    ],
)
def test_a_spectrum_of_no_model_hears_which_is_nearest_and_why_not(
    wavelength, facts, why
):
    arrays = SpectrumArrays(
        wavelength=wavelength,
        flux=np.ones(wavelength.size),
        mask=np.zeros(wavelength.size, dtype=bool),
        observation=Observation(**facts),
    )
    table = predict_parameters([arrays])
    assert table["flags"][0] & QualityFlag.NO_MODEL
    assert not table["usable"][0]
    assert QualityFlag.NO_MODEL & FATAL_FLAGS
    assert "nearest: " in table["message"][0]
    assert why in table["message"][0]


def test_models_that_nobody_needs_are_not_loaded(sample):
    chooser = ModelChooser("predict")
    (arrays,) = iter_arrays(str(sample["path"][0]))
    assert chooser.choose(arrays).model.name == "apogee_starnet_v1"
    assert [model.name for model in chooser.used] == ["apogee_starnet_v1"]


def test_a_model_by_name_takes_every_spectrum(mixed):
    table = predict_parameters(mixed[:2], model=load_model("apogee_starnet_v1"))
    assert list(table["model"]) == ["apogee_starnet_v1"] * 2
    assert table["flags"][1] & QualityFlag.NO_OVERLAP


def test_a_spectrum_is_compared_with_one_model_of_its_survey(sample, monkeypatch):
    compared = []
    compare = choose._compare

    def note(arrays, config, *more):
        compared.append(config.name)
        return compare(arrays, config, *more)

    monkeypatch.setattr(choose, "_compare", note)
    chooser = ModelChooser("predict", "cpu")
    for arrays in iter_arrays(list(sample["path"][:3])):
        assert chooser.choose(arrays).model.name == "apogee_starnet_v1"
    assert compared == ["apogee_starnet_v1"] * 3
