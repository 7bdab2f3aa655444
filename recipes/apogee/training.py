# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train StarNet on emulated APOGEE spectra."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from astro_latent.models.architectures.starnet import StarNet
from astro_latent.preparation import get_grid
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from astro_latent.simulation.emulators import EmulatedStars
from astro_latent.training.dense_units import restart_silent_units
from astro_latent.training.loop import fit
from astro_latent.training.losses import gaussian_nll
from astro_latent.training.start import start_from
from recipes.apogee.stars import (
    apogee_emulator,
    draw_apogee_stars,
    prepare_observed,
    training_conditions,
)

__all__ = [
    "TrainedStarNet",
    "make_bank",
    "starnet_batches",
    "train_starnet",
]

BankMaker = Callable[..., tuple[np.ndarray, np.ndarray]]


class TrainedStarNet(NamedTuple):
    """A network and its units: label = offset + scale * output."""

    model: StarNet
    offset: np.ndarray
    scale: np.ndarray
    step: int


def make_bank(
    data: str | Path, folder: str | Path, *, n_spectra: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw clean spectra once, into a memory-mapped float16 file.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    folder : path
        Where ``bank.npy`` and ``labels.npy`` are kept, and found again.
    n_spectra : int
        How many spectra.
    seed : int
        Seed of the labels.

    Returns
    -------
    flux : ndarray, shape (n_spectra, 7214), float16, memory-mapped
        Clean normalised spectra.
    labels : ndarray, shape (n_spectra, 5)
        Their labels.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    labels = draw_apogee_stars(data, n_spectra, seed=seed)
    path = folder / "bank.npy"
    if not path.exists():
        emulator = apogee_emulator(data)
        part = path.with_suffix(".part")
        bank = np.lib.format.open_memmap(
            part, "w+", np.float16, (n_spectra, emulator.bias_out.size)
        )
        for first in range(0, n_spectra, 500):
            bank[first : first + 500] = emulator.flux(labels[first : first + 500])
        bank.flush()
        part.replace(path)
    return np.load(path, mmap_mode="r", allow_pickle=False), labels


def starnet_batches(
    bank: np.ndarray | EmulatedStars,
    targets: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    conditions: Callable[[int], ApogeeConditions] | None = None,
) -> Callable[[int], tuple[Tensor, Tensor, Tensor]]:
    """Make batches: rows of the bank, each time observed anew.

    Parameters
    ----------
    bank : ndarray or EmulatedStars, shape (n_spectra, n_pixels)
        Clean spectra.
    targets : ndarray, shape (n_spectra, n_labels)
        Labels in the network's units.
    batch_size : int
        Spectra per batch.
    seed : int
        Seed of the order and of the observations.
    conditions : callable, optional
        ``conditions(step)`` gives the ranges of the observing conditions.

    Returns
    -------
    callable
        ``batches(step)`` returns flux, valid and target tensors.
    """
    grid = get_grid("apogee_7214")

    def make(step: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([seed, step])
        rows = np.sort(rng.choice(len(bank), batch_size, replace=False))
        observed = observe_apogee(
            bank[rows].astype(np.float32),
            grid,
            rng=rng,
            conditions=conditions(step) if conditions else None,
        )
        prepared = prepare_observed(*observed)
        return (
            torch.from_numpy(prepared.flux),
            torch.from_numpy(prepared.valid),
            torch.from_numpy(targets[rows].astype(np.float32)),
        )

    return make


def _standardise(model: StarNet, sample: np.ndarray) -> None:
    model.pixel_mean[:] = torch.from_numpy(sample.mean(0))
    model.pixel_scale.fill_(float(sample.std()))


def _draw_stars(
    recipe: dict[str, Any], data: str | Path, work: str | Path, make: BankMaker
) -> tuple[np.ndarray | EmulatedStars, np.ndarray]:
    """Return clean spectra and labels of the stars to train on."""
    options = recipe["fit"]
    seed = options.get("seed", recipe["seed"])
    if "fresh_stars" in options:  # so many that none is seen often enough to remember
        labels = draw_apogee_stars(data, options["fresh_stars"], seed=seed)
        return EmulatedStars(apogee_emulator(data), labels), labels
    return make(data, work, n_spectra=recipe["bank"]["n_spectra"], seed=seed)


def _make_loss(recipe: dict[str, Any], scale: np.ndarray, device: str) -> Callable:
    """Return the loss of a step: squares at first, then the likelihood."""

    def loss(
        model: nn.Module, batch: tuple, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        flux, valid, truth = (part.to(device) for part in batch)
        mean, log_variance = model(flux, valid)
        squares = (mean - truth).square().mean(0)
        figures = {
            f"rms_{name}": (square.sqrt() * width).item()
            for name, square, width in zip(
                recipe["labels"], squares, scale, strict=True
            )
        }
        if step <= recipe["fit"]["warm_up_mse"]:
            return squares.mean() + 0.0 * log_variance.sum(), figures
        return gaussian_nll(mean, log_variance, truth), figures

    return loss


def train_starnet(
    recipe: dict[str, Any],
    *,
    data: str | Path,
    work: str | Path,
    device: str = "cpu",
    stop_after: float = float("inf"),
    from_weights: str | Path | None = None,
    bank_maker: BankMaker = make_bank,
    begin: Callable[[StarNet], None] | None = None,
) -> TrainedStarNet:
    """Train, or go on training, the StarNet of a recipe.

    Parameters
    ----------
    recipe : dict
        See ``recipes/apogee_starnet_v1/recipe.toml``.
    data, work : path
        Training ingredients, and the folder for the bank and the checkpoints.
    device : str, optional
        Where to train.
    stop_after : float, optional
        Seconds after which to checkpoint and return.
    from_weights : str or path, optional
        Weights to begin with, whose units stay.
    bank_maker, begin : callable, optional
        As `make_bank`; given the fresh network, to change some of its weights.

    Returns
    -------
    TrainedStarNet
        The network and how far its training is.
    """
    options = recipe["fit"]
    seed = options.get("seed", recipe["seed"])
    bank, labels = _draw_stars(recipe, data, work, bank_maker)
    offset, scale = labels.mean(0), labels.std(0)
    torch.manual_seed(seed)
    model = StarNet(**recipe["arguments"])
    _standardise(model, bank[:4000].astype(np.float32))
    if begin:
        begin(model)
    if from_weights:
        start = start_from(model, from_weights, labels=recipe["labels"])
        there = [recipe["labels"].index(output.name) for output in start.outputs]
        offset[there], scale[there] = start.offsets, start.scales
    batches = partial(
        starnet_batches,
        bank,
        (labels - offset) / scale,
        conditions=lambda step: training_conditions(recipe, step),
    )
    n_batches = options.get("restart_silent_units", 0) // 500
    if n_batches and not Path(work, "checkpoint.pt").exists():
        # other observations than those of the steps
        some = batches(batch_size=500, seed=seed + 1)
        restart_silent_units(model, some, n_batches, seed=seed)
    step = fit(
        model.to(device),
        _make_loss(recipe, scale, device),
        batches(batch_size=options["batch_size"], seed=seed),
        n_steps=options["n_steps"],
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"],
        scale_by_fan_in=options.get("scale_by_fan_in", False),
        work=work,
        log_every=options.get("log_every", 100),
        checkpoint_every=options.get("checkpoint_every", 500),
        stop_after=stop_after,
    )
    return TrainedStarNet(model.eval().cpu(), offset, scale, step)
