# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One door to pyvo: its errors become ours, and truncation is noticed.

DataLink documents: from the address of a list of files to that of the file.
"""

import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import requests
from pyvo.dal import DALResults
from pyvo.dal.adhoc import DatalinkResults
from pyvo.dal.exceptions import (
    DALAccessError,
    DALFormatError,
    DALOverflowWarning,
    DALQueryError,
)
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import ReadTimeoutError

from ..exceptions import (
    ArchiveError,
    ArchiveFormatError,
    ArchiveTimeoutError,
    TruncatedResultsWarning,
)
from .http import check_scheme, describe_answer
from .retries import RETRY_STATUS, TransientError, retry_after, with_retries

__all__ = [
    "call",
    "call_once",
    "follow_datalink",
    "overflowed",
    "warn_truncated",
    "without_overflow_warning",
]

T = TypeVar("T")
_MORE_ROWS = "raise row_limit, or pass row_limit=-1 for all"


def call(action: Callable[[], T], *, url: str, query: str = "") -> T:
    """Run a pyvo call, again if that may help.

    Parameters
    ----------
    action : callable
        What to run.
    url : str
        Service, for messages.
    query : str, optional
        Query, for messages.

    Returns
    -------
    object
        What ``action`` returned.

    Raises
    ------
    ArchiveError
        In place of whatever pyvo or requests raised.
    """
    return with_retries(lambda: call_once(action, url=url, query=query))


def call_once(action: Callable[[], T], *, url: str, query: str = "") -> T:
    """Run a pyvo call; its errors become `ArchiveError` or `TransientError`.

    Parameters
    ----------
    action, url, query
        As for `call`.

    Returns
    -------
    object
        What ``action`` returned.
    """
    try:
        return action()
    except DALAccessError as error:
        raise _translate(error, url, query) from error
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        raise _describe_break(error, url) from error


def without_overflow_warning(action: Callable[[], T]) -> T:
    """Run a call whose truncation is told by us, for all limits alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DALOverflowWarning)
        return action()


def overflowed(results: DALResults) -> bool:
    """Tell whether the service says that it cut its answer short.

    Parameters
    ----------
    results : `pyvo.dal.DALResults`
        The answer.

    Returns
    -------
    bool
        True if it does.
    """
    return any(
        info.name == "QUERY_STATUS" and str(info.value).upper() == "OVERFLOW"
        for resource in results.votable.resources
        for info in resource.infos
    )


def warn_truncated(name: str, n_rows: int, *, advice: str = _MORE_ROWS) -> None:
    """Say that there is more than was returned.

    Parameters
    ----------
    name : str
        Who was asked.
    n_rows : int
        Rows that were returned.
    advice : str, optional
        What to do about it.
    """
    warnings.warn(
        f"{name}: there are more than the {n_rows} rows returned; {advice}",
        TruncatedResultsWarning,
        stacklevel=4,
    )


def _describe_break(error: Exception, url: str) -> TransientError:
    late = isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError)
    msg = "no answer in time" if late else f"the connection broke: {error}"
    cause = TimeoutError(str(error)) if late else error
    return TransientError(msg, url=url, cause=cause)


def _translate(error: DALAccessError, url: str, query: str) -> ArchiveError:
    """Turn pyvo's errors into ours, and tell which may pass with time."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, ArchiveError):  # of our session, on its way through pyvo
        return cause
    response = getattr(cause, "response", None)
    if isinstance(
        cause, requests.ConnectionError | requests.Timeout | Urllib3Error | OSError
    ) and not isinstance(cause, requests.HTTPError):
        return _describe_break(cause, url)
    # pyvo passes on what is said in some answers only
    said = str(error) if response is None else describe_answer(response)
    # Services answer a query that they do not understand with 400 or 500 at once.
    if response is not None and response.status_code in RETRY_STATUS - {500}:
        wait = retry_after(response.headers)
        return TransientError(said, url=url, cause=cause, wait=wait)
    if isinstance(error, DALQueryError):
        asked = f". The query was: {query}" if query else ""
        msg = f"the service refused the query: {error}{asked}"
        return ArchiveError(msg, url=url, cause=error)
    if isinstance(error, DALFormatError):
        msg = f"the answer is no VOTable: {error}"
        return ArchiveFormatError(msg, url=url, cause=error)
    if "timeout" in str(error).lower():
        return ArchiveTimeoutError(str(error), url=url, cause=error)
    return ArchiveError(f"the request failed: {said}", url=url, cause=error)


def follow_datalink(url: str, session: requests.Session) -> str:
    """Find the address of the data set itself (``#this``).

    Parameters
    ----------
    url : str
        Address of the DataLink document.
    session : `requests.Session`
        Session with time-outs.

    Returns
    -------
    str
        Address of the file.

    Raises
    ------
    TransientError
        If trying again may help.
    ArchiveError
        If the document lists no data set, or an error in its place.
    """
    check_scheme(url)
    links = call_once(
        lambda: DatalinkResults.from_result_url(url, session=session), url=url
    )
    # Plain rows: pyvo's bysemantics may fetch the vocabulary from ivoa.net, and its
    # records of rows with an error cannot be read.
    faults = []
    for row in links.to_table():
        semantics, address, fault = (
            "" if np.ma.is_masked(row[name]) else str(row[name]).strip()
            for name in ("semantics", "access_url", "error_message")
        )
        if fault:
            faults.append(fault)
        elif semantics.rpartition("#")[2] == "this" and address:
            check_scheme(address)
            return address
    msg = f"DataLink lists no data: {'; '.join(faults) or 'no #this among its links'}"
    raise ArchiveError(msg, url=url)
