# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The network side of cross-matching: CDS through astroquery, and TAP uploads."""

import contextlib
import io
from typing import Any

import numpy as np
import requests
from astropy import units as u
from astropy.table import Table, vstack

from .._config import conf as package_conf
from ..exceptions import ArchiveError, ArchiveFormatError
from .adql import degrees, identifier
from .config import conf
from .dal import warn_truncated
from .http import describe_answer, lend_session
from .retries import RETRY_STATUS, TransientError, retry_after, with_retries
from .tap import TapClient, target_table

__all__ = ["MAX_ROWS", "query_xmatch", "tap_crossmatch", "vizier_crossmatch"]

#: Rows sent to CDS at a time: its limit is 100 MB, a row takes about 60 bytes.
MAX_ROWS = 500_000
_WIDEST = 180 * u.arcsec
_FEWER = "matches are missing: lower archives.conf.upload_size, or the radius"


def query_xmatch(
    table: Table,
    catalogue: str,
    *,
    radius: u.Quantity,
    columns: tuple[str, str] = ("ra", "dec"),
) -> Table:
    """Send one table to the cross-match service of CDS.

    Parameters
    ----------
    table : `~astropy.table.Table`
        At most `MAX_ROWS` rows; all its columns are sent.
    catalogue : str
        ``"vizier:II/246/out"`` or ``"simbad"``.
    radius : `~astropy.units.Quantity` ['angle']
        Largest separation, at most 180 arcsec.
    columns : tuple of str, optional
        Columns of right ascension and declination in degrees, ICRS.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair: ``angDist`` in arcsec, what was sent, and the catalogue's
        columns.

    Raises
    ------
    ValueError
        If the table or the radius is too large.
    ArchiveError
        If the service refuses the request or cannot be reached.
    """
    radius = u.Quantity(radius)
    if not 0 < radius.to_value(u.arcsec) <= _WIDEST.value:
        msg = f"the radius must lie between 0 and {_WIDEST}, not {radius}"
        raise ValueError(msg)
    if len(table) > MAX_ROWS:
        msg = f"{len(table)} rows are too many at once, send at most {MAX_ROWS}"
        raise ValueError(msg)
    if catalogue != "simbad" and not catalogue.startswith("vizier:"):
        catalogue = f"vizier:{catalogue}"
    client = _make_client()
    with lend_session(client, client.URL):
        return with_retries(lambda: _ask(client, table, catalogue, radius, columns))


def _make_client() -> Any:
    """Client of astroquery that asks our address and takes names as they are."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that regions is missing
        from astroquery.xmatch import XMatchClass

    class Client(XMatchClass):
        URL = conf.xmatch_url
        TIMEOUT = package_conf.timeout

        def is_table_available(self, table_id: Any) -> bool:
            # Spares a list of twenty thousand names; the service knows its own.
            return isinstance(table_id, str)

        def _request(self, *args: Any, **kwargs: Any) -> requests.Response:
            # astroquery expects each error to come as a VOTable, which a 503 or the
            # page of a proxy is not.
            response = super()._request(*args, **kwargs)
            if response.status_code >= 400:
                raise requests.HTTPError(describe_answer(response), response=response)
            return response

    return Client()


def _ask(
    client: Any,
    table: Table,
    catalogue: str,
    radius: u.Quantity,
    columns: tuple[str, str],
) -> Table:
    from astroquery.exceptions import TimeoutError as QueryTimeoutError

    url = client.URL
    try:
        return client.query(
            cat1=table,
            cat2=catalogue,
            max_distance=radius,
            colRA1=columns[0],
            colDec1=columns[1],
            cache=False,
        )
    except requests.HTTPError as error:
        raise _translate_status(error, url) from error
    except (requests.Timeout, QueryTimeoutError) as error:
        msg = "the cross-match service does not answer in time"
        raise TransientError(msg, url=url, cause=TimeoutError(str(error))) from error
    except (requests.RequestException, ConnectionError) as error:
        msg = f"the connection broke: {error}"
        raise TransientError(msg, url=url, cause=error) from error
    except (ValueError, IndexError, KeyError, OSError) as error:
        msg = f"the cross-match service answered with something else: {error}"
        raise ArchiveFormatError(msg, url=url, cause=error) from error


def _translate_status(error: requests.HTTPError, url: str) -> ArchiveError:
    msg = f"the cross-match service refused the request: {error}"
    response = error.response
    if response is not None and response.status_code in RETRY_STATUS:
        wait = retry_after(response.headers)
        return TransientError(msg, url=url, cause=error, wait=wait)
    return ArchiveError(msg, url=url, cause=error)


def vizier_crossmatch(table: Table, catalogue: str, radius: u.Quantity) -> Table:
    """Match positions with a VizieR catalogue, in pieces the service can take.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec``, or ``s_ra`` and ``s_dec``, in degrees, ICRS.
    catalogue : str
        VizieR table, such as ``"II/246/out"``, or ``"simbad"``.
    radius : `~astropy.units.Quantity` ['angle']
        Largest separation, at most 180 arcsec.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair: ``row`` (number of the row in ``table``), ``separation``
        (arcsec), and the catalogue's columns.
    """
    sent = _number_rows(table)
    pieces = []
    for start in range(0, len(sent), MAX_ROWS):
        piece = sent[start : start + MAX_ROWS]
        answer = query_xmatch(
            piece, catalogue, radius=radius, columns=("al_ra", "al_dec")
        )
        pieces.append(_to_common_shape(answer, "angDist", u.arcsec))
    return _join_pieces(pieces)


def tap_crossmatch(
    table: Table,
    service_url: str,
    table_name: str,
    radius: u.Quantity,
    *,
    columns: tuple[str, str] = ("ra", "dec"),
    mode: str = "sync",
) -> Table:
    """Match positions with a table of a TAP service, uploaded in pieces.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec``, or ``s_ra`` and ``s_dec``, in degrees, ICRS.
    service_url : str
        Base address of the TAP service.
    table_name : str
        Table there, with its schema.
    radius : `~astropy.units.Quantity` ['angle']
        Largest separation.
    columns : tuple of str, optional
        Its columns of right ascension and declination.
    mode : {"sync", "async"}, optional
        How queries are run.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair: ``row`` (number of the row in ``table``), ``separation``
        (arcsec), and the columns of the other table. A warning tells if the service
        cut its answer short.
    """
    mine = "POINT('ICRS', t.al_ra, t.al_dec)"
    ra, dec = (identifier(name) for name in columns)
    theirs = f"POINT('ICRS', c.{ra}, c.{dec})"
    circle = f"CIRCLE('ICRS', t.al_ra, t.al_dec, {degrees(radius)})"
    adql = (
        f"SELECT t.al_row, DISTANCE({mine}, {theirs}) AS al_distance, c.* "
        f"FROM TAP_UPLOAD.targets AS t JOIN {identifier(table_name)} AS c "
        f"ON 1 = CONTAINS({theirs}, {circle})"
    )
    client, pieces, sent = TapClient(service_url, mode=mode), [], _number_rows(table)
    for start in range(0, len(sent), conf.upload_size):
        result = client.run(adql, upload=sent[start : start + conf.upload_size])
        if result.truncated:
            warn_truncated(table_name, len(result.table), advice=_FEWER)
        pieces.append(_to_common_shape(result.table, "al_distance", u.deg))
    return _join_pieces(pieces)


def _number_rows(table: Table) -> Table:
    targets = target_table(table)
    sent = Table({"al_row": np.arange(len(targets), dtype=np.int64)})
    sent["al_ra"], sent["al_dec"] = targets["ra"], targets["dec"]
    return sent


def _to_common_shape(answer: Table, distance: str, unit: u.UnitBase) -> Table:
    """Row number and separation first, called the same whoever was asked."""
    out = Table(meta=answer.meta)
    out["row"] = np.asarray(answer["al_row"], dtype=np.int64)
    out["separation"] = np.asarray(answer[distance], dtype=float) * unit.to(u.arcsec)
    out["separation"].unit = u.arcsec
    out["separation"].meta["ucd"] = "pos.angDistance"
    for name in answer.colnames:
        if name not in ("al_row", "al_ra", "al_dec", distance):
            out[name if name not in out.colnames else f"{name}_2"] = answer[name]
    return out


def _join_pieces(pieces: list[Table]) -> Table:
    """All pieces, ordered by row and then by separation."""
    if not pieces:
        return Table({"row": np.array([], np.int64), "separation": [] * u.arcsec})
    out = vstack(pieces, metadata_conflicts="silent") if len(pieces) > 1 else pieces[0]
    return out[np.lexsort((out["separation"], out["row"]))]
