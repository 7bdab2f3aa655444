# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in any TAP service that has the table ``ivoa.ObsCore``."""

from typing import TYPE_CHECKING, Any, ClassVar

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table, vstack

from ..exceptions import ArchiveTimeoutError
from .adql import circle, conditions, degrees, identifier, literal
from .base import Survey
from .config import conf
from .files import FileRequest, estimated_bytes
from .query import QueryFilter, TimeLike

if TYPE_CHECKING:
    from .tap import TapClient, TapResult

__all__ = ["ObsCoreSurvey"]

_STANDARD = (
    "obs_id, obs_publisher_did, obs_collection, target_name, s_ra, s_dec, "
    "dataproduct_type, calib_level, t_min, t_max, t_exptime, em_min, em_max, "
    "em_res_power, facility_name, instrument_name, access_url, access_format, "
    "access_estsize"
)


class ObsCoreSurvey(Survey):
    """Any TAP service with ObsCore.

    Parameters
    ----------
    url : str, optional
        Base address of the TAP service. Without it only `fetch` can be used, for rows
        that carry their ``access_url``.
    collection : str, optional
        Restrict to one ``obs_collection``.
    mode : {"sync", "async"}, optional
        How queries are run; by default at once, and as jobs for lists of targets
        where the service takes no uploads.

    Examples
    --------
    >>> from astro_latent.surveys import get_survey
    >>> survey = get_survey("obscore", url="https://archive.example.org/tap")
    >>> survey.url
    'https://archive.example.org/tap'
    """

    name = "obscore"
    title = "Any TAP service with ObsCore"

    #: Name of the ObsCore table.
    table: ClassVar[str] = "ivoa.ObsCore"
    #: Column of unique texts, by which pages follow each other.
    key: ClassVar[str] = "obs_publisher_did"
    #: Columns that are asked for.
    columns: ClassVar[str] = _STANDARD
    #: Whether the table has the column ``snr``, which is not part of the standard.
    has_snr: ClassVar[bool] = False
    #: Whether the service takes a table along with a query.
    takes_uploads: ClassVar[bool] = True

    def __init__(self, url: str = "", *, collection: str = "", mode: str = "") -> None:
        self._url = url
        self.collection = collection
        self.mode = mode or "sync"
        self._list_mode = mode or ("sync" if self.takes_uploads else "async")

    @property
    def url(self) -> str:
        """Base address of the TAP service."""
        return self._url

    def _make_client(self, *, mode: str = "") -> Any:
        from .tap import TapClient

        if not self.url:
            msg = f"{self.name} needs an address: get_survey({self.name!r}, url=...)"
            raise ValueError(msg)
        return TapClient(self.url, mode=mode or self.mode)

    def region_condition(self, region: str) -> str:
        """Say how an observation lies in a region.

        Parameters
        ----------
        region : str
            ADQL region.

        Returns
        -------
        str
            Condition.
        """
        return f"CONTAINS(POINT('ICRS', s_ra, s_dec), {region}) = 1"

    def adql(
        self, where: list[str], wanted: QueryFilter, *, order: str = "", top: int = 0
    ) -> str:
        """Write the query for a list of conditions.

        Parameters
        ----------
        where : list of str
            Conditions besides collection and type.
        wanted : QueryFilter
            Further conditions.
        order : str, optional
            ORDER BY what.
        top : int, optional
            Largest number of rows; 0 for no limit.

        Returns
        -------
        str
            ADQL.
        """
        every = [*self._write_conditions(wanted), *where, *conditions(wanted)]
        limit = f"TOP {top} " if top else ""
        text = f"SELECT {limit}{self.columns} FROM {identifier(self.table)} WHERE "
        return text + " AND ".join(every) + (f" ORDER BY {order}" if order else "")

    def _write_conditions(self, wanted: QueryFilter, prefix: str = "") -> list[str]:
        if wanted.snr is not None and not self.has_snr:
            msg = (
                f"{self.name}: ObsCore has no signal-to-noise ratio; filter with "
                "query_adql if this service has such a column"
            )
            raise ValueError(msg)
        out = [f"{prefix}dataproduct_type = 'spectrum'"]
        if self.collection:
            out.insert(0, f"{prefix}obs_collection = {literal(self.collection)}")
        return out

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
        """List the spectra within a circle; see `Survey.query_region`."""
        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        where = [self.region_condition(circle(coordinates, radius))]
        return self._query(where, wanted)

    def query_object(
        self,
        name: str,
        *,
        radius: u.Quantity | None = None,
        match: str = "position",
        **filters: Any,
    ) -> Table:
        """List the spectra of a star.

        Parameters
        ----------
        name : str
            Name of the star.
        radius : `~astropy.units.Quantity` ['angle'], optional
            Radius around its catalogue position.
        match : {"position", "name"}, optional
            ``"name"`` asks for this very ``target_name`` instead, without a name
            service; archives spell names as the observer did.
        **filters
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        if match == "position":
            return super().query_object(name, radius=radius, **filters)
        if match != "name":
            msg = f"match must be 'position' or 'name', not {match!r}"
            raise ValueError(msg)
        return self._query(
            [f"target_name = {literal(name)}"], QueryFilter.build(**filters)
        )

    def query_adql(self, adql: str, *, row_limit: int | None = None) -> Table:
        """Run ADQL as it is; see `Survey.query_adql`."""
        from .dal import warn_truncated

        limit = QueryFilter.build(row_limit=row_limit).row_limit
        result = self._make_client().run(adql, row_limit=limit)
        if result.truncated:
            warn_truncated(self.name, len(result.table))
        return self._answer(result.table, rename=self._rename(result.table))

    def _query(self, where: list[str], wanted: QueryFilter) -> Table:
        from .dal import warn_truncated

        client, limit = self._make_client(), wanted.row_limit
        if limit is not None:
            order = "snr DESC" if self.has_snr else ""
            adql = self.adql(where, wanted, order=order, top=limit + 1)
            result = client.run(adql, row_limit=limit)
            if result.truncated:
                warn_truncated(self.name, len(result.table))
            return self._answer(
                result.table, rename=self._rename(result.table), query=adql
            )

        def build(top: int, condition: str) -> str:
            more = [condition] if condition else []
            return self.adql([*where, *more], wanted, order=self.key, top=top)

        pages = [
            self._to_common_shape(page.table)
            for page in client.run_paged(build, self.key)
        ]
        return self._answer(_join_pages(pages), query=self.adql(where, wanted))

    def query_targets(
        self,
        targets: Table,
        radius: u.Quantity,
        *,
        snr: float | None = None,
        time: TimeLike | None = None,
        band: u.Quantity | None = None,
        row_limit: int | None = -1,
    ) -> Table:
        """List the spectra of many targets, asked for in pieces; all rows by default.

        The list is uploaded, or written into the queries as boxes where the service
        takes no uploads. A piece that is too much for it, or takes too long, is halved.

        Parameters
        ----------
        targets : `~astropy.table.Table`
            With ``ra``, ``dec`` in degrees, and ``target_id`` if wanted.
        radius : `~astropy.units.Quantity` ['angle']
            Radius around each.
        snr, time, band, row_limit
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`, with the column ``target_id`` in addition.
        """
        from .dal import warn_truncated
        from .tap import target_table

        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        adql = self._join(radius, wanted) if self.takes_uploads else ""
        client, pages, n_rows = self._make_client(mode=self._list_mode), [], 0
        size = conf.upload_size if self.takes_uploads else conf.box_count
        todo = _split_table(target_table(targets), size)
        while todo:
            left = None if wanted.row_limit is None else wanted.row_limit - n_rows
            if left is not None and left <= 0:
                warn_truncated(self.name, n_rows)
                break
            piece = todo.pop(0)
            try:
                result = self._ask_piece(client, adql, piece, radius, wanted, left)
            except ArchiveTimeoutError:
                if len(piece) == 1:
                    raise
                todo[:0] = _split_table(piece, -(-len(piece) // 2))
                continue
            full = left is not None and len(result.table) >= left
            if result.truncated and not full and len(piece) > 1:
                half = len(piece) // 2  # too much for the service at once
                todo[:0] = [piece[:half], piece[half:]]
                continue
            if result.truncated:
                warn_truncated(self.name, n_rows + len(result.table))
            n_rows += len(result.table)
            pages.append(self._to_common_shape(result.table))
            if result.truncated:
                break
        return self._answer(_join_pages(pages), query=adql)

    def _ask_piece(
        self,
        client: "TapClient",
        adql: str,
        piece: Table,
        radius: u.Quantity,
        wanted: QueryFilter,
        left: int | None,
    ) -> "TapResult":
        from .boxes import ask_boxes

        if self.takes_uploads:
            return client.run(adql, row_limit=left, upload=piece)
        return ask_boxes(
            client,
            lambda where: self.adql(where, wanted),
            piece,
            radius,
            row_limit=left,
        )

    def _join(self, radius: u.Quantity, wanted: QueryFilter) -> str:
        columns = ", ".join(f"o.{name.strip()}" for name in self.columns.split(","))
        every = [
            *self._write_conditions(wanted, "o."),
            *conditions(wanted, prefix="o."),
        ]
        near = f"CIRCLE('ICRS', t.ra, t.dec, {degrees(radius)})"
        return (
            f"SELECT t.target_id, {columns} FROM {identifier(self.table)} AS o "
            f"JOIN TAP_UPLOAD.targets AS t ON CONTAINS(POINT('ICRS', o.s_ra, o.s_dec), "
            f"{near}) = 1 WHERE {' AND '.join(every)}"
        )

    def _rename(self, table: Table) -> dict[str, str]:
        return {}

    def _to_common_shape(self, table: Table) -> Table:
        from .obscore_columns import to_obscore

        return to_obscore(table, survey=self.name, rename=self._rename(table))

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Name files by the publisher's identifier: ``obs_id`` may cover several."""
        return [
            FileRequest(
                identifier=str(row["obs_publisher_did"]) or str(row["obs_id"]),
                url=str(row["access_url"]),
                estimate=estimated_bytes(row),
                datalink="content=datalink" in str(row["access_format"]),
            )
            for row in table
        ]


def _split_table(table: Table, size: int) -> list[Table]:
    return [table[start : start + size] for start in range(0, len(table), size)]


def _join_pages(pages: list[Table]) -> Table:
    """All pages as one table; an empty one if there is none."""
    if not pages:
        return Table()
    return pages[0] if len(pages) == 1 else vstack(pages, metadata_conflicts="silent")
