# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A file that says what several surveys, which one network learns, consist of."""

import tomllib
from pathlib import Path
from typing import Any

__all__ = ["read_surveys"]

_PATHS = ("spectra", "folder", "table")


def read_surveys(path: Path) -> dict[str, dict[str, Any]]:
    """Read what `~astro_latent.training.train_several` is told of surveys.

    Parameters
    ----------
    path : path
        TOML with a section for each survey; its paths begin at the folder of the file.

    Returns
    -------
    dict
        For each survey its arguments.

    Raises
    ------
    ValueError
        If it is no TOML, or not all of it are sections.
    """
    from ..training.listing import read_listing

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is no TOML: {error}"
        raise ValueError(msg) from None
    surveys = {}
    for name, own in found.items():
        if not isinstance(own, dict):
            msg = f"{path}: {name!r} must be in a section, such as [{path.stem}]"
            raise ValueError(msg)
        told = {k: str(path.parent / v) if k in _PATHS else v for k, v in own.items()}
        if "table" in told:
            told["table"] = read_listing(Path(told["table"]))
        surveys[name] = told
    return surveys
