# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""``astro-latent search``, and ``train --settings`` with what it found."""

import json

import numpy as np
import pytest

from astro_latent import load_model
from astro_latent.cli.main import main

from .conftest import make_stars

SMALL = (
    "--labels", "teff", "--fit", "epochs=1", "batch_size=32", "--seed", "3",
)  # fmt: skip


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def stars(tmp_path):
    path = tmp_path / "stars.npz"
    np.savez(path, **make_stars(120))
    return path


def test_what_a_search_finds_is_trained(stars, tmp_path, run):
    study, weights = tmp_path / "study", tmp_path / "own_v1"
    code, out, err = run(
        "search", stars, *SMALL, "-o", study, "--trials", "1",
        "--space", "n_hidden[0]=[16]", 'learning_rate={"low": 1e-3, "high": 1e-2}',
        "--arguments", "n_hidden=[32, 8]", "n_filters=[2]",
    )  # fmt: skip
    assert code == 0, err
    settings = json.loads((study / "settings.json").read_text())
    assert settings["arguments"]["n_hidden"] == [16, 8]
    assert 1e-3 <= settings["learning_rate"] <= 1e-2
    assert json.dumps(settings) in out
    assert (study / "history.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = run(
        "train", stars, "--labels", "teff", "-o", weights, "--no-pictures",
        "--settings", study / "settings.json", "--fit", "batch_size=16",
    )  # fmt: skip
    assert code == 0, err
    config = load_model(weights, device="cpu").config
    assert config.arguments["n_hidden"] == [16, 8]
    assert config.training["fit"]["learning_rate"] == settings["learning_rate"]
    assert config.training["fit"]["batch_size"] == 16  # what is said goes before
    assert config.training["fit"]["epochs"] == 1


@pytest.mark.parametrize(("text", "words"), [("{", "is no JSON"), ("[1]", "settings")])
def test_settings_that_are_none_are_refused(text, words, stars, tmp_path, run):
    path = tmp_path / "settings.json"
    path.write_text(text)
    code, _, err = run(
        "train", stars, "--labels", "teff", "-o", tmp_path / "x", "--settings", path
    )
    assert code == 1
    assert str(path) in err
    assert words in err
