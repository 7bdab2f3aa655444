# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train by the numbers of a recipe: what weights from real spectra have in common."""

from collections.abc import Sequence
from typing import Any

from astro_latent import train_model
from astro_latent.preparation import SpectralGrid
from recipes.options import Options

__all__ = ["train"]


def train(
    stars: dict[str, Any],
    labels: Sequence[str],
    recipe: dict[str, Any],
    options: Options,
    **facts: Any,
) -> None:
    """Train and write the weights; a second call goes on where the first stopped.

    Parameters
    ----------
    stars : dict
        Spectra and labels, without those of the test stars.
    labels : sequence of str
        What to learn.
    recipe : dict
        The content of ``recipe.toml``.
    options : Options
        Where.
    **facts
        What else `~astro_latent.train_model` has to know of these spectra.
    """
    train_model(
        stars,
        list(labels),
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
        **facts,
    )
