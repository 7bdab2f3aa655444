# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Layers on another grid, or for other labels, than those that they learned with."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..preparation import SpectralGrid

__all__ = ["copy_rows", "move_pixels"]


def move_pixels(
    weights: Tensor, old: SpectralGrid, new: SpectralGrid, *, pool: int = 1
) -> Tensor:
    """Move the weights of pixels to where the pixels of another grid lie.

    Parameters
    ----------
    weights : Tensor, shape (n_hidden, n_filters * n_places)
        Of a dense layer; a place is ``pool`` pixels.
    old, new : SpectralGrid
        The grid that they are for, and the other.
    pool : int, optional
        Pixels of a place.

    Returns
    -------
    Tensor, shape (n_hidden, n_filters * n_new_places)
        Interpolated in wavelength, as densities: a sum over pixels stands for an
        integral. Zero beyond the old grid.
    """
    before, now = (
        np.asarray(g.wavelength)[: g.n_pixels // pool * pool]
        .reshape(-1, pool)
        .mean(axis=1)
        for g in (old, new)
    )
    blocks = weights.reshape(len(weights), -1, len(before)).cpu().numpy()
    width = np.interp(now, before, np.gradient(before))
    inside = (now >= before[0]) & (now <= before[-1])
    scale = np.where(inside, np.gradient(now) / width, 0)
    moved = np.apply_along_axis(lambda w: np.interp(now, before, w), 2, blocks)
    return torch.from_numpy(moved * scale).reshape(len(weights), -1).to(weights)


def copy_rows(there: Tensor, here: Tensor, rows: Sequence[int], n_old: int) -> None:
    """Copy rows of labels that both have; a covariance has rows of pairs, too.

    Parameters
    ----------
    there : Tensor, shape (n_old_rows, ...)
        To copy from.
    here : Tensor, shape (n_rows, ...)
        Changed in place; not at all if a row is of another shape.
    rows : sequence of int
        Which of the old labels each label is; -1 for one that is new.
    n_old : int
        How many old labels there were.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.training.carry_over import copy_rows
    >>> here = torch.zeros(2, 1)
    >>> copy_rows(torch.tensor([[1.0], [2.0], [3.0]]), here, [2, -1], 3)
    >>> here[:, 0].tolist()
    [3.0, 0.0]
    """
    if there.shape[1:] != here.shape[1:]:
        return
    taken = {new: old for new, old in enumerate(rows) if old >= 0}
    if len(here) > len(rows):
        before, now = (
            [(i, j) for i in range(n) for j in range(i)] for n in (n_old, len(rows))
        )
        at = {pair: n_old + k for k, pair in enumerate(before)}
        for k, (i, j) in enumerate(now):
            one, other = sorted((rows[i], rows[j]))
            if one >= 0 and (other, one) in at:
                taken[len(rows) + k] = at[other, one]
    for new, old in taken.items():
        if new < len(here) and old < len(there):
            here[new] = there[old]
