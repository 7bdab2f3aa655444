# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``lamost_starnet_v1``: read, leave the test stars out, train, write."""

from typing import Any

import numpy as np

from recipes.options import Options
from recipes.real.lamost import FACTS, LABELS, read_stars
from recipes.real.stars import select
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
    stars = select(stars, ~stars["test"])
    stars["part"] = divide(stars, **recipe["parts"])
    train(
        stars, LABELS, recipe, options, facts=FACTS, star="star", split="part",
        radial_velocity=stars["radial_velocity"],
    )  # fmt: skip
    return True


def divide(stars: dict[str, Any], *, hottest: float, held_out: list[int]) -> np.ndarray:
    """Say what each spectrum is for.

    Parameters
    ----------
    stars : dict
        From `~recipes.real.lamost.read_stars`.
    hottest : float
        K; what is hotter shows what is to be flagged.
    held_out : list of int
        Divisor and rest of the numbers of stars that calibrate the errors.

    Returns
    -------
    ndarray of str
        A part for each spectrum.
    """
    divisor, rest = held_out
    parts = np.where(stars["star"] % divisor == rest, "held_out", "train")
    return np.where(stars["teff"] > hottest, "outside", parts)
