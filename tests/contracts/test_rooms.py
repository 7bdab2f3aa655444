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
ROOMS = (
    "archives",
    "spectra",
    "surveys",
    "preparation",
    "models",
    "latent",
    "tables",
    "pipeline",
    "matching",
)
#: Nobody imports these; they may import any.
OUTSIDE = ("plotting", "notebook", "cli")
#: What every room may import, and what imports no room.
COMMON = ("exceptions", "_config", "utils", "_version")
#: Rooms beside the road, and what they may import; the road does not import them.
BESIDE = {
    "simulation": ROOMS[: ROOMS.index("models") + 1],
    "training": ROOMS,
}
STRANGERS = ({"archives", "models"},)

#: Library -> files and folders of the package that may import it.
HOMES = {
    "torch": ("models", "training", "simulation"),
    "safetensors": ("models", "training"),
    "astroquery": ("archives", "surveys"),
    "pyvo": ("archives", "surveys", "tables/samp.py", "tables/votable/mivot.py"),
    "requests": ("archives", "surveys"),
    "lightning": ("training/engine.py",),
    "optuna": ("training/study.py",),
    "zuko": ("models/layers/heads.py",),
    "matplotlib": (
        "plotting",
        "cli/demo.py",
        "cli/pictures.py",
        "notebook/explorer.py",
    ),
    "corner": ("plotting/posterior.py",),
    "ipywidgets": ("notebook",),
    "ipympl": ("notebook",),
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
    if here in OUTSIDE or (here, there) == ("__main__", "cli"):
        return True
    if here in BESIDE:
        return there in BESIDE[here]
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
    assert folders <= {*ROOMS, *OUTSIDE, *BESIDE, *COMMON}
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
        ("training/a.py", "from ..simulation import observe_apogee", True),
        ("simulation/a.py", "from ..models import load_model", False),
        ("simulation/a.py", "from ..tables import read_table", True),
        ("surveys/apogee/a.py", "from ...spectra.fits import FitsFile", False),
        ("spectra/a.py", "from ..surveys import SURVEYS", True),
    ],
)
def test_the_rule_itself(tmp_path, file, text, wrong):
    package = tmp_path / "astro_latent"
    for folder in (*ROOMS, *OUTSIDE, *BESIDE, "utils"):
        (package / folder).mkdir(parents=True)
    path = package / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert bool(violations(package)) is wrong


def module_graph(package):
    """Who imports whom among the files, at the top of a file or within a function."""
    files = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts): path
        for path in sorted(package.rglob("*.py"))
    }
    graph = {}
    for name, path in files.items():
        targets = set()
        for full, _ in imports(path, package):
            # "a.b.c" is the file a/b/c.py, a name of a/b.py, or one of a/b/__init__.py
            parent = full.rpartition(".")[0]
            for spelling in (full, parent, f"{full}.__init__", f"{parent}.__init__"):
                if spelling in files:
                    targets.add(spelling)
                    break
        graph[name] = targets - {name}
    return graph


def circles(graph):
    """Groups of files that import each other, directly or not."""
    reach = {name: set(targets) for name, targets in graph.items()}
    changed = True
    while changed:
        changed = False
        for targets in reach.values():
            more = set().union(*(reach[target] for target in targets)) - targets
            if more:
                targets |= more
                changed = True
    loops = {frozenset(n for n in reach[name] if name in reach[n]) for name in reach}
    return sorted(sorted(loop) for loop in loops if loop)


def foreign_private_names(package):
    """Imports of names or modules that begin with an underscore, from another room."""
    found = []
    for path in sorted(package.rglob("*.py")):
        here = path.relative_to(package).parts[0]
        for full, line in imports(path, package):
            top, *rest = full.split(".")
            if top != package.name or len(rest) < 2 or rest[0] in (here, *COMMON):
                continue
            if any(part.startswith("_") for part in rest):
                found.append(f"{path.relative_to(package)}:{line} imports {full}")
    return found


def test_no_file_imports_itself_by_way_of_others():
    assert circles(module_graph(PACKAGE)) == []


def test_no_room_imports_private_names_of_another():
    assert foreign_private_names(PACKAGE) == []


def test_the_rules_about_circles_and_private_names(tmp_path):
    package = tmp_path / "astro_latent"
    for folder in ("models", "tables"):
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").write_text("")
    (package / "models/a.py").write_text("def f():\n    from .b import g")
    (package / "models/b.py").write_text("from .c import h")
    (package / "models/c.py").write_text("from . import a")
    (package / "tables/d.py").write_text("from ..models.a import _f")
    loop = [f"astro_latent.models.{name}" for name in "abc"]
    assert circles(module_graph(package)) == [loop]
    assert foreign_private_names(package) == [
        "tables/d.py:1 imports astro_latent.models.a._f"
    ]
