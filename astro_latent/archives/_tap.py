# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""TAP through pyvo: time-outs, second attempts, uploads, and truncation told."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests
from astropy.table import Table
from pyvo.dal import TAPService
from pyvo.dal.exceptions import (
    DALFormatError,
    DALOverflowWarning,
    DALQueryError,
    DALServiceError,
)

from ..exceptions import (
    ArchiveError,
    ArchiveFormatError,
    ArchiveTimeoutError,
    TruncatedResultsWarning,
)
from ._adql import literal
from ._config import conf
from ._http import (
    RETRY_STATUS,
    TransientError,
    check_scheme,
    make_session,
    retry_after,
    with_retries,
)

__all__ = ["TapClient", "TapResult", "target_table", "warn_truncated"]


@dataclass(frozen=True)
class TapResult:
    """Rows of an answer, and whether there would have been more.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows.
    truncated : bool
        The service, or the limit asked for, cut the answer short.
    """

    table: Table
    truncated: bool


def warn_truncated(name: str, n_rows: int) -> None:
    """Say that there is more than was returned.

    Parameters
    ----------
    name : str
        Who was asked.
    n_rows : int
        Rows that were returned.
    """
    warnings.warn(
        f"{name}: there are more than the {n_rows} rows returned; raise row_limit, or "
        "pass row_limit=-1 for all",
        TruncatedResultsWarning,
        stacklevel=4,
    )


class TapClient:
    """One TAP service.

    Parameters
    ----------
    url : str
        Base address of the service, without ``/sync``.
    mode : {"sync", "async"}, optional
        Asynchronous jobs survive long queries; synchronous ones are quicker.
    """

    def __init__(self, url: str, *, mode: str = "sync") -> None:
        check_scheme(url)
        if mode not in ("sync", "async"):
            msg = f"mode must be 'sync' or 'async', not {mode!r}"
            raise ValueError(msg)
        self.url = url
        self.mode = mode
        self._service = TAPService(url, session=make_session())

    def run(
        self,
        adql: str,
        *,
        row_limit: int | None = None,
        upload: Table | None = None,
    ) -> TapResult:
        """Run one query.

        Parameters
        ----------
        adql : str
            The query.
        row_limit : int, optional
            Largest number of rows.
        upload : `~astropy.table.Table`, optional
            Table that the query knows as ``TAP_UPLOAD.targets``.

        Returns
        -------
        TapResult
            Rows, and whether there would have been more.

        Raises
        ------
        ArchiveError
            If the service refuses the query, or cannot be reached.
        ArchiveTimeoutError
            If it does not answer in time.
        """
        with tempfile.TemporaryDirectory(prefix="astro_latent_") as scratch:
            uploads = None
            if upload is not None:
                path = Path(scratch, "targets.vot")
                # Binary rows are a third of the size: services limit uploads in bytes.
                upload.write(path, format="votable", tabledata_format="binary2")
                uploads = {"targets": str(path)}
            # One row more than wanted tells whether there would have been more.
            ask = None if row_limit is None else row_limit + 1
            return with_retries(lambda: self._attempt(adql, ask, uploads))

    def run_paged(
        self, build: Callable[[int, str], str], key: str
    ) -> Iterator[TapResult]:
        """Run a query page by page, so that no limit of the service cuts it short.

        Parameters
        ----------
        build : callable
            Takes the number of rows and a further condition ("" for the first page),
            returns ADQL ordered by ``key``.
        key : str
            Column of unique texts.

        Yields
        ------
        TapResult
            One page.
        """
        condition = ""
        while True:
            page = self.run(build(conf.page_size, condition), row_limit=None)
            if len(page.table):
                yield page
            if len(page.table) < conf.page_size and not page.truncated:
                return
            if not len(page.table):
                msg = "the service says that there is more, and returns nothing"
                raise ArchiveFormatError(msg, url=self.url)
            condition = f"{key} > {literal(str(page.table[key][-1]))}"

    def _attempt(
        self, adql: str, maxrec: int | None, uploads: dict[str, str] | None
    ) -> TapResult:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DALOverflowWarning)  # told by us
                if self.mode == "sync":
                    results = self._service.run_sync(
                        adql, maxrec=maxrec, uploads=uploads
                    )
                else:
                    results = self._service.run_async(
                        adql, maxrec=maxrec, uploads=uploads, timeout=conf.job_timeout
                    )
                table = results.to_table()
        except (DALQueryError, DALFormatError, DALServiceError) as error:
            raise _translated(error, self.url, adql) from error
        except (requests.RequestException, ConnectionError, TimeoutError) as error:
            raise _broken(error, self.url) from error
        overflow = any(
            info.name == "QUERY_STATUS" and str(info.value).upper() == "OVERFLOW"
            for resource in results.votable.resources
            for info in resource.infos
        )
        if maxrec is not None and len(table) >= maxrec:
            return TapResult(table[: maxrec - 1], truncated=True)
        return TapResult(table, truncated=overflow)


def _broken(error: Exception, url: str) -> TransientError:
    late = isinstance(error, requests.Timeout | TimeoutError)
    msg = "no answer in time" if late else f"the connection broke: {error}"
    cause = TimeoutError(str(error)) if late else error
    return TransientError(msg, url=url, cause=cause)


def _translated(error: Exception, url: str, adql: str) -> ArchiveError:
    """Turn pyvo's errors into ours, and tell which may pass with time."""
    cause = getattr(error, "cause", None)
    response = getattr(cause, "response", None)
    if isinstance(cause, requests.ConnectionError | requests.Timeout):
        return _broken(cause, url)
    # Services answer a query that they do not understand with 400 or 500 at once.
    if response is not None and response.status_code in RETRY_STATUS - {500}:
        wait = retry_after(response.headers)
        return TransientError(str(error), url=url, cause=cause, wait=wait)
    if isinstance(error, DALQueryError):
        msg = f"the service refused the query: {error}. The query was: {adql}"
        return ArchiveError(msg, url=url, cause=error)
    if isinstance(error, DALFormatError):
        msg = f"the answer is no VOTable: {error}"
        return ArchiveFormatError(msg, url=url, cause=error)
    if "timeout" in str(error).lower():
        return ArchiveTimeoutError(str(error), url=url, cause=error)
    return ArchiveError(f"the query failed: {error}", url=url, cause=error)


def target_table(targets: Table) -> Table:
    """Bring a target list to the form that is uploaded.

    Parameters
    ----------
    targets : `~astropy.table.Table`
        With ``ra`` and ``dec``, or ``s_ra`` and ``s_dec``, in degrees.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``target_id`` (row number if there was none), ``ra``, ``dec``.
    """
    for ra, dec in (("ra", "dec"), ("s_ra", "s_dec"), ("RA", "DEC")):
        if ra in targets.colnames and dec in targets.colnames:
            break
    else:
        msg = f"the target list has no columns ra and dec: {targets.colnames}"
        raise ValueError(msg)
    out = Table()
    if "target_id" in targets.colnames:
        out["target_id"] = np.asarray(targets["target_id"])
    else:
        out["target_id"] = np.arange(len(targets))
    for name, source in (("ra", ra), ("dec", dec)):
        values = targets[source]
        unit = getattr(values, "unit", None)
        data = np.ma.getdata(values) if unit is None else values.to_value("deg")
        out[name] = np.asarray(data, dtype=float)
        if not np.all(np.isfinite(out[name])):
            rows = np.flatnonzero(~np.isfinite(out[name]))
            msg = f"{len(rows)} targets have no finite {source}, first row {rows[0]}"
            raise ValueError(msg)
    return out
