# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pixels of equal velocity: from those of a spectrum, back to them, and moved.

On them a Doppler shift moves all lines by the same fraction of a pixel, so that one
short filter moves a whole spectrum.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...preparation.grid import SpectralGrid
from ...utils.physics import SPEED_OF_LIGHT
from .interpolate import cubic_at

__all__ = ["JOINED", "KNOT", "LogGrid", "from_points", "moved", "moved_mask"]

JOINED = 8  # pixels in a point of the smooth flux
KNOT = 22  # points in a knot of the flux shape
_HALF = 4  # the filter that moves spectra has twice as many taps


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
    """

    valid: Tensor
    _good: Tensor
    _factor: Tensor
    _tap: Tensor
    _overlap: Tensor
    _width: Tensor
    _back: Tensor
    _knot: Tensor

    def __init__(self, grid: SpectralGrid, *, step: float, red: float) -> None:
        super().__init__()
        inside = grid.wavelength[grid.valid]
        start, stop = np.log(inside[0]), np.log(inside[-1])
        self.step, log_step = step, step / SPEED_OF_LIGHT
        n_needed = (stop - start) / log_step + 1
        self.n_knots = int(np.ceil(n_needed / (JOINED * KNOT)))
        self.n_points = self.n_knots * KNOT
        self.n = self.n_points * JOINED
        self.n_pixels = grid.n_pixels
        first_red = int((np.log(red) - start) / log_step) // JOINED * JOINED
        self.red, self.blue = slice(first_red, None), slice(0, first_red)
        self.red_points = slice(first_red // JOINED, None)
        self.n_red, self.n_blue = self.n - first_red, first_red

        edges = np.exp(start + (np.arange(self.n + 1) - 0.5) * log_step)
        edges = (edges - grid.start) / grid.step + 0.5  # in pixels, from the left edge
        edges = edges.clip(0.0, grid.n_pixels)
        n_taps = int(np.diff(edges).max()) + 2
        taps = np.floor(edges[:-1]).astype(np.int64) + np.arange(n_taps)[:, None]
        overlap = np.minimum(edges[1:], taps + 1) - np.maximum(edges[:-1], taps)
        back = (np.log(grid.wavelength) - start) / log_step * 2.0
        knot = (np.arange(self.n_points) - 0.5 * (KNOT - 1)) / KNOT
        constants = {
            "valid": torch.from_numpy(grid.valid.copy()),
            "_tap": torch.from_numpy(taps.clip(0, grid.n_pixels - 1)),
            "_overlap": torch.from_numpy(overlap.clip(0.0).astype(np.float32)),
            "_width": torch.from_numpy(np.diff(edges).clip(1e-3).astype(np.float32)),
            "_back": torch.from_numpy(back)[None],
            "_knot": torch.from_numpy(knot)[None],
        }
        for name, tensor in constants.items():
            self.register_buffer(name, tensor, persistent=False)
        good, factor = self._coverage(self.valid[None])
        self.register_buffer("_good", good, persistent=False)
        self.register_buffer("_factor", factor, persistent=False)

    def _summed(self, rows: Tensor) -> Tensor:
        """Integrate rows over pixels of equal velocity."""
        total = rows.new_zeros(len(rows), self.n)
        for tap, overlap in zip(self._tap, self._overlap, strict=True):
            total.addcmul_(rows.index_select(1, tap), overlap)
        return total

    def _coverage(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Say which pixels are good, and the factor from sum to mean, else zero."""
        covered = self._summed(valid.to(self._width.dtype)) / self._width
        good = covered > 0.5
        return good, good / (self._width * covered.clamp(min=0.5))

    def joined(self, flux: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
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
            Mean of the valid pixels, as far as they lie inside; zero where not good.
        good : Tensor of bool, shape (n, n_log)
            Where more than half is valid.
        """
        good, factor = self._good, self._factor
        if not torch.equal(valid, self.valid.expand_as(valid)):
            good, factor = self._coverage(valid)
        return self._summed(flux) * factor, good.expand(len(flux), -1)

    def pixels(self, velocity: Tensor) -> Tensor:
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

    def velocity(self, pixels: Tensor) -> Tensor:
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

    def from_knots(self, knots: Tensor) -> Tensor:
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

    def on_pixels(self, fine: Tensor) -> Tensor:
        """Interpolate from half pixels of equal velocity to those of the grid.

        Parameters
        ----------
        fine : Tensor, shape (n, 2 * n_log)
            From `moved`, twice as fine.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Zero outside of the valid pixels.
        """
        flux = cubic_at(fine, self._back.expand(len(fine), -1))
        return torch.where(self.valid, flux, torch.zeros_like(flux))


def from_points(points: Tensor, *, fine: bool = False) -> Tensor:
    """Interpolate the smooth flux between its points.

    Parameters
    ----------
    points : Tensor, shape (n, n_points)
        Each at the middle of eight pixels.
    fine : bool, optional
        Return each second value at half a pixel more, as `moved` does.

    Returns
    -------
    Tensor, shape (n, n_log), or (n, 2 * n_log) if ``fine``
        Linear between the points.
    """
    step = 0.5 if fine else 1.0
    pixel = torch.arange(0.0, JOINED, step, device=points.device)
    place = (pixel.to(points.dtype) - 0.5 * (JOINED - 1)) / JOINED
    before, after = (-place).clamp(min=0.0), place.clamp(min=0.0)
    weights = torch.stack([before, 1.0 - before - after, after])
    around = functional.pad(points[:, None], (1, 1), mode="replicate")
    return (around.squeeze(1).unfold(1, 3, 1) @ weights).flatten(1)


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


def moved(
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
        result = taps[:, :1] * window[:, :length]
        for k in range(1, len(tap)):
            result.addcmul_(taps[:, k, None], window[:, k : k + length])
        return result

    fraction = pixels - whole
    if not fine:
        return filtered(fraction)
    return torch.stack([filtered(fraction), filtered(fraction + 0.5)], 2).flatten(1)


def moved_mask(good: Tensor, pixels: Tensor, part: slice = slice(None)) -> Tensor:
    """Return where rows that were moved have data.

    Parameters
    ----------
    good : Tensor of bool, shape (n, n_log)
        Where the rows have data; beyond their ends they have none.
    pixels : Tensor, shape (n,)
        As of `moved`.
    part : slice, optional
        Pixels of the result to return.

    Returns
    -------
    Tensor of bool, shape (n, n_part)
        Of the nearest pixel.
    """
    start, stop, _ = part.indices(good.shape[1])
    first = start + pixels.detach().round().long()
    return _windows(good, first, stop - start, mode="constant")
