# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the decoder's outer layers learn: spectra of given nodes, in windows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.utils.physics import SPEED_OF_LIGHT

from .moving import move_spectra
from .moving_decoder import MOVING_LAYERS
from .stars import JOINED, blue_edge
from .start import Teaching

__all__ = ["free_layers", "lesson", "window_batches"]


def free_layers(network: DisentangledAutoencoder) -> None:
    """Let the innermost layer of the decoder and the outer ones learn, and no other.

    Thresholds in the others are differences of two numbers times thousands, which
    steps of an optimiser would destroy.

    Parameters
    ----------
    network : DisentangledAutoencoder
        Changed in place.
    """
    network.requires_grad_(False)
    for layer in (network.expand, *network.up[MOVING_LAYERS:], network.smooth):
        layer.requires_grad_(True)


def window_batches(
    bank: HarpsBank, teaching: Teaching, rows: np.ndarray, options: dict[str, Any],
    *, seed: int,
) -> Callable[[int], dict[str, Tensor]]:  # fmt: skip
    """Make batches of windows of spectra; each is a function of its number alone.

    Parameters
    ----------
    bank : HarpsBank
        Source of spectra.
    teaching : Teaching
        Their nodes.
    rows : ndarray of int
        Spectra to draw from.
    options : dict
        ``window``, pixels; ``batch_size``; ``width``, km/s: half of the spectra keep
        their velocities, those of the others are uniform between its negative and
        itself.
    seed : int
        Of all draws.

    Returns
    -------
    callable
        ``batches(number)`` returns ``clean``, of shape (batch_size, window), ``nodes``
        and ``first``, the first pixel.
    """
    grid = bank.simulator.grid
    n, length = options["batch_size"], options["window"]
    inside = np.flatnonzero(grid.valid)[[0, -1]] // JOINED

    def make(number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, number])
        mine = rng.choice(rows, n, replace=False)
        before = teaching.before[mine]
        drawn = rng.uniform(-options["width"], options["width"], n)
        velocity = np.where(rng.random(n) < 0.5, before, drawn)
        first = JOINED * int(rng.integers(inside[0], inside[1] - length // JOINED))
        clean = move_spectra(
            bank.clean(mine).numpy(), grid.valid,
            (1 + velocity / SPEED_OF_LIGHT) / (1 + before / SPEED_OF_LIGHT),
            start=blue_edge(bank), window=(first, first + length),
        )  # fmt: skip
        nodes = teaching.nodes[mine].clone()
        nodes[:, 0] = torch.from_numpy(velocity / teaching.scale)
        return {
            "clean": torch.from_numpy(clean), "nodes": nodes,
            "first": torch.tensor(first),
        }  # fmt: skip

    return make


def lesson(
    network: Any, batch: dict[str, Tensor], valid: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """Return the residual of decoded nodes with the errors of reading.

    Parameters
    ----------
    network : DisentangledAutoencoder
        Its posterior does not depend on the spectrum yet: the errors are the biases.
    batch : dict of Tensor
        From `window_batches`.
    valid : Tensor of bool, shape (n_pixels,)
        Pixels that count.

    Returns
    -------
    loss : Tensor, scalar
        Mean absolute residual against the noiseless spectrum.
    figures : dict of float
        For the log.
    """
    clean, nodes, first = batch["clean"], batch["nodes"], int(batch["first"])
    last = first + clean.shape[1]
    spread = torch.exp(0.5 * network.log_variance.bias)
    latent = torch.zeros(len(nodes), len(spread))
    n = nodes.shape[1]
    latent[:, :n] = nodes + spread[:n] * torch.randn_like(nodes)
    mask = valid[first:last]
    off = (network.decode_part(latent, first, last) - clean).abs() * mask
    residual = off.sum() / mask.sum() / len(nodes)
    return residual, {"residual": residual.item()}
