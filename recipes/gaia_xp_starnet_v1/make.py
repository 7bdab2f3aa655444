# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``gaia_xp_starnet_v1``: read, divide, train, write."""

from typing import Any

from recipes.gaia_xp_starnet_v1.spectra import LABELS, divide, read_stars
from recipes.options import Options
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
    parts = divide(stars, **recipe["parts"])
    kept = parts != ""
    taught = {**select(stars, kept), "part": parts[kept]}
    train(taught, LABELS, recipe, options, split="part")
    return True
