# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What another network found without labels: velocities, and first nodes of stars."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.utils.writing import replacing

__all__ = ["choose_nodes", "encode_bank"]

_AT_ONCE = 10  # spectra


def encode_bank(bank: HarpsBank, teacher: Any, path: Path) -> np.ndarray:
    """Encode every spectrum of a bank by the teacher, once.

    Parameters
    ----------
    bank : HarpsBank
        Source of spectra.
    teacher : `torch.nn.Module`
        With ``encode``, for spectra of full length.
    path : `~pathlib.Path`
        File that keeps the result.

    Returns
    -------
    ndarray, shape (n_spectra, n_latent)
        Posterior means.
    """
    if path.exists():
        return np.load(path, allow_pickle=False)
    found = []
    for first in range(0, len(bank), _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, len(bank)))
        flux, _ = bank.observe(rows, rng=np.random.default_rng([7, first]))
        with torch.inference_mode():
            found.append(teacher.encode(bank.simulator.on_grid(flux))[0].numpy())
    latents = np.concatenate(found)
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, latents)
    return latents


def choose_nodes(
    latents: np.ndarray, teacher: Any, *, n_star: int
) -> tuple[np.ndarray, np.ndarray]:
    """Take the velocity and the first nodes of the star.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        From `encode_bank`.
    teacher : `torch.nn.Module`
        With ``latent_groups`` and ``scale``.
    n_star : int
        How many nodes of the star; they are in order of what they explain.

    Returns
    -------
    velocity : ndarray, shape (n_spectra,)
        km/s.
    star : ndarray, shape (n_spectra, n_star)
        With mean zero and variance one.
    """
    groups = teacher.latent_groups
    (column,) = groups["star_velocity"]
    star = latents[:, groups["star"][:n_star]]
    star = (star - star.mean(axis=0)) / star.std(axis=0)
    return latents[:, column] * float(teacher.scale[column]), star.astype(np.float32)
