# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a survey is: facts about its spectra, and the questions it answers.

Each survey is a subclass of `Survey`. The facts say what would
otherwise be convention in someone's head; the methods all return one shape of table.
"""

import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ..exceptions import NoResultsWarning, UnsupportedQueryError
from ..utils.files import PATH_COLUMNS
from .files import FileRequest, estimated_bytes
from .hosts import trust
from .obscore_columns import to_obscore
from .query import TimeLike, resolve_name

__all__ = ["Survey"]


class Survey(ABC):
    """A source of spectra: facts, queries and files.

    A subclass sets the facts below as class attributes and writes `query_region`,
    and `file_requests` where its files lie behind addresses.
    """

    #: Name under which the survey is registered.
    name: ClassVar[str]
    #: One line for people.
    title: ClassVar[str] = ""
    #: Ends of the wavelength range, in ångström; NaN if it varies.
    wavelength_range: ClassVar[tuple[float, float]] = (np.nan, np.nan)
    #: "air", "vacuum" or "unknown".
    medium: ClassVar[str] = "unknown"
    #: "observed", "barycentric", "rest" or "unknown".
    frame: ClassVar[str] = "unknown"
    #: Wavelength over full width at half maximum; NaN if it varies.
    resolving_power: ClassVar[float] = np.nan
    #: "none", "continuum" or "unknown".
    normalisation: ClassVar[str] = "unknown"
    #: Terms under which the data may be used.
    licence: ClassVar[str] = "see the archive"
    #: Paper, or acknowledgement, to cite.
    citation: ClassVar[str] = ""
    #: Julian year of the positions that files state, where they are those of an input
    #: catalogue, None if its year is not known; NaN where they are those of the night.
    position_epoch: ClassVar[float | None] = np.nan
    #: Columns, in small letters, by which a row of any table can be fetched.
    keys: ClassVar[tuple[str, ...]] = ()
    #: Names of the weights that suit the spectra, the one to take first.
    models: ClassVar[tuple[str, ...]] = ()
    #: Radius around a named star's catalogue position.
    object_radius: ClassVar[u.Quantity] = 10 * u.arcsec

    @property
    def url(self) -> str:
        """Address that is asked; "" where nothing is asked over the network."""
        return ""

    @property
    def named_url(self) -> str:
        """The same, if a person named it: then it may lie in a private network."""
        return self.url

    @abstractmethod
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
        """List the spectra within a circle on the sky.

        Parameters
        ----------
        coordinates : `~astropy.coordinates.SkyCoord`
            Centre, one position.
        radius : `~astropy.units.Quantity` ['angle']
            Radius.
        snr : float, optional
            Smallest signal-to-noise ratio.
        time : `~astropy.time.Time` of two elements, or pair of MJD, optional
            Observations that overlap this interval.
        band : `~astropy.units.Quantity` of two elements, optional
            Spectra that overlap this range.
        row_limit : int, optional
            Largest number of rows; -1 for all; by default ``conf.row_limit``.

        Returns
        -------
        `~astropy.table.Table`
            One row per spectrum, ObsCore names, units and UCDs.
        """

    def query_object(
        self, name: str, *, radius: u.Quantity | None = None, **filters: Any
    ) -> Table:
        """List the spectra of a star, found at its catalogue position.

        Parameters
        ----------
        name : str
            Name that the Sesame service knows.
        radius : `~astropy.units.Quantity` ['angle'], optional
            Radius around the position (J2000: a fast star has moved since).
        **filters
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        radius = self.object_radius if radius is None else radius
        return self.query_region(resolve_name(name), radius, **filters)

    def query_adql(self, adql: str, *, row_limit: int | None = None) -> Table:
        """Run a query in the archive's own language.

        Parameters
        ----------
        adql : str
            The query. It is sent as it is.
        row_limit : int, optional
            Largest number of rows; -1 for all; by default ``conf.row_limit``.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        msg = f"the survey {self.name!r} answers no query language; use query_region"
        raise UnsupportedQueryError(msg)

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
        """List the spectra of many targets at once.

        Parameters
        ----------
        targets : `~astropy.table.Table`
            With ``ra`` and ``dec`` (or ``s_ra`` and ``s_dec``) in degrees, and
            ``target_id`` if the answer shall name the target of each row.
        radius : `~astropy.units.Quantity` ['angle']
            Radius around each.
        snr, time, band, row_limit
            As for `query_region`; all rows by default.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`, with the column ``target_id`` in addition.
        """
        msg = f"the survey {self.name!r} takes no target list; loop over query_region"
        raise UnsupportedQueryError(msg)

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Say what to fetch for each row.

        Parameters
        ----------
        table : `~astropy.table.Table`
            Rows that a query returned.

        Returns
        -------
        list of FileRequest
            One per row.
        """
        return [
            FileRequest(
                identifier=str(row["obs_id"]),
                url=str(row["access_url"]),
                estimate=estimated_bytes(row),
                datalink="content=datalink" in str(row["access_format"]),
            )
            for row in table
        ]

    def fetch(
        self,
        table: Table,
        directory: str | Path | None = None,
        *,
        progress: bool | None = None,
        **options: Any,
    ) -> Table:
        """Bring the files of a table here.

        Parameters
        ----------
        table : `~astropy.table.Table`
            Rows that a query returned.
        directory : path-like, optional
            Where to; by default a folder in Astropy's cache.
        progress : bool, optional
            Show a progress bar; by default ``conf.show_progress``.
        **options
            As for `~astro_latent.archives.download_files`.

        Returns
        -------
        `~astropy.table.Table`
            The same rows in the same order, with columns ``path`` ("" where the
            file could not be had), ``flags`` and ``message``.
        """
        from .download import download_files
        from .files import default_directory, with_results

        trust(self.named_url)
        results = download_files(
            self.file_requests(table),
            directory or default_directory(self.name),
            progress=progress,
            **options,
        )
        return with_results(table, results)

    def adopt(self, table: Table) -> Table:
        """Bring rows that somebody else asked for to the shape of our own.

        Parameters
        ----------
        table : `~astropy.table.Table`
            From astroquery, pyvo or a file, with the columns `keys` or ``access_url``.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        out = table.copy(copy_data=False)
        for name in table.colnames:
            if name.lower() != name and name.lower() not in out.colnames:
                out.rename_column(name, name.lower())
        return self._shape_rows(out)

    def _shape_rows(self, table: Table) -> Table:
        """Add what rows of other people lack; their columns are in small letters."""
        if "obs_id" not in table.colnames:
            names = ("dp_id", "obs_publisher_did", "ssa_pubdid", *self.keys)
            name = next(
                (n for n in (*names, "access_url") if n in table.colnames), None
            )
            if name is None:
                msg = (
                    f"rows of {self.name} need {' or '.join((*names, 'access_url'))}; "
                    f"these have {', '.join(table.colnames)}"
                )
                raise ValueError(msg)
            table["obs_id"] = [str(value) for value in table[name]]
        return self._answer(table)

    def _answer(
        self, table: Table, *, rename: dict[str, str] | None = None, **meta: Any
    ) -> Table:
        """Bring an archive's rows to the common shape; say so if there are none."""
        out = to_obscore(table, survey=self.name, rename=rename)
        if self.url:  # what a service calls path is no file of this machine
            out.remove_columns([name for name in PATH_COLUMNS if name in out.colnames])
        out.meta["survey"] = self.name
        out.meta.update({key: value for key, value in meta.items() if value})
        if len(out) == 0:
            warnings.warn(
                f"{self.name}: the query found nothing", NoResultsWarning, stacklevel=3
            )
        return out

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.title}>"
