# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Benchmarks that need what is not here are tried at the size of a toy."""

import runpy
import sys
from pathlib import Path

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
