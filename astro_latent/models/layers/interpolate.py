# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Interpolation and running means of long spectra, differentiable and on any device."""

import torch
from torch import Tensor

__all__ = ["cubic_at", "running_mean"]


def cubic_at(flux: Tensor, position: Tensor) -> Tensor:
    """Interpolate rows at fractional pixels with Catmull-Rom cubics.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels)
        Values at whole pixels.
    position : Tensor, shape (n, n_points), float64 or float32
        Fractional pixels; clamped to the ends.

    Returns
    -------
    Tensor, shape (n, n_points)
        Interpolated values.
    """
    index = position.floor().clamp(1, flux.shape[1] - 3).long()
    t = (position - index).clamp(0.0, 1.0).to(flux.dtype)
    p0, p1, p2, p3 = (flux.gather(1, index + offset) for offset in (-1, 0, 1, 2))
    return p1 + 0.5 * t * (
        p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0))
    )


def running_mean(flux: Tensor, valid: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Average the valid pixels in a window around each pixel.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels)
        Zero where not valid.
    valid : Tensor, shape (n, n_pixels)
        One where a pixel counts, else zero.
    width : int
        Of the window, an even number of pixels.

    Returns
    -------
    mean : Tensor, shape (n, n_pixels)
        Zero where the window holds nothing.
    fraction : Tensor, shape (n, n_pixels)
        Of the window that is valid.
    """
    both = torch.stack([flux, valid.to(flux.dtype)])
    total = torch.nn.functional.pad(both.double().cumsum(-1), (width // 2 + 1, 0))
    last = total[..., -1:].expand(*total.shape[:-1], width // 2 - 1)
    total = torch.cat([total, last], dim=-1)
    sums = (total[..., width:] - total[..., :-width]).to(flux.dtype)
    sums = torch.nn.functional.pad(sums, (0, flux.shape[-1] - sums.shape[-1]))
    return sums[0] / sums[1].clamp(min=1.0), sums[1] / width
