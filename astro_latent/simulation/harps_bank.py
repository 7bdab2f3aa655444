# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulated HARPS spectra drawn once and kept in files, observed anew at each use.

Simulating a star costs more than a training step of a small network. The bank holds
noiseless spectra as half-precision numbers; noise and cosmic rays are added when a
spectrum is used, so that no two uses of it are the same.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..preparation.grid import get_grid
from ..preparation.prepared import PreparedSpectra
from ..preparation.recipe import HARPS_RECIPE
from ..spectra.observation import Observation
from ..utils.writing import replacing
from .harps import HarpsSimulator
from .harps_conditions import HarpsConditions
from .harps_library import draw_harps_labels

__all__ = [
    "HarpsBank",
    "bank_batches",
    "bank_labels",
    "make_harps_bank",
    "prepare_bank",
    "simulate_batches",
]

PART = 500  # spectra in a file, 309 MB
_AT_ONCE = 10  # spectra simulated together


class HarpsBank:
    """Noiseless spectra with their true labels and circumstances.

    Parameters
    ----------
    folder : path
        Written by `make_harps_bank`.
    simulator : HarpsSimulator
        What it was made with.
    n_spectra : int, optional
        Use only the first so many.
    """

    def __init__(
        self,
        folder: str | Path,
        simulator: HarpsSimulator,
        n_spectra: int | None = None,
    ) -> None:
        self.simulator = simulator
        self._parts = [
            np.load(path, mmap_mode="r", allow_pickle=False)
            for path in sorted(Path(folder).glob("clean_*.npy"))
        ]
        truth = [
            np.load(path, allow_pickle=False)
            for path in sorted(Path(folder).glob("truth_*.npy"))
        ]
        everything = np.concatenate(truth)[:n_spectra]
        self.labels, rest = everything[:, :7], everything[:, 7:]
        self.conditions = HarpsConditions(*rest.T)

    def __len__(self) -> int:
        """Return the number of spectra."""
        return len(self.labels)

    def clean(self, rows: np.ndarray) -> Tensor:
        """Return noiseless spectra.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Which.

        Returns
        -------
        Tensor, shape (n, n_valid)
            Flux on the valid pixels, median one.
        """
        flux = np.empty((len(rows), self._parts[0].shape[1]), np.float32)
        size = len(self._parts[0])
        for place, row in zip(flux, rows, strict=True):
            place[:] = self._parts[row // size][row % size]
        return torch.from_numpy(flux)

    def observe(
        self, rows: np.ndarray, *, rng: np.random.Generator, snr: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Observe spectra anew.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Which.
        rng : `~numpy.random.Generator`
            Source of the noise.
        snr : float, optional
            Fixed signal-to-noise instead of the one drawn with the star.

        Returns
        -------
        flux, clean : Tensor, shape (n, n_valid)
            With and without noise, on the same scale.
        """
        clean = self.clean(rows)
        ratio = self.conditions.snr[rows]
        flux, scale = self.simulator.expose(
            clean, ratio if snr is None else np.full_like(ratio, snr), rng=rng
        )
        return flux, clean / scale


def bank_batches(
    bank: HarpsBank, *, batch_size: int, seed: int, joined: int = 1
) -> Callable[[int], dict[str, Tensor]]:
    """Make batches of a bank's spectra; each is a function of its number alone.

    Parameters
    ----------
    bank : HarpsBank
        Source of spectra.
    batch_size : int
        Spectra per batch.
    seed : int
        Of the order and the noise.
    joined : int, optional
        Join so many pixels to their mean.

    Returns
    -------
    callable
        ``batches(number)`` returns ``flux`` and ``clean``, of shape
        (batch_size, n_pixels / joined), zero where the grid has no valid pixel, and
        ``rows`` of the bank.
    """
    grid = bank.simulator.grid
    valid = torch.from_numpy(grid.valid.copy())
    whole = valid.unflatten(0, (-1, joined)).all(1)

    def on_grid(flux: Tensor) -> Tensor:
        padded = flux.new_zeros(len(flux), grid.n_pixels)
        padded[:, valid] = flux
        return padded.unflatten(1, (-1, joined)).mean(2) * whole

    def make(number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, number])
        rows = rng.choice(len(bank), batch_size, replace=False)
        flux, clean = bank.observe(rows, rng=rng)
        return {
            "flux": on_grid(flux),
            "clean": on_grid(clean),
            "rows": torch.from_numpy(rows),
        }

    return make


def make_harps_bank(
    simulator: HarpsSimulator,
    catalogue: str | Path,
    folder: str | Path,
    *,
    n_spectra: int,
    seed: int,
) -> HarpsBank:
    """Simulate the spectra of a bank, going on where an earlier call stopped.

    Parameters
    ----------
    simulator : HarpsSimulator
        Source of spectra.
    catalogue : path
        Of HARPS targets, as `draw_harps_labels` takes it.
    folder : path
        Where the files are kept; 309 MB for 500 spectra.
    n_spectra : int
        How many; rounded up to 500.
    seed : int
        Another seed gives other stars.

    Returns
    -------
    HarpsBank
        With exactly ``n_spectra``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(-(-n_spectra // PART)):
        path = folder / f"clean_{part:04d}.npy"
        if path.exists():
            continue
        rng = np.random.default_rng([seed, part])
        labels = draw_harps_labels(PART, catalogue, rng=rng)
        conditions = HarpsConditions.draw(labels[:, 0], rng=rng)
        clean = np.empty((PART, int(simulator.grid.valid.sum())), np.float16)
        for first in range(0, PART, _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            some = HarpsConditions(*conditions.as_array()[rows].T)
            clean[rows] = simulator.clean(labels[rows], some, rng=rng).cpu().numpy()
        truth = folder / f"truth_{part:04d}.npy"
        for target, values in (
            (truth, np.c_[labels, conditions.as_array()]),
            (path, clean),
        ):  # only whole parts carry the name
            with replacing(target) as unfinished:
                np.save(unfinished, values)
    return HarpsBank(folder, simulator, n_spectra)


def simulate_batches(
    simulator: HarpsSimulator,
    catalogue: str | Path,
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
    catalogue : path
        Of HARPS targets, as `draw_harps_labels` takes it.
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


def prepare_bank(
    bank: HarpsBank, rows: np.ndarray, *, seed: int, snr: float | None = None
) -> PreparedSpectra:
    """Observe spectra of a bank as a model is given them.

    Parameters
    ----------
    bank : HarpsBank
        Of simulated spectra.
    rows : ndarray of int
        Which.
    seed : int
        Of the noise.
    snr : float, optional
        Fixed signal-to-noise.

    Returns
    -------
    PreparedSpectra
        On the grid of HARPS.
    """
    grid = get_grid("harps_327680")
    shape = (len(rows), grid.n_pixels)
    flux, variance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    seen, clean = bank.observe(rows, rng=np.random.default_rng(seed), snr=snr)
    ratio = bank.conditions.snr[rows] if snr is None else np.full(len(rows), snr)
    flux[:, grid.valid] = seen.numpy()
    noise = np.clip(clean.numpy(), 0.0, None) + np.minimum(25 / ratio**2, 0.2)[:, None]
    variance[:, grid.valid] = noise / ratio[:, None] ** 2
    return PreparedSpectra(
        flux=flux,
        variance=variance,
        valid=np.broadcast_to(grid.valid, shape) & (flux != 0.0),
        scale=np.ones((len(rows), len(grid.segments))),
        radial_velocity=np.zeros(len(rows)),
        radial_velocity_source=["none"] * len(rows),
        flags=np.zeros(len(rows), dtype=np.int64),
        observations=[
            Observation(obs_id=f"bank {row}", snr=float(value))
            for row, value in zip(rows, ratio, strict=True)
        ],
        grid=grid,
        recipe=HARPS_RECIPE,
    )


def bank_labels(bank: HarpsBank) -> np.ndarray:
    """Return the labels of a bank in the order of the model's outputs.

    Parameters
    ----------
    bank : HarpsBank
        Of simulated spectra.

    Returns
    -------
    ndarray, shape (n_spectra, 5)
        Velocity, T_eff, log g, [M/H], v sin i.
    """
    conditions = bank.conditions
    return np.column_stack(
        [conditions.radial_velocity, bank.labels[:, :3], conditions.vsini]
    )
