# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""An extra installs what code imports, and the page on installing names each extra."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import astro_latent

ROOT = Path(__file__).parents[2]
PACKAGE = Path(astro_latent.__file__).parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]["optional-dependencies"]
#: Extras of those who use the package; the others are of those who work on it.
OF_USERS = sorted({*EXTRAS} - {"docs", "test", "all"})


def imported():
    """Top-level names that the package imports anywhere."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("extra", OF_USERS)
def test_what_an_extra_installs_is_imported(extra):
    wanted = {re.match(r"[\w-]+", text)[0].replace("-", "_") for text in EXTRAS[extra]}
    assert sorted(wanted - imported()) == []


def test_the_page_on_installing_names_the_extras():
    page = (ROOT / "docs" / "getting_started" / "install.rst").read_text("utf-8")
    paragraph = page.partition("Extras:")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"``(\w+)``", paragraph)) == sorted(EXTRAS)


def test_what_messages_tell_to_install_exists():
    told = set()
    for path in [
        *PACKAGE.rglob("*.py"),
        ROOT / "README.rst",
        *ROOT.glob("docs/**/*.rst"),
    ]:
        for names in re.findall(r"astro_latent\[([\w,]+)\]", path.read_text("utf-8")):
            told |= set(names.split(","))
    assert told <= set(EXTRAS)
