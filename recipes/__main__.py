# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make a set of weights again: ``python -m recipes NAME --data FOLDER --work FOLDER``.

``NAME`` is a folder here, or a ``.toml`` file with a key ``made_by`` that names one.
The folder's ``make(recipe, options)`` does the rest.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from astro_latent.exceptions import AstroLatentError

from .options import Options
from .reading import read_recipe

__all__ = ["main"]

UNFINISHED = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m recipes", description=__doc__)
    parser.add_argument("recipe", help="name of a set of weights, or a .toml file")
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
    return parser


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
    parser = _parser()
    given = parser.parse_args(arguments)

    import torch

    from astro_latent.training.start import fine_tuning_recipe

    if given.threads:
        torch.set_num_threads(given.threads)
    try:
        recipe = read_recipe(given.recipe)
        make = import_module(f".{recipe['made_by']}.make", __package__).make
    except (ValueError, ModuleNotFoundError) as error:
        parser.error(str(error))
    if given.from_weights:
        if "fit" not in recipe:
            parser.error(f"{given.recipe} cannot begin with weights: no --from-weights")
        recipe = fine_tuning_recipe(recipe)
    options = Options(
        data=given.data,
        work=given.work,
        output=given.output or given.work / "weights",
        device=given.device,
        stop_after=given.stop_after,
        from_weights=given.from_weights,
    )
    try:
        done = make(recipe, options)
    except AstroLatentError as error:
        parser.error(str(error))
    return 0 if done else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
