# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which stars of one list of spectra are in another, too: by their names, or places."""

import re
from collections.abc import Iterator

import numpy as np
from astropy.table import Column, Table
from numpy.typing import NDArray

from ..exceptions import UnknownNameError
from ..matching.pairs import find_pairs
from ..tables.fields import ucd_of
from .stars import SAME_STAR, STAR_COLUMNS, find_places

__all__ = ["find_common"]

#: Columns of one kind, whatever they are called: what is before a digit is no part of
#: the name. Other columns of `STAR_COLUMNS` are compared with those of the same name.
_KINDS = {
    "gaia": (
        "source_id", "gaia_source_id", "gaia_dr3_source_id", "gaiaedr3_source_id",
        "gaia_sourceid", "gaia_id", "source", "gaia",
    ),
    "2mass": ("tmass_id", "apogee_id", "twomass", "twomass_id", "2mass", "_2mass"),
    "tic": ("tic", "tic_id"),
    "lamost": ("obsid",),  # of a spectrum, and so of a star
}  # fmt: skip
_KIND_OF = dict.fromkeys(STAR_COLUMNS) | {
    name: kind for kind, names in _KINDS.items() for name in names
}
_PREFIX = re.compile(r"^(gaia\s*(e?dr\d)?\s|2mass\s*j?|2m|ap|j|tic)\s*(?=\d)")
_MAIN = "meta.id;meta.main"
_OF_SPECTRA = "obs_id"  # which may be no more than a number


def find_common(
    rows: Table,
    others: Table,
    *,
    star: tuple[str | None, str | None] = (None, None),
) -> NDArray[np.bool_] | None:
    """Find the rows of a table that are of stars of another, too.

    Parameters
    ----------
    rows, others : `~astropy.table.Table`
        One row for each spectrum.
    star : tuple of str, optional
        Columns of the two that name the stars. By default all of usual names, in
        capitals or not, of which those of one kind are compared, such as ``source_id``
        and ``Source``; and columns whose UCD is ``meta.id;meta.main``.

    Returns
    -------
    ndarray of bool, shape (n_rows,), or None
        True if a name of the star is in the other table, or if there is a position of
        the other within 3 arcsec. None if neither can be told: there are no columns of
        one kind, and no positions in one of the two.

    Raises
    ------
    UnknownNameError
        If there is no such column.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.training.common_stars import find_common
    >>> others = Table({"Source": ["Gaia DR3 9", "Gaia DR3 11"], "n": [7, 7]})
    >>> find_common(Table({"source_id": [7, 9]}), others)
    array([False,  True])
    >>> find_common(Table({"n": [7, 9]}), others, star=("n", "n"))
    array([ True, False])
    >>> find_common(Table({"source_id": [7, 9]}), others["n",]) is None
    True
    """
    found, told = np.zeros(len(rows), dtype=bool), False
    for one, two in _same_kind(rows, others, star):
        here, there = _spell(one), _spell(two)
        found |= np.isin(here, there[there != ""])
        told = True
    place, other = find_places(rows), find_places(others)
    if place is not None and other is not None:
        found[find_pairs(place, other, np.radians(SAME_STAR / 3600)).first] = True
        told = True
    return found if told else None


def _same_kind(
    rows: Table, others: Table, star: tuple[str | None, str | None]
) -> Iterator[tuple[Column, Column]]:
    """Yield columns that may hold the same names; a chosen one is of any kind."""
    here, there = (_named(t, s) for t, s in zip((rows, others), star, strict=True))
    for one, kind in here.items():
        for two, other in there.items():
            if kind == other or "any" in (kind, other):
                yield rows[one], others[two]


def _named(table: Table, star: str | None) -> dict[str, str]:
    """Columns that name stars, and of which kind each is."""
    if star is not None:
        if star not in table.colnames:
            raise UnknownNameError("column of the table", star, table.colnames)
        return {star: "any"}
    found = {}
    for name in table.colnames:
        lower = name.lower()
        if lower in _KIND_OF:
            found[name] = _KIND_OF[lower] or lower
        elif ucd_of(table[name]).lower() == _MAIN and lower != _OF_SPECTRA:
            found[name] = "main"
    return found


def _spell(column: Column) -> NDArray[np.str_]:
    """Names as text, spelt alike; nothing where none is known."""
    values = np.ma.filled(np.ma.asarray(column).astype(str), "")
    unique, at = np.unique(values, return_inverse=True)
    words = (name.strip().lower().removesuffix(".0") for name in unique.tolist())
    spelt = ["" if name == "nan" else _PREFIX.sub("", name) for name in words]
    return np.array(spelt, dtype=str)[at.reshape(-1)]
