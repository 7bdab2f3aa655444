# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``apogee_starnet_abundances_v1``: train, judge, write."""

from typing import Any

from recipes.apogee_starnet_abundances_v1 import finish, train
from recipes.apogee_starnet_abundances_v1.recalibrate import recalibrate
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
    trained = train.train_abundances(recipe, **options.training())
    if trained.step < recipe["fit"]["n_steps"]:
        return False
    folder = finish.finish_abundances(
        recipe, trained, data=options.data, work=options.work, output=options.output
    )
    recalibrate(folder, options.data)
    return True
