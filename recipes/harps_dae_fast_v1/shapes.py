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
from astro_latent.models.layers.layer import Layer
from astro_latent.models.layers.log_grid import JOINED, moved
from astro_latent.models.layers.smooth_flux import average_to_knots

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
    nodes, _ = model.nodes(sample.coefficients, sample.noise)
    coefficients = model.coefficients(nodes)  # as the decoder will have them
    there = (sample.velocity, coefficients, sample.earth, sample.amounts)
    seen = _filled(sample.smooth, sample.known)
    shape = torch.zeros_like(seen)
    star_at = grid.pixels(sample.velocity) / JOINED
    earth_at = grid.pixels(sample.earth) / JOINED
    for _ in range(_ROUNDS):
        left = seen - shape - model.layers(*there)
        star = model.star.smooth(coefficients) + moved(left, star_at)
        _regress(model.star, star, coefficients, sample.weight)
        shape = _fit_shape(model, seen - model.layers(*there), sample.known, n_cosines)
        left = (seen - shape - model.layers(*there))[:, grid.red_points]
        air = -model.air.smooth(sample.amounts) + moved(left, earth_at)
        _regress(model.air, -air, sample.amounts, sample.weight)
    model.scale[0], model.scale[1] = sample.velocity.std(), sample.earth.std()


def _filled(smooth: Tensor, known: Tensor) -> Tensor:
    """Fill the points without data by interpolation along each spectrum."""
    points = np.arange(len(known))
    where = points[known.numpy()]
    rows = [np.interp(points, where, row[where]) for row in smooth.numpy()]
    return torch.from_numpy(np.stack(rows)).to(smooth.dtype)


def _regress(layer: Layer, rows: Tensor, amounts: Tensor, weight: Tensor) -> None:
    """Set the smooth parts of a layer by weighted least squares."""
    scale = amounts.std(0)
    design = torch.cat([torch.ones(len(rows), 1), amounts / scale], 1)
    normal = (design * weight[:, None]).T @ design
    normal += 1e-3 * weight.sum() * torch.eye(len(normal))
    solved = torch.linalg.solve(normal, (design * weight[:, None]).T @ rows)
    layer.smooth_mean.copy_(solved[0])
    layer.smooth_basis.copy_(solved[1:] / scale[:, None])


def _fit_shape(
    model: AlignedAutoencoder, smooth: Tensor, known: Tensor, n_cosines: int
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
    shapes, _ = model.find_shape(smooth, known.expand_as(smooth))
    fitted = torch.addmm(model.shape_mean, shapes, model.shape_basis)
    return model.grid.from_knots(fitted)
