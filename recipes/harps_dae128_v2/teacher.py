# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Nodes that another network found without labels, for the first lessons."""

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
    latents: np.ndarray, teacher: Any, *, n_star: int, n_telluric: int, n_shape: int
) -> np.ndarray:
    """Take the velocity, the first nodes of star and air, and components of the shape.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        From `encode_bank`.
    teacher : `torch.nn.Module`
        With ``latent_groups`` and ``scale``.
    n_star, n_telluric : int
        How many of these nodes; the teacher holds them in order of what they explain.
    n_shape : int
        How many principal components of the nodes of the flux shape.

    Returns
    -------
    ndarray, shape (n_spectra, 1 + n_star + n_telluric + n_shape)
        The velocity in the teacher's unit, the others with mean zero and variance one.
    """
    groups = teacher.latent_groups
    shape = latents[:, groups["shape"]] * teacher.scale.numpy()[groups["shape"]]
    shape = shape - shape.mean(axis=0)
    components = np.linalg.svd(shape, full_matrices=False)[2][:n_shape]
    others = np.column_stack(
        [
            latents[:, groups["star"][:n_star]],
            latents[:, groups["telluric"][:n_telluric]],
            shape @ components.T,
        ]
    )
    others = (others - others.mean(axis=0)) / others.std(axis=0)
    velocity = latents[:, groups["star_velocity"]]
    return np.column_stack([velocity, others]).astype(np.float32)
