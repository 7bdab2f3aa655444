# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The loop keeps the order, chunks change nothing, and what was handed on stays."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from astro_latent.pipeline import (
    checkpoint,
    iter_results,
    predict_parameters,
    verbs,
)
from astro_latent.pipeline.loop import Choice, MemorySink, OneModel, Task, push_rows
from astro_latent.preparation import chunks
from astro_latent.tables import TableWriter, read_table
from tests.fixtures.results import MeanModel, make_output, make_spectrum

PREDICT = Task(name="predict")


class ByTurns:
    """Gives every other spectrum to another model."""

    def load(self, name):
        """Both are there."""

    def identity(self):
        return " ".join(model.name for model in self.used)

    def __init__(self, *models):
        self.used, self.default, self._count = list(models), None, 0

    def choose(self, arrays):
        self._count += 1
        return Choice(self.used[self._count % len(self.used)])


class Broken(MeanModel):
    """Fails when it meets the spectrum with this level."""

    def __init__(self, level):
        super().__init__("predict")
        self.level = level

    def predict(self, prepared, *, flux_errors=True):
        if np.any(prepared.flux == self.level):
            msg = "out of memory"
            raise RuntimeError(msg)
        return super().predict(prepared)


@pytest.fixture
def seven():
    return [make_spectrum(i + 1, obs_id=f"star{i}") for i in range(7)]


def push(spectra, chooser, **options):
    sink = MemorySink()
    push_rows(spectra, chooser, PREDICT, sink, progress=False, **options)
    return sink.rows()


@pytest.mark.parametrize("size", [None, 1, 2, 3, 7, 50])
def test_rows_of_several_models_come_in_the_order_of_the_spectra(seven, size):
    other = MeanModel("predict")
    other.name = "other_v1"
    rows = push(seven, ByTurns(MeanModel("predict"), other), batch_size=size)
    assert rows.columns["obs_id"].tolist() == [f"star{i}" for i in range(7)]
    assert rows.columns["model"].tolist() == ["other_v1", "mean_v1"] * 3 + ["other_v1"]
    np.testing.assert_allclose(rows.columns["teff"], 1000.0 * np.arange(1, 8))


@pytest.mark.parametrize("limit", [{"_ROWS_IN_FLIGHT": 2}, {"_PIXELS_IN_FLIGHT": 200}])
def test_a_chunk_ends_when_enough_is_in_memory(monkeypatch, seven, predictor, limit):
    whole = predict_parameters(seven, model=predictor)
    for name, value in limit.items():
        monkeypatch.setattr(chunks, name, value)
    parts = list(iter_results(seven, model=predictor, task="predict"))
    assert [len(part) for part in parts] == (
        [2, 2, 2, 1] if "_ROWS_IN_FLIGHT" in limit else [3, 3, 1]
    )
    for name in whole.colnames:
        found = np.concatenate([np.asarray(part[name]) for part in parts])
        np.testing.assert_array_equal(found, np.asarray(whole[name]), name)


def test_a_sink_is_told_the_columns_even_if_there_are_no_spectra(predictor):
    rows = push([], OneModel(predictor))
    assert len(rows) == 0
    assert rows.columns["teff"].shape == (0,)


def write_all(spectra, model, path, **options):
    with TableWriter(path, overwrite=True) as writer:
        for piece in iter_results(spectra, model=model, task="predict", **options):
            writer.write(piece)


def test_a_chunk_that_fails_leaves_the_file_as_it_was(tmp_path, seven):
    path = tmp_path / "labels.parquet"
    path.write_text("an old file")
    with pytest.raises(RuntimeError, match="out of memory"):
        write_all(seven, Broken(5.0), path, batch_size=2)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["an old file"]


def test_what_a_checkpoint_keeps_outlives_an_error(tmp_path, seven, monkeypatch):
    monkeypatch.setattr(checkpoint, "PART", 2)
    path, kept = tmp_path / "labels.vot", tmp_path / "kept"
    with pytest.raises(RuntimeError, match="out of memory"):
        write_all(seven, Broken(5.0), path, checkpoint=kept)
    assert not path.exists()
    assert [len(read_table(p)) for p in sorted(kept.glob("*.vot"))] == [2, 2]
    write_all([None] * 4 + seven[4:], MeanModel("predict"), path, checkpoint=kept)
    table = read_table(path)
    assert list(table["obs_id"]) == [f"star{i}" for i in range(7)]
    np.testing.assert_allclose(table["teff"].value, 1000.0 * np.arange(1, 8))


def test_large_files_make_small_parts(tmp_path, monkeypatch):
    """Tables of many spectra are large, and all rows of a part are in memory."""
    monkeypatch.setattr(checkpoint, "PART", 3)
    monkeypatch.setattr(checkpoint, "_BYTES", 100)
    sizes = [10, 10, 10, 10, 95, 300, 60, 40, 1]
    paths = [tmp_path / f"{number}.fits" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(size))
    starts = [0, 3, 4, 5, 6, 8]
    table = Table({"path": [str(path) for path in paths]})
    assert checkpoint.begin_parts(paths) == starts
    assert checkpoint.begin_parts(list(table)) == starts
    assert checkpoint.begin_parts([None] * 4) == [0, 3]
    for count, size in ((48, 3), (160, 10), (192, 12), (1000, 12)):
        assert checkpoint.begin_parts([None] * count) == list(range(0, count, size))
    assert checkpoint.begin_parts([]) == [0]
    kept = checkpoint.Checkpoint(tmp_path / "kept", paths, {})
    paths[4].unlink()  # lost before the run goes on: its row says so, the parts stay
    again = checkpoint.Checkpoint(tmp_path / "kept", paths, {})
    assert checkpoint.begin_parts(paths) != starts == kept.starts == again.starts
    note = tmp_path / "kept" / "run.json"
    plan = json.loads(note.read_text())
    note.write_text(json.dumps({k: v for k, v in plan.items() if k != "starts"}))
    older = checkpoint.Checkpoint(tmp_path / "kept", paths, {})
    assert older.starts == [0, 3, 6]  # as they were before sizes counted


def test_pieces_of_several_models_have_the_columns_of_all(tmp_path, seven, monkeypatch):
    monkeypatch.setattr(checkpoint, "PART", 3)
    other = MeanModel("predict")
    other.name = "other_v1"
    other.outputs = (make_output("teff", "K"), make_output("m_h"))
    chooser = ByTurns(MeanModel("predict"), other)
    monkeypatch.setattr(verbs, "as_chooser", lambda *_: chooser)
    pieces = list(iter_results(seven[:4], task="predict", checkpoint=tmp_path / "kept"))
    assert [len(piece) for piece in pieces] == [3, 1]
    assert pieces[0].colnames == pieces[1].colnames
    assert pieces[1].meta["labels"] == ["teff", "m_h", "logg"]
    assert pieces[1]["model"] == ["mean_v1"]
    assert np.isnan(np.asarray(pieces[1]["m_h"])).all()
    assert pieces[1]["logg"].value == [4.0]
    with pytest.raises(TypeError, match="needs model=, or checkpoint="):
        next(iter_results(seven, task="predict"))


def test_velocities_are_dealt_out_across_chunks(predictor, seven):
    velocities = np.arange(7.0)
    velocities[3] = np.nan
    dealt_out = list(chunks.iter_chunks(seven, 3, radial_velocity=velocities))
    assert [len(chunk) for chunk, _ in dealt_out] == [3, 3, 1]
    dealt = np.concatenate([given for _, given in dealt_out])
    np.testing.assert_array_equal(dealt, velocities)
    for wrong in (velocities[:6], np.arange(8.0)):
        with pytest.raises(ValueError, match=f"{len(wrong)} radial velocities for"):
            list(chunks.iter_chunks(seven, 3, radial_velocity=wrong))


def test_facts_fill_in_only_what_spectra_do_not_say(predictor):
    silent = make_spectrum(1, medium="unknown", resolving_power=np.nan, survey="")
    facts = {"medium": "air", "resolving_power": 900.0, "survey": "mine"}
    ((told, spoken),) = [
        chunk
        for chunk, _ in chunks.iter_chunks(
            [silent, make_spectrum(2, survey="apogee")], facts=facts
        )
    ]
    facts |= {"noise": "file", "snr": 100.0}  # which its arrays say
    assert told.observation == replace(silent.observation, **facts)
    assert spoken.observation.survey == "apogee"
    assert spoken.observation.resolving_power == 1000.0
    with pytest.raises(ValueError, match=r"'colour'.* cannot be stated"):
        list(chunks.iter_chunks([], facts={"colour": "red"}))


def test_a_batch_holds_at_least_one_spectrum(seven, predictor):
    with pytest.raises(ValueError, match="batch_size must be 1 or more, not 0"):
        predict_parameters(seven, model=predictor, batch_size=0)
