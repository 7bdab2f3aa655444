# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Edges of pixels from their centres, gaps between detectors included."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["GAP", "Pixels", "Run", "interval_edges", "pixel_edges"]

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
    >>> from astro_latent.preparation.edges import pixel_edges
    >>> pixel_edges([1.0, 2.0, 3.0, 9.0, 10.0])
    (array([0.5, 1.5, 2.5, 8.5, 9.5]), array([ 1.5,  2.5,  3.5,  9.5, 10.5]))
    """
    edges, pixel = interval_edges(np.asarray(wavelength, dtype=float))
    return edges[:-1][pixel], edges[1:][pixel]


def interval_edges(wavelength: np.ndarray) -> tuple[np.ndarray, "slice | np.ndarray"]:
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
    def runs(self) -> tuple["Run", ...]:
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
