# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Units as the headers of spectra spell them, and any spectral axis in Ångström.

``A`` is Ångström here: no spectrum is given per ampere.
"""

import re
import warnings
from functools import lru_cache

import numpy as np
from astropy import units as u

from ..utils.absurd import is_absurd_unit

__all__ = ["FLAM", "LOG_ANGSTROM", "parse_unit", "to_angstrom"]

FLAM = u.erg / u.s / u.cm**2 / u.AA
#: log10 of wavelengths in Ångström, as SDSS, LAMOST and IRAF have them.
LOG_ANGSTROM = u.dex(u.AA)

_FORMATS = (None, "vounit", "cds", "fits", "ogip")
_WORDS = {
    "flam": FLAM,
    "fnu": u.erg / u.s / u.cm**2 / u.Hz,
    "photlam": u.photon / u.s / u.cm**2 / u.AA,
    "e": u.electron,
    "dn": u.adu,
    **dict.fromkeys(("micron", "microns", "micrometers", "mum"), u.um),
    **dict.fromkeys(("nanometer", "nanometers", "nanometres", "nms"), u.nm),
    **dict.fromkeys(("count", "counts", "cts"), u.ct),
    **dict.fromkeys(
        ("", "none", "null", "unitless", "dimensionless", "normalised", "normalized"),
        u.dimensionless_unscaled,
    ),
}
_LOGARITHM = re.compile(r"(?:log10|log|dex)\s*[(\[]\s*([^()\[\]]+)[)\]]", re.IGNORECASE)
_SCALE = re.compile(
    r"(?:10\s*(?:\*\*|\^)?\s*\(?(?P<power>[+-]?\d{1,3})\)?|(?P<number>[+-]?\d+\.?\d*"
    r"(?:[eE][+-]?\d{1,3})?))(?:\s*[*.x]\s*|\s+|(?=[A-Za-z(]))(?P<rest>.+)"
)
_SPELLINGS = [
    (re.compile(pattern, re.IGNORECASE if loose else 0), word)
    for pattern, word, loose in (
        (r"(?<![a-z])(?:angstroe?ms?|angs?|å|Å|ångströms?)(?![a-z])", "Angstrom", True),
        (r"(?<![A-Za-z])A(?![A-Za-z])", "Angstrom", False),
        (r"(?<![a-z])(?:e-|electrons?)(?![a-z])", "electron", True),
        (r"(?<![a-z])adus?(?![a-z])", "adu", True),
        (r"(?<![a-z])ergs(?![a-z])", "erg", True),
        (r"(?<![a-z])secs?(?![a-z])", "s", True),
    )
]


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> u.UnitBase | u.DexUnit | None:
    """Understand a unit as people write it.

    Parameters
    ----------
    text : str
        Such as ``"W.m**-2.nm**-1"``, ``"1E-17 erg/cm^2/s/Ang"``, ``"FLAM"``, ``"A"``,
        ``"log10(Angstrom)"``; none counts as dimensionless.

    Returns
    -------
    `~astropy.units.Unit` or None
        None if nobody knows this unit.

    Examples
    --------
    >>> from astro_latent.spectra.units import parse_unit
    >>> parse_unit("10^-17 ERG/S/CM2/A").to_string()
    '1e-17 erg / (Angstrom s cm2)'
    """
    text = text.strip().strip("[]'\"").strip()
    if is_absurd_unit(text):
        return None
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text in ("a", "AA"):
        return u.AA
    if found := _LOGARITHM.fullmatch(text):
        inner = parse_unit(found[1])
        return None if inner is None else u.dex(inner)
    if found := _SCALE.fullmatch(text):
        inner = parse_unit(found["rest"])
        factor = found["number"] or f"1e{found['power']}"
        return None if inner is None else u.Unit(float(factor) * inner)
    for pattern, word in _SPELLINGS:
        text = pattern.sub(word, text)
    for spelled in dict.fromkeys((text, text.replace("**", "^"), text.lower())):
        if unit := _ask_astropy(spelled):
            return unit
    return None


def _ask_astropy(text: str) -> u.UnitBase | None:
    for name in _FORMATS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return u.Unit(text, format=name)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def to_angstrom(
    values: np.ndarray, unit: str | u.UnitBase | u.DexUnit
) -> np.ndarray | None:
    """Bring a spectral axis to wavelengths in Ångström.

    Parameters
    ----------
    values : ndarray
        Wavelengths, frequencies, energies, wave numbers, or logarithms of those.
    unit : str or `~astropy.units.Unit`
        Their unit; ``"log10(Angstrom)"`` or ``u.dex(u.AA)`` for logarithms.

    Returns
    -------
    ndarray of float64, or None
        None if the unit is none of a spectral axis. What has no wavelength (0 Hz) is
        infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.spectra.units import to_angstrom
    >>> to_angstrom(np.array([500.0, 501.0]), "nm")
    array([5000., 5010.])
    """
    known = parse_unit(unit) if isinstance(unit, str) else unit
    if known is None:
        return None
    values = np.asarray(values, dtype=np.float64)
    if known == u.AA:
        return values
    with np.errstate(all="ignore"):
        try:
            return u.Quantity(values, known, subok=True).to_value(u.AA, u.spectral())
        except u.UnitsError:
            return None
