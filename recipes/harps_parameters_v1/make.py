# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``harps_parameters_v1``: train, judge, write."""

from typing import Any

from recipes.harps_parameters_v1 import train
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
    head = train.train_parameters(recipe, options)
    if head is None:
        return False
    train.finish_parameters(
        recipe, head, data=options.data, work=options.work, output=options.output
    )
    return True
