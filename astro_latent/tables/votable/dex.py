# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Columns in dex, parsed without a search for what else the unit might have been.

VOUnits do not know ``dex``. For each column in it Astropy compares the word with all
units that there are, for a message that nobody sees: two thirds of the time that a
table of labels takes. So the word is set aside, and given back to the parsed columns.
"""

import io
import re
import warnings

from astropy import units as u
from astropy.io.votable import tree
from astropy.io.votable.table import parse

__all__ = ["parse_columns"]

_FIELD = re.compile(rb"<FIELD\b[^<>']*>")
_UNIT = b' unit="dex"'
_ROWS = b"<DATA"


def parse_columns(content: bytes) -> tree.VOTableFile:
    """Parse a VOTable, its units as they are written and without warnings about them.

    Parameters
    ----------
    content : bytes
        The document.

    Returns
    -------
    `~astropy.io.votable.tree.VOTableFile`
        The document.

    Examples
    --------
    >>> from astro_latent.tables.votable.dex import parse_columns
    >>> text = b'''<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="logg"
    ... datatype="float" unit="dex"/></TABLE></RESOURCE></VOTABLE>'''
    >>> parse_columns(text).get_first_table().fields[0].unit
    UnrecognizedUnit(dex)
    """
    end = content.find(_ROWS)
    head = content[: end if end >= 0 else len(content)]
    in_dex = [_UNIT in tag for tag in _FIELD.findall(head)]
    with warnings.catch_warnings(action="ignore"):
        if not any(in_dex):
            return _parse(content)
        spared = _FIELD.sub(lambda tag: tag[0].replace(_UNIT, b""), head)
        document = _parse(spared + content[len(head) :])
        fields = [f for table in document.iter_tables() for f in table.fields]
        if len(fields) != len(in_dex):  # there are others, or some are in a comment
            return _parse(content)
        for field, mine in zip(fields, in_dex, strict=True):
            if mine:
                field.unit = u.UnrecognizedUnit("dex")
    return document


def _parse(content: bytes) -> tree.VOTableFile:
    return parse(io.BytesIO(content), verify="ignore")
