# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Sums over the input pixels that each output pixel takes from, in small blocks.

Each output pixel takes from a run of input pixels. All runs of a block advance
together, so that a block costs a few operations on arrays that stay in the
processor's cache. Sums are local, unlike differences of running totals: one wild pixel
or one enormous error does not spoil what comes after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .edges import Pixels, interval_edges, pixel_edges

__all__ = ["Plan", "flux_conserving_plan", "linear_plan"]

_ALIGNED = 1e-6  # pixels
_BLOCK = 8192  # output pixels: what stays in the cache


@dataclass(frozen=True, eq=False)
class _Block:
    """Output pixels from ``first`` on: their k-th input pixels and weights."""

    first: int
    columns: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]

    def total(self, values: np.ndarray | None, power: int = 1) -> np.ndarray:
        """Sum weights, raised to a power, times values."""
        out = np.zeros(len(self.weights[0]))
        for column, weight in zip(self.columns, self.weights, strict=True):
            if values is None:
                out += weight
                continue
            term = values.take(column)
            for _ in range(power):
                term *= weight
            out += term
        return out


@dataclass(frozen=True, eq=False)
class Plan:
    """Weights of input pixels in output pixels.

    Parameters
    ----------
    n_out : int
        Number of output pixels.
    blocks : tuple of _Block
        The weights.
    width : ndarray, shape (n_out,)
        Sum of the weights of an output pixel that is fully covered.
    """

    n_out: int
    blocks: tuple[_Block, ...]
    width: np.ndarray

    def average(
        self, flux: np.ndarray, variance: np.ndarray | None, good: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average the flux of good pixels by weight, block after block.

        Parameters
        ----------
        flux : ndarray, shape (n_in,)
            Zero where not good.
        variance : ndarray, shape (n_in,), or None
            Zero where not good.
        good : ndarray of float, shape (n_in,), or None
            One where good; None if all are.

        Returns
        -------
        flux, variance, fraction : ndarray, shape (n_out,)
            Averages, their variance (NaN where unknown), and the weight of the good
            pixels as a fraction of ``width``.
        """
        out, fraction = np.zeros(self.n_out), np.zeros(self.n_out)
        spread = np.full(self.n_out, np.nan)
        for block in self.blocks:
            here = slice(block.first, block.first + len(block.weights[0]))
            total = block.total(good)
            fraction[here] = total / self.width[here]
            empty = fraction[here] <= _ALIGNED
            total[empty] = np.inf
            out[here] = block.total(flux) / total
            if variance is not None:
                terms = block.total(variance, power=2)
                terms /= total
                terms /= total
                terms[empty] = np.nan
                spread[here] = terms
        return out, spread, fraction


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
    blocks = []
    for run in target.runs:
        for part in _parts(len(run.lower)):
            columns, weights = _overlaps(
                edges, run.knots, run.lower[part], run.upper[part]
            )
            if isinstance(pixel, np.ndarray):  # gaps weigh nothing
                weights = [w * pixel[c] for w, c in zip(weights, columns, strict=True)]
                number = np.maximum(np.cumsum(pixel) - 1, 0)
                columns = [number[column] for column in columns]
            blocks.append(
                _Block(run.first + part.start, tuple(columns), tuple(weights))
            )
    return Plan(len(target), tuple(blocks), target.width)


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def _overlaps(
    edges: np.ndarray, knots: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Overlap of output pixels with intervals: numbers and widths, run by run."""
    knots, low, high = _between(knots, lower, upper)
    near = np.searchsorted(edges, knots[[0, -1]])
    offset = min(max(int(near[0]) - 1, 0), len(edges) - 2)
    edges = edges[offset : max(int(near[1]) + 1, offset + 2)]
    last = len(edges) - 2
    number = _interval(knots, edges)
    first = number[low]
    longest = int(np.max(number[high] - first)) + 1
    # Beyond the last interval there are some of no width.
    edges = np.append(edges, np.full(longest, edges[-1]))
    columns, weights = [], []
    left = edges.take(first)
    for k in range(longest):
        column = first + k
        right = edges[1:].take(column)
        weight = np.minimum(knots[high], right)
        weight -= np.maximum(knots[low], left)
        weights.append(np.maximum(weight, 0.0, out=weight))
        np.minimum(column, last, out=column)
        column += offset
        columns.append(column)
        left = right
    return columns, weights


def _between(
    knots: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, Any, Any]:
    """Return the knots of some pixels, and which are their lower and upper edges."""
    base = lower[0]
    knots = knots[base : upper[-1] + 1]
    if len(knots) == len(lower) + 1:  # each pixel begins where one ends
        return knots, slice(None, -1), slice(1, None)
    return knots, lower - base, upper - base


def _interval(at: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Find the interval that holds each position; the nearest one if none does."""
    # Faster than searchsorted, since the search goes on where it was.
    number = np.interp(at, edges, np.arange(len(edges), dtype=float)).astype(np.intp)
    return np.minimum(number, len(edges) - 2, out=number)


def linear_plan(source: np.ndarray, target: Pixels) -> Plan:
    """Weigh the two neighbours; nothing is interpolated across a gap.

    Parameters
    ----------
    source : ndarray
        Increasing wavelengths.
    target : Pixels
        Where the output pixels lie.

    Returns
    -------
    Plan
        The weights.
    """
    lower, upper = pixel_edges(source)
    at = target.wavelength
    blocks = [
        _neighbours(source, lower, upper, at[first:last][part], first + part.start)
        for first, last in target.segments
        for part in _parts(last - first)
    ]
    return Plan(len(at), tuple(blocks), np.ones(len(at)))


def _neighbours(
    source: np.ndarray, lower: np.ndarray, upper: np.ndarray, at: np.ndarray, first: int
) -> _Block:
    near = np.searchsorted(source, [at[0], at[-1]])
    offset = min(max(int(near[0]) - 1, 0), len(source) - 2)
    left = _interval(at, source[offset : max(int(near[1]) + 1, offset + 2)])
    left += offset
    right = (at - source[left]) / (source[left + 1] - source[left])
    inside = (right > -_ALIGNED) & (right < 1 + _ALIGNED)
    np.clip(right, 0.0, 1.0, out=right)
    gap = lower[left + 1] > upper[left]
    near_left, near_right = at <= upper[left], at >= lower[left + 1]
    right = np.where(gap, near_right.astype(float), right)
    inside &= ~gap | near_left | near_right
    return _Block(first, (left, left + 1), ((1.0 - right) * inside, right * inside))
