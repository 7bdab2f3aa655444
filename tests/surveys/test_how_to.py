# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Adding a survey is a folder and a line, as the page of documentation says."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how_to" / "add_survey.rst"
FOLDERS = ROOT / "astro_latent" / "surveys"
CONTRACTS = ROOT / "tests" / "contracts" / "test_registries.py"
BLOCK = re.compile(
    r"^   \.\. code-block:: python\n       :caption: (\S+)\n((?:       .*\n|\n)+)", re.M
)
#: A plugin of pytest in place of a change in the source: a folder, and a line.
PLUGIN = """
import astro_latent.surveys as surveys

surveys.__path__.append({folder!r})
surveys.FOLDERS = (*surveys.FOLDERS, "mysurvey")
"""


def write_the_page(folder):
    """Write the files that the page shows."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for name, text in blocks:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).strip() + "\n", encoding="utf-8")
    return [Path(name).name for name, _ in blocks]


def copy_a_folder(folder):
    """Copy GALAH under another name, which is all that changes."""
    target = folder / "mysurvey"
    target.mkdir()
    for path in (FOLDERS / "galah").glob("*.py"):
        text = path.read_text(encoding="utf-8").replace("GALAH", "MYSURVEY")
        text = text.replace("galah", "mysurvey")
        (target / path.name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("make", [write_the_page, copy_a_folder])
def test_a_folder_and_a_line_fulfil_the_contracts(tmp_path, make):
    make(tmp_path)
    plugin = PLUGIN.format(folder=str(tmp_path))
    (tmp_path / "one_line.py").write_text(plugin, encoding="utf-8")
    paths = (str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")]))
    plugins = ("-p", "one_line", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-k", "mysurvey", str(CONTRACTS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout  # survey, format, example


def test_the_page_shows_all_files_of_a_folder(tmp_path):
    shown = write_the_page(tmp_path)
    assert sorted(shown) == sorted(
        path.name for path in (FOLDERS / "galah").glob("*.py")
    )
