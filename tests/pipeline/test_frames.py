# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of a frame get the results of their own spectra, and keep what they had."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from astro_latent import encode_spectra, get_survey, load_model, predict_parameters
from astro_latent.pipeline import add_results

MODEL = "apogee_starnet_v1"


@pytest.fixture
def paths():
    return [str(path) for path in get_survey("sample").table()["path"][:3]]


@pytest.fixture
def frame(paths):
    given = {"path": paths, "obs_id": ["x", "y", "z"], "mine": [1, 2, 3]}
    return pd.DataFrame(given, index=[9, 4, 9])


def test_results_stand_beside_their_rows(frame, paths):
    found = add_results(frame, task="predict", model=MODEL)
    expected = predict_parameters(paths, model=MODEL)
    pd.testing.assert_frame_equal(found[frame.columns], frame)
    for name in ("teff", "teff_error", "flags"):
        np.testing.assert_array_equal(found[name], np.asarray(expected[name]))
    assert found["message"].tolist() == expected["message"].tolist()


def test_no_rows_have_the_same_columns(frame):
    found = add_results(frame, task="predict", model=MODEL)
    empty = add_results(frame[:0], task="predict", model=MODEL)
    pd.testing.assert_series_equal(found.dtypes, empty.dtypes)
    assert empty.index.dtype == frame.index.dtype


def test_arrays_are_spread_and_a_loaded_model_is_taken(encoder_file):
    frame = pd.DataFrame({"path": [str(encoder_file)]})
    model = load_model("harps_dae_fast_v1")
    found = add_results(frame, task="encode", model=model, reconstruct=False)
    expected = encode_spectra(encoder_file, model=model, reconstruct=False)
    assert found["z003"].tolist() == expected["latent"][:, 3].tolist()


@pytest.fixture
def encoder_file():
    sample = get_survey("sample").table()
    return sample["path"][sample["survey"] == "harps"][0]


def test_what_cannot_stand_side_by_side_is_refused(frame):
    with pytest.raises(ValueError, match="the frame has 'teff' already"):
        add_results(frame.assign(teff=0.0), task="predict", model=MODEL)
    with pytest.raises(ValueError, match="task must be one of predict, encode"):
        add_results(frame, task="guess", model=MODEL)
    frame["path"] = frame["path"].str.replace("nowhere", "")


def test_a_file_of_several_spectra_is_refused(tmp_path):
    folder = Path(__file__).parents[1] / "data" / "gaia"
    head, row = (folder / "gaiaxpy.csv").read_text().splitlines()[:2]
    other = row.replace("5937083312263887616", "4295806720")
    path = tmp_path / "two.csv"
    path.write_text("\n".join([head, row, other, ""]))
    with pytest.raises(ValueError, match="1 rows gave 2 spectra, which cannot stand"):
        add_results(pd.DataFrame({"path": [str(path)]}), task="predict", model=MODEL)
