# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Separate the lines of spectra from their smooth flux."""

from typing import NamedTuple

import torch
from torch import Tensor

from .interpolate import running_mean
from .log_grid import JOINED, KNOT, LogGrid, from_points

__all__ = ["FlatSpectra", "average_to_knots", "flatten"]

_WINDOW = 26  # points in the window of the smooth flux, about 300 km/s
_LEAST = 0.01  # of the median flux: what a smooth flux is at least


class FlatSpectra(NamedTuple):
    """Spectra whose lines are separated from their smooth flux."""

    #: Flux over smooth flux, less one; zero where not good. Shape (n, n_log).
    lines: Tensor
    #: Pixels with data. Shape (n, n_log).
    good: Tensor
    #: ln of the smooth flux. Shape (n, n_points).
    smooth: Tensor
    #: Points with data. Shape (n, n_points).
    known: Tensor


def flatten(grid: LogGrid, flux: Tensor, valid: Tensor) -> FlatSpectra:
    """Divide spectra by a running mean.

    Parameters
    ----------
    grid : LogGrid
        The pixels of equal velocity.
    flux : Tensor, shape (n, n_pixels)
        Prepared flux.
    valid : Tensor of bool, shape (n, n_pixels)
        Within the valid pixels of the grid.

    Returns
    -------
    FlatSpectra
        On pixels of equal velocity.
    """
    joined, good = grid.joined(torch.where(valid, flux, 0.0), valid)
    smooth, fraction = running_mean(
        joined.unflatten(1, (-1, JOINED)).mean(2),
        good.to(flux.dtype).unflatten(1, (-1, JOINED)).mean(2),
        _WINDOW,
    )
    smooth = smooth.clamp(min=_LEAST)
    lines = (joined / from_points(smooth) - 1.0).clamp(-1.5, 3.0) * good
    return FlatSpectra(lines, good, smooth.log(), fraction > 0.5)


def average_to_knots(smooth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Average the ln of a smooth flux to knots.

    Parameters
    ----------
    smooth, known : Tensor, shape (n, n_points)
        Values and where there are data.

    Returns
    -------
    knots, there : Tensor, shape (n, n_knots)
        Means and where there are data.
    """
    count = known.to(smooth.dtype).unflatten(1, (-1, KNOT)).mean(2)
    total = (smooth * known).unflatten(1, (-1, KNOT)).mean(2)
    return total / count.clamp(min=0.1), count > 0.5
