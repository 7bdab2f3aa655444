"""A run that is killed or interrupted keeps what is done, and goes on behind it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
from astropy import units as u

from astro_latent import conf, predict_parameters, read_table
from astro_latent.cli.main import main
from astro_latent.models.locate import PACKAGED
from astro_latent.pipeline import checkpoint, long_run
from astro_latent.surveys import get_survey

PART = 8
#: The program with small parts, so that a run of seconds has several. A shell may have
#: told what it starts in the background to ignore interrupts.
PROGRAM = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from astro_latent.pipeline import checkpoint\n"
    f"checkpoint.PART = {PART}\n"
    "from astro_latent.cli.main import main\n"
    "sys.exit(main())\n"
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(checkpoint, "PART", PART)


def link_many(folder):
    """Make many small files: links to the bundled sample, and one that is none."""
    table = get_survey("sample").table()
    paths = [str(path) for path in table["path"] if "apStar" in str(path)]
    folder.mkdir()
    for i in range(48):
        (folder / f"star{i:03d}.fits.gz").symlink_to(paths[i % len(paths)])
    (folder / "star020.fits.gz").unlink()
    (folder / "star020.fits.gz").write_bytes(b"")
    return folder


@pytest.fixture
def many(tmp_path):
    return link_many(tmp_path / "many")


def stop(number, *arguments, parts):
    """Start a run, send it a signal once two parts are there, and hear what it says."""
    words = [str(word) for word in ("predict", *arguments)]
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 100
    while not (parts / "part-000001.vot").exists() and time.monotonic() < end:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.005)
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode != 0
    return said


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Runs that were stopped, by the signal: their files and the parts they kept."""
    if os.name != "posix":
        pytest.skip("signals of POSIX")

    @cache
    def stop_by(number):
        folder = tmp_path_factory.mktemp("stopped")
        files, out = link_many(folder / "many"), folder / "out.vot"
        parts = folder / "out.vot.parts"
        said = stop(number, files, "-o", out, parts=parts)
        assert not out.exists()
        if number == signal.SIGINT:
            assert "Traceback" not in said
            kept = len(list(parts.glob("part-*.vot")))
            assert f"interrupted; {kept} finished parts are kept in {parts}" in said
            assert "the same command with --resume goes on" in said
        return files, parts

    return stop_by


def values_of(table):
    return {
        name: np.asarray(getattr(table[name], "value", table[name])).tolist()
        for name in table.colnames
    }


def check_same(first, second):
    """Check that two files are the same: values, metadata, bytes; but for the date."""
    a, b = read_table(first), read_table(second)
    dates = [str(table.meta.pop("date", "")) for table in (a, b)]
    assert a.meta == b.meta
    assert a.colnames == b.colnames
    for name, values in values_of(a).items():
        np.testing.assert_array_equal(values, values_of(b)[name], err_msg=name)
    if first.suffix == ".parquet":
        return  # which holds the date once more, within the schema of Arrow in base64
    contents = [path.read_bytes() for path in (first, second)]
    assert contents[0].replace(*(date.encode() for date in dates)) == contents[1]


ENDINGS = ("vot", "fits", "ecsv", "csv", "parquet")


@pytest.mark.parametrize(
    ("number", "ending"),
    [*((signal.SIGKILL, ending) for ending in ENDINGS), (signal.SIGINT, "vot")],
)
def test_a_run_that_was_stopped_ends_as_if_it_had_not(
    tmp_path, stopped, number, ending, capsys
):
    files, kept = stopped(number)
    whole, out = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}"
    command = ["predict", str(files), "--no-progress", "-o"]
    assert main([*command, str(whole)]) == 0
    parts = tmp_path / f"out.{ending}.parts"
    shutil.copytree(kept, parts)
    assert 2 <= len(list(parts.glob("part-*.vot"))) < 48 // PART
    assert len(read_table(parts / "part-000000.vot")) == PART
    assert main([*command, str(out)]) == 1
    told = capsys.readouterr().err
    assert "--resume goes on with it, --overwrite starts anew" in told
    with emptied(sorted(files.iterdir())[: 2 * PART]):  # they are not read again
        assert main([*command, str(out), "--resume"]) == 0
    assert not parts.exists()
    check_same(whole, out)
    assert main([*command, str(out), "--resume"]) == 0
    assert "is complete" in capsys.readouterr().err


@contextmanager
def emptied(links):
    """Let files be empty for a while."""
    targets = {link: link.readlink() for link in links}
    for link in links:
        link.unlink()
        link.write_bytes(b"")
    yield
    for link, target in targets.items():
        link.unlink()
        link.symlink_to(target)


def test_python_goes_on_from_a_checkpoint(tmp_path, many):
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
    with pytest.raises(TypeError, match="is the path of a folder, not 3"):
        predict_parameters(paths, checkpoint=3, progress=False)


def test_another_version_or_other_candidates_do_not_go_on(tmp_path, many, monkeypatch):
    """Without ``model=`` it is the package that says which model a spectrum gets."""
    paths, kept = sorted(many.iterdir())[:1], tmp_path / "kept"
    predict_parameters(paths, checkpoint=kept, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(long_run, "__version__", "0.0")
        with pytest.raises(ValueError, match="made with other astro_latent_version:"):
            predict_parameters(paths, checkpoint=kept, progress=False)
    name = "harps_parameters_v2"  # of which no spectrum here has need
    config = json.loads((PACKAGED / name / "config.json").read_text("utf-8"))
    config["weights"]["sha256"] = "0" * 64
    other = tmp_path / "weights" / name
    other.mkdir(parents=True)
    (other / "config.json").write_text(json.dumps(config), "utf-8")
    with (
        conf.set_temp("weights_dir", str(other.parent)),
        pytest.raises(ValueError, match="made with other model:"),
    ):
        predict_parameters(paths, checkpoint=kept, progress=False)
    predict_parameters(paths, checkpoint=kept, progress=False)


def test_each_velocity_and_the_unit_are_part_of_the_plan(tmp_path, monkeypatch):
    plans = []

    class TakenError(Exception):
        """The plan is there, and the run need not begin."""

    def take(folder, items, plan):
        plans.append(json.dumps(plan))
        raise TakenError

    monkeypatch.setattr(long_run, "Checkpoint", take)
    masked = np.ma.array(np.linspace(-50, 50, 2000), mask=np.arange(2000) == 7)
    plain = masked.filled(np.nan)
    other = plain.copy()
    other[900] += 1
    alike = (masked, plain, plain * u.km / u.s)
    for velocity in (*alike, other, plain * u.m / u.s, None, 0.0):
        with pytest.raises(TakenError):
            predict_parameters(
                ["nowhere.fits"] * 2000, radial_velocity=velocity, checkpoint=tmp_path
            )
    assert len(set(plans[:3])) == 1
    assert len(set(plans[2:])) == 5
