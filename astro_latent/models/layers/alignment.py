# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The shift of spectra against a template, by cross-correlation."""

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from .interpolate import shift_rows
from .log_grid import LogGrid

__all__ = ["best_shift", "find_velocity", "small_shift"]

_ROUGH = 4  # pixels joined to find a velocity roughly
_FEW = 16  # shifts that are faster to try than to find by a Fourier transform


def best_shift(seen: Tensor, template: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Find the shift of rows against a template from the cross-correlation.

    Parameters
    ----------
    seen : Tensor, shape (n, n_pixels)
        Zero where there are no data.
    template : Tensor, shape (n_pixels,)
        What to look for.
    limit : int
        Largest shift looked for, pixels.

    Returns
    -------
    shift : Tensor, shape (n,)
        Pixels, positive to the red, from a parabola through the highest point.
    variance : Tensor, shape (n,)
        Of the shift, by the formula of Zucker (2003, MNRAS 342, 1291).
    """
    n = seen.shape[1]
    if limit < _FEW:
        return small_shift(seen, template, limit)
    size = 64 * next_fast_len(-(-(n + limit) // 64), real=True)  # twos are fastest
    spectrum = torch.fft.rfft(seen, size) * torch.fft.rfft(template, size).conj()
    cross = torch.fft.irfft(spectrum, size)
    near = torch.cat([cross[:, -limit:], cross[:, : limit + 1]], 1)
    norm = seen.norm(dim=1, keepdim=True) * template.norm()
    return _highest(near / norm.clamp(min=1e-12), n)


def small_shift(
    seen: Tensor, template: Tensor, limit: int = 3
) -> tuple[Tensor, Tensor]:
    """Find a shift of a few pixels, without a Fourier transform.

    Parameters
    ----------
    seen : Tensor, shape (n, n_pixels)
        Zero where there are no data.
    template : Tensor, shape (n_pixels,)
        What to look for.
    limit : int, optional
        Largest shift looked for, pixels.

    Returns
    -------
    shift, variance : Tensor, shape (n,)
        As of `best_shift`.
    """
    n = seen.shape[1]
    inner = template[limit : n - limit]
    near = torch.stack(
        [seen[:, k : n - 2 * limit + k] @ inner for k in range(2 * limit + 1)], 1
    )
    norm = seen.norm(dim=1, keepdim=True) * template.norm()
    return _highest(near / norm.clamp(min=1e-12), n)


def _highest(near: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Shift and variance from the correlation of ``n`` pixels at lags around zero."""
    limit = near.shape[1] // 2
    peak = near[:, 1:-1].argmax(1, keepdim=True) + 1
    left, top, right = (near.gather(1, peak + k)[:, 0] for k in (-1, 0, 1))
    curvature = (left - 2.0 * top + right).clamp(max=-1e-9)
    vertex = (0.5 * (left - right) / curvature).clamp(-0.5, 0.5)
    shift = peak[:, 0] - limit + vertex
    explained = top.clamp(0.01, 0.999) ** 2
    steepness = -curvature / top.clamp(min=0.01) * explained / (1.0 - explained)
    return shift, 1.0 / (n * steepness)


def find_velocity(
    grid: LogGrid, lines: Tensor, template: Tensor, *, limit: float, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Find the velocity of spectra: roughly on joined pixels, then exactly.

    Parameters
    ----------
    grid : LogGrid
        The pixels of equal velocity.
    lines : Tensor, shape (n, n_part)
        Zero where there are no data.
    template : Tensor, shape (n_part,)
        What to look for.
    limit : float
        Largest velocity looked for, km/s.
    weight : Tensor, shape (n_part,)
        How much each pixel at rest counts.

    Returns
    -------
    velocity, variance : Tensor, shape (n,)
        km/s and its square.
    """
    weighted = template * weight
    most = max(1, int(limit / grid.step / _ROUGH))
    rough, _ = best_shift(_join(lines), _join(weighted * weight), most)
    near = shift_rows(lines, rough * _ROUGH) * weight
    shift, variance = small_shift(near, weighted)
    return grid.to_velocity(rough * _ROUGH + shift), variance * grid.step**2


def _join(rows: Tensor) -> Tensor:
    """Join pixels to their means; what is left at the end is dropped."""
    whole = rows.shape[-1] // _ROUGH * _ROUGH
    return rows[..., :whole].unflatten(-1, (-1, _ROUGH)).mean(-1)
