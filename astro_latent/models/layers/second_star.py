# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A second star in a spectrum, from the broadening function of its lines.

The lines of a star are those of a sharp template, convolved with how the star's own
velocities are distributed: the broadening function (Rucinski 1992, AJ 104, 1968).
Unlike the cross-correlation it has no side lobes. That of one star is symmetric about
its centre, however fast it rotates; what has no mirror image there belongs to another
star.
"""

import torch
from torch import Tensor

from ...utils.physics import SIGMA_PER_MAD

__all__ = ["broadening_function", "second_share"]

_RIDGE = 0.02  # of the template's own correlation: keeps noise from being amplified
_WIDTHS = (3, 7, 15)  # pixels of the windows in which a second star is looked for
_NEAREST = 3  # pixels between the centre and the near end of a window
_TRUST = 4.0  # errors that a share must exceed


def broadening_function(
    lines: Tensor, valid: Tensor, template: Tensor, limit: int
) -> Tensor:
    """Solve for the function that turns the template into the lines.

    Parameters
    ----------
    lines : Tensor, shape (n, n_pixels)
        On pixels of equal velocity; zero where not valid.
    valid : Tensor of bool, shape (n, n_pixels)
        Where there are data.
    template : Tensor, shape (n_pixels,)
        Lines of a star that hardly rotates.
    limit : int
        Largest shift, pixels.

    Returns
    -------
    Tensor, shape (n, 2 * limit + 1), float64
        From blue to red.
    """
    size = 1 << (lines.shape[1] + 2 * limit).bit_length()
    of_template = torch.fft.rfft(template, size)
    both = torch.fft.rfft(lines, size) * of_template.conj()
    cross = torch.fft.irfft(both, size).double()
    cross = torch.cat([cross[:, -limit:], cross[:, : limit + 1]], 1)
    own = torch.fft.irfft(of_template.abs().square(), size)[: 2 * limit + 1].double()
    lag = torch.arange(2 * limit + 1, device=lines.device)
    matrix = own[(lag[:, None] - lag).abs()]
    matrix.diagonal().add_(_RIDGE * own[0].clamp(min=1e-12))
    share = valid.double().mean(1, keepdim=True).clamp(min=1e-3)
    return torch.linalg.solve(matrix, (cross / share)[..., None])[..., 0]


def second_share(function: Tensor) -> Tensor:
    """Return how much of the lines has no mirror image about the centre of the star.

    Parameters
    ----------
    function : Tensor, shape (n, 2 * limit + 1)
        From `broadening_function`.

    Returns
    -------
    Tensor, shape (n,)
        Area of the largest excess, less four times its error, over that of all lines;
        zero or less where nothing is seen.
    """
    limit = function.shape[1] // 2
    smooth = torch.nn.functional.avg_pool1d(function[:, None], 3, 1, 1)[:, 0]
    centre = _find_centre(smooth)
    distance = torch.arange(1, limit + 1, device=function.device)

    def at(offset: Tensor) -> Tensor:
        place = centre[:, None] + offset
        low = place.floor().clamp(0, 2 * limit - 1).long()
        weight = place - low
        left, right = function.gather(1, low), function.gather(1, low + 1)
        value = left + weight * (right - left)
        return torch.where((place >= 0) & (place <= 2 * limit), value, 0.0)

    excess = at(distance) - at(-distance)
    noise = SIGMA_PER_MAD * excess.abs().median(1).values[:, None]
    total = smooth.clamp(min=0.0).sum(1, keepdim=True).clamp(min=1e-9)
    best = torch.full_like(total, -1.0)
    for width in _WIDTHS:
        area = excess.unfold(1, width, 1)[:, _NEAREST - 1 :].sum(2).abs()
        sure = (area - _TRUST * noise * width**0.5) / total
        best = torch.maximum(best, sure.max(1, keepdim=True).values)
    return best[:, 0].clamp(max=1.0)


def _find_centre(function: Tensor) -> Tensor:
    """Middle between the places where the highest peak falls to its half."""
    peak = function.argmax(1, keepdim=True)
    half = 0.5 * function.gather(1, peak)
    index = torch.arange(function.shape[1], device=function.device)
    low = function < half
    left = torch.where(low & (index < peak), index, 0).max(1, keepdim=True).values
    last = function.shape[1] - 1
    right = torch.where(low & (index > peak), index, last).min(1, keepdim=True).values
    ends = [
        outside + inwards * _fraction(function, half, outside, inwards)
        for outside, inwards in ((left, 1), (right, -1))
    ]
    return 0.5 * (ends[0] + ends[1])[:, 0]


def _fraction(function: Tensor, half: Tensor, outside: Tensor, inwards: int) -> Tensor:
    """Return how far from a pixel to the next a function reaches the half."""
    low = function.gather(1, outside)
    step = function.gather(1, outside + inwards) - low
    return ((half - low) / step.clamp(min=1e-12)).clamp(0.0, 1.0)
