# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pixels of equal velocity, and the smooth flux and the lines of spectra on them.

A Doppler shift moves all lines by the same fraction of such a pixel, so that one short
filter moves a whole spectrum.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...preparation.grid import SpectralGrid
from ...utils.physics import SPEED_OF_LIGHT
from .interpolate import cubic_at, running_mean

__all__ = [
    "PIXELS_PER_POINT",
    "POINTS_PER_KNOT",
    "FlatSpectra",
    "LogGrid",
    "average_to_knots",
    "flatten",
    "flatten_joined",
    "interpolate_points",
]

#: Pixels in a point of the smooth flux.
PIXELS_PER_POINT = 8
#: Points in a knot of the flux shape.
POINTS_PER_KNOT = 22
_WINDOW = 26  # points in the window of the smooth flux, about 300 km/s
_LEAST = 0.01  # of the median flux: what a smooth flux is at least


class LogGrid(nn.Module):
    """Pixels of equal velocity for spectra on a grid of equal wavelength steps.

    Parameters
    ----------
    grid : SpectralGrid
        With linear spacing.
    step : float
        Width of a pixel, km/s; no less than that of any pixel of the grid.
    red : float
        Wavelength in Angstrom from which on the red part extends.

    Raises
    ------
    ValueError
        If the grid is not linear, the pixels are narrower than its own (there would
        be any number of them), or the red part does not begin inside.
    """

    valid: Tensor
    _log_valid: Tensor
    _factor: Tensor
    _tap: Tensor
    _overlap: Tensor
    _shared: Tensor
    _share: Tensor
    _width: Tensor
    half_pixels: Tensor
    _knot: Tensor

    def __init__(self, grid: SpectralGrid, *, step: float, red: float) -> None:
        super().__init__()
        inside = grid.wavelength[grid.valid]
        _check_extent(grid, inside, step, red)
        start, stop = np.log(inside[0]), np.log(inside[-1])
        self.step, log_step = step, step / SPEED_OF_LIGHT
        n_needed = (stop - start) / log_step + 1
        self.n_knots = int(np.ceil(n_needed / (PIXELS_PER_POINT * POINTS_PER_KNOT)))
        self.n_points = self.n_knots * POINTS_PER_KNOT
        self.n = self.n_points * PIXELS_PER_POINT
        self.n_pixels = grid.n_pixels
        red_point = int((np.log(red) - start) / log_step) // PIXELS_PER_POINT
        first_red = red_point * PIXELS_PER_POINT
        self.red, self.blue = slice(first_red, None), slice(0, first_red)
        self.red_points = slice(red_point, None)
        self.n_red, self.n_blue = self.n - first_red, first_red
        edges = np.exp(start + (np.arange(self.n + 1) - 0.5) * log_step)
        edges = (edges - grid.start) / grid.step + 0.5  # in pixels, from the left edge
        edges = edges.clip(0.0, grid.n_pixels)
        back = (np.log(grid.wavelength) - start) / log_step * 2.0
        knot = np.arange(self.n_points) - 0.5 * (POINTS_PER_KNOT - 1)
        constants = {
            "valid": torch.from_numpy(grid.valid.copy()),
            **_split(edges, grid.n_pixels),
            "_width": torch.from_numpy(np.diff(edges).clip(1e-3).astype(np.float32)),
            "half_pixels": torch.from_numpy(back)[None],
            "_knot": torch.from_numpy(knot / POINTS_PER_KNOT)[None],
        }
        for name, tensor in constants.items():
            self.register_buffer(name, tensor, persistent=False)
        log_valid, factor = self._measure_coverage(self.valid[None])
        self.register_buffer("_log_valid", log_valid, persistent=False)
        self.register_buffer("_factor", factor, persistent=False)

    def integrate(self, rows: Tensor) -> Tensor:
        """Integrate rows over pixels of equal velocity.

        Parameters
        ----------
        rows : Tensor, shape (n, n_pixels)
            Zero where not valid.

        Returns
        -------
        Tensor, shape (n, n_log)
            As far as the pixels lie inside.
        """
        total = rows.new_zeros(len(rows), self.n)
        for tap, overlap in zip(self._tap, self._overlap, strict=True):
            total.addcmul_(rows.index_select(1, tap), overlap)
        return total

    def _measure_coverage(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Say which pixels are valid, and the factor from sum to mean, else zero."""
        covered = self.integrate(valid.to(self._width.dtype)) / self._width
        log_valid = covered > 0.5
        return log_valid, log_valid / (self._width * covered.clamp(min=0.5))

    def join(self, flux: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Average a spectrum over pixels of equal velocity.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Zero where not valid.
        valid : Tensor of bool, shape (n, n_pixels)
            Within the valid pixels of the grid.

        Returns
        -------
        flux : Tensor, shape (n, n_log)
            Mean of the valid pixels, as far as they lie inside; zero where not valid.
        valid : Tensor of bool, shape (n, n_log)
            Where more than half is valid.
        """
        log_valid, factor = self.weigh(valid)
        return self.integrate(flux) * factor, log_valid.expand(len(flux), -1)

    def weigh(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Say what `join` multiplies integrals by.

        Parameters
        ----------
        valid : Tensor of bool, shape (n, n_pixels)
            Within the valid pixels of the grid.

        Returns
        -------
        valid : Tensor of bool, shape (n or 1, n_log)
            As of `join`.
        factor : Tensor, shape (n or 1, n_log)
            From an integral to a mean; zero where not valid.
        """
        if torch.equal(valid, self.valid.expand_as(valid)):
            return self._log_valid, self._factor
        return self._measure_coverage(valid)

    def separate(self, by_joined: Tensor) -> Tensor:
        """Differentiate by the pixels that `join` integrates over.

        Parameters
        ----------
        by_joined : Tensor, shape (n, n_log)
            Derivatives by integrals over pixels of equal velocity.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            By the pixels of the grid.
        """
        total = by_joined.new_zeros(len(by_joined), self.n_pixels)
        for tap, overlap in zip(self._tap, self._overlap, strict=True):
            total.index_add_(1, tap, by_joined * overlap)
        return total

    def join_variance(self, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Propagate the variance of independent pixels to the integrals of `join`.

        No pixel of the grid has a part in three integrals, so that the matrix of their
        covariances is tridiagonal.

        Parameters
        ----------
        variance : Tensor, shape (n, n_pixels)
            Zero where not valid.

        Returns
        -------
        variance : Tensor, shape (n, n_log)
            Of the integrals.
        covariance : Tensor, shape (n, n_log - 1)
            Of each with the next.
        """
        joined = variance.new_zeros(len(variance), self.n)
        for tap, overlap in zip(self._tap, self._overlap, strict=True):
            joined.addcmul_(variance.index_select(1, tap), overlap.square())
        return joined, variance.index_select(1, self._shared) * self._share

    def to_pixels(self, velocity: Tensor) -> Tensor:
        """Return how far a source's lines lie to the red.

        Parameters
        ----------
        velocity : Tensor, shape (n,)
            Of the source, km/s.

        Returns
        -------
        Tensor, shape (n,), float64
            Pixels, relativistic; at most an eighth of the spectrum.
        """
        beta = (velocity.double() / SPEED_OF_LIGHT).clamp(-0.1, 0.1)
        limit = self.n / 8
        return (torch.atanh(beta) * (SPEED_OF_LIGHT / self.step)).clamp(-limit, limit)

    def to_velocity(self, pixels: Tensor) -> Tensor:
        """Return the velocity that moves lines by so many pixels.

        Parameters
        ----------
        pixels : Tensor, shape (n,)
            To the red.

        Returns
        -------
        Tensor, shape (n,)
            km/s.
        """
        return torch.tanh(pixels * (self.step / SPEED_OF_LIGHT)) * SPEED_OF_LIGHT

    def interpolate_knots(self, knots: Tensor) -> Tensor:
        """Interpolate the flux shape.

        Parameters
        ----------
        knots : Tensor, shape (n, n_knots)
            Values at the knots.

        Returns
        -------
        Tensor, shape (n, n_points)
            Values at the points of the smooth flux.
        """
        return cubic_at(knots, self._knot.expand(len(knots), -1))

    def to_grid(
        self, fine: Tensor, part: slice = slice(None), start: int = 0
    ) -> Tensor:
        """Interpolate from half pixels of equal velocity to those of the grid.

        Parameters
        ----------
        fine : Tensor, shape (n, 2 * n_log)
            From `shift_rows`, twice as fine.
        part : slice, optional
            Pixels of the grid that are wanted.
        start : int, optional
            Pixel of equal velocity with which ``fine`` begins.

        Returns
        -------
        Tensor, shape (n, n_wanted)
            Zero outside of the valid pixels.
        """
        at = (self.half_pixels[:, part] - 2 * start).expand(len(fine), -1)
        flux = cubic_at(fine, at)
        return torch.where(self.valid[part], flux, torch.zeros_like(flux))


def _check_extent(
    grid: SpectralGrid, inside: np.ndarray, step: float, red: float
) -> None:
    if grid.spacing != "linear":
        msg = f"the grid {grid.name!r} is {grid.spacing}; one of equal steps is needed"
        raise ValueError(msg)
    widest = SPEED_OF_LIGHT * grid.step / inside[0]
    if not widest <= step < SPEED_OF_LIGHT:
        msg = f"step is {step} km/s; pixels of {grid.name!r} are up to {widest:.3g}"
        raise ValueError(msg)
    if not inside[0] < red < inside[-1]:
        msg = f"red is {red} Angstrom, outside of {inside[0]:g} to {inside[-1]:g}"
        raise ValueError(msg)


def _split(edges: np.ndarray, n_pixels: int) -> dict[str, Tensor]:
    """Which pixels lie between edges, how much of each, and what neighbours share."""
    n_taps = int(np.diff(edges).max()) + 2
    taps = np.floor(edges[:-1]).astype(np.int64) + np.arange(n_taps)[:, None]
    overlap = np.minimum(edges[1:], taps + 1) - np.maximum(edges[:-1], taps)
    shared = np.floor(edges[1:-1]).astype(np.int64)
    left, right = edges[1:-1] - shared, np.minimum(edges[2:], shared + 1) - edges[1:-1]
    return {
        "_tap": torch.from_numpy(taps.clip(0, n_pixels - 1)),
        "_overlap": torch.from_numpy(overlap.clip(0.0).astype(np.float32)),
        "_shared": torch.from_numpy(shared.clip(0, n_pixels - 1)),
        "_share": torch.from_numpy((left * right).astype(np.float32)),
    }


def interpolate_points(points: Tensor, *, fine: bool = False) -> Tensor:
    """Interpolate the smooth flux between its points.

    Parameters
    ----------
    points : Tensor, shape (n, n_points)
        Each at the middle of eight pixels.
    fine : bool, optional
        Return each second value at half a pixel more, as `shift_rows` does.

    Returns
    -------
    Tensor, shape (n, n_log), or (n, 2 * n_log) if ``fine``
        Linear between the points.
    """
    step = 0.5 if fine else 1.0
    pixel = torch.arange(0.0, PIXELS_PER_POINT, step, device=points.device)
    place = (pixel.to(points.dtype) - 0.5 * (PIXELS_PER_POINT - 1)) / PIXELS_PER_POINT
    before, after = (-place).clamp(min=0.0), place.clamp(min=0.0)
    weights = torch.stack([before, 1.0 - before - after, after])
    around = functional.pad(points[:, None], (1, 1), mode="replicate")
    return (around.squeeze(1).unfold(1, 3, 1) @ weights).flatten(1)


class FlatSpectra(NamedTuple):
    """Spectra whose lines are separated from their smooth flux."""

    #: Flux over smooth flux, less one; zero where not valid. Shape (n, n_log).
    lines: Tensor
    #: Pixels with data. Shape (n, n_log).
    valid: Tensor
    #: ln of the smooth flux. Shape (n, n_points).
    smooth: Tensor
    #: Points with data. Shape (n, n_points).
    smooth_valid: Tensor


def flatten(grid: LogGrid, flux: Tensor, valid: Tensor) -> FlatSpectra:
    """Divide spectra by a running mean.

    Parameters
    ----------
    grid : LogGrid
        The pixels of equal velocity.
    flux : Tensor, shape (n, n_pixels)
        Prepared flux.
    valid : Tensor of bool, shape (n, n_pixels)
        Within the valid pixels of the grid.

    Returns
    -------
    FlatSpectra
        On pixels of equal velocity.
    """
    return flatten_joined(*grid.join(torch.where(valid, flux, 0.0), valid))


def flatten_joined(joined: Tensor, log_valid: Tensor) -> FlatSpectra:
    """Divide spectra on pixels of equal velocity by a running mean.

    Parameters
    ----------
    joined, log_valid : Tensor, shape (n, n_log)
        From `LogGrid.join`.

    Returns
    -------
    FlatSpectra
        As of `flatten`.
    """
    both = joined, log_valid.to(joined.dtype)
    mean, share = (each.unflatten(1, (-1, PIXELS_PER_POINT)).mean(2) for each in both)
    smooth, fraction = running_mean(mean, share, _WINDOW)
    smooth = smooth.clamp(min=_LEAST)
    lines = (joined / interpolate_points(smooth) - 1.0).clamp(-1.5, 3.0) * log_valid
    return FlatSpectra(lines, log_valid, smooth.log(), fraction > 0.5)


def average_to_knots(smooth: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Average the ln of a smooth flux to knots.

    Parameters
    ----------
    smooth, valid : Tensor, shape (n, n_points)
        Values and where there are data.

    Returns
    -------
    knots, valid : Tensor, shape (n, n_knots)
        Means and where there are data.
    """
    count = valid.to(smooth.dtype).unflatten(1, (-1, POINTS_PER_KNOT)).mean(2)
    total = (smooth * valid).unflatten(1, (-1, POINTS_PER_KNOT)).mean(2)
    return total / count.clamp(min=0.1), count > 0.5
