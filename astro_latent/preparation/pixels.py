# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pixels: their edges, and how those of one grid share in those of another.

Edges come from centres, gaps between detectors included. Each output pixel takes from a
run of input pixels, the first of which is listed; the runs of a block advance together,
so that a block costs a few operations on arrays that stay in the processor's cache.
Sums are local, unlike differences of running totals: one wild pixel or one enormous
error does not spoil what comes after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = [
    "GAP",
    "Pixels",
    "Plan",
    "Run",
    "flux_conserving_plan",
    "interval_edges",
    "linear_plan",
    "pixel_edges",
]

GAP = 1.5  # a step this much longer than its neighbour is a gap, not a pixel


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
    >>> from astro_latent.preparation.pixels import pixel_edges
    >>> pixel_edges([1.0, 2.0, 3.0, 9.0, 10.0])
    (array([0.5, 1.5, 2.5, 8.5, 9.5]), array([ 1.5,  2.5,  3.5,  9.5, 10.5]))
    """
    edges, pixel = interval_edges(np.asarray(wavelength, dtype=float))
    return edges[:-1][pixel], edges[1:][pixel]


def interval_edges(wavelength: np.ndarray) -> tuple[np.ndarray, slice | np.ndarray]:
    """Edges of the pixels and of the gaps between them, and which intervals are pixels.

    The second is a slice of all intervals where there is no gap.
    """
    if wavelength.ndim != 1 or len(wavelength) < 2:
        msg = f"two or more wavelengths are needed, got shape {wavelength.shape}"
        raise ValueError(msg)
    steps = np.diff(wavelength)
    first, last = wavelength[0] - 0.5 * steps[0], wavelength[-1] + 0.5 * steps[-1]
    edges = np.empty(len(wavelength) + 1)
    edges[0], edges[-1] = first, last
    np.multiply(steps, 0.5, out=edges[1:-1])
    edges[1:-1] += wavelength[:-1]
    if steps.max() <= GAP * steps.min():  # the usual case, in two quick looks
        return edges, slice(None)
    longer, shorter = np.zeros((2, len(steps)), dtype=bool)
    np.greater(steps[1:], GAP * steps[:-1], out=longer[1:])  # than the one before
    np.greater(steps[:-1], GAP * steps[1:], out=shorter[:-1])  # than the one after
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
class Run:
    """Pixels from ``first`` on: pixel k spans ``knots[lower[k]]..knots[upper[k]]``."""

    first: int
    knots: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, wavelength: np.ndarray, segments: list[tuple[int, int]]) -> "Run":
        """Collect the edges of neighbouring segments, each edge once."""
        edges = [pixel_edges(wavelength[a:b]) for a, b in segments]
        lower, upper = (np.concatenate(side) for side in zip(*edges, strict=True))
        knots = np.unique(np.concatenate([lower, upper]))
        return cls(
            segments[0][0],
            knots,
            np.searchsorted(knots, lower),
            np.searchsorted(knots, upper),
        )


class Pixels:
    """Pixels in one or more segments, and their edges.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Increasing centres.
    segments : tuple of (int, int), optional
        Ranges of pixels that are wanted; by default all are one segment.
    """

    def __init__(
        self,
        wavelength: np.ndarray,
        segments: tuple[tuple[int, int], ...] | None = None,
    ) -> None:
        self.wavelength = np.asarray(wavelength, dtype=float)
        self.segments = segments or ((0, len(self.wavelength)),)

    def __len__(self) -> int:
        return len(self.wavelength)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Neighbouring segments joined, with the edges of their pixels."""
        joined: list[list[tuple[int, int]]] = []
        for segment in self.segments:
            if joined and joined[-1][-1][1] == segment[0]:
                joined[-1].append(segment)
            else:
                joined.append([segment])
        return tuple(Run.of(self.wavelength, segments) for segments in joined)

    @cached_property
    def width(self) -> np.ndarray:
        """Width of each pixel; one outside the segments."""
        width = np.ones(len(self))
        for run in self.runs:
            lower, upper = run.knots[run.lower], run.knots[run.upper]
            width[run.first : run.first + len(lower)] = upper - lower
        return width


_ALIGNED = 1e-6  # pixels
_BLOCK = 16384  # output pixels: what stays in the cache


@dataclass(frozen=True, eq=False)
class Plan:
    """Weights of input pixels in output pixels.

    Parameters
    ----------
    first : ndarray of int, shape (n_out,)
        The first input interval that each output pixel takes from.
    weights : ndarray, shape (n_terms, n_out)
        Weights of that interval and of those that follow it; zero outside ``parts``.
    width : ndarray, shape (n_out,)
        Sum of the weights of an output pixel that is fully covered.
    parts : tuple of slice
        The output pixels, block by block.
    pixel : ndarray of bool, shape (n_intervals,), or None
        Which of the input intervals are pixels, the others being gaps; None if all are.
    """

    first: np.ndarray
    weights: np.ndarray
    width: np.ndarray
    parts: tuple[slice, ...]
    pixel: np.ndarray | None = None

    def average(
        self, flux: np.ndarray, variance: np.ndarray | None, share: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average the flux of valid pixels by weight, block after block.

        Parameters
        ----------
        flux : ndarray, shape (n_in,)
            Zero where not valid.
        variance : ndarray, shape (n_in,), or None
            Zero where not valid.
        share : ndarray of float, shape (n_in,), or None
            One where valid; None if all are.

        Returns
        -------
        flux, variance, fraction : ndarray, shape (n_out,)
            Averages, their variance (NaN where unknown), and the weight of the valid
            pixels as a fraction of ``width``.
        """
        if self.pixel is not None:  # a gap is never valid
            share = np.ones(len(flux)) if share is None else share
            flux, share = (_with_gaps(values, self.pixel) for values in (flux, share))
            if variance is not None:
                variance = _with_gaps(variance, self.pixel)
        # One array: from 4 MiB on, numpy asks for large pages, and the faults of small
        # ones would take longer than the sums.
        out, spread, fraction = np.zeros((3, len(self.first)))
        spread.fill(np.nan)
        for part in self.parts:
            total = self._total(part, share)
            np.divide(total, self.width[part], out=fraction[part])
            empty = fraction[part] <= _ALIGNED
            total[empty] = np.inf
            np.divide(self._total(part, flux), total, out=out[part])
            if variance is not None:
                terms = self._total(part, variance, power=2)
                terms /= total
                terms /= total
                terms[empty] = np.nan
                spread[part] = terms
        return out, spread, fraction

    @cached_property
    def coverage(self) -> np.ndarray:
        """Fraction of each output pixel that the input covers, shape (n_out,)."""
        if self.pixel is None:
            return self.weights.sum(axis=0) / self.width
        return self.average(np.zeros(np.count_nonzero(self.pixel)), None, None)[2]

    def _total(
        self, part: slice, values: np.ndarray | None, power: int = 1
    ) -> np.ndarray:
        """Sum weights, raised to a power, times values; None stands for ones."""
        weights, first = self.weights[:, part], self.first[part]
        if values is None:
            return weights.sum(axis=0)
        out = np.zeros(len(first))
        for k, weight in enumerate(weights):
            # Clipped only beyond the last interval, where the weight is zero.
            term = values[k:].take(first, mode="clip")
            for _ in range(power):
                term *= weight
            out += term
        return out


def _with_gaps(values: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Values of pixels among those of all intervals; zero in gaps."""
    spread = np.zeros(len(pixel))
    spread[pixel] = values
    return spread


def flux_conserving_plan(source: np.ndarray, target: Pixels) -> Plan:
    """Weigh input pixels by their overlap with output pixels.

    Parameters
    ----------
    source : ndarray
        Increasing wavelengths.
    target : Pixels
        Where the output pixels lie.

    Returns
    -------
    Plan
        The weights; output pixels outside the input take a weight of zero.
    """
    edges, pixel = interval_edges(source)
    first = np.zeros(len(target), dtype=np.intp)
    parts, sides, n_terms = [], [], 1
    for run in target.runs:
        for piece in _parts(len(run.lower)):
            part = slice(run.first + piece.start, run.first + piece.stop)
            lower, upper, longest = _locate(edges, run, piece, first[part])
            n_terms = max(n_terms, longest)
            parts.append(part)
            sides.append((lower, upper))
    weights = np.zeros((n_terms, len(target)))
    for part, (lower, upper) in zip(parts, sides, strict=True):
        _overlaps(edges, first[part], lower, upper, weights[:, part])
    gaps = pixel if isinstance(pixel, np.ndarray) else None
    return Plan(first, weights, target.width, tuple(parts), gaps)


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def _locate(
    edges: np.ndarray, run: Run, piece: slice, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Fill in the first interval of some pixels; their sides, and the longest run."""
    base = run.lower[piece.start]
    knots = run.knots[base : run.upper[piece.stop - 1] + 1]
    if knots[0] < edges[0] or knots[-1] > edges[-1]:
        knots = knots.clip(edges[0], edges[-1])
    number = _interval(knots, edges)
    low, high = slice(None, -1), slice(1, None)
    if len(knots) != len(first) + 1:  # not every pixel begins where one ends
        low, high = run.lower[piece] - base, run.upper[piece] - base
    first[:] = number[low]
    return knots[low], knots[high], int(np.max(number[high] - first)) + 1


def _interval(at: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Find the interval that holds each position; the nearest one if none does."""
    near = np.searchsorted(edges, at[[0, -1]])
    offset = min(max(int(near[0]) - 1, 0), len(edges) - 2)
    edges = edges[offset : max(int(near[1]) + 1, offset + 2)]
    # Faster than searchsorted, since the search goes on where it was.
    number = np.interp(at, edges, np.arange(len(edges), dtype=float)).astype(np.intp)
    np.minimum(number, len(edges) - 2, out=number)
    number += offset
    return number


def _overlaps(
    edges: np.ndarray,
    first: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill in how much of each output pixel lies in its k-th interval, for each k."""
    left = lower
    for k, weight in enumerate(weights[:-1], start=1):
        right = edges[k:].take(first, mode="clip")
        np.minimum(right, upper, out=right)
        np.subtract(right, left, out=weight)
        left = right
    np.subtract(upper, left, out=weights[-1])


def linear_plan(source: np.ndarray, target: Pixels) -> Plan:
    """Weigh the two neighbours, none across a gap; see `flux_conserving_plan`."""
    edges, pixel = interval_edges(source)
    sides = None
    if isinstance(pixel, np.ndarray):
        sides = edges[:-1][pixel], edges[1:][pixel]
    at = target.wavelength
    first, weights = np.zeros(len(at), dtype=np.intp), np.zeros((2, len(at)))
    parts = []
    for begin, end in target.segments:
        for piece in _parts(end - begin):
            part = slice(begin + piece.start, begin + piece.stop)
            first[part] = _interval(at[part], source)
            _neighbours(source, sides, at[part], first[part], weights[:, part])
            parts.append(part)
    return Plan(first, weights, np.ones(len(at)), tuple(parts))


def _neighbours(
    source: np.ndarray,
    sides: tuple[np.ndarray, np.ndarray] | None,
    at: np.ndarray,
    left: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill in the weights of the left and the right neighbour."""
    start = source.take(left)
    right = at - start
    right /= source[1:].take(left) - start
    inside = (right > -_ALIGNED) & (right < 1 + _ALIGNED)
    np.clip(right, 0.0, 1.0, out=right)
    if sides is not None:  # there are gaps: take the pixel that reaches there, if any
        lower, upper = sides[0][left + 1], sides[1][left]
        gap = lower > upper
        right = np.where(gap, (at >= lower).astype(float), right)
        inside &= ~gap | (at <= upper) | (at >= lower)
    np.multiply(1.0 - right, inside, out=weights[0])
    np.multiply(right, inside, out=weights[1])
