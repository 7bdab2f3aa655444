# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One interface for all recipes, and scripts that can be started."""

import ast
import runpy
import subprocess
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

import recipes
from astro_latent.models import list_models
from recipes import __main__ as command

ROOT = Path(recipes.__file__).parents[1]
NAMES = sorted(path.parent.name for path in ROOT.glob("recipes/*/recipe.toml"))
SCRIPTS = sorted(
    path.name for path in ROOT.glob("benchmarks/*.py") if not path.name.startswith("_")
)


def test_each_bundled_set_of_weights_has_a_recipe():
    assert set(NAMES) == set(list_models()["name"])


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_is_made_in_the_same_way(name):
    make = import_module(f"recipes.{name}.make").make
    assert list(signature(make).parameters) == ["recipe", "options"]
    recipe = command.read_recipe(name)
    assert recipe["made_by"] == recipe["card_texts"]["name"] == name
    assert isinstance(recipe["seed"], int)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_named(name, tmp_path, capsys):
    arguments = [name, "--data", str(tmp_path), "--work", str(tmp_path / "work")]
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    told = capsys.readouterr().err
    assert f"there is no file {tmp_path}" in told
    assert "licenses/WEIGHTS.rst names the sources" in told


def test_what_cannot_train_on_a_gpu_says_so(tmp_path, capsys):
    name = "harps_dae_fast_v1"
    arguments = [name, "--data", str(tmp_path), "--work", str(tmp_path)]
    with pytest.raises(SystemExit, match="2"):
        command.main([*arguments, "--device", "cuda"])
    assert f"{name} trains on a cpu, not on cuda" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["gaia_xp_starnet_v1", "harps_dae128_v2", "harps_parameters_v2"]
)
def test_what_cannot_begin_with_weights_says_so(name, tmp_path, capsys):
    arguments = [name, "--data", str(tmp_path), "--work", str(tmp_path)]
    with pytest.raises(SystemExit, match="2"):
        command.main([*arguments, "--from-weights", name])
    assert f"{name} cannot begin with weights" in capsys.readouterr().err


def test_an_unknown_recipe_is_told_which_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["nothing_v1", "--data", str(tmp_path), "--work", str(tmp_path)])
    assert NAMES[0] in capsys.readouterr().err


def test_no_recipe_takes_private_names_of_others_or_imports_in_a_circle():
    graph = {}
    for path in ROOT.glob("recipes/**/*.py"):
        here = path.relative_to(ROOT).parts[1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            if names[0] in ("recipes", "astro_latent"):
                assert not any(n.startswith("_") for n in names), (path, names)
            if names[0] == "recipes" and names[1] != here:
                graph.setdefault(here, set()).add(names[1])
    weights = {here: there & set(NAMES) for here, there in graph.items()}
    assert not any(weights.values()), "a set of weights needs the code of another"


def test_each_script_is_in_the_list():
    text = (ROOT / "benchmarks/README.rst").read_text(encoding="utf-8")
    assert [name for name in SCRIPTS if f"``{name}" not in text] == []


def test_helpers_of_scripts_and_of_the_docs_have_names_of_their_own():
    # Python keeps the first module of a name for the whole process.
    folders = [sorted(ROOT.glob(f"{name}/_*.py")) for name in ("benchmarks", "docs")]
    first, second = ({path.name for path in found} for found in folders)
    assert first, "no helpers found: this test has lost its folder"
    assert not first & second


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_imports_and_shows_its_options(name, monkeypatch, capsys):
    if "lsdb" in name:
        pytest.importorskip("dask")
        pytest.importorskip("lsdb")
    path = ROOT / "benchmarks" / name
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(path), run_name="__main__")
    assert "usage:" in capsys.readouterr().out


def test_a_script_finds_the_recipes_from_anywhere(tmp_path):
    code = "import runpy; runpy.run_path(r'{}')".format(ROOT / "benchmarks/_paths.py")
    code += "; import recipes; print(recipes.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()).parent == ROOT / "recipes"
