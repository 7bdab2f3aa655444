# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``harps_dae128_v2``: set the layers, let the outer ones learn, judge, write."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from astro_latent.models import load_model
from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.training.loop import write_checkpoint
from recipes.harps import finish
from recipes.harps.coarse import CoarseAutoencoder, grow
from recipes.harps.published import build_autoencoder, fit_stage
from recipes.harps.stars import make_star_bank
from recipes.options import Options

from .lessons import free_layers, lesson, window_batches
from .stars import JOINED, held_out
from .start import Teaching, set_first_weights
from .teacher import choose_nodes, encode_bank

__all__ = ["make", "train"]


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
    network, step = train(recipe, options)
    if step < recipe["lessons"]["n_steps"]:
        return False
    finish.finish_autoencoder(
        recipe, network.eval(), data=options.data, output=options.output
    )
    return True


def train(recipe: dict[str, Any], options: Options) -> tuple[Any, int]:
    """Set the first weights, once, and train the layers that may learn.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae128_v2/recipe.toml``.
    options : Options
        Where and for how long.

    Returns
    -------
    network : DisentangledAutoencoder
        As far as it came.
    step : int
        The step reached.
    """
    bank = make_star_bank(options.data, options.work / "bank", **recipe["bank"])
    network: Any = build_autoencoder(recipe)
    teaching = _begin(network, bank, recipe, options)
    free_layers(network)
    lessons = recipe["lessons"]
    learned = np.flatnonzero(~held_out(len(bank)))
    batches = window_batches(bank, teaching, learned, lessons, seed=recipe["seed"])
    valid = torch.from_numpy(bank.simulator.grid.valid.copy())
    left = options.stop_after - (time.monotonic() - options.started)
    torch.manual_seed(recipe["seed"])
    step = fit_stage(
        network, lambda model, batch, _: lesson(model, batch, valid), batches, lessons,
        work=options.work / "stage_0", stop_after=left,
    )  # fmt: skip
    return network, step


def _begin(
    network: Any, bank: HarpsBank, recipe: dict[str, Any], options: Options
) -> Teaching:
    """Set the first weights, or take them up."""
    path = options.work / "start.pt"
    if path.exists():
        kept = torch.load(path, weights_only=True)
        network.load_state_dict(kept["model"])
        return _teaching(kept["teaching"])
    teacher: Any = load_model(recipe["teacher"]["model"], device="cpu").members[0]
    latents = encode_bank(bank, teacher, options.work / "teacher.npy")
    velocity, star = choose_nodes(latents, teacher, n_star=recipe["teacher"]["n_star"])
    coarse = CoarseAutoencoder(network, JOINED.bit_length() - 1)
    scale = float(teacher.scale[0])
    teaching = set_first_weights(coarse, bank, velocity, star, scale, recipe["first"])
    grow(coarse)
    _keep(path, network, teaching)
    return teaching


def _keep(path: Path, network: Any, teaching: Teaching) -> None:
    kept = asdict(teaching) | {"before": torch.from_numpy(teaching.before)}
    write_checkpoint(path, {"model": network.state_dict(), "teaching": kept})


def _teaching(kept: dict[str, Any]) -> Teaching:
    return Teaching(kept["nodes"], kept["before"].numpy(), kept["scale"])
