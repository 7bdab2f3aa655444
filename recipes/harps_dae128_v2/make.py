# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make ``harps_dae128_v2``: lessons, the published loss, finer pixels; judge, write."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from astro_latent.models import load_model
from astro_latent.simulation.harps_bank import HarpsBank
from recipes.harps import finish
from recipes.harps.coarse import CoarseAutoencoder, grow
from recipes.harps.published import build_autoencoder, fit_stage, publish
from recipes.harps.stars import make_star_bank
from recipes.harps_dae128_v2.first_weights import start_from_nodes
from recipes.harps_dae128_v2.lessons import teach
from recipes.harps_dae128_v2.moving import moving_batches
from recipes.harps_dae128_v2.teacher import choose_nodes, encode_bank
from recipes.options import Options

__all__ = ["make", "train_stages"]


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
    model, done = train_stages(recipe, options)
    if done < len(recipe["stages"]):
        return False
    full: Any = grow(model) if isinstance(model, CoarseAutoencoder) else model
    finish.finish_autoencoder(
        recipe, full.eval().cpu(), data=options.data, output=options.output
    )
    return True


def train_stages(recipe: dict[str, Any], options: Options) -> tuple[Any, int]:
    """Train stage after stage, each on pixels as fine as those before or finer.

    A stage that was finished before is taken from its checkpoint.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae128_v2/recipe.toml``.
    options : Options
        Where and for how long.

    Returns
    -------
    model : CoarseAutoencoder or DisentangledAutoencoder
        As the last stage left it.
    done : int
        How many stages are finished.
    """
    bank = make_star_bank(options.data, options.work / "bank", **recipe["bank"])
    teacher: Any = load_model(recipe["teacher"]["model"], device="cpu").members[0]
    latents = encode_bank(bank, teacher, options.work / "teacher.npy")
    nodes = choose_nodes(latents, teacher, **recipe["teacher"]["nodes"])
    moving = {"nodes": nodes, "velocity_scale": float(teacher.scale[0])}
    full: Any = build_autoencoder(recipe)
    model: Any = None
    for number, stage in enumerate(recipe["stages"]):
        torch.manual_seed(recipe["seed"] + number)
        levels = stage["joined"].bit_length() - 1
        if model is None:
            model = _begin(full, levels, bank, moving, recipe, options)
        elif isinstance(model, CoarseAutoencoder) and levels < model.levels:
            model = grow(model, levels)
        work = options.work / f"stage_{number}"
        step = _train_stage(model, bank, moving, stage, recipe, options, work)
        if step < stage["n_steps"]:
            return model, number
    return model, len(recipe["stages"])


def _begin(
    full: Any,
    levels: int,
    bank: HarpsBank,
    moving: dict[str, Any],
    recipe: dict[str, Any],
    options: Options,
) -> Any:
    """Return the network of the first stage."""
    if levels == 0:
        return full.to(options.device)
    model = CoarseAutoencoder(full, levels)
    first = recipe.get("first")
    if first and not (options.work / "stage_0/checkpoint.pt").exists():
        batch = moving_batches(
            bank, **moving, width=first["width"], joined=2**levels,
            batch_size=first["n_spectra"], seed=recipe["seed"] + 1,
        )(0)  # fmt: skip
        start_from_nodes(model, batch["clean"], batch["nodes"])
    return model.to(options.device)


def _train_stage(
    model: Any,
    bank: HarpsBank,
    moving: dict[str, Any],
    stage: dict[str, Any],
    recipe: dict[str, Any],
    options: Options,
    work: Path,
) -> int:
    """Train one stage; return the step reached."""
    device = next(model.parameters()).device
    batches = moving_batches(
        bank, **moving, width=stage["width"], joined=stage["joined"],
        batch_size=stage["batch_size"], seed=recipe["seed"],
    )  # fmt: skip
    valid = (batches(0)["clean"] != 0.0).any(0).to(device)

    def loss(model: Any, batch: dict[str, Tensor], step: int) -> Any:
        half = recipe.get("half_precision", True)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            if stage["lesson"] == "nodes":
                return teach(model, batch, valid)
            return publish(model, batch, valid, step=step, options=stage)

    left = options.stop_after - (time.monotonic() - options.started)
    return fit_stage(model, loss, batches, stage, work=work, stop_after=left)
