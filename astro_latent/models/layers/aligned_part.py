# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Some pixels of a rendered spectrum, at the cost of these alone."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .components import Components
from .interpolate import sharpen, shift_rows
from .log_grid import PIXELS_PER_POINT, LogGrid, interpolate_points

if TYPE_CHECKING:
    from .aligned_spectrum import AlignedSpectrum

__all__ = ["render_part"]

_REACH = 2 * PIXELS_PER_POINT  # beyond what filters see


def render_part(
    spectrum: "AlignedSpectrum", values: tuple[Tensor, ...], first: int, last: int
) -> Tensor:
    """Return some pixels of what `AlignedSpectrum.render` gives.

    Parameters
    ----------
    spectrum : AlignedSpectrum
        Templates and components.
    values : tuple of Tensor
        What `AlignedSpectrum.render` takes: velocity, coefficients, earth, amounts,
        shapes.
    first, last : int
        The pixels from ``first`` to before ``last``.

    Returns
    -------
    Tensor, shape (n, last - first)
        Prepared flux; zero outside the valid pixels of the grid.
    """
    velocity, coefficients, earth, amounts, shapes = values
    grid = spectrum.grid
    part = _around(grid, first, last)
    flux = 1.0 + _moved(spectrum.star, coefficients, -grid.to_pixels(velocity), part)
    knots = torch.addmm(spectrum.shape_mean, shapes, spectrum.shape_basis)
    smooth = grid.interpolate_knots(knots) + spectrum.predict_smooth(
        velocity, coefficients, earth, amounts
    )
    point = max(part.start // PIXELS_PER_POINT - 1, 0)
    near = smooth[:, point : part.stop // PIXELS_PER_POINT + 1]
    begin = 2 * (part.start - point * PIXELS_PER_POINT)
    log_rest = interpolate_points(near, fine=True)[:, begin:][:, : flux.shape[1]]
    red = grid.red.start
    if part.stop > red:
        in_red = slice(max(part.start - red, 0), part.stop - red)
        depth = _moved(spectrum.air, amounts, -grid.to_pixels(earth), in_red)
        blue = log_rest.shape[1] - depth.shape[1]
        log_rest = torch.cat([log_rest[:, :blue], log_rest[:, blue:] - depth], 1)
    return grid.to_grid(flux * log_rest.exp(), slice(first, last), part.start)


def _around(grid: LogGrid, first: int, last: int) -> slice:
    """Return pixels of equal velocity around some of the grid, in whole points."""
    ends = grid.half_pixels[0, [first, last - 1]].clamp(0, 2 * grid.n) / 2
    low, high = (int(end) // PIXELS_PER_POINT for end in ends)
    return slice(
        min(max(low - 1, 0), grid.n_points - 2) * PIXELS_PER_POINT,
        min(high + 2, grid.n_points) * PIXELS_PER_POINT,
    )


def _moved(
    components: Components, amounts: Tensor, pixels: Tensor, part: slice
) -> Tensor:
    """Return a part of lines that are moved, each second value at half a pixel more."""
    reach = int(pixels.abs().max().ceil()) + _REACH
    wide = slice(
        max(part.start - reach, 0), min(part.stop + reach, components.mean.shape[-1])
    )
    lines = sharpen(components.lines(amounts, wide))
    inside = slice(part.start - wide.start, part.stop - wide.start)
    return shift_rows(lines, pixels, inside, fine=True)
