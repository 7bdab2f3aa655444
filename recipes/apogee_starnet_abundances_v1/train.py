# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the StarNet that reads abundances.

Most elements show a few weak lines. Random weights take thousands of steps to find
them, so the network begins as a linear regression, which finds them at once.
"""

from pathlib import Path
from typing import Any

from astro_latent.models.architectures.starnet import StarNet
from astro_latent.training.dense_units import linear_start
from astro_latent.training.start import share_layers
from recipes.apogee.stars import training_conditions
from recipes.apogee.training import TrainedStarNet, starnet_batches, train_starnet
from recipes.apogee_starnet_abundances_v1.abundances import make_abundance_bank

__all__ = ["train_abundances"]


def train_abundances(
    recipe: dict[str, Any], *, data: str | Path, work: str | Path, **options: Any
) -> TrainedStarNet:
    """Train, or go on training, the network of a recipe.

    Parameters
    ----------
    recipe : dict
        See ``recipes/apogee_starnet_abundances_v1/recipe.toml``.
    data : path
        Folder with the training ingredients.
    work : path
        Folder for the bank and the checkpoints.
    **options
        Of `~recipes.apogee.training.train_starnet`.

    Returns
    -------
    TrainedStarNet
        The network and how far its training is.
    """
    fit, seed = recipe["fit"], recipe["seed"]

    def begin(model: StarNet) -> None:
        share_layers(model, fit["share_layers_of"])
        if Path(work, "checkpoint.pt").exists():
            return
        bank, labels = make_abundance_bank(
            data, work, n_spectra=recipe["bank"]["n_spectra"], seed=seed
        )
        batches = starnet_batches(
            bank,
            (labels - labels.mean(0)) / labels.std(0),
            batch_size=500,
            seed=seed + 1,
            conditions=lambda step: training_conditions(recipe, step),
        )
        linear_start(model, batches, fit["linear_start"] // 500)

    return train_starnet(
        recipe,
        data=data,
        work=work,
        bank_maker=make_abundance_bank,
        begin=None if options.get("from_weights") else begin,
        **options,
    )
