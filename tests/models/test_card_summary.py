# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A model on one screen: facts of its configuration, and no more than fits."""

import pytest

from astro_latent.models import find_weights, list_models
from astro_latent.models.card_summary import summarise_model
from astro_latent.models.config import ModelConfig


@pytest.mark.parametrize("name", list_models()["name"].tolist())
def test_every_bundled_model_fits_and_says_where_it_fails(name):
    config = ModelConfig.from_folder(find_weights(name))
    lines = summarise_model(config).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 88
    text = " ".join(line.strip() for line in lines)
    assert config.card["fails"] in text
    assert all(output.name in text for output in config.outputs)


def test_own_models_tell_of_held_out_spectra(record):
    record["outputs"][0]["domain"] = [3500, 6500]
    record["calibration"] = {"systematic": [88.0, 0.1]}
    score = {"scatter": 46.6, "scatter_error": 0.7, "bias": 1.5, "n": 5037}
    record["evaluation"] = {"held-out stars": {"all": {"teff": score}}}
    record["card"] = {"limitations": "Not for hot stars. " * 40}
    text = summarise_model(ModelConfig.from_dict(record))
    assert "teff 3500 to 6500 K (± 88)" in text
    assert "held-out spectra: teff 46.6 +- 0.7 (bias 1.5, n 5037)" in text
    assert "Not for hot stars." in text
    assert len(text.splitlines()) <= 24


def test_nothing_known_is_said_so(record):
    lines = summarise_model(ModelConfig.from_dict(record)).splitlines()
    assert "real stars  not stated" in lines
