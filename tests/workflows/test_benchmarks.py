# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Benchmarks that need what is not here are tried at the size of a toy."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_the_benchmark_of_gpus_runs_on_a_cpu(monkeypatch, capsys):
    models = ["gaia_xp_starnet_v1", "harps_dae_fast_v1"]
    options = ["--device", "cpu", "--batches", "2", "--rounds", "1"]
    command = ["bench_gpu.py", *options, "--copied", "1000", "--models", *models]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path(str(FOLDER / "bench_gpu.py"), run_name="__main__")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a CPU: no figures of a card")
    verbs = [line[29:40].strip() for line in said[1:]]
    assert verbs == ["predict", "labels only", "encode", "decode"]
    assert all("full  batch     2" in line and "/s (" in line for line in said[1:])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (np.array([1.0, np.nan, 3.0], "f4"), ""),
        (np.array([1.0, np.nan, np.nextafter(3, 4, dtype="f4")], "f4"), "by 7.9e-08"),
        (np.array([1.0, 2.0, 3.0], "f4"), "1 are NaN in one of them"),
        (np.array(["1", "", "3"]), "float32 (3,), <U1 (3,)"),
        (np.array([1.0, np.nan], "f4"), "float32 (3,), float32 (2,)"),
    ],
)
def test_the_comparison_of_tables_sees_the_last_bit(other, said, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    describe = runpy.run_path(str(FOLDER / "compare_tables.py"))["describe"]
    found = describe(np.array([1.0, np.nan, 3.0], "f4"), other)
    assert said in found
    assert bool(said) == bool(found)
    words = np.array(["a", "b"])
    assert describe(words, np.array(["a", "c"])).startswith("row 1: ")
