# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From one wavelength grid to another: exact where they agree, else by weights.

Linear and flux-conserving resampling are both a sparse matrix of weights, built once
for each pair of grids and used for flux, variance and mask alike. Masked pixels weigh
nothing. Where the grids agree to a millionth of a pixel, values are copied.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from ._row import Batch, Row
from .grid import SpectralGrid
from .recipe import Step

__all__ = ["Resampler", "pixel_edges", "resample"]

_ALIGNED = 1e-6  # pixels
_BLOCK = 8192  # output pixels worked on at a time: what stays in the cache
_GAP = 1.5  # a step this much longer than its neighbour is a gap, not a pixel


def pixel_edges(wavelength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper edges of pixels from their centres.

    Edges lie midway between centres. At the ends, and at gaps (steps more than 1.5
    times the step on the other side), a pixel is symmetric.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Increasing centres; two or more.

    Returns
    -------
    lower, upper : ndarray, shape (n_pixels,)
        Edges in the unit of the centres.

    Examples
    --------
    >>> from astro_latent.preparation.resample import pixel_edges
    >>> pixel_edges([1.0, 2.0, 3.0, 9.0, 10.0])
    (array([0.5, 1.5, 2.5, 8.5, 9.5]), array([ 1.5,  2.5,  3.5,  9.5, 10.5]))
    """
    edges, pixel = _edges(np.asarray(wavelength, dtype=float))
    return edges[:-1][pixel], edges[1:][pixel]


def _edges(wavelength: np.ndarray) -> tuple[np.ndarray, "slice | np.ndarray"]:
    """Edges of the pixels and of the gaps between them, and which intervals are pixels.

    The second is a slice of all intervals where there is no gap.
    """
    if wavelength.ndim != 1 or len(wavelength) < 2:
        msg = f"two or more wavelengths are needed, got shape {wavelength.shape}"
        raise ValueError(msg)
    steps = np.diff(wavelength)
    first, last = wavelength[0] - 0.5 * steps[0], wavelength[-1] + 0.5 * steps[-1]
    middle = wavelength[:-1] + 0.5 * steps
    edges = np.concatenate([[first], middle, [last]])
    longer, shorter = np.zeros((2, len(steps)), dtype=bool)
    np.greater(steps[1:], _GAP * steps[:-1], out=longer[1:])  # than the one before
    np.greater(steps[:-1], _GAP * steps[1:], out=shorter[:-1])  # than the one after
    gaps = np.flatnonzero(longer | shorter)
    if not len(gaps):
        return edges, slice(None)
    before = np.where(longer, np.roll(steps, 1), steps)[gaps]
    after = np.where(shorter, np.roll(steps, -1), steps)[gaps]
    edges[gaps + 1] = wavelength[gaps] + 0.5 * before
    starts = wavelength[gaps + 1] - 0.5 * after
    edges = np.insert(edges, gaps + 2, starts)
    pixel = np.ones(len(edges) - 1, dtype=bool)
    pixel[gaps + 1 + np.arange(len(gaps))] = False
    return edges, pixel


@dataclass(frozen=True, eq=False)
class Resampler:
    """The way from one wavelength grid to another.

    Build one with `Resampler.between` and call it for each spectrum on that grid.

    Parameters
    ----------
    n_out : int
        Number of output pixels.
    copies : tuple of (slice, slice)
        Output and input pixels that agree, where the grids are aligned.
    weights : csr_matrix or None
        Weight of each input pixel in each output pixel.
    width : ndarray or None
        Sum of the weights of an output pixel that is fully covered.
    source : ndarray
        The input wavelengths.
    """

    n_out: int
    copies: tuple[tuple[slice, slice], ...]
    weights: csr_matrix | None
    width: np.ndarray | None
    source: np.ndarray

    @classmethod
    def between(
        cls,
        source: np.ndarray,
        target: np.ndarray,
        *,
        method: str = "flux_conserving",
        segments: tuple[tuple[int, int], ...] | None = None,
    ) -> "Resampler":
        """Work out the weights from one grid to another.

        Parameters
        ----------
        source, target : ndarray
            Increasing wavelengths, same unit.
        method : {"linear", "flux_conserving"}
            Interpolate between centres, or average over the output pixel.
        segments : tuple of (int, int), optional
            Pixel ranges of the target that are wanted; by default all.

        Returns
        -------
        Resampler
            To be called with flux, variance and mask.

        Examples
        --------
        >>> import numpy as np
        >>> from astro_latent.preparation import Resampler
        >>> halve = Resampler.between(np.arange(6.0), np.array([0.5, 2.5, 4.5]))
        >>> flux, variance, good = halve(np.array([1.0, 3, 5, 7, 9, 11]), np.ones(6))
        >>> flux, variance, good
        (array([ 2.,  6., 10.]), array([0.5, 0.5, 0.5]), array([1., 1., 1.]))
        """
        if method not in ("linear", "flux_conserving"):
            msg = f"method must be linear or flux_conserving, not {method!r}"
            raise ValueError(msg)
        segments = ((0, len(target)),) if segments is None else segments
        copies = _aligned(source, target, segments)
        if copies is not None:
            return cls(len(target), copies, None, None, source)
        build = _linear if method == "linear" else _flux_conserving
        weights, width = build(source, target, segments)
        return cls(len(target), (), weights, width, source)

    def __call__(
        self,
        flux: np.ndarray,
        variance: np.ndarray | None = None,
        good: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Resample one spectrum.

        Parameters
        ----------
        flux : ndarray, shape (n_in,)
            Flux density.
        variance : ndarray, shape (n_in,), optional
            Its variance, of independent pixels.
        good : ndarray of bool, shape (n_in,), optional
            True for pixels to use.

        Returns
        -------
        flux : ndarray, shape (n_out,)
            Resampled flux; 0 where no good pixel contributes.
        variance : ndarray, shape (n_out,)
            Its variance (the diagonal: neighbours are correlated after resampling);
            NaN where unknown.
        good : ndarray, shape (n_out,)
            Fraction of each pixel that comes from good input pixels.
        """
        if good is not None:
            flux = np.where(good, flux, 0.0)
            variance = None if variance is None else np.where(good, variance, 0.0)
        if self.weights is None:
            return self._copy(flux, variance, good)
        total = self._total if good is None else self.weights @ good.astype(float)
        fraction = total / self.width
        reached = fraction > _ALIGNED
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=reached)
        out = (self.weights @ flux) * inverse
        if variance is None:
            return out, np.full(self.n_out, np.nan), fraction
        spread = (self._squared @ variance) * inverse**2
        spread[~reached] = np.nan
        return out, spread, fraction

    @cached_property
    def _squared(self) -> csr_matrix:
        return self.weights.power(2)

    @cached_property
    def _total(self) -> np.ndarray:
        return self.weights @ np.ones(len(self.source))

    @cached_property
    def coverage(self) -> np.ndarray:
        """Fraction of each output pixel that the input covers, shape (n_out,)."""
        return self(np.ones(len(self.source)))[2]

    def _copy(
        self, flux: np.ndarray, variance: np.ndarray | None, good: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        good = np.ones(len(flux), dtype=bool) if good is None else good
        out, fraction = np.zeros(self.n_out), np.zeros(self.n_out)
        spread = np.full(self.n_out, np.nan)
        for there, here in self.copies:
            out[there] = flux[here]
            fraction[there] = good[here]
            if variance is not None:
                spread[there] = np.where(good[here], variance[here], np.nan)
        return out, spread, fraction


def _aligned(
    source: np.ndarray, target: np.ndarray, segments: tuple[tuple[int, int], ...]
) -> tuple[tuple[slice, slice], ...] | None:
    """Find the runs of pixels that agree; None unless all overlapping ones do."""
    copies = []
    for first, last in segments:
        part = target[first:last]
        if len(part) < 2:
            return None
        step = part[1] - part[0]
        if source[-1] < part[0] - step or source[0] > part[-1] + step:
            continue
        start = int(np.searchsorted(source, part[0] - 0.5 * step))
        skip = 0
        if start == 0:
            skip = int(np.searchsorted(part, source[0] - 0.5 * step))
        count = min(len(part) - skip, len(source) - start)
        here, there = source[start : start + count], part[skip : skip + count]
        if count < 2 or np.any(np.abs(here - there) > _ALIGNED * step):
            return None
        into = slice(first + skip, first + skip + count)
        copies.append((into, slice(start, start + count)))
    return tuple(copies)


def _columns(first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row pointers and columns of a matrix with a run of columns in each row."""
    pointers = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=pointers[1:])
    columns = np.repeat((first - pointers[:-1]).astype(np.int32), counts)
    columns += np.arange(pointers[-1], dtype=np.int32)
    return pointers, columns


@dataclass(frozen=True, eq=False)
class _Target:
    """Pixels that are wanted: their numbers, edges and widths."""

    wavelength: np.ndarray
    segments: tuple[tuple[int, int], ...]
    pixels: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    width: np.ndarray

    @classmethod
    def of(
        cls, wavelength: np.ndarray, segments: tuple[tuple[int, int], ...]
    ) -> "_Target":
        pixels = np.concatenate([np.arange(a, b) for a, b in segments])
        edges = [pixel_edges(wavelength[a:b]) for a, b in segments]
        lower, upper = (np.concatenate(side) for side in zip(*edges, strict=True))
        width = np.ones(len(wavelength))
        width[pixels] = upper - lower
        return cls(wavelength, segments, pixels, lower, upper, width)


_last_target: list[_Target] = []


def _target(wavelength: np.ndarray, segments: tuple[tuple[int, int], ...]) -> _Target:
    """Describe a target; the last one is kept, as a model's grid never changes."""
    if wavelength.flags.writeable:
        return _Target.of(wavelength, segments)
    for target in _last_target:
        if target.wavelength is wavelength and target.segments == segments:
            return target
    _last_target[:] = [_Target.of(wavelength, segments)]
    return _last_target[0]


def _flux_conserving(
    source: np.ndarray, target: np.ndarray, segments: tuple[tuple[int, int], ...]
) -> tuple[csr_matrix, np.ndarray]:
    """Weights by the overlap of pixels, and the width of the output pixels."""
    edges, pixel = _edges(source)
    out = _target(target, segments)
    pointers = np.zeros(len(target) + 1, dtype=np.int32)
    values, columns = [], []
    for start in range(0, len(out.pixels), _BLOCK):
        block = slice(start, start + _BLOCK)
        counts, *run = _overlaps(edges, out.lower[block], out.upper[block])
        pointers[out.pixels[block] + 1] = counts
        values.append(run[0])
        columns.append(run[1])
    np.cumsum(pointers, out=pointers)
    value, column = np.concatenate(values), np.concatenate(columns)
    if isinstance(pixel, np.ndarray):  # gaps weigh nothing
        value *= pixel[column]
        column = np.maximum(np.cumsum(pixel, dtype=np.int32) - 1, 0)[column]
    shape = (len(target), len(source))
    return csr_matrix((value, column, pointers), shape=shape), out.width


def _overlaps(
    edges: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlap of some output pixels with intervals: counts, then values and numbers."""
    near = np.searchsorted(edges, [lower[0], upper[-1]])
    offset = max(int(near[0]) - 1, 0)
    edges = edges[offset : max(int(near[1]) + 1, offset + 2)]
    lower = np.clip(lower, edges[0], edges[-1])
    upper = np.clip(upper, edges[0], edges[-1])
    # Faster than searchsorted, since the search goes on where it was.
    numbers = np.arange(len(edges), dtype=float)
    last = len(edges) - 2
    first = np.minimum(np.interp(lower, edges, numbers).astype(np.int32), last)
    final = np.minimum(np.interp(upper, edges, numbers).astype(np.int32), last)
    counts = final - first + 1
    ends = np.cumsum(counts, dtype=np.int32)
    starts = ends - counts
    columns = np.repeat(first - starts, counts)
    columns += np.arange(len(columns), dtype=np.int32)
    values = np.diff(edges)[columns]
    values[starts] -= lower - edges[first]
    values[ends - 1] -= edges[final + 1] - upper
    columns += np.int32(offset)
    return counts, values, columns


def _linear(
    source: np.ndarray, target: np.ndarray, segments: tuple[tuple[int, int], ...]
) -> tuple[csr_matrix, np.ndarray]:
    """Weights of the two neighbours; nothing is interpolated across a gap."""
    shape = (len(target), len(source))
    lower_in, upper_in = pixel_edges(source)
    numbers = np.arange(len(source), dtype=float)
    left = np.interp(target, source, numbers).astype(int)
    np.minimum(left, len(source) - 2, out=left)
    step = source[left + 1] - source[left]
    right_weight = (target - source[left]) / step
    wanted = np.zeros(shape[0], dtype=bool)
    for a, b in segments:
        wanted[a:b] = True
    wanted &= (right_weight > -_ALIGNED) & (right_weight < 1 + _ALIGNED)
    right_weight = np.clip(right_weight, 0.0, 1.0)
    gap = lower_in[left + 1] > upper_in[left]
    near_left, near_right = target <= upper_in[left], target >= lower_in[left + 1]
    right_weight = np.where(gap, near_right.astype(float), right_weight)
    wanted &= ~gap | near_left | near_right
    counts = np.where(wanted, 2, 0)
    pointers, columns = _columns(left, counts)
    pair = np.stack([1.0 - right_weight, right_weight], axis=1)
    weights = csr_matrix((pair[wanted].ravel(), columns, pointers), shape=shape)
    return weights, np.ones(len(target))


def resample(
    rows: list[Row], step: Step, grid: SpectralGrid, *, known: list[Resampler]
) -> Batch:
    """Put spectra on the grid; recipe step ``resample``.

    A pixel is valid if at least ``min_good`` of it comes from good pixels. ``known``
    keeps the last way found, since neighbours often share their grid.
    """
    batch = Batch.empty(rows, grid)
    for i, row in enumerate(rows):
        if not row.usable:
            continue
        if not (known and np.array_equal(known[-1].source, row.wavelength)):
            known[:] = [
                Resampler.between(
                    row.wavelength,
                    grid.wavelength,
                    method=step["method"],
                    segments=grid.segments,
                )
            ]
        least = step["min_good"] - _ALIGNED
        flux, variance, good = known[-1](row.flux, row.variance, row.good)
        batch.flux[i], batch.variance[i] = flux, variance
        batch.valid[i] = (good >= least) & (good > 0) & grid.valid
        batch.covered[i] = known[-1].coverage >= max(least, _ALIGNED)
    batch.covered &= grid.valid
    return batch
