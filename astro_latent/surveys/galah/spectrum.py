# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""GALAH spectra from Data Central: one file for each of the four HERMES cameras.

DR3 (reduction 5): flux, its *relative* error, flux and error before the sky was
subtracted, and (not always) the normalised flux. That one has wavelengths of its own:
it is at rest, the others are barycentric. DR4 (reduction 6) names its images: the
normalised flux is barycentric as well, and relative_error comes third.

Nobody states air or vacuum, but the spectra do: in public files of both releases Hα
and Hβ lie within 4 km/s of their wavelengths in air (at rest, or shifted by the
velocity that the header gives); in vacuum they would be 83 km/s off.
"""

from dataclasses import dataclass

import numpy as np

from ...spectra.checks import finish_arrays
from ...spectra.facts import (
    facts_from_header,
    flux_unit,
    linear_axis,
    number,
    stated_medium,
)
from ...spectra.fits import FitsFile, Hdu
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from ...utils.physics import SPEED_OF_LIGHT

__all__ = ["GALAH_SPECTRUM", "identify_galah", "read_galah"]

_ERROR, _NORMALISED, _FEWEST = 1, 4, 4  # images of DR3
_NEWER = {"RELATIVE_ERROR", "NORMALIZED"}  # names in DR4
_RESOLVING_POWER = 28_000.0  # of HERMES without the slit mask


@dataclass(frozen=True)
class _Layout:
    """Where things are in a file."""

    newer: bool
    error: Hdu
    normalised: Hdu | None


def identify_galah(file: FitsFile) -> bool:
    """Tell whether a file is a GALAH spectrum of DR3 or DR4."""
    if len(file[0].shape) != 1:
        return False
    if "GALAH" in str(file.primary.get("ORIGIN") or ""):
        return True
    hermes = str(file.primary.get("INSTRUME") or "").startswith("HERMES")
    return hermes and {hdu.name for hdu in file.hdus[1:]} >= _NEWER


def _find_layout(file: FitsFile) -> _Layout:
    named = {hdu.name: hdu for hdu in file.hdus[1:]}
    if named.keys() >= _NEWER:
        return _Layout(True, named["RELATIVE_ERROR"], named["NORMALIZED"])
    if len(file) < _FEWEST:
        file.refuse(
            f"truncated: GALAH files hold {_FEWEST} or more images (expected), the "
            f"{len(file.buffer)} bytes of this one {len(file)} (found)"
        )
    normalised = file[_NORMALISED] if len(file) > _NORMALISED else None
    return _Layout(False, file[_ERROR], normalised)


def _read_older(file: FitsFile, layout: _Layout, *, normalised: bool) -> Observation:
    head = file.primary
    at_rest = layout.normalised
    velocity = np.nan
    if at_rest is not None:
        start, rest = number(head, "CRVAL1"), number(at_rest.header, "CRVAL1")
        velocity = 0.0 if normalised else (start / rest - 1) * SPEED_OF_LIGHT
    return Observation(
        **facts_from_header(head, file.path),
        medium="vacuum" if stated_medium(head) == "vacuum" else "air",
        frame="rest" if normalised else "barycentric",
        survey="galah",
        normalisation="continuum" if normalised else "none",
        resolving_power=_RESOLVING_POWER,
        radial_velocity=velocity,
        barycentric_correction=number(head, "BARYEFF"),
    )


def _read_newer(file: FitsFile, *, normalised: bool) -> Observation:
    head = file.primary
    facts = facts_from_header(head, file.path)
    names = (str(head.get(key) or "None") for key in ("OBJ_NAME", "2MASS_ID"))
    facts |= {
        # RA and DEC would be where the telescope pointed
        "ra": number(head, "RA_ICRS", "RA_OBS"),
        "dec": number(head, "DEC_ICRS", "DEC_OBS"),
        "target_name": next((name for name in names if name != "None"), ""),
        "time": number(head, "UTMJD"),
        "exposure_time": number(head, "EXPOSED"),
    }
    shifted = "DOPCOR01" in head  # by IRAF, with the velocity that BARYEFF gives
    middle = number(head, "CRVAL1") + number(head, "CDELT1") * file[0].shape[0] / 2
    trusted = head.get("RVCOM_OK") == 1
    return Observation(
        **facts,
        medium="vacuum" if stated_medium(head) == "vacuum" else "air",
        frame="barycentric" if shifted else "unknown",
        survey="galah",
        normalisation="continuum" if normalised else "none",
        resolving_power=middle / number(head, "RES"),
        radial_velocity=number(head, "RVCOM") if trusted and shifted else np.nan,
        barycentric_correction=number(head, "BARYEFF"),
        snr=number(head, "SNR"),
    )


def read_galah(file: FitsFile, *, normalised: bool = False) -> list[SpectrumArrays]:
    """Read a GALAH spectrum of DR3 or DR4.

    Parameters
    ----------
    file : FitsFile
        The file.
    normalised : bool, optional
        Return the flux divided by the survey's pseudo-continuum; of DR3 it is at rest.

    Returns
    -------
    list of SpectrumArrays
        One spectrum; the relative errors have become absolute ones.

    Raises
    ------
    SpectrumReadError
        If the file is damaged, or holds no normalised flux and it was asked for.
    """
    layout = _find_layout(file)
    image: Hdu = file[0]
    if normalised:
        if layout.normalised is None:
            file.refuse("holds no normalised flux; read it with normalised=False")
        image = layout.normalised
    flux, relative = image.array(), layout.error.array()
    if relative.shape != flux.shape:
        file.refuse(f"has {flux.shape} pixels of flux and {relative.shape} of error")
    with np.errstate(invalid="ignore"):
        sigma = np.abs(flux) * relative
    if layout.newer:
        observation = _read_newer(file, normalised=normalised)
    else:
        observation = _read_older(file, layout, normalised=normalised)
    return [
        finish_arrays(
            linear_axis(image.header, flux.size, file=file),
            flux,
            sigma=sigma,
            flux_unit=flux_unit({} if normalised else file.primary),
            observation=observation,
            meta={"header": file.primary},
        )
    ]


GALAH_SPECTRUM = Format(
    name="galah",
    title="GALAH DR3 or DR4",
    identify=identify_galah,
    read=read_galah,
    options=("normalised",),
)
