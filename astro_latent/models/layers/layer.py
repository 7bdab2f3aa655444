# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What star and atmosphere do to the flux: a mean spectrum and components."""

import torch
from torch import Tensor, nn

from .log_grid import JOINED

__all__ = ["Layer"]


class Layer(nn.Module):
    """What star or atmosphere do to the flux, at rest: a mean and components.

    Their lines are relative to a smooth flux that the lines themselves pull down, so
    each component has a part that acts on the smooth flux.

    Parameters
    ----------
    n_components, n_pixels : int
        Number of components, and of the pixels of their lines.
    """

    template: Tensor
    mean: Tensor
    basis: Tensor
    smooth_mean: Tensor
    smooth_basis: Tensor

    def __init__(self, n_components: int, n_pixels: int) -> None:
        super().__init__()
        n_points = n_pixels // JOINED
        tensors = {
            "template": torch.zeros(n_pixels),
            "mean": torch.zeros(n_pixels),
            "basis": torch.zeros(n_components, n_pixels),
            "smooth_mean": torch.zeros(n_points),
            "smooth_basis": torch.zeros(n_components, n_points),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def lines(self, amounts: Tensor, part: slice = slice(None)) -> Tensor:
        """Return lines.

        Parameters
        ----------
        amounts : Tensor, shape (n, n_components)
            Of the components.
        part : slice, optional
            Which pixels.

        Returns
        -------
        Tensor, shape (n, n_part)
            Lines.
        """
        return torch.addmm(self.mean[part], amounts, self.basis[:, part])

    def smooth(self, amounts: Tensor) -> Tensor:
        """Return what belongs to the lines in the ln of the smooth flux.

        Parameters
        ----------
        amounts : Tensor, shape (n, n_components)
            Of the components.

        Returns
        -------
        Tensor, shape (n, n_pixels / 8)
            At the points of the smooth flux.
        """
        return torch.addmm(self.smooth_mean, amounts, self.smooth_basis)
