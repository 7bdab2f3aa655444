# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``optical_r2000_starnet_v1``: read, leave the test stars out, train, write."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models.card import CARD_FILE, ModelCard
from astro_latent.models.config import CONFIG_FILE, ModelConfig
from recipes.optical_r2000_starnet_v1.first import learn_first
from recipes.options import Options
from recipes.real.miles import FACTS, LABELS, read_stars
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
    taught = select(stars, ~stars["test"])
    hot = taught["teff"] > recipe["stars"]["hottest"]  # shows what is to be flagged
    train(
        {**taught, "part": np.where(hot, "outside", "train")}, LABELS, recipe, options,
        facts=FACTS, star="miles_id", split="part",
        from_weights=learn_first(recipe, options),
    )  # fmt: skip
    state_noise(options.output, recipe["snr"])
    return True


def state_noise(weights: Path, snr: list[float]) -> None:
    """Say for which signal-to-noise ratios the weights are.

    That of the library is only assumed; added noise went down to a third of it.

    Parameters
    ----------
    weights : path
        Changed in place.
    snr : list of float
        Lowest and highest.
    """
    path = weights / CONFIG_FILE
    config = json.loads(path.read_text(encoding="utf-8"))
    config["domain"]["snr"] = snr
    text = json.dumps(config, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    card = ModelCard(ModelConfig.from_folder(weights))
    (weights / CARD_FILE).write_text(card.text, encoding="utf-8")
