# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Share the smooth flux between star, atmosphere and the shape that is left.

Broad lines and the crowding of narrow ones pull a running mean down. What follows from
the star is given to the star, so that the nodes of the flux shape do not repeat it.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from astro_latent.models.layers.components import Components
from astro_latent.models.layers.interpolate import shift_rows
from astro_latent.models.layers.log_grid import PIXELS_PER_POINT, average_to_knots

if TYPE_CHECKING:
    from recipes.harps_dae_fast_v1.aligned import AlignedSample

__all__ = ["find_shapes"]

_ROUNDS = 3


def find_shapes(
    model: AlignedAutoencoder, sample: "AlignedSample", n_cosines: int
) -> None:
    """Learn the smooth parts of star and atmosphere and the components of the shape.

    Parameters
    ----------
    model : AlignedAutoencoder
        With all else but these; changed in place.
    sample : AlignedSample
        Spectra with velocities, coefficients and amounts.
    n_cosines : int
        Components of the shape that are cosines.
    """
    grid = model.grid
    nodes, _ = model.encode_star(sample.coefficients, sample.noise)
    coefficients = model.decode_star(nodes)  # as the decoder will have them
    there = (sample.velocity, coefficients, sample.earth, sample.amounts)
    seen = _fill(sample.smooth, sample.smooth_valid)
    shape = torch.zeros_like(seen)
    star_at = grid.to_pixels(sample.velocity) / PIXELS_PER_POINT
    earth_at = grid.to_pixels(sample.earth) / PIXELS_PER_POINT
    for _ in range(_ROUNDS):
        left = seen - shape - model.predict_smooth(*there)
        star = model.star.smooth(coefficients) + shift_rows(left, star_at)
        _regress(model.star, star, coefficients, sample.weight)
        rest = seen - model.predict_smooth(*there)
        shape = _fit_shape(model, rest, sample.smooth_valid, n_cosines)
        left = (seen - shape - model.predict_smooth(*there))[:, grid.red_points]
        air = -model.air.smooth(sample.amounts) + shift_rows(left, earth_at)
        _regress(model.air, -air, sample.amounts, sample.weight)
    model.scale[0], model.scale[1] = sample.velocity.std(), sample.earth.std()


def _fill(smooth: Tensor, valid: Tensor) -> Tensor:
    """Fill the points without data by interpolation along each spectrum."""
    points = np.arange(len(valid))
    where = points[valid.numpy()]
    rows = [np.interp(points, where, row[where]) for row in smooth.numpy()]
    return torch.from_numpy(np.stack(rows)).to(smooth.dtype)


def _regress(part: Components, rows: Tensor, amounts: Tensor, weight: Tensor) -> None:
    """Set the smooth parts of components by weighted least squares."""
    scale = amounts.std(0)
    design = torch.cat([torch.ones(len(rows), 1), amounts / scale], 1)
    normal = (design * weight[:, None]).T @ design
    normal += 1e-3 * weight.sum() * torch.eye(len(normal))
    solved = torch.linalg.solve(normal, (design * weight[:, None]).T @ rows)
    part.smooth_mean.copy_(solved[0])
    part.smooth_basis.copy_(solved[1:] / scale[:, None])


def _fit_shape(
    model: AlignedAutoencoder, smooth: Tensor, valid: Tensor, n_cosines: int
) -> Tensor:
    """Set the components of the flux shape: cosines first, then what they leave.

    Real flux shapes vary in more ways than simulated ones: the cosines take any shape
    that is smooth enough, the other components those of the simulation.

    Returns
    -------
    Tensor, shape (n, n_points)
        The fitted shape.
    """
    n_shape, n_knots = model.shape_basis.shape
    everywhere = torch.ones_like(smooth, dtype=torch.bool)
    knots = average_to_knots(smooth, everywhere)[0].numpy()
    mean = knots.mean(axis=0)
    cosines = dct(np.eye(n_knots), axis=0, norm="ortho")[:n_cosines]
    rest = (knots - mean) - (knots - mean) @ cosines.T @ cosines
    _, _, components = np.linalg.svd(rest, full_matrices=False)
    basis = np.concatenate([cosines, components[: n_shape - n_cosines]])
    spread = ((knots - mean) @ basis.T).std(axis=0)
    model.shape_mean.copy_(torch.from_numpy(mean))
    model.shape_basis.copy_(torch.from_numpy(basis))
    model.scale[-n_shape:] = torch.from_numpy(spread).float()
    shapes, _ = model.find_shape(smooth, valid.expand_as(smooth))
    fitted = torch.addmm(model.shape_mean, shapes, model.shape_basis)
    return model.grid.interpolate_knots(fitted)
