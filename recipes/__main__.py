# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make a set of weights again: ``python -m recipes NAME``."""

import argparse
import sys
import tomllib
from pathlib import Path

__all__ = ["main"]


def _recipe(name: str) -> dict:
    path = Path(name)
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    path = Path(__file__).parent / name / "recipe.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """Train from a recipe, resuming where it stopped, then evaluate and write.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.

    Returns
    -------
    int
        0 when the weights are written, 3 when the training has to go on.
    """
    parser = argparse.ArgumentParser(prog="python -m recipes")
    parser.add_argument("recipe", help="name of a bundled recipe, or a .toml file")
    parser.add_argument("--data", type=Path, required=True, help="training ingredients")
    parser.add_argument("--work", type=Path, required=True, help="for checkpoints")
    parser.add_argument("--output", type=Path, help="folder of weights to write")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="processor threads for PyTorch")
    parser.add_argument(
        "--from-weights", metavar="FOLDER",
        help="begin with these weights (a folder or a name), a fresh optimiser and "
        "the recipe's section [fine_tune]",
    )  # fmt: skip
    parser.add_argument(
        "--stop-after", type=float, default=float("inf"), metavar="SECONDS",
        help="write a checkpoint and stop after this time",
    )  # fmt: skip
    options = parser.parse_args(arguments)

    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = _recipe(options.recipe)
    if options.from_weights:
        from astro_latent.training.start import fine_tuning_recipe

        recipe = fine_tuning_recipe(recipe)
    output = options.output or options.work / "weights"
    common = {
        "data": options.data,
        "work": options.work,
        "device": options.device,
        "stop_after": options.stop_after,
        "from_weights": options.from_weights,
    }
    if recipe["task"] == "starnet":
        from recipes.apogee_starnet_v1.finish import finish_starnet
        from recipes.apogee_starnet_v1.starnet import train_starnet

        trained = train_starnet(recipe, **common)
        if trained.step < recipe["fit"]["n_steps"]:
            return 3
        finish_starnet(
            recipe, trained, data=options.data, work=options.work, output=output
        )
    elif recipe["task"] == "starnet_abundances":
        from recipes.apogee_starnet_abundances_v1.finish import finish_abundances
        from recipes.apogee_starnet_abundances_v1.train import train_abundances

        trained = train_abundances(recipe, **common)
        if trained.step < recipe["fit"]["n_steps"]:
            return 3
        finish_abundances(
            recipe, trained, data=options.data, work=options.work, output=output
        )
    elif recipe["task"] == "aligned_parameters":
        from recipes.harps_parameters_v1.train import (
            finish_parameters,
            train_parameters,
        )

        head = train_parameters(recipe, data=options.data, work=options.work)
        finish_parameters(
            recipe, head, data=options.data, work=options.work, output=output
        )
    elif recipe["architecture"] == "aligned_autoencoder":
        from recipes.harps_dae128_v1.finish import finish_autoencoder
        from recipes.harps_dae_fast_v1.aligned import train_aligned

        aligned = train_aligned(recipe, data=options.data, work=options.work)
        finish_autoencoder(recipe, aligned, data=options.data, output=output)
    else:
        from recipes.harps_dae128_v1.autoencoder import train_autoencoder
        from recipes.harps_dae128_v1.finish import finish_autoencoder

        model, step = train_autoencoder(recipe, **common)
        if step < recipe["fit"]["n_steps"]:
            return 3
        finish_autoencoder(recipe, model, data=options.data, output=output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
