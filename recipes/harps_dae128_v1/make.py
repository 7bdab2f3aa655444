# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``harps_dae128_v1``: train, judge, write."""

from typing import Any

from recipes.harps import finish
from recipes.harps_dae128_v1 import autoencoder
from recipes.options import Options

__all__ = ["make"]


def make(recipe: dict[str, Any], options: Options) -> bool:
    """Train, or go on training, and write the weights when that is done.

    Parameters
    ----------
    recipe : dict
        The content of ``recipe.toml``.
    options : Options
        Where and for how long.

    Returns
    -------
    bool
        Whether the weights are written.
    """
    model, step = autoencoder.train_autoencoder(recipe, **options.training())
    if step < recipe["fit"]["n_steps"]:
        return False
    finish.finish_autoencoder(recipe, model, data=options.data, output=options.output)
    return True
