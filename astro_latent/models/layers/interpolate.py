# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows between, around and beside their pixels, differentiable and on any device."""

from typing import cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import BackwardCFunction, FunctionCtx
from torch.nn import functional

__all__ = ["cubic_at", "running_mean", "sharpen", "shift_mask", "shift_rows"]

_HALF = 4  # the filter that shifts rows has twice as many taps


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
    total = functional.pad(both.double().cumsum(-1), (width // 2 + 1, 0))
    last = total[..., -1:].expand(*total.shape[:-1], width // 2 - 1)
    total = torch.cat([total, last], dim=-1)
    sums = (total[..., width:] - total[..., :-width]).to(flux.dtype)
    sums = functional.pad(sums, (0, flux.shape[-1] - sums.shape[-1]))
    return sums[0] / sums[1].clamp(min=1.0), sums[1] / width


def sharpen(rows: Tensor) -> Tensor:
    """Turn means over pixels into values at their middles, to second order.

    Parameters
    ----------
    rows : Tensor, shape (n, n_pixels)
        Means.

    Returns
    -------
    Tensor, shape (n, n_pixels)
        Values.
    """
    middle = rows[:, 1:-1]
    bend = rows[:, 2:] - 2.0 * middle + rows[:, :-2]
    return torch.cat([rows[:, :1], middle - bend / 24.0, rows[:, -1:]], 1)


def _windows(
    rows: Tensor, first: Tensor, length: int, mode: str = "replicate"
) -> Tensor:
    """Cut from each row a window that begins at its own pixel."""
    starts = first.tolist()
    left = max(0, -min(starts))
    right = max(0, max(starts) + length - rows.shape[1])
    if left or right:
        rows = functional.pad(rows[:, None], (left, right), mode=mode)[:, 0]
    return torch.stack(
        [
            row[start + left : start + left + length]
            for row, start in zip(rows, starts, strict=True)
        ]
    )


class _Filter(Function):
    """Sums of neighbours by weights of each row.

    Backwards it adds up in one row what autograd would spread over a new one for each
    of the neighbours, in the same order: the same numbers, in fewer passes.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, window: Tensor, taps: Tensor) -> Tensor:
        ctx.save_for_backward(window, taps)
        length = window.shape[1] - taps.shape[1] + 1
        result = taps[:, :1] * window[:, :length]
        for k in range(1, taps.shape[1]):
            result.addcmul_(taps[:, k, None], window[:, k : k + length])
        return result

    @staticmethod
    def backward(ctx: BackwardCFunction, by_result: Tensor) -> tuple[Tensor, Tensor]:
        window, taps = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        length = by_result.shape[1]
        by_window, by_taps = torch.zeros_like(window), torch.empty_like(taps)
        for k in reversed(range(taps.shape[1])):
            by_window[:, k : k + length] += taps[:, k, None] * by_result
            by_taps[:, k] = (by_result * window[:, k : k + length]).sum(1)
        return by_window, by_taps


def shift_rows(
    rows: Tensor, pixels: Tensor, part: slice = slice(None), *, fine: bool = False
) -> Tensor:
    """Return rows at a distance, by a windowed sinc of eight taps.

    Parameters
    ----------
    rows : Tensor, shape (n, n_log)
        Beyond their ends they go on as they end.
    pixels : Tensor, shape (n,)
        Pixel ``i`` of the result is at ``i + pixels`` of the row.
    part : slice, optional
        Pixels of the result to return.
    fine : bool, optional
        Return each second value at half a pixel more.

    Returns
    -------
    Tensor, shape (n, n_part), or (n, 2 * n_part) if ``fine``
        Moved rows.
    """
    start, stop, _ = part.indices(rows.shape[1])
    length = stop - start
    whole = pixels.detach().floor()
    window = _windows(rows, start + whole.long() - _HALF + 1, length + 2 * _HALF)
    tap = torch.arange(1 - _HALF, _HALF + 2, device=rows.device)

    def filtered(fraction: Tensor) -> Tensor:
        distance = fraction[:, None] - tap
        taper = torch.cos(distance * (torch.pi / 2 / _HALF)) ** 2
        taps = torch.sinc(distance) * taper * (distance.abs() < _HALF)
        taps = (taps / taps.sum(1, keepdim=True)).to(rows.dtype)
        return _Filter.apply(window, taps)

    fraction = pixels - whole
    if not fine:
        return filtered(fraction)
    return torch.stack([filtered(fraction), filtered(fraction + 0.5)], 2).flatten(1)


def shift_mask(valid: Tensor, pixels: Tensor, part: slice = slice(None)) -> Tensor:
    """Return where rows that were moved have data.

    Parameters
    ----------
    valid : Tensor of bool, shape (n, n_log)
        Where the rows have data; beyond their ends they have none.
    pixels : Tensor, shape (n,)
        As of `shift_rows`.
    part : slice, optional
        Pixels of the result to return.

    Returns
    -------
    Tensor of bool, shape (n, n_part)
        Of the nearest pixel.
    """
    start, stop, _ = part.indices(valid.shape[1])
    first = start + pixels.detach().round().long()
    return _windows(valid, first, stop - start, mode="constant")
