# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``gaia_xp_starnet_v1``: read, divide, train, write."""

from typing import Any

import numpy as np

from recipes.gaia_xp_starnet_v1.spectra import LABELS, read_stars
from recipes.options import Options
from recipes.real.stars import is_test, select
from recipes.real.train import train

__all__ = ["make"]


def make(recipe: dict[str, Any], options: Options) -> bool:
    """Train and write the weights; a second call goes on where the first stopped.

    Parameters
    ----------
    recipe : dict
        The content of ``recipe.toml``.
    options : Options
        Where.

    Returns
    -------
    bool
        Whether the weights are written.
    """
    stars = read_stars(options.data)
    parts = divide(stars, **recipe["parts"])
    kept = parts != ""
    taught = {**select(stars, kept), "part": parts[kept]}
    train(taught, LABELS, recipe, options, split="part")
    return True


def divide(stars: dict[str, Any], *, hottest: float, held_out: list[int]) -> np.ndarray:
    """Say what each spectrum is for; nothing for those of test stars.

    Parameters
    ----------
    stars : dict
        From `read_stars`.
    hottest : float
        K; what is hotter shows what is to be flagged.
    held_out : list of int
        Divisor and rest of the identifiers of stars that calibrate the errors.

    Returns
    -------
    ndarray of str
        A part for each spectrum.
    """
    identifiers = stars["source_id"]
    divisor, rest = held_out
    parts = np.where(identifiers % divisor == rest, "held_out", "train")
    parts = np.where(stars["teff"] > hottest, "outside", parts)
    return np.where(is_test(identifiers), "", parts)
