# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What spectra tell about their shift and their components."""

import torch
from scipy.fft import next_fast_len
from torch import Tensor

__all__ = ["best_shift", "masked_projection", "small_shift"]

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
