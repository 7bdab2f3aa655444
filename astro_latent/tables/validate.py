# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Checks that a table speaks the words that the Virtual Observatory knows."""

import warnings

from astropy import units as u
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table

from .fields import ucd_of, unit_to_text

__all__ = ["check_table", "is_ucd", "is_vounit"]

#: UCDs that name the main column of their kind: a table may have one each.
MAIN_UCDS = ("meta.id;meta.main", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main")


def is_ucd(ucd: str) -> bool:
    """Tell whether a text is a UCD1+ of the controlled vocabulary.

    Parameters
    ----------
    ucd : str
        Words joined by semicolons.

    Returns
    -------
    bool
        True if all words exist and may stand where they stand.

    Examples
    --------
    >>> from astro_latent.tables import is_ucd
    >>> is_ucd("stat.error;phys.gravity"), is_ucd("foo.bar"), is_ucd("stat.max;phot")
    (True, False, False)
    """
    try:
        parse_ucd(ucd, check_controlled_vocabulary=True, has_colon=False)
    except ValueError:
        return False
    return True


def is_vounit(unit: str) -> bool:
    """Tell whether a unit is written as the VOUnits standard wants it.

    Parameters
    ----------
    unit : str
        As written in a file. ``dex``, which astronomers use and VOUnits lacks, passes.

    Returns
    -------
    bool
        True if it is.

    Examples
    --------
    >>> from astro_latent.tables import is_vounit
    >>> is_vounit("km.s**-1"), is_vounit("km/s"), is_vounit("dex"), is_vounit("bananas")
    (True, True, True, False)
    """
    if unit in ("", "dex"):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)  # deprecated is not wrong
        try:
            u.Unit(unit, format="vounit")
        except ValueError:
            return False
    return True


def check_table(table: Table) -> list[str]:
    """List what a program of the Virtual Observatory could stumble over.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table.

    Returns
    -------
    list of str
        One sentence for each problem; empty if all is well.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.tables import check_table
    >>> table = Table({"teff": [5772.0]})
    >>> table["teff"].info.meta = {"ucd": "phys.temprature"}
    >>> check_table(table)[0]
    "column 'teff': 'phys.temprature' is not a UCD of the controlled vocabulary"
    """
    problems = []
    ucds = []
    for name in table.colnames:
        info = table[name].info
        ucd = ucd_of(table[name])
        ucds.append(ucd)
        if ucd and not is_ucd(ucd):
            problems.append(
                f"column {name!r}: {ucd!r} is not a UCD of the controlled vocabulary"
            )
        unit = unit_to_text(info.unit)
        if not is_vounit(unit):
            problems.append(f"column {name!r}: {unit!r} is not a VOUnit")
    problems += [
        f"{ucds.count(ucd)} columns have UCD {ucd!r}; there must be one"
        for ucd in MAIN_UCDS
        if ucds.count(ucd) != 1
    ]
    return problems
