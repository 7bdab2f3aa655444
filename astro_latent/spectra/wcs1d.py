# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One-dimensional images with a linear or log-linear wavelength axis.

What IRAF, iSpec and many others write: the flux in the primary array, the wavelengths
in CRVAL1 and CDELT1. Medium and frame only where the header states them.
"""

import re

import numpy as np
from astropy import units as u

from .checks import finish_arrays, zero_runs
from .facts import (
    facts_from_header,
    flux_unit,
    linear_axis,
    log_axis,
    number,
    stated_frame,
    stated_medium,
)
from .fits import FitsFile
from .formats import Format
from .observation import Observation, SpectrumArrays

__all__ = ["WCS1D", "identify_wcs1d", "read_wcs1d"]

_WAT_UNITS = re.compile(r"units=(\w+)", re.IGNORECASE)
_NAMES = {"angstrom": u.AA, "angstroms": u.AA, "nm": u.nm, "nanometers": u.nm}
_ERRORS = ("SIGMA", "ERR", "ERROR", "ERRORS", "STDDEV")
_AIR_LIMIT = 25_000.0  # Å; nobody quotes air wavelengths redwards of K


def identify_wcs1d(file: FitsFile) -> bool:
    """Tell whether a file holds a bare one-dimensional spectrum."""
    head = file.primary
    one = len(file[0].shape) == 1 and file[0].shape[0] > 1
    kind = str(head.get("CTYPE1") or "").upper()
    stepped = bool(head.get("CDELT1") or head.get("CD1_1")) and "CRVAL1" in head
    return one and stepped and not kind.startswith(("MULTISPE", "FREQ", "ENER", "VELO"))


def _find_axis_unit(file: FitsFile) -> tuple[u.UnitBase, str]:
    """Return the unit of the axis, and a remark if the header has none."""
    head = file.primary
    stated = _WAT_UNITS.search(str(head.get("WAT1_001") or ""))
    candidates = [head.get("CUNIT1"), head.get("CTYPE1"), stated and stated[1]]
    for text in candidates:
        known = _NAMES.get(str(text or "").strip().lower())
        if known is not None:
            return known, ""
    text = str(head.get("CUNIT1") or "").strip()
    if not text:
        return u.AA, "no unit of wavelength in the header, taken as Angstrom (IRAF)"
    try:
        unit = u.Unit(text)
    except ValueError:
        file.refuse(f"CUNIT1={text!r} is no known unit; give wavelength_unit=")
    if not unit.is_equivalent(u.AA):
        file.refuse(f"the spectral axis is in {unit}; only wavelengths are supported")
    return unit, ""


def _read_sigma(file: FitsFile, shape: tuple[int, ...]) -> np.ndarray | None:
    for hdu in file.hdus[1:]:
        if hdu.name in _ERRORS and hdu.shape == shape:
            return hdu.array()
    return None


def _read_observation(
    file: FitsFile, wavelength: np.ndarray, remark: str
) -> Observation:
    head = file.primary
    medium = stated_medium(head)
    observation = Observation(
        **facts_from_header(head, file.path),
        survey=str(head.get("INSTRUME") or "").strip().lower(),
        medium=medium,
        frame=stated_frame(head),
        resolving_power=number(head, "SPEC_RES"),
        snr=number(head, "SNR"),
    )
    if medium == "air" and wavelength.min() > _AIR_LIMIT:
        remark = (
            f"air wavelengths of {wavelength.min():.0f} to {wavelength.max():.0f} "
            f"Angstrom are unlikely: check CUNIT1={head.get('CUNIT1')!r}"
        )
    return observation.remarked(remark)


def read_wcs1d(
    file: FitsFile,
    *,
    wavelength_unit: str | u.UnitBase | None = None,
    estimate: bool = False,
) -> list[SpectrumArrays]:
    """Read a bare one-dimensional spectrum.

    Parameters
    ----------
    file : FitsFile
        The file. An image extension named SIGMA or ERR has the uncertainties.
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the axis, in place of what the header says.
    estimate : bool, optional
        Estimate the noise from the flux if the file has no uncertainties.

    Returns
    -------
    list of SpectrumArrays
        One spectrum; runs of three or more exact zeros are masked.

    Raises
    ------
    SpectrumReadError
        If the axis cannot be understood as wavelengths.
    """
    head = file.primary
    flux = file[0].array()
    logarithmic = head.get("DC-FLAG") == 1 or head.get("CTYPE1") == "LOG-LINEAR"
    axis = (log_axis if logarithmic else linear_axis)(head, flux.size, file=file)
    unit, remark = (
        _find_axis_unit(file) if wavelength_unit is None else (wavelength_unit, "")
    )
    wavelength = axis * u.Unit(unit).to(u.AA)
    return [
        finish_arrays(
            wavelength,
            flux,
            sigma=_read_sigma(file, flux.shape),
            mask=zero_runs(flux),
            flux_unit=flux_unit(head),
            observation=_read_observation(file, wavelength, remark),
            estimate=estimate,
            meta={"header": head},
        )
    ]


WCS1D = Format(
    name="wcs1d",
    title="one-dimensional image with a linear or log-linear wavelength axis",
    identify=identify_wcs1d,
    read=read_wcs1d,
    options=("wavelength_unit", "estimate"),
    priority=4,
)
