# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train an autoencoder on simulated HARPS spectra."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models import ARCHITECTURES
from ..preparation.grid import SpectralGrid, get_grid
from .grow import CoarseAutoencoder, coarse_grid, grow
from .harps_library import HarpsLibrary, draw_harps_labels
from .harps_simulator import HarpsConditions, HarpsSimulator
from .loop import fit
from .losses import autoencoder_loss, kl_divergence, kl_weight
from .start import start_from

__all__ = ["build_autoencoder", "harps_batches", "open_simulator", "train_autoencoder"]


def open_simulator(
    data: str | Path,
    device: str | torch.device = "cpu",
    grid: SpectralGrid | None = None,
) -> HarpsSimulator:
    """Open the synthetic library and the tellurics below a data folder.

    Parameters
    ----------
    data : path
        Folder with ``harps/synthetic`` and ``harps/telluric``.
    device : str or torch.device, optional
        Where to simulate.
    grid : SpectralGrid, optional
        Where to sample the spectra; by default every pixel of HARPS.

    Returns
    -------
    HarpsSimulator
        Ready to use.
    """
    folder = Path(data, "harps")
    library = HarpsLibrary(folder / "synthetic" / "harps_like_pca160_gp.npz", device)
    return HarpsSimulator(library, folder / "telluric", grid)


def harps_batches(
    simulator: HarpsSimulator,
    data: str | Path,
    *,
    batch_size: int,
    seed: int,
    snr: float | None = None,
) -> Callable[[int], dict[str, Any]]:
    """Make batches of new stars; each is a function of its number alone.

    Parameters
    ----------
    simulator : HarpsSimulator
        Source of spectra.
    data : path
        Folder with ``harps/catalogue``.
    batch_size : int
        Spectra per batch.
    seed : int
        Another seed gives other stars.
    snr : float, optional
        Fixed signal-to-noise.

    Returns
    -------
    callable
        ``batches(number)`` returns ``flux``, ``clean``, ``labels``, ``conditions``.
    """
    catalogue = Path(data, "harps", "catalogue", "HARPScat_param.csv")

    def make(number: int) -> dict[str, Any]:
        rng = np.random.default_rng([seed, number])
        labels = draw_harps_labels(batch_size, catalogue, rng=rng)
        conditions = HarpsConditions.draw(labels[:, 0], rng=rng, snr=snr)
        flux, clean = simulator.simulate(labels, conditions, rng=rng)
        return {
            "flux": flux,
            "clean": clean,
            "labels": labels,
            "conditions": conditions,
        }

    return make


def build_autoencoder(recipe: dict[str, Any]) -> nn.Module:
    """Build the network of a recipe with seeded random weights.

    Parameters
    ----------
    recipe : dict
        With ``architecture``, ``arguments`` and ``seed``.

    Returns
    -------
    `torch.nn.Module`
        The network.
    """
    torch.manual_seed(recipe["seed"])
    name = recipe.get("architecture", "disentangled_autoencoder")
    return ARCHITECTURES[name].from_config(recipe["arguments"])


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

    A recipe with a section ``coarse`` trains the inner layers on joined pixels first,
    see `astro_latent.training.grow`.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae128_v1.toml``.
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
    grid = get_grid("harps_327680")
    stages = {"seed": recipe["seed"], "data": data, "device": device}
    if from_weights is not None:
        start_from(model, from_weights)
    elif "coarse" in recipe:
        coarse = CoarseAutoencoder(model).to(device)
        options = recipe["coarse"]
        step = _train_stage(
            coarse, options, coarse_grid(grid), Path(work, "coarse"),
            stop_after=stop_after, **stages,
        )  # fmt: skip
        if step < options["n_steps"]:
            return model.eval().cpu(), 0
        grow(coarse)
    step = _train_stage(
        model, recipe["fit"], grid, Path(work), stop_after=stop_after, **stages
    )
    return model.eval().cpu(), step


def _train_stage(
    model: nn.Module,
    options: dict[str, Any],
    grid: SpectralGrid,
    work: Path,
    *,
    seed: int,
    data: str | Path,
    device: str,
    stop_after: float,
) -> int:
    """Train on one grid; return the step reached."""
    simulator = open_simulator(data, device, grid)
    valid = torch.from_numpy(grid.valid.copy()).to(device)

    def loss(
        model: nn.Module, batch: dict, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        flux = batch["flux"]
        reconstruction, mean, log_variance = model(flux)
        weight = kl_weight(
            step,
            start=options["kl_start"],
            stop=options["kl_stop"],
            weight=options["kl_weight"],
        )
        total, residual, divergence = autoencoder_loss(
            reconstruction, flux, valid, mean, log_variance, weight=weight
        )
        with torch.no_grad():
            floor = ((batch["clean"] - flux).abs() * valid).mean()
            live = (kl_divergence(mean, log_variance).mean(0) > 0.1).sum()
        return total, {
            "residual": residual.item(),
            "noise": floor.item(),
            "divergence": divergence.item(),
            "live": live.item(),
        }

    return fit(
        model,
        loss,
        harps_batches(simulator, data, batch_size=options["batch_size"], seed=seed),
        n_steps=options["n_steps"],
        learning_rate=options["learning_rate"],
        work=work,
        log_every=options.get("log_every", 20),
        checkpoint_every=options.get("checkpoint_every", 100),
        stop_after=stop_after,
    )
