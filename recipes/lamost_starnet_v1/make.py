# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``lamost_starnet_v1``: read, leave the test stars out, train, write."""

from typing import Any

from astro_latent import train_model
from astro_latent.preparation import SpectralGrid
from recipes.lamost_starnet_v1.spectra import FACTS, LABELS, read_stars
from recipes.options import Options
from recipes.real.stars import select

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
    train_model(
        stars,
        LABELS,
        facts=FACTS,
        star="star",
        radial_velocity=stars["radial_velocity"],
        grid=SpectralGrid.from_dict(recipe["grid"]),
        recipe={"steps": recipe["steps"]},
        output=options.output,
        work=options.work,
        device=options.device,
        overwrite=True,
        about={k: v for k, v in recipe["card_texts"].items() if k != "name"},
        seed=recipe["seed"],
        limits=recipe["limits"],
        augment=recipe["augment"],
        arguments=recipe["arguments"],
        **recipe["train"],
    )
    return True
