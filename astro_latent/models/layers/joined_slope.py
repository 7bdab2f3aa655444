# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Derivatives of labels by the pixels of equal velocity that a network joins.

These are fewer than the pixels of a spectrum, and noise that is independent in those is
correlated in neighbours only: a covariance of labels needs no derivative by a pixel of
the spectrum.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .log_grid import LogGrid

__all__ = ["JoinedSlope"]


@dataclass(frozen=True)
class JoinedSlope:
    """Features of one spectrum, and how labels change with its joined pixels.

    Parameters
    ----------
    features : Tensor, shape (n_features,)
        What the network's head sees.
    by_joined : Tensor, shape (n_labels, n_log)
        Derivatives by what `LogGrid.join` integrates.
    valid : Tensor of bool, shape (n_pixels,)
        Which pixels it integrates over.
    grid : LogGrid
        The pixels of equal velocity.
    """

    features: Tensor
    by_joined: Tensor
    valid: Tensor
    grid: LogGrid

    def jacobian(self) -> Tensor:
        """Differentiate by the pixels of the spectrum.

        Returns
        -------
        Tensor, shape (n_labels, n_pixels)
            Zero where not valid.
        """
        return self.grid.separate(self.by_joined) * self.valid

    def covariance(self, variance: Tensor) -> Tensor:
        """Propagate the variance of independent pixels to labels.

        Parameters
        ----------
        variance : Tensor, shape (n_pixels,)
            Values where not valid do not count.

        Returns
        -------
        Tensor, shape (n_labels, n_labels)
            Covariance.
        """
        seen = torch.where(self.valid, variance, 0.0)
        (own,), (shared,) = self.grid.join_variance(seen[None])
        slope = self.by_joined
        beside = (slope[:, :-1] * shared) @ slope[:, 1:].T
        return (slope * own) @ slope.T + beside + beside.T
