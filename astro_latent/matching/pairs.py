# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""All pairs of rows of two tables that lie within a radius of each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import angular_separation

from .positions import Positions

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["Pairs", "find_pairs", "nearest_separation"]

_NEIGHBOURS = 2  # asked for at first; rows that find as many are looked at again


@dataclass(frozen=True)
class Pairs:
    """Rows that lie within the radius of each other.

    Parameters
    ----------
    first, second : ndarray of int, shape (n_pairs,)
        Row numbers in both tables, ordered by the first and then by separation.
    separation : ndarray, shape (n_pairs,)
        Radians.
    identity : ndarray of int, shape (n_pairs,), optional
        The same number for the same object of the second table, where ``second``
        numbers the rows of an answer that may name an object more than once.
    """

    first: np.ndarray
    second: np.ndarray
    separation: np.ndarray
    identity: np.ndarray | None = None


def find_pairs(first: Positions, second: Positions, radius: float) -> Pairs:
    """Find all pairs within a radius.

    Parameters
    ----------
    first, second : Positions
        Rows with NaN match nothing.
    radius : float
        Radians, inclusive.

    Returns
    -------
    Pairs
        All pairs.

    Notes
    -----
    A k-d tree of unit vectors, queried in order of position so that neighbouring
    queries share the processor's cache; exact separations for what it finds.
    """
    from scipy.spatial import cKDTree  # half of the time that this room takes to load

    rows = [np.flatnonzero(p.known) for p in (first, second)]
    if not all(len(r) for r in rows):
        nothing = np.zeros(0, dtype=np.intp)
        return Pairs(nothing, nothing, np.zeros(0))
    bands = np.round(first.dec[rows[0]], 2)
    rows[0] = rows[0][np.lexsort((first.ra[rows[0]], bands))]
    vectors = [p.vectors[r] for p, r in zip((first, second), rows, strict=True)]
    tree = cKDTree(vectors[1], balanced_tree=False, compact_nodes=False)
    # A chord a little too long: rounding must not lose a pair at the very edge.
    chord = 2 * np.sin(min(radius, np.pi) / 2) * (1 + 1e-9) + 1e-15
    i, j = _find_near(tree, vectors[0], chord)
    i, j = rows[0][i], rows[1][j]
    separation = angular_separation(
        first.ra[i], first.dec[i], second.ra[j], second.dec[j]
    )
    keep = separation <= radius
    i, j, separation = i[keep], j[keep], separation[keep]
    order = np.lexsort((j, separation, i))
    return Pairs(i[order], j[order], separation[order])


def _find_near(
    tree: "cKDTree", points: np.ndarray, chord: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pair points with those of the tree; crowded ones are asked about once more."""
    k = min(_NEIGHBOURS, tree.n)
    _, found = tree.query(points, k=np.arange(1, k + 1), distance_upper_bound=chord)
    hit = found < tree.n
    crowded = hit.all(axis=1) if tree.n > k else np.zeros(len(points), dtype=bool)
    hit[crowded] = False
    i, column = np.nonzero(hit)
    j = found[i, column]
    extra = np.flatnonzero(crowded)
    if len(extra):
        lists = tree.query_ball_point(points[extra], chord)
        counts = [len(part) for part in lists]
        i = np.concatenate([i, np.repeat(extra, counts)])
        j = np.concatenate([j, *(np.asarray(part, dtype=np.intp) for part in lists)])
    return i, j


def nearest_separation(first: Positions, second: Positions) -> float:
    """Return how near the nearest two rows are, whatever the radius.

    Parameters
    ----------
    first, second : Positions
        Each with at least one row that has a position.

    Returns
    -------
    float
        Radians.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(second.vectors[second.known], balanced_tree=False)
    chord, _ = tree.query(first.vectors[first.known])
    return float(2 * np.arcsin(min(chord.min() / 2, 1.0)))
