# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Positions of the rows of any table: from its columns, or from names of stars."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ..exceptions import ArchiveError
from ..tables.fields import coosys_of, ucd_of
from ..tables.result_table import ResultTable
from ..utils.angles import find_position_columns, parse_angles
from .epochs import plain_values, position_epoch

__all__ = [
    "Positions",
    "get_positions",
    "position_columns",
    "resolve_positions",
]

_MOTIONS = (("pmra", "pmdec"), ("pmRA", "pmDE"), ("pm_ra", "pm_dec"))


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

    @property
    def known(self) -> np.ndarray:
        """Which rows have a position, shape (n_rows,)."""
        return np.isfinite(self.ra) & np.isfinite(self.dec)

    @property
    def moves(self) -> bool:
        """Whether it is known where the rows are at other times."""
        return self.motion is not None and self.epoch is not None

    def take(self, rows: np.ndarray) -> "Positions":
        """Return some rows.

        Parameters
        ----------
        rows : ndarray of int
            Their numbers.

        Returns
        -------
        Positions
            Those rows, in this order.
        """
        epoch, motion = self.epoch, self.motion
        return Positions(
            self.ra[rows],
            self.dec[rows],
            epoch[rows] if isinstance(epoch, np.ndarray) else epoch,
            None if motion is None else (motion[0][rows], motion[1][rows]),
        )

    def at(self, epoch: float | np.ndarray) -> "Positions":
        """Move along straight lines to an epoch.

        Parameters
        ----------
        epoch : float or ndarray, shape (n_rows,)
            Julian year, for all rows or for each.

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


def _by_ucd(table: Table, first: str, second: str) -> tuple[str, str] | None:
    """Find the only pair of columns with these UCDs, or the main one."""
    for ending in (";meta.main", ""):
        names = [
            [n for n in table.colnames if ucd_of(table[n]).lower() == ucd + ending]
            for ucd in (first, second)
        ]
        if len(names[0]) == len(names[1]) == 1:
            return names[0][0], names[1][0]
    return None


def _by_name(table: Table, names: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
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
    pair = _by_ucd(table, "pos.eq.ra", "pos.eq.dec")
    pair = pair or find_position_columns(table.colnames)
    if pair is None:
        msg = (
            f"no position columns among {table.colnames}; name them, or give them the "
            "UCDs pos.eq.ra;meta.main and pos.eq.dec;meta.main"
        )
        raise ValueError(msg)
    return pair


def _angles(table: Table, name: str, *, hours: bool) -> np.ndarray:
    """Radians of a column; if nothing says its unit, in degrees or text in any form."""
    column = table[name]
    if column.dtype.kind not in "USO":
        named = column.unit is None and "hour" in name.lower()
        if hours and (named or column.unit in (u.hour, u.hourangle)):
            return plain_values(column, column.unit or u.hour) * (np.pi / 12)
        return np.deg2rad(plain_values(column, u.deg))
    values = np.ma.asarray(column)
    try:
        return np.deg2rad(parse_angles(values, hours=hours and column.unit != u.deg))
    except ValueError as error:
        msg = f"column {name!r}, {error}"
        raise ValueError(msg) from error


def _by_parts(table: Table) -> tuple[np.ndarray, np.ndarray] | None:
    """Radians from RAh, RAm, RAs, DE-, DEd, DEm and DEs, as tables of CDS have them."""
    if not set(table.colnames) >= {"RAh", "RAm", "DE-", "DEd", "DEm"}:
        return None
    parts = {
        name: plain_values(table[name], table[name].unit or u.one)
        for name in ("RAh", "RAm", "RAs", "DEd", "DEm", "DEs")
        if name in table.colnames
    }
    nothing = np.zeros(len(table))
    ra = parts["RAh"] + parts["RAm"] / 60 + parts.get("RAs", nothing) / 3600
    dec = parts["DEd"] + parts["DEm"] / 60 + parts.get("DEs", nothing) / 3600
    signs = np.ma.filled(np.ma.asarray(table["DE-"]).astype(str), "")
    dec *= np.where(np.char.strip(signs) == "-", -1.0, 1.0)
    return np.deg2rad(15 * ra), np.deg2rad(dec)


def get_positions(table: Table, columns: tuple[str, str] | None = None) -> Positions:
    """Take the positions out of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Angles without a unit are taken as degrees, sexagesimal text as hours and
        degrees; proper motions without a unit as mas/yr.
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
    parts = None if columns else _by_parts(table)
    if parts is not None and _by_ucd(table, "pos.eq.ra", "pos.eq.dec") is None:
        return Positions(*parts)
    ra_name, dec_name = columns or position_columns(table)
    for name in (ra_name, dec_name):
        if name not in table.colnames:
            msg = f"there is no column {name!r} among {table.colnames}"
            raise ValueError(msg)
    ra = _angles(table, ra_name, hours=True)
    dec = _angles(table, dec_name, hours=False)
    system = coosys_of(table[ra_name])
    frame = str(system.get("system") or "ICRS").replace("eq_", "")
    if frame.upper() != "ICRS":
        finite = np.isfinite(ra) & np.isfinite(dec)
        icrs = SkyCoord(ra[finite], dec[finite], unit="rad", frame=frame.lower()).icrs
        ra[finite], dec[finite] = icrs.ra.rad, icrs.dec.rad
    names = _by_ucd(table, "pos.pm;pos.eq.ra", "pos.pm;pos.eq.dec") or _by_name(
        table, _MOTIONS
    )
    motion = None
    if names:
        turn = u.mas.to(u.rad)
        east, north = (plain_values(table[n], u.mas / u.yr) * turn for n in names)
        motion = (east, north)
    return Positions(ra, dec, position_epoch(table, ra_name), motion)


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
        found = _ask_for(str(star))
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


def _ask_for(star: str) -> SkyCoord | None:
    from ..archives import query

    try:
        return query.resolve_name(star)
    except ArchiveError:
        return None
