# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which spectra are of one star, and which stars are for what."""

from collections.abc import Sequence

import numpy as np
from astropy.table import Column, Table
from numpy.typing import NDArray

from ..exceptions import UnknownNameError
from ..matching.pairs import find_pairs
from ..matching.positions import Positions, get_positions

__all__ = [
    "OUTSIDE",
    "PARTS",
    "SAME_STAR",
    "STAR_COLUMNS",
    "check_split",
    "find_places",
    "group_stars",
    "spare_none",
    "split_stars",
]

#: What stars are for: to fit, to choose the epoch, to calibrate and judge.
PARTS = ("train", "validation", "held_out")
#: Or to show what the model shall flag; a part that only the caller can name.
OUTSIDE = "outside"
#: Columns that tell stars apart, in capitals or not; the first that is there.
STAR_COLUMNS = (
    "star", "star_id", "source_id", "gaia_source_id", "gaia_dr3_source_id",
    "gaiaedr3_source_id", "sdss_id", "tmass_id", "apogee_id", "tic", "target_name",
    "name",
)  # fmt: skip
#: Positions so near are of one star, arcsec.
SAME_STAR = 3.0
_FEWEST = 3  # stars of a part
_FEWEST_OF_ALL = 5  # if none is spared: of three, two intervals in three hold


def group_stars(
    table: Table, star: str | None = None, *, rows: np.ndarray | None = None
) -> tuple[NDArray, str]:
    """Give numbers to the stars of the rows of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row for each spectrum.
    star : str, optional
        Column that tells stars apart. By default the first of the usual names of such
        columns, else positions (stars within 3 arcsec are one), else each row is a star
        of its own. So is a row that the column leaves empty.
    rows : ndarray of int, shape (n_rows,), optional
        What tells stars apart if nothing else does: the row of a list of stars.

    Returns
    -------
    numbers : ndarray of int, shape (n_rows,)
        Equal for spectra of one star.
    how : str
        By what they were told apart, for the model card.

    Raises
    ------
    UnknownNameError
        If there is no such column.

    Examples
    --------
    >>> from astropy.table import Column, Table
    >>> from astro_latent.training.stars import group_stars
    >>> group_stars(Table({"source_id": [7, 9, 7]}))
    (array([0, 1, 0]), 'column source_id')
    """
    if star is not None and star not in table.colnames:
        raise UnknownNameError("column of the table", star, table.colnames)
    named = {name.lower(): name for name in reversed(table.colnames)}
    name = star or next((named[n] for n in STAR_COLUMNS if n in named), None)
    if name is not None:
        return _group_names(table[name]), f"column {name}"
    places = find_places(table)
    if places is not None:
        return _group_places(places), f"position, {SAME_STAR:g} arcsec"
    how = "row: no column tells which spectra are of one star"
    return np.arange(len(table)) if rows is None else rows.copy(), how


def _group_names(column: Column) -> NDArray:
    """Give numbers to names; each of those that are missing is one of its own."""
    values = np.ma.asarray(column)
    missing = np.ma.getmaskarray(values) | (
        np.char.strip(values.data.astype(str)) == ""
    )
    numbers = np.unique(values.data, return_inverse=True)[1].reshape(-1)
    numbers[missing] = len(values) + np.arange(missing.sum())
    return numbers


def find_places(table: Table) -> Positions | None:
    """Return the positions in a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With columns of any usual names.

    Returns
    -------
    Positions or None
        None if it has none, or not one that is known.
    """
    try:
        places = get_positions(table)
    except ValueError:
        return None
    return places if np.isfinite(places.ra + places.dec).any() else None


def _group_places(places: Positions) -> NDArray:
    """Give numbers to groups of positions that are within reach of each other."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = find_pairs(places, places, np.radians(SAME_STAR / 3600))
    count = len(places.ra)
    ones = np.ones(len(pairs.first))
    links = coo_matrix((ones, (pairs.first, pairs.second)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def split_stars(
    stars: np.ndarray, *, held_out: float, validation: float, seed: int, how: str = ""
) -> NDArray[np.str_]:
    """Deal stars out to the parts of a training, all spectra of a star to one part.

    Parameters
    ----------
    stars : ndarray of int, shape (n_spectra,)
        From `group_stars`.
    held_out, validation : float
        Shares of the stars.
    seed : int
        Of the draw.
    how : str, optional
        By what stars were told apart, for the message.

    Returns
    -------
    ndarray of str, shape (n_spectra,)
        One of `PARTS` each.

    Raises
    ------
    ValueError
        If there are too few stars.
    """
    unique = np.unique(stars)
    counts = [
        max(_FEWEST, round(share * len(unique))) if share else 0
        for share in (validation, held_out)
    ]
    if len(unique) - sum(counts) < 2 * _FEWEST:
        msg = (
            f"{len(unique)} stars with spectra and labels are too few: {counts[0]} to "
            f"choose the epoch and {counts[1]} to calibrate leave "
            f"{max(len(unique) - sum(counts), 0)} to learn from"
        )
        if len(stars) > len(unique):
            msg += (
                f"; {len(stars)} spectra were told apart by {how}: name another star="
            )
        raise ValueError(msg)
    order = np.random.default_rng([seed, 1]).permutation(unique)
    part = np.full(len(unique), PARTS[0], dtype="U10")
    at = np.searchsorted(unique, order)
    part[at[: counts[0]]] = PARTS[1]
    part[at[counts[0] : sum(counts)]] = PARTS[2]
    return part[np.searchsorted(unique, stars)]


def spare_none(
    stars: np.ndarray, usable: np.ndarray, *, how: str = ""
) -> NDArray[np.str_]:
    """Let all stars teach, where each may be left out by algebra.

    Parameters
    ----------
    stars : ndarray of int, shape (n_spectra,)
        From `group_stars`.
    usable : ndarray of bool, shape (n_spectra,)
        Others have no part.
    how : str, optional
        By what stars were told apart, for the message.

    Returns
    -------
    ndarray of str, shape (n_spectra,)
        The first of `PARTS`, or nothing.

    Raises
    ------
    ValueError
        If there are fewer than five stars, which tell too little of the errors.
    """
    count = len(np.unique(stars[usable]))
    if count < _FEWEST_OF_ALL:
        msg = f"{count} stars are too few to correct weights: {_FEWEST_OF_ALL} at least"
        if usable.sum() > count:
            msg += f"; spectra were told apart by {how}: name another star="
        raise ValueError(msg)
    return np.where(usable, PARTS[0], "").astype("U10")


def check_split(
    parts: Sequence[str] | np.ndarray, *, folds: bool = False
) -> NDArray[np.str_]:
    """Check parts that the caller chose.

    Parameters
    ----------
    parts : sequence of str, shape (n_spectra,)
        One of `PARTS` or `OUTSIDE` each, or nothing for a spectrum that is left out.
    folds : bool, optional
        Each star is to be held out once, so none may be held out for good.

    Returns
    -------
    ndarray of str
        The same.

    Raises
    ------
    ValueError
        If there are other parts, nothing to train on, nothing to calibrate with, or
        something to calibrate with beside folds.
    """
    found = np.asarray(parts, dtype="U")
    known = (*PARTS, OUTSIDE)
    others = sorted({*found.tolist()} - {*known, ""})
    if others:
        msg = f"a part is one of {', '.join(known)} or empty, not {others[0]!r}"
        raise ValueError(msg)
    found = found.astype("U10")
    if folds and (found == PARTS[2]).any():
        msg = f"folds hold each star out once: no spectrum can have part {PARTS[2]!r}"
        raise ValueError(msg)
    for part in (PARTS[0],) if folds else (PARTS[0], PARTS[2]):
        if np.count_nonzero(found == part) < _FEWEST:
            msg = f"fewer than {_FEWEST} spectra have the part {part!r}; the parts are "
            msg += ", ".join(PARTS)
            raise ValueError(msg)
    return found
