# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The spectral axis of an image, as its header describes it.

Axes that are linear, or linear in log10 (IRAF's DC-FLAG), are computed here, equal to
`astropy.wcs`; all else that FITS paper III defines (``WAVE-LOG``, ``AWAV-GRI``,
``FREQ-W2F``, ``-TAB`` ...) is left to it.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import Column
from .facts import linear_axis, log_axis
from .fits import FitsFile, Hdu
from .units import parse_unit, to_angstrom

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["has_axis", "hint_unit", "read_axis"]

_WAT_UNITS = re.compile(r"units=(\w+)", re.IGNORECASE)
_IN_CTYPE = re.compile(r"[\[(]\s*([A-Za-z]+)\s*[\])]")
# a type of spectral axis and the way in which it is not linear
_ALGORITHM = re.compile(
    r"(?:WAVE|AWAV|FREQ|ENER|WAVN|VRAD|VOPT|ZOPT|VELO|BETA)-"
    r"(?:LOG|TAB|GRI|GRA|[FWAV]2[FWAV])"
)
_VELOCITIES = ("VELO", "VRAD", "VOPT", "ZOPT", "BETA", "FELO", "VLSR", "VHEL")
_ELSEWHERE = ("RA--", "DEC-", "GLON", "GLAT", "STOKES", "TIME", "PIXEL", "OFFSET")
_OF_TYPE = {"FREQ": "Hz", "ENER": "J", "WAVN": "1/m"}  # the units of the standard
_COPIED = ("CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT", "CNAME")
_KEYS = re.compile(r"(?:PV|PS)1_\d+|RESTWAV|RESTFRQ")


def has_axis(head: Mapping[str, Any]) -> bool:
    """Tell whether a header gives the wavelengths of the first axis."""
    kind = str(head.get("CTYPE1") or "").upper()
    if kind.startswith((*_VELOCITIES, *_ELSEWHERE, "MULTISPE")):
        return kind.startswith(_VELOCITIES)  # refused when it is read, by its name
    step = any(head.get(name) for name in ("CDELT1", "CD1_1"))
    return ("CRVAL1" in head and step) or kind[4:] == "-TAB"


def hint_unit(head: Mapping[str, Any]) -> str:
    """Return the unit of wavelength that a header states, or ""."""
    kind = str(head.get("CTYPE1") or "").strip()
    wat = _WAT_UNITS.search(str(head.get("WAT1_001") or ""))
    inner = _IN_CTYPE.search(kind)
    words = kind.split()
    for text in (
        str(head.get("CUNIT1") or "").strip(),
        inner[1] if inner and _is_length(inner[1]) else "",
        wat[1] if wat else "",
        kind if len(words) == 1 and _is_length(kind) else "",
    ):
        if text and text.lower() not in ("pixel", "pixels", "pix"):
            return text
    return _OF_TYPE.get(kind[:4].upper(), "")


def _is_length(text: str) -> bool:
    unit = parse_unit(text)
    return unit is not None and unit.physical_type == "length"


def read_axis(hdu: Hdu, head: Mapping[str, Any], size: int) -> Column:
    """Return the spectral axis along the first axis of an image.

    Parameters
    ----------
    hdu : Hdu
        The image.
    head : mapping
        Its header, with that of the primary unit behind it.
    size : int
        Number of pixels.

    Returns
    -------
    Column
        The axis, and the unit as far as the header has one.

    Raises
    ------
    SpectrumReadError
        If the header has no wavelengths, or the axis is one of velocity.
    """
    file, kind = hdu.file, str(head.get("CTYPE1") or "").strip().upper()
    if kind.startswith(_VELOCITIES):
        unit = str(head.get("CUNIT1") or "").strip()
        file.refuse(
            f"the spectral axis is a velocity (CTYPE1={kind!r}, CUNIT1={unit!r}); only "
            "wavelengths, frequencies and energies are supported"
        )
    if not has_axis(head):
        file.refuse(
            f"HDU {hdu.index} has no wavelengths: neither CRVAL1 with CDELT1 or CD1_1, "
            "nor an extension or column of wavelengths; add them, or give a "
            "SpectrumArrays with wavelengths of your own"
        )
    unit = hint_unit(head)
    if _ALGORITHM.fullmatch(kind):
        return Column(values=_ask_wcslib(file, head, size), unit="Angstrom")
    if _is_log10(head, kind):
        return Column(values=log_axis(head, size, file=file), unit=unit)
    if kind.startswith(("LN(", "LN_", "LOGE")):
        return Column(values=np.exp(linear_axis(head, size, file=file)), unit=unit)
    if kind.startswith("WAVN"):
        unit = unit or "1/m"
    return Column(values=linear_axis(head, size, file=file), unit=unit)


def _is_log10(head: Mapping[str, Any], kind: str) -> bool:
    """Tell whether a header says that its axis is linear in log10."""
    if head.get("DC-FLAG") == 1 or kind in ("LOG-LINEAR", "LOGLAM", "LOGWAVE"):
        return True
    fitted = str(head.get("WFITTYPE") or "").strip().upper()
    return fitted == "LOG-LINEAR" or kind.startswith(("LOG10", "LOG(", "LOG_", "LOG "))


def _ask_wcslib(file: FitsFile, head: Mapping[str, Any], size: int) -> np.ndarray:
    """Let wcslib compute a non-linear axis from the keywords of this axis alone."""
    from astropy.wcs import WCS

    axis = [name + "1" for name in _COPIED] + ["CD1_1", "PC1_1"]
    cards = {key: head[key] for key in head if key in axis or _KEYS.fullmatch(str(key))}
    unit = parse_unit(str(cards.get("CUNIT1") or ""))
    if unit is not None:
        cards["CUNIT1"] = unit.to_string("fits")
    try:
        wcs = _tabulated(file, cards) if "-TAB" in cards["CTYPE1"] else WCS(cards)
        values = wcs.wcs_pix2world(np.arange(size, dtype=float)[:, None], 0)[:, 0]
    except Exception as error:  # wcslib raises whatever comes up
        reason = str(error).strip().split("\n")[0]
        file.refuse(f"CTYPE1={cards['CTYPE1']!r}: cannot be computed ({reason})")
    # wcslib returns SI units, but for tables, whose values it takes as they are
    stated = cards.get("CUNIT1") if "-TAB" in cards["CTYPE1"] else None
    wavelength = to_angstrom(values, stated or _OF_TYPE.get(cards["CTYPE1"][:4], "m"))
    if wavelength is None:
        file.refuse(f"CUNIT1={stated!r} is no unit of a spectral axis")
    return wavelength


def _tabulated(file: FitsFile, cards: dict[str, Any]) -> "WCS":
    """Return the solution whose wavelengths stand in a table of the file."""
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header(cards)
    with file.open_astropy() as hdus:
        return WCS(header, fobj=hdus)
