# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Positions for rows whose files have none: from the name of the star, on request."""

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import ArchiveError
from ..tables.result_table import ResultTable

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

__all__ = ["resolve_positions"]


def resolve_positions(table: ResultTable, *, name: str = "target_name") -> ResultTable:
    """Ask a name service for the positions that are missing.

    Parameters
    ----------
    table : ResultTable
        Results, with columns ``ra``, ``dec`` and ``message``.
    name : str, optional
        Column with the names of the stars.

    Returns
    -------
    ResultTable
        A copy. Rows that had a position keep it; those whose name is known to SIMBAD,
        NED or VizieR get theirs, and ``message`` says so; the others stay NaN.

    Raises
    ------
    ValueError
        If the table has no column of names.

    Examples
    --------
    >>> from astro_latent.matching import resolve_positions
    >>> complete = resolve_positions(table)  # doctest: +SKIP
    """
    if name not in table.colnames:
        msg = f"there is no column {name!r} among {table.colnames}"
        raise ValueError(msg)
    table = table.copy()
    stars = np.asarray(table[name])
    missing = ~(np.isfinite(table["ra"]) & np.isfinite(table["dec"]))
    missing &= np.char.strip(stars) != ""
    notes = table["message"].astype(object)
    for star in np.unique(stars[missing]):
        rows = missing & (stars == star)
        found = _resolved(str(star))
        if found is not None:
            table["ra"][rows], table["dec"][rows] = found.ra, found.dec
        text = (
            "position of the name" if found is not None else "no position for the name"
        )
        notes[rows] = [f"{note}; {text} {star!s}".lstrip("; ") for note in notes[rows]]
    info = table["message"].info
    description, meta = info.description, info.meta
    table["message"] = np.asarray(notes, dtype="U")
    table["message"].info.description, table["message"].info.meta = description, meta
    return table


def _resolved(star: str) -> "SkyCoord | None":
    from ..archives import query as _query

    try:
        return _query.resolve_name(star)
    except ArchiveError:
        return None
