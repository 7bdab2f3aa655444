# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``harps_parameters_v2``: components, heads, stop by real stars, judge, write."""

from typing import Any

import torch

from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from recipes.harps_parameters_v2 import components, finish, heads, library
from recipes.options import OptionError, Options

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

    Raises
    ------
    OptionError
        If it is to begin with weights.
    """
    if options.from_weights:
        msg = f"{recipe['made_by']} cannot begin with weights: no --from-weights"
        raise OptionError(msg)
    torch.manual_seed(recipe["seed"])
    model = AlignedEnsemble(**recipe["arguments"]).eval()
    stars = library.draw_stars(options.data, **recipe["stars"])
    components.set_templates(model, recipe["encoder"], options.data)
    if not library.simulate_rest(model, stars, options):
        return False
    sample = components.find_components(model, stars, recipe, options)
    chosen = heads.train_heads(model, sample, recipe, options)
    if chosen is None:
        return False
    finish.finish_ensemble(recipe, model, sample, chosen, options)
    return True
