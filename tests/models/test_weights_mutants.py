# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Altered weights whose hash fits: a documented error, or a sound answer."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch

from astro_latent.exceptions import WeightsError
from astro_latent.models import load_model
from astro_latent.models.check import reference_input
from astro_latent.utils.quality import QualityFlag
from tests.fixtures.altered_weights import find_unsound, write, write_altered


@pytest.fixture
def original(label_folder):
    record = json.loads((label_folder / "config.json").read_text())
    return record, safetensors.torch.load_file(label_folder / "model.safetensors")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", ["config", "arguments", "tensors"])
def test_altered_weights_are_refused_or_answer_soundly(
    label_folder, original, what, tmp_path
):
    folder = tmp_path / "altered_v1"
    shutil.copytree(label_folder, folder)
    count = 0
    for number in range(150):
        write_altered(folder, original, what, number)
        refused, problems = find_unsound(folder)
        assert problems == [], number
        count += refused
    assert 30 < count < 150


@pytest.mark.parametrize("value", [0.0, 3e38])
def test_tensors_that_give_no_number_give_flagged_rows(label_folder, original, value):
    record, tensors = original
    write(
        label_folder, record, {n: torch.full_like(tensors[n], value) for n in tensors}
    )
    model = load_model(label_folder, device="cpu")
    result = model.predict(reference_input(model, [1, 2]))
    lost = ~np.isfinite(result.values).all(axis=1)
    assert np.all((result.flags[lost] & QualityFlag.NO_RESULT) != 0)
    assert np.all(np.isnan(result.values[lost]))


@pytest.mark.parametrize(
    ("keys", "value", "match"),
    [
        (
            ("calibration",),
            {"scale": [float("nan"), 1.0]},
            r"'calibration.scale\[0\]' is nan",
        ),
        (("outputs", 0, "offset"), float("inf"), r"'outputs\[0\].offset' is inf"),
        (("outputs", 0, "unit"), "10**99999999 K", r"a unit of at most 80"),
        (("arguments", "n_hidden"), [2**23, 2**23], r"instead of \(8388608, 8388608\)"),
        (("members",), 10**6, "'members' is 1000000; it must be a whole number"),
        (("architecture",), "starnet9", "'architecture' is 'starnet9'; known"),
        (("grid", "step"), 0.0, "wavelengths"),
        (("grid", "n_pixels"), 10**12, "'grid.n_pixels' is 1000000000000"),
    ],
)
def test_what_is_wrong_is_named_with_file_key_and_remedy(
    label_folder, original, keys, value, match
):
    record, tensors = original
    owner = record
    for key in keys[:-1]:
        owner = owner[key]
    owner[keys[-1]] = value
    write(label_folder, record, tensors)
    with pytest.raises(WeightsError, match=match) as caught:
        load_model(label_folder, device="cpu")
    assert str(label_folder) in str(caught.value)


def test_deeply_nested_configurations_are_refused(label_folder):
    (label_folder / "config.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(WeightsError, match="nested too deeply"):
        load_model(label_folder)


def test_the_optimised_interpreter_starts():
    code = "from astro_latent.cli.main import build_parser; print(build_parser().prog)"
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "astro-latent", done.stderr
