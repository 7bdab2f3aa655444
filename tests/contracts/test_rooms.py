# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The order of the rooms: who may import whom, and who brings in which library.

Imports are read with `ast`, wherever they stand: an import within a function counts as
much as one at the top of a file.
"""

import ast
from pathlib import Path

import pytest

import astro_latent

PACKAGE = Path(astro_latent.__file__).parent
#: A room imports only rooms before it.
ROOMS = ("archives", "spectra", "preparation", "models", "latent", "tables")
#: Nobody imports these; they may import anything.
OUTSIDE = ("plotting", "cli", "training")
#: What every room may import, and what imports no room.
COMMON = ("exceptions", "_config", "utils", "_version")
STRANGERS = ({"archives", "models"},)

#: Library -> files and folders of the package that may import it.
HOMES = {
    "torch": ("models", "training"),
    "safetensors": ("models", "training"),
    "astroquery": ("archives",),
    "pyvo": ("archives", "tables/samp.py", "tables/mivot.py"),
    "requests": ("archives",),
    "matplotlib": ("plotting", "cli/demo.py"),
}


def imports(path, package):
    """Full dotted names that a file imports, with their lines."""
    parts = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = len(parts) - node.level + 1
            base = [package.name, *parts[:above]] if node.level else []
            base += [node.module] if node.module else []
            yield from ((".".join([*base, a.name]), node.lineno) for a in node.names)


def may_import(here, there):
    """Tell whether a room (or a file beside the rooms) may import another."""
    if here == there or there in COMMON:
        return True
    if here in OUTSIDE:
        return True
    if here not in ROOMS or there not in ROOMS or {here, there} in STRANGERS:
        return False
    return ROOMS.index(there) < ROOMS.index(here)


def violations(package):
    """Lines of imports that break a rule."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package)
        here = file.parts[0].removesuffix(".py")
        for name, line in imports(path, package):
            top, *rest = name.split(".")
            where = f"{file.as_posix()}:{line} imports {name}"
            inside = top == package.name and rest and (package / rest[0]).is_dir()
            homes = HOMES.get(top, ())
            at_home = not homes or any(file.is_relative_to(home) for home in homes)
            if (inside and not may_import(here, rest[0])) or not at_home:
                found.append(where)
    return found


def test_rooms_import_only_what_lies_above_them():
    assert violations(PACKAGE) == []


def test_every_folder_of_the_package_has_a_place_in_the_order():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {*ROOMS, *OUTSIDE, *COMMON}
    assert set(ROOMS) <= folders


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("archives/a.py", "def f():\n    from ..spectra import read_spectra", True),
        ("archives/a.py", "from ..models import load_model", True),
        ("models/a.py", "from astro_latent.archives import fetch", True),
        ("spectra/a.py", "from .. import tables", True),
        ("tables/a.py", "import astro_latent.cli.main", True),
        ("utils/a.py", "from ..spectra import QualityFlag", True),
        ("spectra/a.py", "import torch", True),
        ("cli/other.py", "from matplotlib import pyplot", True),
        ("tables/a.py", "from pyvo.samp import connection", True),
        ("tables/samp.py", "from pyvo.samp import connection", False),
        ("tables/a.py", "from ..models import load_model", False),
        ("models/sub/a.py", "from ...exceptions import WeightsError", False),
        ("training/a.py", "from ..tables import read_table\nimport torch", False),
    ],
)
def test_the_rule_itself(tmp_path, file, text, wrong):
    package = tmp_path / "astro_latent"
    for folder in (*ROOMS, *OUTSIDE, "utils"):
        (package / folder).mkdir(parents=True)
    path = package / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert bool(violations(package)) is wrong
