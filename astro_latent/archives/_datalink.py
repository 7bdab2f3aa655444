# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""DataLink documents: from the address of a list of files to that of the file."""

import requests
from pyvo.dal.adhoc import DatalinkResults

from ..exceptions import ArchiveError
from ._dal import call_once
from ._http import check_scheme

__all__ = ["follow_datalink"]


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
    # With narrower terms pyvo would fetch the vocabulary from ivoa.net.
    records = list(links.bysemantics("#this", include_narrower=False))
    faults = [str(link["error_message"]) for link in links if link["error_message"]]
    for record in records:
        if record.access_url and not record["error_message"]:
            check_scheme(record.access_url)
            return record.access_url
    msg = f"DataLink lists no data: {'; '.join(faults) or 'no #this among its links'}"
    raise ArchiveError(msg, url=url)
