# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Device, precision and memory of inference."""

import subprocess
import sys
import textwrap

import pytest
import torch

from astro_latent import conf
from astro_latent.models import load_model
from astro_latent.models.inference import Runner
from astro_latent.models.pretrained import choose_device


def test_device_comes_from_the_call_else_the_configuration():
    assert choose_device("cpu").type == "cpu"
    with conf.set_temp("device", "cpu"):
        assert choose_device().type == "cpu"
    expected = "cuda" if torch.cuda.is_available() else None
    expected = expected or ("mps" if torch.backends.mps.is_available() else "cpu")
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "cuda:x", ""])
def test_absent_devices_are_named(name):
    with pytest.raises(ValueError, match=f"'{name}' is not available here; there"):
        choose_device(name)


def test_mixed_precision_is_refused_on_a_cpu(label_folder):
    with pytest.raises(ValueError, match="mixed precision needs CUDA with bfloat16"):
        load_model(label_folder, device="cpu", mixed_precision=True)


def test_numerics_leave_the_callers_settings_alone():
    before = torch.backends.cudnn.deterministic, torch.is_grad_enabled()
    with Runner(torch.device("cpu")).numerics():
        pass
    assert before == (torch.backends.cudnn.deterministic, torch.is_grad_enabled())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_meets_the_reference(label_folder):
    from astro_latent.models import check_reference

    assert check_reference(load_model(label_folder, device="cuda")) <= 1


MEASURE = """
    import json, pathlib, re, sys, tempfile
    import numpy as np, torch
    from astro_latent.models import load_model, save_weights
    from astro_latent.models.check import reference_input

    torch.set_num_threads(1)
    config, rows = json.loads(sys.argv[1]), int(sys.argv[2])
    from astro_latent.models import ARCHITECTURES
    network = ARCHITECTURES[config["architecture"]](**config["arguments"])
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(save_weights(pathlib.Path(folder, "m"), network, config))
    del network
    prepared = reference_input(model, range(rows))
    method = getattr(model, "encode" if "encode" in model.capabilities else "predict")
    def peak():
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024
    method(prepared[:2])  # what is loaded on first use is no matter of the batch
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    method(prepared)
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("survey", ["apogee", "harps"])
def test_extra_memory_is_bounded_whatever_the_batch(survey, label_config):
    import json

    if survey == "apogee":
        config = {**label_config, "arguments": {"n_labels": 2}}
        config["grid"], rows = {"name": "apogee_7214"}, 320
    else:
        config = {**label_config, "architecture": "disentangled_autoencoder"}
        config |= {"arguments": {}, "outputs": [{"name": "latent", "n": 128}]}
        config["grid"], rows = {"name": "harps_327680"}, 6
    command = [sys.executable, "-c", textwrap.dedent(MEASURE)]
    command += [json.dumps(config), str(rows)]
    # The allocator adds to a peak by chance and takes nothing from it, so the least of
    # three counts; each has a process of its own, where no memory is left over.
    extra = []
    for _ in range(3):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        extra.append(float(result.stdout))  # MiB
    assert min(extra) < 64, extra
