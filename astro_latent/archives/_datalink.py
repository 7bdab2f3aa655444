# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""DataLink documents: from the address of a list of files to that of the file."""

import numpy as np
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
