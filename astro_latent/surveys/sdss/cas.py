# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The SQL database of SDSS (CAS), through astroquery."""

from typing import Any

import requests
from astropy.table import Table

from ..._config import conf as package_conf
from ...archives.http import describe_answer, lend_session
from ...archives.retries import RETRY_STATUS, TransientError, retry_after, with_retries
from ...exceptions import ArchiveError
from ...utils.guard import printable
from .config import conf

__all__ = ["query_cas"]


def query_cas(sql: str, *, release: int) -> Table:
    """Run SQL in the database of a data release.

    Parameters
    ----------
    sql : str
        One SELECT statement (Transact-SQL).
    release : int
        Data release.

    Returns
    -------
    `~astropy.table.Table`
        Rows, without units; no columns if there are no rows.

    Raises
    ------
    ArchiveError
        If the query is refused or the service cannot be reached.
    """
    from astroquery.exceptions import RemoteServiceError, TimeoutError
    from astroquery.sdss import conf as sdss_conf

    url = conf.skyserver_url
    client = _make_client()

    def ask() -> Table:
        try:
            with sdss_conf.set_temp("skyserver_baseurl", url):
                table = client.query_sql(
                    sql,
                    data_release=release,
                    cache=False,
                    timeout=package_conf.timeout,
                )
        except requests.HTTPError as error:
            raise _translate_status(error, url, sql) from error
        except (requests.RequestException, TimeoutError, ConnectionError) as error:
            msg = f"the SDSS database does not answer: {error}"
            cause = error
            if isinstance(error, TimeoutError | requests.Timeout):
                cause = requests.Timeout(str(error))
            raise TransientError(msg, url=url, cause=cause) from error
        except (RemoteServiceError, ValueError) as error:
            msg = f"the SDSS database refused the query: {error}. The query was: {sql}"
            raise ArchiveError(msg, url=url, cause=error) from error
        return Table() if table is None else table

    with lend_session(client, url):
        return with_retries(ask)


def _make_client() -> Any:
    """Client of astroquery that takes no answer for the name of a file."""
    from astroquery.sdss import SDSSClass

    class Client(SDSSClass):
        def _request(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super()._request(*args, **kwargs)
            text = response.text
            if response.status_code == 200 and "\n" not in text.strip():
                # to Astropy, a table in one line is the name of a file, or an address
                said = f"the answer is no table: {printable(text[:300])}"
                raise ValueError(said)
            return response

    return Client()


def _translate_status(error: requests.HTTPError, url: str, sql: str) -> ArchiveError:
    response: Any = error.response
    if response is None:
        return ArchiveError(f"the SDSS database failed: {error}", url=url, cause=error)
    said = describe_answer(response)
    # The database answers a query that it does not understand with 500 at once.
    refused = "error" in said.lower() and "sql" in said.lower()
    if response.status_code in RETRY_STATUS and not refused:
        wait = retry_after(response.headers)
        return TransientError(
            f"the server answered {said}", url=url, cause=error, wait=wait
        )
    msg = f"the SDSS database answered {said}. The query was: {sql}"
    return ArchiveError(msg, url=url, cause=error)
