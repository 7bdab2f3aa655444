# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a VOTable or unit of a stranger must not ask of Astropy."""

import re
from contextlib import suppress
from xml.parsers import expat

__all__ = ["find_fault", "is_absurd_unit"]

# what would take Astropy for ever, and no unit needs
_ABSURD = re.compile(r".{121}|(?<![.\d])\d{5}|(?:\*\*|\^)\W*\d{4}", re.DOTALL)


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


def find_fault(document: bytes) -> str | None:
    """Look through a VOTable for what Astropy must not be given.

    Parameters
    ----------
    document : bytes
        The VOTable; what is no XML has no fault here.

    Returns
    -------
    str or None
        What is wrong: data that lie elsewhere (``href`` of STREAM: Astropy would open
        any address or file), entities, units that might never be understood.

    Examples
    --------
    >>> from astro_latent.utils.absurd import find_fault
    >>> find_fault(b'<VOTABLE><STREAM href="file:///etc/passwd"/></VOTABLE>')
    "has its data elsewhere (href='file:///etc/passwd'), which is not followed"
    """
    faults: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.endswith("STREAM") and "href" in attributes:
            where = attributes["href"][:200]
            faults.append(
                f"has its data elsewhere (href={where!r}), which is not followed"
            )
        elif is_absurd_unit(attributes.get("unit", "")):
            faults.append(f"has the unit {attributes['unit'][:60]!r}, which is none")

    def entity(name: str, *_: object) -> None:
        faults.append(f"declares the XML entity {name!r}, which no VOTable needs")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    with suppress(expat.ExpatError, LookupError, ValueError):
        parser.Parse(document, True)  # whoever reads it says what is wrong with it
    return faults[0] if faults else None
