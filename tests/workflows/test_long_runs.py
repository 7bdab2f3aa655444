"""A run that is killed or interrupted keeps what is done, and goes on behind it."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from astro_latent import predict_parameters, read_table
from astro_latent.pipeline import checkpoint
from astro_latent.surveys import get_survey

PART = 8
#: The program with small parts, so that a run of seconds has several.
PROGRAM = (
    "import sys\n"
    "from astro_latent.pipeline import checkpoint, long_run\n"
    f"checkpoint.PART = long_run.PART = {PART}\n"
    "from astro_latent.cli.main import main\n"
    "sys.exit(main())\n"
)


@pytest.fixture
def many(tmp_path):
    """Many small files: links to the bundled sample."""
    table = get_survey("sample").table()
    paths = [str(path) for path in table["path"] if "apStar" in str(path)]
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(48):
        (folder / f"star{i:03d}.fits.gz").symlink_to(paths[i % len(paths)])
    return folder


def command(*arguments):
    words = [str(word) for word in ("predict", *arguments)]
    return [sys.executable, "-c", PROGRAM, *words]


def finish(*arguments):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=100, check=False
    )


def stop(number, times, *arguments, parts):
    """Start a run, and send it signals once two parts are there."""
    run = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (parts / "part-000001.vot").exists() and time.monotonic() < end:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.005)
    for _ in range(times):
        run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode != 0
    return said


def values_of(table):
    return {
        name: np.asarray(getattr(table[name], "value", table[name])).tolist()
        for name in table.colnames
    }


def same(first, second):
    """Whether two files hold the same, down to the bits, but for the date."""
    a, b = read_table(first), read_table(second)
    assert {k: v for k, v in a.meta.items() if k != "date"} == {
        k: v for k, v in b.meta.items() if k != "date"
    }
    assert a.colnames == b.colnames
    for name, values in values_of(a).items():
        np.testing.assert_array_equal(values, values_of(b)[name], err_msg=name)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "times", "ending"),
    [
        (signal.SIGKILL, 1, ".vot"),
        (signal.SIGINT, 2, ".csv"),
    ],
)
def test_a_run_that_was_stopped_ends_as_if_it_had_not(
    tmp_path, many, number, times, ending
):
    whole, out = tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    assert finish(many, "-o", whole).returncode == 0
    parts = out.with_name(f"{out.name}.parts")
    said = stop(number, times, many, "-o", out, parts=parts)
    kept = sorted(parts.glob("part-*.vot"))
    assert 2 <= len(kept) < 48 // PART
    assert not out.exists()
    assert len(read_table(kept[0])) == PART
    if number == signal.SIGINT:
        assert "Traceback" not in said
    refused = finish(many, "-o", out)
    assert refused.returncode == 1
    assert "--resume goes on with it, --overwrite starts anew" in refused.stderr
    # Done files are not read again: they may be empty by now.
    for path in sorted(many.iterdir())[:PART]:
        path.unlink()
        path.write_bytes(b"")
    done = finish(many, "-o", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert not parts.exists()
    same(whole, out)
    again = finish(many, "-o", out, "--resume")
    assert (again.returncode, "is complete" in again.stderr) == (0, True)


def test_python_goes_on_from_a_checkpoint(tmp_path, many, monkeypatch):
    from astro_latent.pipeline import long_run

    monkeypatch.setattr(long_run, "PART", PART)
    monkeypatch.setattr(checkpoint, "PART", PART)
    paths = sorted(many.iterdir())[: 3 * PART]
    folder = tmp_path / "kept"
    whole = predict_parameters(paths, checkpoint=folder, progress=False)
    (folder / "part-000001.vot").unlink()  # as if stopped in the second part
    (folder / "part-000002.vot").unlink()
    again = predict_parameters(paths, checkpoint=folder, progress=False)
    assert len(list(folder.glob("part-*.vot"))) == 3
    for name, values in values_of(whole).items():
        np.testing.assert_array_equal(values, values_of(again)[name], err_msg=name)
    plain = predict_parameters(paths, progress=False)
    assert plain.colnames == whole.colnames
    assert [plain[n].unit for n in ("teff", "ra")] == [
        whole[n].unit for n in ("teff", "ra")
    ]
    assert plain["teff"].info.meta == again["teff"].info.meta


def test_another_run_does_not_go_on_with_it(tmp_path, many):
    paths = sorted(many.iterdir())[:3]
    predict_parameters(paths, checkpoint=tmp_path / "kept", progress=False)
    with pytest.raises(ValueError, match="made with other names, spectra"):
        predict_parameters(paths[:2], checkpoint=tmp_path / "kept", progress=False)
    with pytest.raises(ValueError, match="made with other batch_size"):
        predict_parameters(
            paths, checkpoint=tmp_path / "kept", batch_size=2, progress=False
        )
    with pytest.raises(ValueError, match="holds other files"):
        predict_parameters(paths, checkpoint=many, progress=False)
