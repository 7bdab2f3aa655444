# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Recipes as they are written down."""

import tomllib
from pathlib import Path
from typing import Any

__all__ = ["read_recipe"]

HERE = Path(__file__).parent


def read_recipe(name: str) -> dict[str, Any]:
    """Read a recipe by the name of its weights, or from a file.

    Parameters
    ----------
    name : str
        Folder beside this file, or path of a ``.toml`` file.

    Returns
    -------
    dict
        The recipe; ``made_by`` names the folder of its code.

    Raises
    ------
    ValueError
        If there is no such recipe.
    """
    path = Path(name) if name.endswith(".toml") else HERE / name / "recipe.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.parent.name for p in HERE.glob("*/recipe.toml")))
        msg = f"there is no recipe {name!r}; there are {known}, or give a .toml file"
        raise ValueError(msg)
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    recipe.setdefault("made_by", path.parent.name)
    return recipe
