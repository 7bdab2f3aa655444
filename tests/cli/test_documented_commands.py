# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Every command of README and docs is understood; those on files are run."""

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from astropy.table import Table

from astro_latent.cli.main import VERBS, build_parser

ROOT = Path(__file__).parents[2]
#: What needs an archive, and what other tests run since it takes long.
NOT_HERE = ("fetch", "star", "demo", "train", "search", "evaluate")


def find_commands():
    """Yield the commands of all pages, without comments and what follows a pipe."""
    for page in (ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ +(?:\$ )?(.*astro-latent [a-z].*)$", text, re.M):
            for part in re.split(r"\||&&", line.split("  #")[0]):
                words = shlex.split(part) if "astro-latent" in part else []
                if words[:1] == ["astro-latent"] and words[1] in VERBS:
                    yield " ".join(map(shlex.quote, words[1:]))


COMMANDS = sorted(set(find_commands()))


def test_there_are_commands():
    assert {command.split()[0] for command in COMMANDS} >= set(VERBS) - {"prepare"}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    options = build_parser().parse_args(shlex.split(command))
    assert options.verb in VERBS


@pytest.fixture
def folder(tmp_path, monkeypatch, apogee, harps, run):
    """The files that the pages speak of."""
    places = {"apogee": apogee, "harps": harps, "spectra": apogee[:2] + harps[:1]}
    for name, paths in places.items():
        (tmp_path / name).mkdir()
        for path in paths:
            shutil.copy(path, tmp_path / name / f"{Path(path).name.split('.')[0]}.fits")
    for path in apogee:
        shutil.copy(path, tmp_path)
    shutil.copy(apogee[0], tmp_path / "star.fits")
    monkeypatch.chdir(tmp_path)
    shutil.copy(harps[0], tmp_path / "new.fits")
    run("predict", "star.fits", "-o", "parameters.vot")
    run("encode", *harps, "-o", "latents.vot")
    found = Table.read("parameters.vot")
    Table({"ra": found["ra"], "dec": found["dec"]}).write("catalogue.fits")
    fibres = {"RA_FIB": found["ra"], "DEC_FIB": found["dec"]}
    Table(fibres).write("survey.fits")
    monkeypatch.setattr("sys.stdin", io.StringIO("star.fits\n"))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in COMMANDS
        if command.split()[0] not in NOT_HERE
        and not re.search(r"vizier:|FILES?\b|NAME|b\.vot", command)
    ],
)
def test_commands_on_files_work(command, folder, run):
    again = ["--overwrite"] if "-o" in command else []
    code, out, err = run(*shlex.split(command), *again)
    assert code == 0, err
    assert out or "->" in err
