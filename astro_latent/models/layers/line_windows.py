# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra over a straight line in a window around each pixel: wide wings survive.

A running mean of a few Angstrom, as `flatten` divides by, takes the wings of Balmer
lines away. A line over a window wider than they are leaves them, and takes any smooth
flux that is nearly straight there.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["divide_by_line", "keep_from_gaps"]

_LEAST = 0.15  # of the window that must be valid
_SLOPED = 1e-3  # least determinant: a window with few pixels has no slope
_LOW, _HIGH = 0.2, 5.0  # of its mean: what the line may be


def divide_by_line(flux: Tensor, valid: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Divide by the line that fits the valid pixels in a window around each pixel.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels)
        Values where not valid do not count.
    valid : Tensor of bool, shape (n, n_pixels)
        Where there are data.
    width : int
        Of the window, in pixels.

    Returns
    -------
    lines : Tensor, shape (n, n_pixels)
        Flux over line, less one; zero where not valid.
    valid : Tensor of bool, shape (n, n_pixels)
        Where there are data, and enough of them around.
    """
    inside = valid.double()
    place = torch.arange(flux.shape[1], device=flux.device, dtype=torch.float64) / width
    filled = torch.where(valid, flux, 0.0).double()
    terms = (inside, inside * place, inside * place**2, filled, filled * place)
    count, first, second, total, moment = (_window_sums(t, width) for t in terms)
    second = second - 2.0 * place * first + place**2 * count
    first = first - place * count
    moment = moment - place * total
    mean = total / count.clamp(min=1.0)
    determinant = count * second - first**2
    sloped = determinant > _SLOPED * count**2
    line = second * total - first * moment
    line = torch.where(sloped, line / torch.where(sloped, determinant, 1.0), mean)
    line = torch.minimum(torch.maximum(line, _LOW * mean), _HIGH * mean)
    known = valid & (count > _LEAST * width) & (line > 0.0)
    ratio = filled / torch.where(known, line, 1.0) - 1.0
    return torch.where(known, ratio, 0.0).to(flux.dtype), known


def _window_sums(rows: Tensor, width: int) -> Tensor:
    """Sum rows over a window around each pixel, cut at the ends."""
    half = width // 2
    total = functional.pad(rows.cumsum(-1), (1, 0))
    pixel = torch.arange(rows.shape[-1], device=rows.device)
    last = (pixel + half + 1).clamp(max=rows.shape[-1])
    return total[..., last] - total[..., (pixel - half).clamp(min=0)]


def keep_from_gaps(valid: Tensor, distance: int) -> Tensor:
    """Return pixels that are valid and not close to one that is not.

    Parameters
    ----------
    valid : Tensor of bool, shape (n, n_pixels)
        Where there are data.
    distance : int
        Pixels that an interpolation reaches.

    Returns
    -------
    Tensor of bool, shape (n, n_pixels)
        What interpolation from invalid pixels did not touch.
    """
    bad = (~valid).float()[:, None]
    near = functional.max_pool1d(bad, 2 * distance + 1, stride=1, padding=distance)
    return near[:, 0] < 0.5
