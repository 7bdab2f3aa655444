# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pairs of stars that move, each looked for at the time of the observation."""

import numpy as np
from astropy.coordinates import angular_separation

from .pairs import Pairs, find_pairs
from .positions import Positions

__all__ = ["EACH_ROW", "bring_together", "find_pairs_row_by_row"]

#: What stands for the epoch where each row has its own.
EACH_ROW = "each row"


def bring_together(
    first: Positions, second: Positions, epoch: float | None = None
) -> tuple[Positions, Positions, float | str | None]:
    """Move positions to a common epoch where it is known how.

    Parameters
    ----------
    first, second : Positions
        The positions of both tables.
    epoch : float, optional
        Julian year; by default that of a table that cannot be moved, else that of
        the second.

    Returns
    -------
    first, second : Positions
        At the common epoch.
    epoch : float, str or None
        The epoch; ``"each row"`` if one table can be moved and the rows of the other
        are of different years, for `find_pairs_row_by_row`; None if it is not known.
    """
    if epoch is None:
        if not (first.moves or second.moves):
            return first, second, None
        if first.epoch is None or second.epoch is None:
            return first, second, None
        still = first.epoch if second.moves and not first.moves else second.epoch
        years = np.unique(np.atleast_1d(still)[np.isfinite(still)])
        if not len(years):
            return first, second, None
        if len(years) > 1 and not (first.moves and second.moves):
            return first, second, EACH_ROW
        epoch = float(np.median(years))
    return first.at(epoch), second.at(epoch), epoch


def find_pairs_row_by_row(first: Positions, second: Positions, radius: float) -> Pairs:
    """Find pairs where each row of one table has its own epoch, and the other moves.

    Parameters
    ----------
    first, second : Positions
        One of them with proper motions and epoch, the other with an epoch for each
        row; a row without one is compared with where the others were catalogued.
    radius : float
        Radians, inclusive.

    Returns
    -------
    Pairs
        All pairs.

    Notes
    -----
    A star that may be as far as ``reach`` from where it is at the middle of all
    epochs is looked for within the radius plus the reach, and kept if its separation
    at the epoch of the row is small enough. Stars are taken in classes of reach, each
    twice that of the one before: the few that are fast do not widen the search for
    the many that are slow.
    """
    swap = first.moves
    still, mover = (second, first) if swap else (first, second)
    years = np.asarray(still.epoch, dtype=float)
    catalogued = float(np.nanmedian(np.asarray(mover.epoch, dtype=float)))
    years = np.where(np.isfinite(years), years, catalogued)
    low, high = float(years.min()), float(years.max())
    speed = np.hypot(*(np.nan_to_num(part) for part in mover.motion or ()))
    reach = speed * (high - low) / 2
    classes = np.ceil(np.log2(np.maximum(reach / radius, 1.0))).astype(int)
    middle, found = mover.at((low + high) / 2), []
    for level in np.unique(classes):
        rows = np.flatnonzero(classes == level)
        near = find_pairs(still, middle.take(rows), radius * (1 + 2.0**level))
        found.append((near.first, rows[near.second]))
    i, j = (np.concatenate(part) for part in zip(*found, strict=True))
    then = mover.take(j).at(years[i])
    separation = angular_separation(still.ra[i], still.dec[i], then.ra, then.dec)
    keep = separation <= radius
    first_rows, second_rows = (j, i) if swap else (i, j)
    first_rows, second_rows = first_rows[keep], second_rows[keep]
    separation = separation[keep]
    order = np.lexsort((second_rows, separation, first_rows))
    return Pairs(first_rows[order], second_rows[order], separation[order])
