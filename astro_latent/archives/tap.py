# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""TAP through pyvo: time-outs, second attempts, uploads, and truncation told."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import requests
from astropy.table import Table
from pyvo.dal import TAPResults, TAPService
from pyvo.dal.exceptions import DALServiceError

from ..exceptions import ArchiveFormatError
from ..utils.angles import find_position_columns, parse_angles
from .adql import literal
from .config import conf
from .dal import call, overflowed, without_overflow_warning
from .hosts import trust
from .http import check_scheme, make_session

_ENDED = ("COMPLETED", "ABORTED", "ERROR")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # seconds between looks at a job

__all__ = ["TapClient", "TapResult", "target_table"]


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
        trust(url)
        check_scheme(url)
        if mode not in ("sync", "async"):
            msg = f"mode must be 'sync' or 'async', not {mode!r}"
            raise ValueError(msg)
        self.url = url
        self.mode = mode

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
        content = None
        if upload is not None:
            stream = BytesIO()
            # Binary rows are a third of the size: services limit uploads in bytes.
            upload.write(stream, format="votable", tabledata_format="binary2")
            content = stream.getvalue()
        # One row more than wanted tells whether there would have been more.
        ask = None if row_limit is None else row_limit + 1
        return call(
            lambda: without_overflow_warning(lambda: self._attempt(adql, ask, content)),
            url=self.url,
            query=adql,
        )

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
        condition, seen = "", set()
        for _ in range(conf.max_pages):
            page = self.run(build(conf.page_size, condition), row_limit=None)
            if len(page.table):
                yield page
            if len(page.table) < conf.page_size and not page.truncated:
                return
            if not len(page.table):
                msg = "the service says that there is more, and returns nothing"
                raise ArchiveFormatError(msg, url=self.url)
            last = str(page.table[key][-1])
            if last in seen:
                msg = f"the service sends the page after {key}={last!r} again and again"
                raise ArchiveFormatError(msg, url=self.url)
            seen.add(last)
            condition = f"{key} > {literal(last)}"
        msg = f"more than {conf.max_pages} pages (archives.conf.max_pages)"
        raise ArchiveFormatError(msg, url=self.url)

    def _attempt(
        self, adql: str, maxrec: int | None, content: bytes | None
    ) -> TapResult:
        with ExitStack() as stack:
            service = TAPService(self.url, session=_tidy_session(stack))
            options: dict[str, Any] = {"maxrec": maxrec}
            if content is not None:
                options["uploads"] = {"targets": BytesIO(content)}
            if self.mode == "sync":
                results = service.run_sync(adql, **options)
            else:
                results = _run_job(service, adql, options)
        table = results.to_table()
        if maxrec is not None and len(table) >= maxrec:
            return TapResult(table[: maxrec - 1], truncated=True)
        return TapResult(table, truncated=overflowed(results))


def _run_job(service: TAPService, adql: str, options: dict[str, Any]) -> TAPResults:
    """Run a job; pyvo's own wait has no end where a service answers at once."""
    job = service.submit_job(adql, **options)
    deadline = time.monotonic() + conf.job_timeout
    try:
        job.run()
        pause = _FIRST_PAUSE
        while (phase := job.phase) not in _ENDED:
            if time.monotonic() > deadline:
                msg = f"timeout: the job is {phase} after {conf.job_timeout:.0f} s"
                raise DALServiceError(msg, url=service.baseurl)
            time.sleep(min(pause, max(deadline - time.monotonic(), 0.0) + 0.01))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        job.raise_if_error()
        return job.fetch_result()
    finally:
        with suppress(DALServiceError):
            job.delete()  # one that has ended too; nobody else will


def _tidy_session(stack: ExitStack) -> requests.Session:
    """Session whose answers are closed in the end; pyvo leaves some of them open."""
    session = stack.enter_context(make_session())

    def remember(response: requests.Response, **_: Any) -> None:
        stack.callback(response.close)

    session.hooks["response"].append(remember)
    return session


def target_table(targets: Table) -> Table:
    """Bring a target list to the form that is uploaded.

    Parameters
    ----------
    targets : `~astropy.table.Table`
        With ``ra`` and ``dec``, or what else they are called, in degrees or as
        sexagesimal text.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``target_id`` (row number if there was none), ``ra``, ``dec``.
    """
    found = find_position_columns(targets.colnames)
    if found is None:
        msg = f"the target list has no columns ra and dec: {targets.colnames}"
        raise ValueError(msg)
    out = Table()
    if "target_id" in targets.colnames:
        out["target_id"] = np.asarray(targets["target_id"])
    else:
        out["target_id"] = np.arange(len(targets))
    for name, source in zip(("ra", "dec"), found, strict=True):
        values = targets[source]
        if values.dtype.kind in "USO":
            out[name] = parse_angles(np.ma.asarray(values), hours=name == "ra")
        else:
            factor = 1.0 if values.unit is None else values.unit.to("deg")
            data: Any = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
            out[name] = data * factor
        if not np.all(np.isfinite(out[name])):
            rows = np.flatnonzero(~np.isfinite(out[name]))
            msg = f"{len(rows)} targets have no finite {source}, first row {rows[0]}"
            raise ValueError(msg)
    return out
