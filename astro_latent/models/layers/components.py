# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as a mean and components: their lines, how to fit them, what follows."""

import torch
from torch import Tensor, nn

from .log_grid import PIXELS_PER_POINT

__all__ = [
    "VELOCITY_UNIT",
    "Components",
    "describe_star",
    "make_network",
    "masked_projection",
]

#: km/s, so that features and labels are of order one.
VELOCITY_UNIT = 30.0


class Components(nn.Module):
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
        n_points = n_pixels // PIXELS_PER_POINT
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


def masked_projection(
    rows: Tensor,
    valid: Tensor,
    basis: Tensor,
    scale: Tensor,
    weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Fit rows by an orthonormal basis although pixels are missing.

    Parameters
    ----------
    rows : Tensor, shape (n, n_pixels)
        What to fit; values where not valid do not count.
    valid : Tensor of bool, shape (n, n_pixels)
        Where there are data.
    basis : Tensor, shape (n_components, n_pixels)
        Rows, orthonormal when multiplied by the weight.
    scale : Tensor, shape (n_components,)
        Spread of each coefficient to be expected.
    weight : Tensor, shape (n_pixels,), optional
        By default one.

    Returns
    -------
    coefficients : Tensor, shape (n, n_components)
        Most probable values.
    variance : Tensor, shape (n,)
        Of a weighted pixel around the fit.
    """
    weight = torch.ones_like(rows[0]) if weight is None else weight
    rows = torch.where(valid, rows * weight, torch.zeros_like(rows))
    straight = (rows * weight) @ basis.T
    energy = rows.square().sum(1)
    count = valid.sum(1).clamp(min=1)
    missing = (basis[:, ~row] * weight[~row] for row in valid)
    gaps = torch.stack([part @ part.T for part in missing])
    seen = torch.eye(len(basis), dtype=rows.dtype, device=rows.device) - gaps
    noise = (energy - straight.square().sum(1)).clamp(min=0.0) / count
    for _ in range(2):  # the noise is known only after a first fit
        prior = torch.diag_embed(noise[:, None] / scale.square())
        coefficients = torch.linalg.solve(seen + prior, straight[..., None])[..., 0]
        fitted = (coefficients[:, None] @ seen @ coefficients[..., None])[:, 0, 0]
        rest = energy - 2.0 * (coefficients * straight).sum(1) + fitted
        noise = rest.clamp(min=1e-10) / count
    return coefficients, noise


def make_network(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    """Make a network from the coefficients of components, or to them.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
        Units of its layers; there are two hidden ones, with smooth activations.

    Returns
    -------
    Sequential
        With random weights.
    """
    return nn.Sequential(
        nn.Linear(n_in, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_out),
    )


def describe_star(
    coefficients: Tensor, noise: Tensor, velocity: Tensor, variance: Tensor
) -> Tensor:
    """Put side by side what a head of labels sees of a star.

    Parameters
    ----------
    coefficients : Tensor, shape (n, n_components)
        Of the spectrum at rest, each in its own unit.
    noise : Tensor, shape (n,)
        Variance around their fit.
    velocity, variance : Tensor, shape (n,)
        Of the star, km/s, and its variance.

    Returns
    -------
    Tensor, shape (n, n_components + 3)
        Coefficients, noise level, velocity and ln of its variance, of order one.
    """
    return torch.cat(
        [
            coefficients,
            0.5 * noise.log()[:, None] + 4.0,
            velocity[:, None] / VELOCITY_UNIT,
            (variance / VELOCITY_UNIT**2).clamp(min=1e-12).log()[:, None],
        ],
        dim=1,
    )
