# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Why nothing matched, as far as the positions tell."""

import numpy as np
from astropy import units as u

from .moving import EACH_ROW
from .pairs import nearest_separation
from .positions import Positions

__all__ = ["explain_no_match"]

_ARCMIN, _DEGREE = np.deg2rad(1 / 60), np.deg2rad(1.0)


def explain_no_match(
    first: Positions,
    second: Positions | None,
    *,
    other: str,
    radius: u.Quantity,
    epoch: float | str | None,
) -> str:
    """Say how near the nearest pair is, and what may be the cause.

    Parameters
    ----------
    first : Positions
        Of the table that was matched.
    second : Positions, optional
        Of the other table; None if a service holds it.
    other : str
        Name of the other table.
    radius : Quantity ['angle']
        Within which nothing was found.
    epoch : float, str or None
        To which positions were moved.

    Returns
    -------
    str
        For a person.
    """
    text = f"no row has a match in {other} within {radius.to(u.arcsec):g}"
    for name, places in (("the first table", first), (other, second)):
        if places is not None and not places.known.any():
            return f"{text}: no row of {name} has a position"
    if second is None:
        return (
            f"{text}; its positions are of its own epoch, and a larger radius finds "
            "stars that have moved since"
        )
    if epoch == EACH_ROW:
        years = np.asarray((second if first.moves else first).epoch, dtype=float)
        middle = float(np.nanmedian(years))
        first, second = (p.at(middle) if p.moves else p for p in (first, second))
    nearest = nearest_separation(first, second)
    text = f"{text}; the nearest pair is {_spell(nearest)} apart"
    return f"{text}: {_cause(first, second, nearest, epoch)}"


def _spell(separation: float) -> str:
    """Write an angle in a unit in which it is easy to read."""
    small = u.arcsec if separation < _ARCMIN else u.arcmin
    unit = small if separation < _DEGREE else u.deg
    return f"{u.Quantity(separation, u.rad).to(unit):.3g}"


def _cause(
    first: Positions, second: Positions, nearest: float, epoch: float | str | None
) -> str:
    """Name the likely cause of a separation."""
    if nearest > _DEGREE:
        return (
            "the tables are of different parts of the sky, or positions are not "
            "degrees, ICRS"
        )
    if nearest > 5 * _ARCMIN:
        return "the stars are probably not in both tables"
    if epoch is not None:
        return (
            f"after moving stars to the epoch of {epoch}; positions of telescopes and "
            "fibres are often a little off, which a larger radius allows for"
        )
    if first.moves or second.moves:
        return (
            "there are proper motions, but not the epochs of both tables (column "
            "ref_epoch or obs_time); state one with epoch, or take a larger radius"
        )
    return (
        "no proper motions with an epoch (pmra, pmdec, ref_epoch) are known, and stars "
        "may have moved; a larger radius finds them"
    )
