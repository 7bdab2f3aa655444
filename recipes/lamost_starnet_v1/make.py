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
    hot = stars["teff"] > recipe["stars"]["hottest"]  # shows what is to be flagged
    stars["part"] = np.where(hot, "outside", "train")
    train(
        stars, LABELS, recipe, options, facts=FACTS, star="star", split="part",
        radial_velocity=stars["radial_velocity"],
    )  # fmt: skip
    return True
