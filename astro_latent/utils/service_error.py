# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a service of the Virtual Observatory says when it sends an error for data."""

import html
import re

__all__ = ["service_error"]

_INFO = re.compile(
    rb"<(?:\w+:)?INFO\b([^>]*\bQUERY_STATUS\b[^>]*?)(?:/>|>(.*?)</(?:\w+:)?INFO>)",
    re.DOTALL,
)
_ERROR = re.compile(rb"\bvalue\s*=\s*[\"']\s*ERROR\b", re.IGNORECASE)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_LONGEST = 500


def service_error(document: bytes) -> str | None:
    """Return the error that a VOTable reports in place of data (DALI, section 4.4).

    Parameters
    ----------
    document : bytes
        The VOTable, or its beginning.

    Returns
    -------
    str or None
        What the service says, shortened; "" if it says no more than that there was
        one; None if there was none.

    Examples
    --------
    >>> from astro_latent.utils.service_error import service_error
    >>> service_error(b'<INFO name="QUERY_STATUS" value="ERROR">No such table</INFO>')
    'No such table'
    """
    for attributes, text in _INFO.findall(document):
        if _ERROR.search(attributes):
            words = _CDATA.sub(r"\1", text.decode("utf-8", errors="replace"))
            words = " ".join(html.unescape(words).split())
            return "".join(c for c in words if c.isprintable())[:_LONGEST]
    return None
