# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Velocities of whole spectra: grids at rest, cross-correlation, masked projection."""

import numpy as np
import torch
from torch import Tensor, nn

from ..preparation.grid import SpectralGrid

__all__ = ["VelocityGrid", "best_shift", "masked_projection", "small_shift"]

_LIGHT_SPEED = 299_792.458  # km/s


class VelocityGrid(nn.Module):
    """Pixels of equal velocity for spectra on a grid of equal wavelength steps.

    Parameters
    ----------
    grid : SpectralGrid
        With linear spacing.
    step : float
        Width of a pixel at rest, km/s.
    red : float
        Wavelength in Angstrom from which on the red part extends.
    """

    valid: Tensor
    _rest: Tensor
    _log_grid: Tensor

    def __init__(self, grid: SpectralGrid, *, step: float, red: float) -> None:
        super().__init__()
        inside = grid.wavelength[grid.valid]
        first, last = np.log(inside[0]), np.log(inside[-1])
        self.step = step
        self._start, self._width = float(grid.start), float(grid.step)
        self._log_start, self._log_step = first, step / _LIGHT_SPEED
        self.n_pixels = grid.n_pixels
        self.n_rest = int((last - first) / self._log_step)
        self._first_red = int((np.log(red) - first) / self._log_step)
        self.red = slice(self._first_red, None)
        self.blue = slice(0, self._first_red)
        self.n_red = self.n_rest - self._first_red
        log_wavelength = first + self._log_step * np.arange(self.n_rest)
        constants = {
            "valid": torch.from_numpy(grid.valid.copy()),
            "_rest": torch.from_numpy(np.exp(log_wavelength)),
            "_log_grid": torch.from_numpy(np.log(grid.wavelength)),
        }
        for name, tensor in constants.items():
            self.register_buffer(name, tensor, persistent=False)

    @staticmethod
    def _doppler(velocity: Tensor) -> Tensor:
        beta = velocity.double() / _LIGHT_SPEED
        return 0.5 * (torch.log1p(beta) - torch.log1p(-beta))

    def position(self, velocity: Tensor, part: slice = slice(None)) -> Tensor:
        """Return where the pixels at rest lie among those of the grid.

        Parameters
        ----------
        velocity : Tensor, shape (n,)
            Of the source, km/s.
        part : slice, optional
            Which of the ``n_rest`` pixels.

        Returns
        -------
        Tensor, shape (n, n_rest), float64
            Fractional pixels of the grid.
        """
        wavelength = self._rest[part] * self._doppler(velocity).exp()[:, None]
        return (wavelength - self._start) / self._width

    def moved_red(self, velocity: Tensor) -> tuple[int, Tensor]:
        """Return where the observer's red pixels lie among the source's.

        Parameters
        ----------
        velocity : Tensor, shape (n,)
            Of the source, km/s.

        Returns
        -------
        first : int
            First pixel at rest that is needed.
        position : Tensor, shape (n, n_red), float64
            Fractional pixels at rest of the source, counted from ``first``.
        """
        pixel = torch.arange(self._first_red, self.n_rest, device=velocity.device)
        position = pixel - self._doppler(velocity)[:, None] / self._log_step
        first = max(0, int(position.min()) - 2)
        return first, position - first

    def inverse(self, velocity: Tensor) -> Tensor:
        """Return where the pixels of the grid lie among those at rest.

        Parameters
        ----------
        velocity : Tensor, shape (n,)
            Of the source, km/s.

        Returns
        -------
        Tensor, shape (n, n_pixels), float64
            Fractional pixels at rest of the source.
        """
        shift = self._doppler(velocity)[:, None] + self._log_start
        return (self._log_grid - shift) / self._log_step

    def inverse_red(self, velocity: Tensor) -> tuple[int, Tensor]:
        """Return where the red pixels of the grid lie among the red ones at rest.

        Parameters
        ----------
        velocity : Tensor, shape (n,)
            Of the source, km/s.

        Returns
        -------
        first : int
            First pixel of the grid in the red part.
        position : Tensor, shape (n, n_pixels - first), float64
            Fractional pixels of the red part at rest.
        """
        log_first = self._log_start + self._log_step * self._first_red
        first = int(torch.searchsorted(self._log_grid, log_first))
        shift = self._doppler(velocity)[:, None] + log_first
        log_grid = self._log_grid[first:]
        return first, (log_grid - shift) / self._log_step


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
    size = 1 << (n + limit - 1).bit_length()
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
