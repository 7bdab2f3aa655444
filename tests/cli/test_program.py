# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The command as it is installed: a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from astro_latent import read_table

PROGRAM = [sys.executable, "-m", "astro_latent"]


def call(*arguments, text=None, program=PROGRAM):
    return subprocess.run(
        [*program, *map(str, arguments)],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_is_installed():
    program = Path(sys.executable).parent / "astro-latent"
    if not program.exists():
        pytest.skip("the package was not installed with its scripts")
    done = call("--version", program=[program])
    assert done.returncode == 0
    assert done.stdout.startswith("astro-latent ")


def test_pipe_from_fetch_to_predict(weights_root, tmp_path):
    found = call("fetch", "sample", "--object", "Sample giant A")
    assert found.returncode == 0, found.stderr
    output = tmp_path / "out.vot"
    model = weights_root / "apogee_starnet_v1"
    done = call("predict", "-", "-m", model, "-o", output, text=found.stdout)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(read_table(output)["obs_id"]) == ["apStar-sample-A"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["surveys"], 0),
        (["predict", "-"], 1),
        (["fetch", "smaple", "--object", "x"], 2),
    ],
)
def test_exit_codes(arguments, code):
    done = call(*arguments, text="")
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_reader_that_goes_away_is_no_disaster():
    with subprocess.Popen(
        [*PROGRAM, "surveys"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        message = process.stderr.read().decode()
    assert "Traceback" not in message
