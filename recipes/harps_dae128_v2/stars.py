# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Each star of a bank at rest and once at a random velocity, on joined pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.utils.physics import SPEED_OF_LIGHT

from .moving import move_spectra

__all__ = ["JOINED", "MovedStars", "blue_edge", "held_out", "move_stars"]

#: Pixels that are one sample of what moves.
JOINED = 16
_AT_ONCE = 20  # spectra


@dataclass(frozen=True)
class MovedStars:
    """Joined spectra of a bank.

    Parameters
    ----------
    rest, moved : Tensor, shape (n, n_samples)
        At rest and at ``velocity``, without noise.
    flux : Tensor, shape (n, n_samples)
        ``moved`` with noise, zero where ``valid`` is not.
    velocity : ndarray, shape (n,)
        km/s.
    valid : Tensor of bool, shape (n_samples,)
        Samples all of whose pixels are valid.
    """

    rest: Tensor
    moved: Tensor
    flux: Tensor
    velocity: np.ndarray
    valid: Tensor


def blue_edge(bank: HarpsBank) -> float:
    """Return the wavelength at which the grid begins, in pixels.

    Parameters
    ----------
    bank : HarpsBank
        On a linear grid.

    Returns
    -------
    float
        As `move_spectra` wants it.
    """
    wavelength = bank.simulator.grid.wavelength
    return float(wavelength[0] / (wavelength[1] - wavelength[0])) - 0.5


def held_out(n: int) -> np.ndarray:
    """Tell every eighth star, of which nothing is learned.

    Parameters
    ----------
    n : int
        Number of stars.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where held out.
    """
    return np.arange(n) % 8 == 7


def move_stars(
    bank: HarpsBank, before: np.ndarray, *, width: float, seed: int
) -> MovedStars:
    """Move the spectra of a bank, and draw noise as `bank_batches` does.

    Parameters
    ----------
    bank : HarpsBank
        Source of spectra.
    before : ndarray, shape (n,)
        Their velocities, km/s.
    width : float
        New velocities are uniform between its negative and itself, km/s.
    seed : int
        Of velocities and noise.

    Returns
    -------
    MovedStars
        Of all spectra.
    """
    rng = np.random.default_rng(seed)
    velocity = rng.uniform(-width, width, len(bank))
    valid = bank.simulator.grid.valid
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for first in range(0, len(bank), _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, len(bank)))
        clean = bank.clean(rows).numpy()
        own = 1 + before[rows] / SPEED_OF_LIGHT
        for part, factor in zip(
            parts, (1 / own, (1 + velocity[rows] / SPEED_OF_LIGHT) / own), strict=True
        ):
            part.append(
                move_spectra(clean, valid, factor, start=blue_edge(bank), joined=JOINED)
            )
    rest, moved = (torch.from_numpy(np.concatenate(part)) for part in parts)
    whole = torch.from_numpy(valid.reshape(-1, JOINED).all(1))
    ratio = torch.from_numpy(bank.conditions.snr[: len(bank)].astype(np.float32))
    ratio = ratio[:, None]
    variance = moved.clamp(min=0.0) + (25.0 / ratio**2).clamp(max=0.2)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.empty_like(moved).normal_(generator=generator)
    noise *= (variance / JOINED).sqrt() / ratio
    return MovedStars(rest, moved, (moved + noise) * whole, velocity, whole)
