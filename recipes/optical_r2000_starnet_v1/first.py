# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the networks learn before MILES: lines of stars, from LAMOST spectra."""

from pathlib import Path
from typing import Any

from astro_latent.models.config import CONFIG_FILE
from recipes.options import Options
from recipes.real.lamost import FACTS, read_stars
from recipes.real.miles import LABELS
from recipes.real.stars import select
from recipes.real.train import train

__all__ = ["learn_first"]


def learn_first(recipe: dict[str, Any], options: Options) -> Path:
    """Train on LAMOST spectra on the grid of MILES, without their test stars.

    Parameters
    ----------
    recipe : dict
        The content of ``recipe.toml``; ``first`` is what differs here.
    options : Options
        Where; weights that an earlier call wrote are found again.

    Returns
    -------
    Path
        Folder of weights to begin with.
    """
    first = {**recipe, **recipe["first"]}
    # what is remembered are stars of MILES
    sizes = {k: v for k, v in recipe["arguments"].items() if k != "n_centres"}
    first["arguments"] = sizes
    place = Options(
        data=options.data,
        work=options.work / "first",
        output=options.work / "lamost_first_v1",
        device=options.device,
    )
    if (place.output / CONFIG_FILE).is_file():
        return place.output
    stars = read_stars(options.data)
    stars = select(stars, ~stars["test"] & (stars["teff"] < first["hottest"]))
    train(
        stars, LABELS, first, place, star="star", held_out=first["held_out"],
        # R = 1800 is taken for the 2000 of MILES
        facts=FACTS | {"resolving_power": recipe["grid"]["resolving_power"]},
        radial_velocity=stars["radial_velocity"], validation=0.0,
    )  # fmt: skip
    return place.output
