# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Positions on the sky out of any table, and all pairs of two sets within a radius."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import Table
from astropy.time import Time

__all__ = ["Pairs", "Positions", "find_pairs", "get_positions", "same_epoch"]

#: Names of position columns that are tried, in order, after the UCDs.
_NAMES = (
    ("ra", "dec"), ("s_ra", "s_dec"), ("RA", "DEC"), ("RA", "Dec"),
    ("RA_ICRS", "DE_ICRS"), ("RAJ2000", "DEJ2000"), ("_RAJ2000", "_DEJ2000"),
    ("raj2000", "dej2000"), ("RA_deg", "DE_deg"),
)  # fmt: skip
_MOTIONS = (("pmra", "pmdec"), ("pmRA", "pmDE"), ("pm_ra", "pm_dec"))
_EPOCHS = ("ref_epoch", "epoch", "Epoch")
_NEIGHBOURS = 2  # asked for at first; rows that find as many are looked at again


@dataclass(frozen=True)
class Positions:
    """Positions and, where known, how they move.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_rows,)
        ICRS, radians; NaN where not known.
    epoch : float or ndarray, shape (n_rows,), or None
        Julian year to which the positions belong; None if not known.
    motion : tuple of ndarray, or None
        Proper motion in right ascension (times cos dec) and declination, radians per
        year; None if not known.
    """

    ra: np.ndarray
    dec: np.ndarray
    epoch: float | np.ndarray | None = None
    motion: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def vectors(self) -> np.ndarray:
        """Unit vectors, shape (n_rows, 3)."""
        cos = np.cos(self.dec)
        parts = (cos * np.cos(self.ra), cos * np.sin(self.ra), np.sin(self.dec))
        return np.stack(parts, axis=1)

    def at(self, epoch: float) -> "Positions":
        """Move along straight lines to an epoch.

        Parameters
        ----------
        epoch : float
            Julian year.

        Returns
        -------
        Positions
            Rows without a proper motion stay where they are.

        Notes
        -----
        Uniform motion tangential to the sky; radial velocity and parallax are left
        out, which matters above 10 arcsec per year over decades only.
        """
        if self.motion is None or self.epoch is None:
            return self
        years = np.nan_to_num(epoch - np.asarray(self.epoch, dtype=float))
        east, north = (np.nan_to_num(m) * years for m in self.motion)
        sin_ra, cos_ra = np.sin(self.ra), np.cos(self.ra)
        sin_dec, cos_dec = np.sin(self.dec), np.cos(self.dec)
        x = cos_dec * cos_ra - east * sin_ra - north * sin_dec * cos_ra
        y = cos_dec * sin_ra + east * cos_ra - north * sin_dec * sin_ra
        z = sin_dec + north * cos_dec
        ra, dec = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
        return replace(self, ra=ra, dec=dec, epoch=epoch)


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


def _ucd(table: Table, name: str) -> str:
    return (table[name].info.meta or {}).get("ucd") or ""


def _by_ucd(table: Table, first: str, second: str) -> tuple[str, str] | None:
    """Find the only pair of columns with these UCDs, or the main one."""
    for ending in (";meta.main", ""):
        names = [
            [n for n in table.colnames if _ucd(table, n).lower() == ucd + ending]
            for ucd in (first, second)
        ]
        if len(names[0]) == len(names[1]) == 1:
            return names[0][0], names[1][0]
    return None


def _by_name(table: Table, names: Any) -> tuple[str, str] | None:
    return next((pair for pair in names if set(pair) <= set(table.colnames)), None)


def position_columns(table: Table) -> tuple[str, str]:
    """Find the columns that hold the positions of the rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table.

    Returns
    -------
    tuple of str
        Names of the columns of right ascension and declination.

    Raises
    ------
    ValueError
        If there are none.
    """
    pair = _by_ucd(table, "pos.eq.ra", "pos.eq.dec") or _by_name(table, _NAMES)
    if pair is None:
        msg = (
            f"no position columns among {table.colnames}; name them, or give them the "
            "UCDs pos.eq.ra;meta.main and pos.eq.dec;meta.main"
        )
        raise ValueError(msg)
    return pair


def _values(column: Any, unit: Any) -> np.ndarray:
    """Plain float64 values in a unit; NaN where masked. No unit means this unit."""
    own = column.unit or unit
    values = np.ma.filled(
        np.ma.asarray(getattr(column, "value", column)).astype(float), np.nan
    )
    return np.asarray(getattr(values, "unmasked", values)) * u.Unit(own).to(unit)


def _epoch(table: Table, ra: str) -> float | np.ndarray | None:
    name = next((n for n in _EPOCHS if n in table.colnames), None)
    if name is not None:
        column = table[name]
        if isinstance(column, Time):
            return column.jyear
        return _values(column, u.yr)
    system = (table[ra].info.meta or {}).get("coosys") or {}
    text = system.get("epoch") or table.meta.get("position_epoch")
    if not text:
        return None
    text = str(text)
    return float(Time(text if text[0] in "JB" else f"J{text}").jyear)


def get_positions(table: Table, columns: tuple[str, str] | None = None) -> Positions:
    """Take the positions out of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Angles without a unit are taken as degrees; proper motions without as mas/yr.
    columns : tuple of str, optional
        Names of the columns of right ascension and declination; by default found by
        UCD, then by name.

    Returns
    -------
    Positions
        ICRS.

    Raises
    ------
    ValueError
        If there are no position columns, or their frame is not known to Astropy.
    """
    coordinates = [n for n in table.colnames if isinstance(table[n], SkyCoord)]
    if columns is None and coordinates:
        icrs = table[coordinates[0]].icrs
        return Positions(icrs.ra.rad, icrs.dec.rad)
    ra_name, dec_name = columns or position_columns(table)
    for name in (ra_name, dec_name):
        if name not in table.colnames:
            msg = f"there is no column {name!r} among {table.colnames}"
            raise ValueError(msg)
    ra, dec = (np.deg2rad(_values(table[n], u.deg)) for n in (ra_name, dec_name))
    system = (table[ra_name].info.meta or {}).get("coosys") or {}
    frame = str(system.get("system") or "ICRS").replace("eq_", "")
    if frame.upper() != "ICRS":
        known = np.isfinite(ra) & np.isfinite(dec)
        icrs = SkyCoord(ra[known], dec[known], unit="rad", frame=frame.lower()).icrs
        ra[known], dec[known] = icrs.ra.rad, icrs.dec.rad
    names = _by_ucd(table, "pos.pm;pos.eq.ra", "pos.pm;pos.eq.dec") or _by_name(
        table, _MOTIONS
    )
    motion = None
    if names:
        turn = u.mas.to(u.rad)
        east, north = (_values(table[n], u.mas / u.yr) * turn for n in names)
        motion = (east, north)
    return Positions(ra, dec, _epoch(table, ra_name), motion)


def same_epoch(
    first: Positions, second: Positions, epoch: float | None = None
) -> tuple[Positions, Positions, float | None]:
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
    epoch : float or None
        The epoch; None if nothing was moved.
    """
    moves = [p.motion is not None and p.epoch is not None for p in (first, second)]
    if epoch is None:
        if not any(moves) or first.epoch is None or second.epoch is None:
            return first, second, None
        still = first.epoch if moves[1] and not moves[0] else second.epoch
        epoch = float(np.nanmedian(still))
    return first.at(epoch), second.at(epoch), epoch


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

    rows = [
        np.flatnonzero(np.isfinite(p.ra) & np.isfinite(p.dec)) for p in (first, second)
    ]
    if not all(len(r) for r in rows):
        nothing = np.zeros(0, dtype=np.intp)
        return Pairs(nothing, nothing, np.zeros(0))
    bands = np.round(first.dec[rows[0]], 2)
    rows[0] = rows[0][np.lexsort((first.ra[rows[0]], bands))]
    vectors = [p.vectors[r] for p, r in zip((first, second), rows, strict=True)]
    tree = cKDTree(vectors[1], balanced_tree=False, compact_nodes=False)
    # A chord a little too long: rounding must not lose a pair at the very edge.
    chord = 2 * np.sin(min(radius, np.pi) / 2) * (1 + 1e-9) + 1e-15
    i, j = _near(tree, vectors[0], chord)
    i, j = rows[0][i], rows[1][j]
    separation = angular_separation(
        first.ra[i], first.dec[i], second.ra[j], second.dec[j]
    )
    keep = separation <= radius
    i, j, separation = i[keep], j[keep], separation[keep]
    order = np.lexsort((j, separation, i))
    return Pairs(i[order], j[order], separation[order])


def _near(tree: Any, points: np.ndarray, chord: float) -> tuple[np.ndarray, ...]:
    """Pairs of points and nodes; crowded points are asked about once more, fully."""
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
