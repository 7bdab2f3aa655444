# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Target lists for services that take no uploads: boxes in the query, circles here."""

from collections.abc import Callable

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Column, Table

from .adql import number
from .tap import TapClient, TapResult

__all__ = ["ask_boxes", "box_condition", "match_targets"]


def box_condition(ra: float, dec: float, radius: float) -> str:
    """Write a box around a circle, which an index on the columns can use.

    Parameters
    ----------
    ra, dec : float
        Centre, degrees.
    radius : float
        Degrees.

    Returns
    -------
    str
        Condition on ``s_ra`` and ``s_dec``; it holds in all of the circle, across 0 h
        and at the poles too.

    Examples
    --------
    >>> from astro_latent.archives.boxes import box_condition
    >>> box_condition(10.0, 89.0, 2.0)
    '(s_dec BETWEEN 87.0 AND 90.0)'
    """
    low, high = max(dec - radius, -90.0), min(dec + radius, 90.0)
    north = f"s_dec BETWEEN {number(low)} AND {number(high)}"
    if max(abs(low), abs(high)) >= 90:
        return f"({north})"
    sine = np.sin(np.deg2rad(radius)) / np.cos(np.deg2rad(dec))
    half = 180.0 if abs(sine) >= 1 else float(np.rad2deg(np.arcsin(sine)))
    if half >= 180:
        return f"({north})"
    first, last = (ra - half) % 360, (ra + half) % 360
    if first <= last:
        east = f"s_ra BETWEEN {number(first)} AND {number(last)}"
    else:
        east = f"(s_ra >= {number(first)} OR s_ra <= {number(last)})"
    return f"({north} AND {east})"


def match_targets(rows: Table, targets: Table, radius: u.Quantity) -> Table:
    """Say for each row which target it is within the radius of.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With ``s_ra`` and ``s_dec``, degrees.
    targets : `~astropy.table.Table`
        With ``target_id``, ``ra`` and ``dec``, degrees.
    radius : `~astropy.units.Quantity` ['angle']
        Largest separation.

    Returns
    -------
    `~astropy.table.Table`
        ``target_id`` and the columns of ``rows``, once for each target, in their order.
    """
    place: list[np.ndarray] = [
        np.ma.filled(np.ma.asarray(rows[name], float), np.nan)
        for name in ("s_ra", "s_dec")
    ]
    known = np.flatnonzero(np.isfinite(place[0]) & np.isfinite(place[1]))
    first = second = np.zeros(0, int)
    if len(known):
        first, second, _, _ = search_around_sky(
            SkyCoord(targets["ra"], targets["dec"], unit="deg"),
            SkyCoord(place[0][known], place[1][known], unit="deg"),
            radius,
        )
    order = np.lexsort((second, first))
    out = rows[known[second[order]]]
    names = Column(np.asarray(targets["target_id"])[first[order]], name="target_id")
    out.add_column(names, index=0)
    return out


def ask_boxes(
    client: TapClient,
    write: Callable[[list[str]], str],
    targets: Table,
    radius: u.Quantity,
    *,
    row_limit: int | None = None,
) -> TapResult:
    """Ask for the surroundings of some targets in one query.

    Parameters
    ----------
    client : TapClient
        The service.
    write : callable
        Takes conditions, returns ADQL.
    targets : `~astropy.table.Table`
        With ``target_id``, ``ra`` and ``dec``, degrees.
    radius : `~astropy.units.Quantity` ['angle']
        Radius around each.
    row_limit : int, optional
        Largest number of rows.

    Returns
    -------
    TapResult
        Rows within the circles, with ``target_id``.
    """
    size = u.Quantity(radius).to_value(u.deg)
    boxes = [box_condition(float(t["ra"]), float(t["dec"]), size) for t in targets]
    result = client.run(write([f"({' OR '.join(boxes)})"]))
    table = match_targets(result.table, targets, radius)
    if row_limit is not None and len(table) > row_limit:
        return TapResult(table[:row_limit], truncated=True)
    return TapResult(table, truncated=result.truncated)
