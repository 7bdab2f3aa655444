# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS-V mwmStar and mwmVisit files: what Milky Way Mapper has of a star, at rest.

Four tables, BOSS and APOGEE at the two observatories, many of them without rows; each
row is a spectrum. Astra, which writes them, has removed the velocity from the combined
spectra and from the single visits (its classes are called RestFrameVisitSpectrum).
Wavelengths are those in vacuum; mwmVisit has them in the header only.
"""

from typing import Any

import numpy as np

from ...exceptions import SpectrumReadError
from ...spectra.checks import (
    finish_arrays,
    mask_from_bits,
    sigma_from_ivar,
)
from ...spectra.facts import facts_from_header, number
from ...spectra.fits import FitsFile, Hdu
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays, placeholder
from ..apogee.star import APOGEE_BAD_BITS, APOGEE_RESOLVING_POWER
from .spectrum import SDSS_BAD_BITS, SDSS_FLUX_UNIT, SDSS_RESOLVING_POWER

__all__ = ["SDSS_MWM", "identify_mwm", "read_mwm"]

#: Instrument -> survey, resolving power, bits for which a pixel is not used.
_INSTRUMENTS: dict[str, tuple[str, float, tuple[int, ...]]] = {
    "APOGEE": ("apogee", APOGEE_RESOLVING_POWER, APOGEE_BAD_BITS),
    "BOSS": ("sdss", SDSS_RESOLVING_POWER, SDSS_BAD_BITS),
}
_COLUMNS = {"FLUX", "IVAR"}
_VELOCITIES = ("V_RAD", "XCSAO_V_RAD")


def identify_mwm(file: FitsFile) -> bool:
    """Tell whether a file is an mwmStar or mwmVisit file."""
    head = file.primary
    return "V_ASTRA" in head and "SDSS_ID" in head and bool(_find_tables(file))


def _find_tables(file: FitsFile) -> list[Hdu]:
    return [
        hdu
        for hdu in file.hdus[1:]
        if hdu.is_table
        and _name_instrument(hdu) in _INSTRUMENTS
        and set(hdu.columns) >= _COLUMNS
        and "MODEL_FLUX" not in hdu.columns  # astraStar: the fit, not the spectrum
    ]


def _name_instrument(hdu: Hdu) -> str:
    return str(hdu.header.get("INSTRMNT") or hdu.name.partition("/")[0]).strip().upper()


def read_mwm(file: FitsFile) -> list[SpectrumArrays]:
    """Read all spectra of an mwmStar or mwmVisit file.

    Parameters
    ----------
    file : FitsFile
        The file.

    Returns
    -------
    list of SpectrumArrays
        One for each row of each table. Of several, ``obs_id`` ends in instrument,
        observatory and, where it has several, the number of the row: ``#BOSS-APO-2``.

    Raises
    ------
    SpectrumReadError
        If no table has a row.
    """
    found = [
        (hdu, row)
        for hdu in _find_tables(file)
        for row in range(int(hdu.header.get("NAXIS2") or 0))
    ]
    if not found:
        file.refuse("none of its tables has a row: there is no spectrum of this star")
    if len(found) == 1:
        return [_read_row(file, *found[0], alone=True)]
    return [_read_or_flag(file, hdu, row) for hdu, row in found]


def _read_or_flag(file: FitsFile, hdu: Hdu, row: int) -> SpectrumArrays:
    try:
        return _read_row(file, hdu, row, alone=False)
    except SpectrumReadError as error:
        return placeholder(str(error), **_name(file, hdu, row, alone=False))


def _name(file: FitsFile, hdu: Hdu, row: int, *, alone: bool) -> dict[str, Any]:
    """Return who and where."""
    head = file.primary
    facts = facts_from_header(head, file.path)
    place = str(hdu.header.get("OBSRVTRY") or hdu.name.rpartition("/")[2]).strip()
    several = int(hdu.header.get("NAXIS2") or 0) > 1
    ending = f"#{_name_instrument(hdu)}-{place}" + (f"-{row + 1}" if several else "")
    facts["obs_id"] += "" if alone else ending
    star = str(head.get("APOGEEID") or head.get("APOGEE_ID") or "").strip()
    facts["target_name"] = star or f"SDSS {head['SDSS_ID']}"
    return facts


def _read_cell(hdu: Hdu, names: tuple[str, ...], row: int) -> float:
    """Return the number in the first of these columns, or NaN."""
    for name in names:
        if name in hdu.columns:
            value = float(hdu.column(name)[row])
            return value if abs(value) < 9990 else np.nan
    return np.nan


def _read_axis(file: FitsFile, hdu: Hdu, row: int, size: int) -> np.ndarray:
    if "WAVELENGTH" in hdu.columns:
        return hdu.column("WAVELENGTH")[row].astype(np.float64)
    start, step = number(hdu.header, "CRVAL"), number(hdu.header, "CDELT")
    pixel = number(hdu.header, "CRPIX")
    if not np.isfinite([start, step]).all():
        file.refuse(f"{hdu.name}: neither a column nor the header give wavelengths")
    first = 1.0 if np.isnan(pixel) else pixel
    return 10.0 ** (start + step * (np.arange(size) + 1 - first))


def _read_row(file: FitsFile, hdu: Hdu, row: int, *, alone: bool) -> SpectrumArrays:
    survey, resolving_power, bits = _INSTRUMENTS[_name_instrument(hdu)]
    flux = np.atleast_2d(hdu.column("FLUX"))[row]
    sigma, mask = sigma_from_ivar(np.atleast_2d(hdu.column("IVAR"))[row])
    if "PIXEL_FLAGS" in hdu.columns:
        mask |= mask_from_bits(np.atleast_2d(hdu.column("PIXEL_FLAGS"))[row], bits)
    named = [name for name in _VELOCITIES if name in hdu.columns]
    moving = bool(named) and np.isnan(_read_cell(hdu, _VELOCITIES, row))
    observation = Observation(
        **_name(file, hdu, row, alone=alone),
        survey=survey,
        medium="vacuum",
        frame="unknown" if moving else "rest",
        normalisation="none",
        resolving_power=resolving_power,
        radial_velocity=np.nan if moving else 0.0,
        snr=_read_cell(hdu, ("SNR",), row),
    )
    if moving:
        reason = "no velocity is known, so that it cannot have been removed"
        observation = observation.remarked(reason)
    return finish_arrays(
        _read_axis(file, hdu, row, flux.size),
        flux,
        sigma=sigma,
        mask=mask,
        flux_unit=SDSS_FLUX_UNIT,
        observation=observation,
        meta={"header": file.primary},
    )


SDSS_MWM = Format(
    name="sdss_mwm",
    title="SDSS-V mwmStar or mwmVisit (BOSS and APOGEE)",
    identify=identify_mwm,
    read=read_mwm,
)
