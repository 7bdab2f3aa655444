# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A training that is killed goes on, and ends as one that was not."""

import csv
import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table
from lightning.pytorch.callbacks import Callback

from astro_latent import train_model
from astro_latent.training import engine, job
from astro_latent.utils import writing

from .conftest import FAST, SMALL, make_stars


class KilledError(Exception):
    """Stands for a signal."""


class Killer(Callback):
    """Ends a training in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 1:
            raise KilledError


def train(work, **options):
    return train_model(
        make_stars(150), ["teff", "logg"], arguments={**SMALL, "dropout": 0.2},
        augment={"noise": 1.0, "missing": 0.3}, work=work, members=2,
        **{**FAST, "epochs": 5, **options},
    )  # fmt: skip


def states(model):
    return [network.state_dict() for network in model.members]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    torch.set_num_threads(1)
    return states(train(tmp_path_factory.mktemp("whole")))


def ends_as_uninterrupted(folder, uninterrupted, monkeypatch):
    """Go on with a stopped training: its weights and logs are those of one in peace."""
    keep, logs = job.Job.keep, []
    monkeypatch.setattr(
        job.Job, "keep", lambda *given: (logs.append(given[-1]), keep(*given))
    )
    again = train(folder)
    for log in logs:  # all epochs, those before the stop, too
        lines = list(csv.DictReader(io.StringIO(log.decode())))
        assert [int(line["epoch"]) for line in lines] == list(range(5))
        assert all(float(line["training_loss"]) for line in lines)
    assert len(logs) == 2
    for one, other in zip(states(again), uninterrupted, strict=True):
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize("epoch", [0, 3])
def test_it_ends_as_if_it_had_not_been_stopped(
    epoch, tmp_path, monkeypatch, uninterrupted
):
    fit = engine.fit_networks
    monkeypatch.setattr(
        engine,
        "fit_networks",
        lambda *a, **k: fit(*a, **{**k, "callbacks": [Killer(epoch)]}),
    )
    with pytest.raises(KilledError):
        train(tmp_path)
    monkeypatch.undo()
    (run,) = tmp_path.glob("run-*")
    assert (run / "member-0" / "last.ckpt").is_file() is (epoch > 0)
    ends_as_uninterrupted(tmp_path, uninterrupted, monkeypatch)
    assert not run.exists()  # checkpoints are gone when all is done


def test_a_disk_that_fills_up_keeps_the_last_checkpoint(
    tmp_path, monkeypatch, uninterrupted
):
    written = []

    def full(part, target):
        written.append(target.name)
        if written.count("last.ckpt") == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        part.replace(target)

    monkeypatch.setattr(writing, "commit", full)
    with pytest.raises(OSError, match=r"last\.ckpt cannot be written: No space left"):
        train(tmp_path)
    monkeypatch.undo()
    ends_as_uninterrupted(tmp_path, uninterrupted, monkeypatch)


def test_members_that_are_done_are_not_fitted_again(
    tmp_path, monkeypatch, uninterrupted
):
    fit, calls = engine.fit_networks, []

    def once(parts, options, task, folder, **rest):
        calls.append(folder.name)
        if len(calls) == 2:
            raise KilledError
        return fit(parts, options, task, folder, **rest)

    monkeypatch.setattr(engine, "fit_networks", once)
    with pytest.raises(KilledError):
        train(tmp_path)
    found = states(train(tmp_path))
    assert calls == ["member-0", "member-1", "member-1"]
    assert torch.equal(found[0]["enter.weight"], uninterrupted[0]["enter.weight"])
    assert torch.equal(found[1]["enter.weight"], uninterrupted[1]["enter.weight"])


TWO = """
import sys, torch
torch.set_num_threads(1)
from tests.training.conftest import SMALL, make_stars
from astro_latent import train_model
if __name__ == "__main__":
    train_model(
        make_stars(150), ["teff", "logg"], arguments={**SMALL, "dropout": 0.0},
        epochs=3, batch_size=32, validation=16 / 150, learning_rate=1e-2,
        output=sys.argv[1], devices=int(sys.argv[2]),
        strategy="auto" if sys.argv[2] == "1" else "ddp_spawn",
    )
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    root = Path(__file__).parents[2]
    found = []
    for devices in ("1", "2"):
        out = tmp_path / f"by_{devices}_v1"
        subprocess.run(
            [sys.executable, str(script), str(out), devices],
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        found.append(Table.read(out / "training_log.ecsv")["validation_loss"])
    # the same batches, divided between the two: only rounding differs
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)
