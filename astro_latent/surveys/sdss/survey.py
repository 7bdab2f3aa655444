# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS optical spectra (BOSS and SEGUE): the light version of each file."""

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ...archives.adql import number
from ...archives.base import Survey
from ...archives.files import FileRequest
from ...archives.query import QueryFilter, TimeLike
from ...exceptions import UnsupportedQueryError
from .config import conf
from .rows import name_columns, name_row, write_address
from .sql import SPECTRA, SPECTRA_DR19, sky_condition

__all__ = ["Sdss"]

_RENAME = {
    "ra": "s_ra",
    "dec": "s_dec",
    "snmedian": "snr",
    "wavemin": "em_min",
    "wavemax": "em_max",
}


class Sdss(Survey):
    """SDSS optical spectra of stars, ``spec-lite`` files.

    Parameters
    ----------
    release : int, optional
        Data release, 13 to 19. By position all but DR18 are listed; of DR19 the
        spectra of SDSS-V, and `fetch` takes rows with field, mjd, catalogid and run2d.
    """

    name = "sdss"
    title = "SDSS/BOSS/SEGUE optical spectra"
    wavelength_range = (3600.0, 10400.0)
    medium = "vacuum"
    frame = "barycentric"
    # Of the night of imaging, 1998.7 to 2009.9 (2011ApJS..193...29A); files of DR13 to
    # DR17 do not say of which, those of DR18 on have other catalogues.
    position_epoch = 2004.0
    normalisation = "none"
    resolving_power = 2000.0
    licence = "public; acknowledge SDSS"
    citation = "2022ApJS..259...35A"
    keys = ("plate", "mjd", "fiberid", "run2d")

    def __init__(self, *, release: int = 17) -> None:
        if not 13 <= int(release) <= 19:
            msg = f"release must lie between 13 and 19, not {release}"
            raise ValueError(msg)
        self.release = int(release)

    @property
    def url(self) -> str:
        """Address of the SkyServer: ``conf.skyserver_url``."""
        return conf.skyserver_url

    def query_region(
        self,
        coordinates: SkyCoord,
        radius: u.Quantity,
        *,
        snr: float | None = None,
        time: TimeLike | None = None,
        band: u.Quantity | None = None,
        row_limit: int | None = None,
    ) -> Table:
        """List the spectra of stars within a circle; see `Survey.query_region`."""
        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        return self.query_adql(
            self.sql(coordinates, radius, wanted), row_limit=row_limit
        )

    def sql(
        self, coordinates: SkyCoord, radius: u.Quantity, wanted: QueryFilter
    ) -> str:
        """Write the query for a circle.

        Parameters
        ----------
        coordinates, radius
            As for `query_region`.
        wanted : QueryFilter
            Further conditions.

        Returns
        -------
        str
            Transact-SQL.
        """
        if self.release == 18:
            msg = (
                "spectra of DR18 are not listed by position: ask DR19 (release=19), "
                "give fetch a table with field, mjd, catalogid and run2d, or write the "
                "SQL yourself with query_adql"
            )
            raise UnsupportedQueryError(msg)
        source = SPECTRA_DR19 if self.release > 17 else SPECTRA
        where = [
            "s.class = 'STAR'",
            sky_condition(coordinates, radius, prefix=source.position),
        ]
        if wanted.snr is not None:
            where.append(f"{source.snr} >= {number(wanted.snr)}")
        if wanted.time is not None:
            first, last = wanted.time
            where.append(f"s.mjd BETWEEN {number(first - 1)} AND {number(last + 1)}")
        if wanted.band is not None:
            low, high = (10**10 * end for end in wanted.band)  # database in ångström
            where.append(f"s.wavemax >= {number(low)} AND s.wavemin <= {number(high)}")
        top = "" if wanted.row_limit is None else f"TOP {wanted.row_limit + 1} "
        return (
            f"SELECT {top}{source.columns} FROM {source.name} AS s WHERE "
            f"{' AND '.join(where)} ORDER BY {source.snr} DESC"
        )

    def query_adql(self, adql: str, *, row_limit: int | None = None) -> Table:
        """Run Transact-SQL in the SDSS database, as it is; see `Survey.query_adql`."""
        from ...archives.dal import warn_truncated
        from .cas import query_cas

        limit = QueryFilter.build(row_limit=row_limit).row_limit
        table = query_cas(adql, release=self.release)
        if limit is not None and len(table) > limit:
            table = table[:limit]
            warn_truncated(self.name, limit)
        return self._answer(self._describe(table), rename=_RENAME, query=adql)

    def _shape_rows(self, table: Table) -> Table:
        return self._answer(self._describe(table), rename=_RENAME)

    def _describe(self, table: Table) -> Table:
        """Add units, which the database does not send, and identifiers."""
        table = name_columns(table)
        for name, unit in (("ra", "deg"), ("dec", "deg")):
            if name in table.colnames:
                table[name].unit = unit
        for name in ("wavemin", "wavemax"):
            if name in table.colnames:
                table[name].unit = "Angstrom"
        names = [name_row(row) for row in table]
        if names and all(names):
            table["obs_id"] = names
            table["t_min"] = [float(mjd) for mjd in table["mjd"]]
            table["t_max"] = [float(mjd) + 1 for mjd in table["mjd"]]
            if "run2d" in table.colnames:
                table["access_url"] = [write_address(r, self.release) for r in table]
        return table

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Ask for the light files of the rows."""
        return [
            FileRequest(identifier=name_row(row), url=write_address(row, self.release))
            for row in name_columns(table.copy())
        ]
