# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Altered weights whose hash fits: a documented error, or a sound answer."""

import copy
import hashlib
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
from astro_latent.utils.quality import FATAL_FLAGS, QualityFlag

NASTY = [
    None, True, -1, 0, 1, 10**9, 10**30, 1e-300, -1e308, float("inf"), float("nan"),
    "", "x", "\0", "10**99999999 m", "a" * 100_000, [], {}, [[]], [None], ["x"],
    [float("nan")], [0, 0], [1e30] * 2, {"a": 1},
]  # fmt: skip


def places(record, path=()):
    """Paths to all values of a record, inner ones too."""
    items = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def change_record(record, rng):
    """Change, remove or add one value."""
    record = copy.deepcopy(record)
    every = list(places(record))
    *above, key = every[int(rng.integers(len(every)))]
    owner = record
    for step in above:
        owner = owner[step]
    if rng.random() < 0.15:
        del owner[key]
    else:
        owner[key] = NASTY[int(rng.integers(len(NASTY)))]
    return record


def change_tensors(tensors, rng):
    """Change one tensor, or all, in value, type, shape or name."""
    tensors = dict(tensors)
    names = sorted(tensors)
    name = names[int(rng.integers(len(names)))]
    way = int(rng.integers(9))
    some = names if rng.random() < 0.3 else [name]
    for each in some:
        old = tensors[each]
        if way < 5:
            tensors[each] = torch.full_like(old, [0.0, 1e30, -1e30, 1e-30, 3e38][way])
        elif way == 5:
            tensors[each] = old.to(
                [torch.int64, torch.bool, torch.complex64][len(each) % 3]
            )
        elif way == 6:
            tensors[each] = old.reshape(-1)[:1]
        elif way == 7:
            tensors[each] = torch.full_like(old, float("nan"))
        else:
            del tensors[each]
    return tensors


def write(folder, record, tensors):
    content = safetensors.torch.save(tensors)
    (folder / "model.safetensors").write_bytes(content)
    if isinstance(record.get("weights"), dict) and "sha256" in record["weights"]:
        record["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "config.json").write_text(json.dumps(record))


def check(folder):
    """Load and predict; return the error, or None if the answer is sound."""
    try:
        model = load_model(folder, device="cpu")
        result = model.predict(reference_input(model, [1, 2]))
    except WeightsError as error:
        if str(folder) not in str(error):
            pytest.fail(f"{error} does not name {folder}")
        return error
    finite = np.isfinite(result.values).all(axis=1)
    assert np.all(finite | ((result.flags & FATAL_FLAGS) != 0))
    return None


@pytest.fixture
def original(label_folder):
    record = json.loads((label_folder / "config.json").read_text())
    return record, safetensors.torch.load_file(label_folder / "model.safetensors")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", ["config", "tensors"])
def test_altered_weights_are_refused_or_answer_soundly(
    label_folder, original, what, tmp_path
):
    record, tensors = original
    folder = tmp_path / "altered_v1"
    shutil.copytree(label_folder, folder)
    refused = 0
    for number in range(150):
        rng = np.random.default_rng([2021, number])
        if what == "config":
            write(folder, change_record(record, rng), tensors)
        else:
            write(folder, copy.deepcopy(record), change_tensors(tensors, rng))
        try:
            refused += check(folder) is not None
        except Exception as error:
            pytest.fail(f"{what} {number}: {error!r}")
    assert 30 < refused < 150


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
