# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Several processes give what one gives, in the same order."""

import os

import numpy as np
import pytest

from astro_latent import encode_spectra, get_survey, predict_parameters
from astro_latent.cli.main import main
from astro_latent.pipeline import long_run
from astro_latent.tables import read_table
from tests.fixtures.results import MeanModel


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(long_run, "PART", 3)


@pytest.fixture
def paths():
    """Two surveys, and between them a file that is none."""
    found = [str(path) for path in get_survey("sample").table()["path"]]
    return [*found[:4], "nowhere.fits", *found[4:]]


class Deadly:
    """Ends the process that takes it in, as lack of memory does."""

    def __reduce__(self):
        return os._exit, (1,)


def same(found, expected):
    assert found.colnames == expected.colnames
    for name in expected.colnames:
        one, other = (
            np.ma.getdata(getattr(table[name], "value", table[name]))
            for table in (found, expected)
        )
        np.testing.assert_array_equal(one, other, name)


def test_rows_numbers_and_origin_are_those_of_one_process(small_parts, paths, tmp_path):
    velocity = np.linspace(-20.0, 20.0, len(paths))
    expected = predict_parameters(
        paths, radial_velocity=velocity, checkpoint=tmp_path / "parts"
    )
    found = predict_parameters(paths, radial_velocity=velocity, workers=2)
    same(found, expected)
    assert found.meta | {"date": 0} == expected.meta | {"date": 0}


def test_the_command_takes_workers(small_parts, paths, tmp_path):
    output = tmp_path / "found.fits"
    command = ["predict", *paths[:4], "-o", str(output), "--workers", "2", "-q"]
    assert main([*command, "-m", "apogee_starnet_v1"]) == 0
    written = read_table(output)
    expected = predict_parameters(paths[:4], model="apogee_starnet_v1")
    assert list(written["obs_id"]) == list(expected["obs_id"])
    np.testing.assert_array_equal(written["teff"], expected["teff"])


def test_a_process_that_ends_is_told_of(paths):
    with pytest.raises(RuntimeError, match="one of 2 processes ended before its work"):
        predict_parameters([Deadly()], model="gaia_xp_starnet_v1", workers=2)


def test_what_workers_cannot_do_is_refused(paths):
    with pytest.raises(ValueError, match="workers must be 1 or more, not 0"):
        predict_parameters(paths, workers=0)
    model = MeanModel("encode")
    model.config = type(model.config)(**vars(model.config), source=None)
    model.device = "cpu"
    with pytest.raises(ValueError, match="'mean_v1' is in no folder"):
        encode_spectra(paths, model=model, workers=2)
