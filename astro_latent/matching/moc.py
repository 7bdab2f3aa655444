# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The footprint of a table on the sky, as a multi-order coverage map (MOC)."""

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from .positions import get_positions

if TYPE_CHECKING:
    from mocpy import MOC

__all__ = ["footprint_moc"]

_DEEPEST = 29


def footprint_moc(
    table: Table, *, max_order: int = 9, columns: tuple[str, str] | None = None
) -> "MOC":
    """Collect the cells of the sky in which a table has rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table with positions. Rows without one are left out.
    max_order : int, optional
        Order of the smallest HEALPix cells; those of order 9 are 6.9 arcmin wide.
    columns : tuple of str, optional
        Names of right ascension and declination, where UCDs and usual names fail.

    Returns
    -------
    `mocpy.MOC`
        The footprint, ICRS; ``moc.save("footprint.fits", format="fits")`` makes a file
        that Aladin, TOPCAT and CDS take.

    Raises
    ------
    ImportError
        If mocpy is not installed.
    ValueError
        If no row has a position, or ``max_order`` is not between 0 and 29.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from astro_latent.matching import footprint_moc
    >>> stars = QTable({"ra": [10.0, 350.0] * u.deg, "dec": [0.0, 0.0] * u.deg})
    >>> footprint_moc(stars, max_order=1)  # doctest: +SKIP
    1/17-18
    """
    if not 0 <= max_order <= _DEEPEST:
        msg = f"max_order must lie between 0 and {_DEEPEST}, not {max_order}"
        raise ValueError(msg)
    places = get_positions(table, columns)
    finite = np.isfinite(places.ra) & np.isfinite(places.dec)
    if not finite.any():
        msg = "no row of the table has a position, so that there is no footprint"
        raise ValueError(msg)
    try:
        from mocpy import MOC
    except ImportError as error:
        msg = "footprints need mocpy: python -m pip install 'astro_latent[moc]'"
        raise ImportError(msg) from error
    return MOC.from_lonlat(
        places.ra[finite] * u.rad, places.dec[finite] * u.rad, max_norder=max_order
    )
