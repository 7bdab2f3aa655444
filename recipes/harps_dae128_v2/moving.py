# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra of a bank moved to new velocities at each use, on joined pixels.

A network that is to learn what a velocity does must see each star at many of them. What
is moved is the whole spectrum, air included, as Sedaghat et al. (2023) did.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.utils.physics import SPEED_OF_LIGHT

__all__ = ["move_spectra", "moving_batches"]


def move_spectra(
    flux: np.ndarray,
    valid: np.ndarray,
    factor: np.ndarray,
    *,
    start: float,
    joined: int,
) -> np.ndarray:
    """Move spectra in wavelength and join pixels to their means.

    Parameters
    ----------
    flux : ndarray, shape (n, n_valid)
        On the valid pixels of a linear grid.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels of the grid these are.
    factor : ndarray, shape (n,)
        By which each wavelength grows.
    start : float
        Wavelength of the first pixel's blue edge, in pixels.
    joined : int
        How many pixels become one.

    Returns
    -------
    ndarray, shape (n, n_pixels / joined)
        The means of what falls into each pixel; beyond the valid pixels, and in gaps,
        of what lies beside.
    """
    pixels = np.flatnonzero(valid)
    missing = np.flatnonzero(~valid)
    edges = np.arange(0, len(valid) + 1, joined) + start
    moved = np.empty((len(flux), len(edges) - 1), np.float32)
    filled, total = np.empty(len(valid)), np.zeros(len(valid) + 1)
    for row, one, by in zip(moved, flux, factor, strict=True):
        filled[valid] = one
        filled[missing] = np.interp(missing, pixels, one)
        np.cumsum(filled, out=total[1:])
        at = edges / by - start
        whole = np.clip(at.astype(int), 0, len(valid) - 1)
        integral = total[whole] + (at - whole) * filled[whole]
        # wavelengths that grow also widen what a pixel covers
        row[:] = np.diff(integral) * by / joined
    return moved


def moving_batches(
    bank: HarpsBank,
    nodes: np.ndarray,
    *,
    velocity_scale: float,
    width: float,
    joined: int,
    batch_size: int,
    seed: int,
) -> Callable[[int], dict[str, Tensor]]:
    """Make batches of moved spectra; each is a function of its number alone.

    Parameters
    ----------
    bank : HarpsBank
        Source of spectra.
    nodes : ndarray, shape (n_spectra, n_nodes)
        Of the teacher; the first one is the velocity.
    velocity_scale : float
        km/s of one unit of that node.
    width : float
        New velocities are uniform between its negative and itself, km/s; with 0 each
        spectrum keeps its own.
    joined, batch_size, seed : int
        As for `~astro_latent.simulation.harps_bank.bank_batches`.

    Returns
    -------
    callable
        ``batches(number)`` returns ``flux`` and ``clean``, of shape (batch_size,
        n_pixels / joined), zero where the grid has no valid pixel, and ``nodes``.
    """
    grid = bank.simulator.grid
    valid = grid.valid
    whole = torch.from_numpy(valid.reshape(-1, joined).all(1))
    step = grid.wavelength[1] - grid.wavelength[0]
    start = float(grid.wavelength[0] / step) - 0.5

    def make(number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, number])
        rows = rng.choice(len(bank), batch_size, replace=False)
        target = nodes[rows].astype(np.float32)
        before = target[:, 0] * velocity_scale
        velocity = rng.uniform(-width, width, batch_size) if width else before
        target[:, 0] = velocity / velocity_scale
        factor = (1 + velocity / SPEED_OF_LIGHT) / (1 + before / SPEED_OF_LIGHT)
        moved = move_spectra(
            bank.clean(rows).numpy(), valid, factor, start=start, joined=joined
        )
        clean = torch.from_numpy(moved) * whole
        ratio = torch.from_numpy(bank.conditions.snr[rows].astype(np.float32))[:, None]
        variance = clean.clamp(min=0.0) + (25.0 / ratio**2).clamp(max=0.2)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        noise = torch.empty_like(clean).normal_(generator=generator)
        noise *= (variance / joined).sqrt() / ratio * whole
        return {
            "flux": clean + noise, "clean": clean, "nodes": torch.from_numpy(target),
        }  # fmt: skip

    return make
