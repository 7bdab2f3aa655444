# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Matches that others compute: CDS, TAP services, LSDB."""

from dataclasses import dataclass
from os import PathLike
from typing import TypeAlias

import numpy as np
from astropy import units as u
from astropy.table import Table

from .hats import match_hats
from .pairs import Pairs
from .positions import get_positions

__all__ = ["CatalogueLike", "TapTable", "match_remotely"]


@dataclass(frozen=True, kw_only=True)
class TapTable:
    """A table of a TAP service.

    Parameters
    ----------
    url : str
        Base address of the service, without ``/sync``.
    table : str
        Name of the table, with its schema.
    ra, dec : str
        Its columns of right ascension and declination, ICRS degrees.
    mode : {"async", "sync"}
        Asynchronous jobs survive long queries; synchronous ones are quicker.

    Examples
    --------
    >>> from astro_latent.matching import TapTable
    >>> TapTable(url="https://example.org/tap", table="survey.stars").mode
    'async'
    """

    url: str
    table: str
    ra: str = "ra"
    dec: str = "dec"
    mode: str = "async"


#: What a table can be matched with: a table, a file, or a name that a service knows.
CatalogueLike: TypeAlias = Table | str | PathLike[str] | TapTable


def match_remotely(
    table: Table,
    other: str | TapTable,
    *,
    radius: u.Quantity,
    columns: tuple[str, str] | None = None,
) -> tuple[Table, Pairs]:
    """Have a service find the pairs.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows to match; those without a position are not sent.
    other : str or TapTable
        As for `crossmatch`.
    radius : Quantity ['angle']
        Largest separation.
    columns : tuple of str, optional
        Names of right ascension and declination in ``table``.

    Returns
    -------
    catalogue : `~astropy.table.Table`
        One row for each pair.
    pairs : Pairs
        Which row of ``table`` it belongs to, and at what separation.

    Raises
    ------
    ValueError
        If no row has a position.
    ArchiveError
        If a service does not answer.
    ImportError
        If LSDB is needed and not installed.
    """
    places = get_positions(table, columns)
    rows = np.flatnonzero(places.known)
    if not len(rows):
        msg = "no row of the table has a position, so that there is nothing to match"
        raise ValueError(msg)
    sent = Table(
        {"ra": np.rad2deg(places.ra[rows]), "dec": np.rad2deg(places.dec[rows])}
    )
    answer = _ask(sent, other, radius)
    first = rows[np.asarray(answer["row"], dtype=np.intp)]
    separation = np.asarray(answer["separation"], dtype=float) * u.arcsec.to(u.rad)
    order = np.lexsort((separation, first))
    catalogue = answer[order]
    catalogue.remove_columns(["row", "separation"])
    numbers = np.arange(len(order))
    pairs = Pairs(first[order], numbers, separation[order], _identify(catalogue))
    return catalogue, pairs


def _ask(sent: Table, other: str | TapTable, radius: u.Quantity) -> Table:
    """Return one row per pair: ``row``, ``separation`` in arcsec, and the catalogue."""
    if isinstance(other, str) and other.startswith("hats:"):
        return match_hats(sent, other.removeprefix("hats:"), radius)
    from ..archives.xmatch import tap_crossmatch, vizier_crossmatch

    if isinstance(other, TapTable):
        return tap_crossmatch(
            sent,
            other.url,
            other.table,
            radius,
            columns=(other.ra, other.dec),
            mode=other.mode,
        )
    return vizier_crossmatch(sent, other.removeprefix("vizier:"), radius)


def _identify(catalogue: Table) -> np.ndarray:
    """Give the same number to rows of the catalogue at the same position."""
    try:
        places = get_positions(catalogue)
    except ValueError:
        return np.arange(len(catalogue))
    pairs = np.stack([places.ra, places.dec], axis=1)
    _, inverse = np.unique(pairs, axis=0, return_inverse=True)
    return inverse.reshape(-1)
