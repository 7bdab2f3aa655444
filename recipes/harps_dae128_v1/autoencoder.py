# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train an autoencoder on simulated HARPS spectra."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from astro_latent.simulation.harps_bank import HarpsBank, bank_batches
from astro_latent.training.start import start_from
from recipes.harps.coarse import CoarseAutoencoder, grow
from recipes.harps.published import build_autoencoder, fit_stage, publish
from recipes.harps.stars import make_star_bank
from recipes.harps_dae128_v1.principal_start import start_from_components

__all__ = ["train_autoencoder"]

LEVELS = 3  # halvings that the first training leaves out
_N_COMPONENTS = 1500  # spectra that the first weights are made from


def train_autoencoder(
    recipe: dict[str, Any],
    *,
    data: str | Path,
    work: str | Path,
    device: str = "cpu",
    stop_after: float = float("inf"),
    from_weights: str | Path | None = None,
) -> tuple[nn.Module, int]:
    """Train, or go on training, the autoencoder of a recipe.

    The spectra come from a bank, see `astro_latent.simulation.harps_bank`; the first
    weights from principal components, see `recipes.harps_dae128_v1.principal_start`;
    the inner layers train on joined pixels first, see `recipes.harps.coarse`.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae128_v1/recipe.toml``.
    data : path
        Folder with the training ingredients.
    work : path
        Folder for checkpoints.
    device : str, optional
        Where to train.
    stop_after : float, optional
        Seconds after which to checkpoint and return.
    from_weights : str or path, optional
        Begin with these weights, at full length.

    Returns
    -------
    model : `torch.nn.Module`
        The network, in evaluation mode.
    step : int
        How far the training at full length is.
    """
    model: Any = build_autoencoder(recipe).to(device)
    bank = make_star_bank(data, Path(work, "bank"), **recipe["bank"])
    common = {"seed": recipe["seed"], "stop_after": stop_after}
    if from_weights is not None:
        start_from(model, from_weights)
    elif not _grow_network(model, bank, recipe["coarse"], Path(work, "coarse"), common):
        return model.eval().cpu(), 0
    step = _train_stage(model, bank, recipe["fit"], Path(work), joined=1, **common)
    return model.eval().cpu(), step


def _grow_network(
    model: Any,
    bank: HarpsBank,
    options: dict[str, Any],
    work: Path,
    common: dict[str, Any],
) -> bool:
    """Train the inner layers on joined pixels; tell whether that is done."""
    coarse = CoarseAutoencoder(model, LEVELS).to(next(model.parameters()).device)
    if not (work / "checkpoint.pt").exists():
        make = bank_batches(bank, batch_size=_N_COMPONENTS, seed=1, joined=2**LEVELS)
        start_from_components(coarse, make(0)["clean"])
    step = _train_stage(coarse, bank, options, work, joined=2**LEVELS, **common)
    if step == options["n_steps"]:
        grow(coarse)
    return step == options["n_steps"]


def _train_stage(
    model: nn.Module,
    bank: HarpsBank,
    options: dict[str, Any],
    work: Path,
    *,
    joined: int,
    seed: int,
    stop_after: float,
) -> int:
    """Train on pixels of one width; return the step reached."""
    device = next(model.parameters()).device
    make = bank_batches(
        bank, batch_size=options["batch_size"], seed=seed, joined=joined
    )
    valid = (make(0)["clean"] != 0.0).any(0).to(device)

    def loss(model: nn.Module, batch: dict[str, Tensor], step: int) -> Any:
        return publish(model, batch, valid, step=step, options=options)

    return fit_stage(model, loss, make, options, work=work, stop_after=stop_after)
