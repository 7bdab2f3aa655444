# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Several processes give what one gives, in the same order."""

import os
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent import encode_spectra, get_survey, predict_parameters
from astro_latent.cli.main import main
from astro_latent.exceptions import WorkerError
from astro_latent.pipeline import checkpoint, long_run
from astro_latent.pipeline.choose import ModelChooser
from astro_latent.pipeline.loop import Task
from astro_latent.spectra.reading import expand
from astro_latent.tables import read_table
from tests.fixtures.results import MeanModel, assert_same_rows


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(checkpoint, "PART", 3)


@pytest.fixture
def paths():
    """Two surveys, and between them a file that is none."""
    found = [str(path) for path in get_survey("sample").table()["path"]]
    return [*found[:4], "nowhere.fits", *found[4:]]


class Deadly:
    """Ends the process that takes it in, as lack of memory does."""

    def __reduce__(self):
        return os._exit, (1,)


def test_rows_numbers_and_origin_are_those_of_one_process(small_parts, paths, tmp_path):
    velocity = np.linspace(-20.0, 20.0, len(paths))
    expected = predict_parameters(
        paths, radial_velocity=velocity, checkpoint=tmp_path / "parts"
    )
    found = predict_parameters(paths, radial_velocity=velocity, workers=2)
    assert_same_rows(found, expected)
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
    with pytest.raises(WorkerError, match="one of 2 processes ended before its work"):
        predict_parameters([Deadly()], model="gaia_xp_starnet_v1", workers=2)


def test_the_command_tells_of_it_without_a_traceback(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(long_run, "list_items", lambda _: [Deadly()])
    command = ["predict", "x.fits", "-o", str(tmp_path / "x.vot"), "--workers", "2"]
    assert main([*command, "-m", "gaia_xp_starnet_v1"]) == 1
    said = capsys.readouterr().err
    assert "error: one of 2 processes ended before its work" in said
    assert "take fewer workers" in said
    assert "--resume" in said


def test_a_generator_is_shared_and_kept_in_parts(small_parts, paths, tmp_path):
    folder = tmp_path / "parts"
    expected = predict_parameters(paths, model="apogee_starnet_v1")
    found = predict_parameters(
        (path for path in paths),
        model="apogee_starnet_v1",
        workers=2,
        checkpoint=folder,
    )
    assert len(list(folder.glob("part-*.vot"))) == -(-len(paths) // 3)
    assert found["obs_id"].tolist() == expected["obs_id"].tolist()


def parts_of(source, monkeypatch):
    """Take the parts of a run that processes would be given."""
    taken = []

    def take(parts, *_, **__):
        taken.extend(pickle.dumps(part) for part in parts)
        return iter(())

    monkeypatch.setattr(long_run, "run_parts", take)
    chooser = ModelChooser("predict")
    list(long_run.iter_parts(source, chooser, Task(name="predict"), workers=2))
    return taken


def test_a_part_brings_no_more_than_its_rows_of_a_table(monkeypatch):
    names = [f"star{i:05d}.fits" for i in range(5000)]
    table = Table({"path": names, "ra": np.linspace(0, 360, 5000) * u.deg})
    monkeypatch.setattr(checkpoint, "_FEWEST", 79)
    few, many = (parts_of(rows, monkeypatch) for rows in (table[:128], table))
    assert len(many) == -(-5000 // 64)
    # the whole table is eighty times as large
    assert max(map(len, many)) == pytest.approx(len(few[0]), rel=0.05)
    items, _ = pickle.loads(many[2])
    assert [item.value.name for item in expand(items)] == names[128:192]
    first = next(expand(items))
    assert first.overrides["ra"] == pytest.approx(128 * 360 / 4999)


def test_rows_of_a_part_have_their_number_in_the_whole_table(monkeypatch):
    table = Table({"path": [""] * 200, "ra": ["?"] * 200})
    for source in (table, list(table)):
        items, _ = pickle.loads(parts_of(source, monkeypatch)[1])
        said = [item.problem for item in expand(items)]
        assert said[5].startswith("row 69: ")
        assert said == [item.problem for item in expand(table)][64:128]


def test_what_workers_cannot_do_is_refused(paths):
    with pytest.raises(ValueError, match="workers must be 1 or more, not 0"):
        predict_parameters(paths, workers=0)
    model = MeanModel("encode")
    model.config = type(model.config)(**vars(model.config), source=None)
    model.device = "cpu"
    with pytest.raises(ValueError, match="'mean_v1' is in no folder"):
        encode_spectra(paths, model=model, workers=2)
