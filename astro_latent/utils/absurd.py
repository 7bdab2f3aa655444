# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a VOTable or unit of a stranger must not ask of Astropy."""

import math
import re
import time
from contextlib import suppress
from xml.parsers import expat

from .._config import conf

__all__ = ["find_fault", "is_absurd_unit", "promised"]

# what would take Astropy for ever, and no unit needs
_ABSURD = re.compile(r".{121}|(?<![.\d])\d{5}|(?:\*\*|\^)\W*\d{4}", re.DOTALL)
_MAX_DIGITS = 18
_PIECE = 1 << 20
_FREE = 16_000_000  # cells, whatever the size of the document: empty ones are short
_TEXT = ("char", "unicodeChar")  # Astropy makes no room for them in advance
_PER_COLUMN = 10  # elements that describe something, in addition to its columns


def is_absurd_unit(text: str) -> bool:
    """Tell whether a unit is such that parsing it might never end.

    Parameters
    ----------
    text : str
        A unit.

    Returns
    -------
    bool
        True for numbers and powers that no unit has, and for very long texts.

    Examples
    --------
    >>> from astro_latent.utils.absurd import is_absurd_unit
    >>> is_absurd_unit("10**99999999 m"), is_absurd_unit("1e-17 erg/s")
    (True, False)
    """
    return _ABSURD.search(text) is not None


def promised(text: str) -> float:
    """Return how many values ``nrows`` or ``arraysize`` promise.

    Parameters
    ----------
    text : str
        What the document says, of any length, such as ``"3x128*"``.

    Returns
    -------
    float
        Their number; infinite beyond 18 digits, 1 where no number is named.

    Examples
    --------
    >>> from astro_latent.utils.absurd import promised
    >>> promised("3x128*"), promised("9" * 5000)
    (384.0, inf)
    """
    count = 1.0
    for part in text.replace("*", "").split("x"):
        digits = part.strip().lstrip("0")
        if digits.isascii() and digits.isdigit():
            count *= float(digits) if len(digits) < _MAX_DIGITS else math.inf
    return count


class _FaultError(Exception):
    """Ends the parser; the text says what is wrong."""


class _Scan:
    """One pass over a document, which ends at the first fault."""

    def __init__(self, size: int) -> None:
        self._most = max(size, _FREE)
        self._columns = self._others = self._rows = 0
        self._promised, self._cells = 1.0, 0.0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "TD":
            return
        tag = tag.rpartition(":")[2]
        if tag == "TR":
            self._rows += 1
            self._limit("max_table_rows", self._rows, "rows")
        elif tag == "STREAM" and "href" in attributes:
            where = attributes["href"][:200]
            msg = f"has its data elsewhere (href={where!r}), which is not followed"
            raise _FaultError(msg)
        elif tag == "TABLE":
            self._promised, self._cells = promised(attributes.get("nrows", "")), 0.0
            self._promise("nrows", attributes, self._promised)
        elif tag in ("FIELD", "PARAM"):
            self._columns += 1
            self._limit("max_table_columns", self._columns, "columns and parameters")
            self._look_at(attributes, column=tag == "FIELD")
        else:
            self._others += 1
            most = conf.max_table_columns * _PER_COLUMN
            self._limit("max_table_columns", self._others, "elements", most=most)

    def _look_at(self, attributes: dict[str, str], *, column: bool) -> None:
        unit = attributes.get("unit", "")
        if is_absurd_unit(unit):
            msg = f"has the unit {unit[:60]!r}, which is none"
            raise _FaultError(msg)
        count = promised(attributes.get("arraysize", ""))
        if column and attributes.get("datatype") not in _TEXT:
            self._cells += count
            count = max(1.0, self._promised) * self._cells
        self._promise("arraysize", attributes, count)

    def _promise(self, name: str, attributes: dict[str, str], count: float) -> None:
        if not count <= self._most:
            said = attributes.get(name, "")[:40]
            msg = f"promises more than it holds ({name}={said!r})"
            raise _FaultError(msg)

    def _limit(
        self, item: str, count: int, what: str, *, most: int | None = None
    ) -> None:
        most = getattr(conf, item) if most is None else most
        if count > most:
            msg = (
                f"has more than {most} {what}; if you trust it, set "
                f"astro_latent.conf.{item} higher"
            )
            raise _FaultError(msg)

    def entity(self, name: str, *_: object) -> None:
        msg = f"declares the XML entity {name!r}, which no VOTable needs"
        raise _FaultError(msg)


def find_fault(document: bytes, *, size: int | None = None) -> str | None:
    """Look through a VOTable for what Astropy must not be given.

    Parameters
    ----------
    document : bytes
        The VOTable; what is no XML has no fault here.
    size : int, optional
        Bytes that it has, if its rows were taken out.

    Returns
    -------
    str or None
        What is wrong: data that lie elsewhere (``href`` of STREAM: Astropy would open
        any address or file), entities, units that might never be understood, more rows
        or values promised than the document has room for, more rows, columns or time
        than ``astro_latent.conf`` allows.

    Examples
    --------
    >>> from astro_latent.utils.absurd import find_fault
    >>> find_fault(b'<VOTABLE><STREAM href="file:///etc/passwd"/></VOTABLE>')
    "has its data elsewhere (href='file:///etc/passwd'), which is not followed"
    """
    scan, begun = _Scan(size or len(document)), time.monotonic()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = scan.start, scan.entity
    # whoever reads it says what is wrong with its XML
    with suppress(expat.ExpatError, LookupError, ValueError):
        try:
            for at in range(0, len(document), _PIECE):
                parser.Parse(document[at : at + _PIECE], False)
                if time.monotonic() - begun > conf.max_read_time:
                    return (
                        f"is not looked through after {conf.max_read_time:g} s; if you "
                        "trust it, set astro_latent.conf.max_read_time higher"
                    )
            parser.Parse(b"", True)
        except _FaultError as fault:
            return str(fault)
    return None
