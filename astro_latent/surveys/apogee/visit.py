# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""APOGEE apVisit and asVisit files: one visit as the spectrograph saw it.

Three chips of 4096 pixels, red chip first, each with its own wavelengths: vacuum, in
the observed frame. They are sorted here; no velocity is removed.
"""

from collections.abc import Iterable

import numpy as np

from ...spectra.checks import finish_arrays, mask_from_bits
from ...spectra.facts import facts_from_header, number
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from .star import (
    APOGEE_BAD_BITS,
    APOGEE_FLUX_UNIT,
    APOGEE_RESOLVING_POWER,
)

__all__ = ["APOGEE_VISIT", "identify_apvisit", "read_apvisit"]


def identify_apvisit(file: FitsFile) -> bool:
    """Tell whether a file is an apVisit or asVisit file."""
    if len(file) < 5 or len(file[1].shape) != 2:
        return False
    units = [str(file[i].header.get("BUNIT") or "") for i in (1, 4)]
    return units[0].startswith("Flux") and units[1].startswith("Wavelen")


def read_apvisit(
    file: FitsFile, *, bad_bits: Iterable[int] = APOGEE_BAD_BITS
) -> list[SpectrumArrays]:
    """Read an apVisit or asVisit file.

    Parameters
    ----------
    file : FitsFile
        The file.
    bad_bits : iterable of int, optional
        Bits of the pixel mask for which a pixel is dropped.

    Returns
    -------
    list of SpectrumArrays
        One spectrum, wavelengths increasing.

    Raises
    ------
    SpectrumReadError
        If the file is damaged.
    """
    head = file.primary
    wavelength = file[4].array().ravel()
    order = np.argsort(wavelength, kind="stable")
    correction = number(head, "BC")
    velocity = number(head, "VRAD", "VREL")
    if np.isnan(velocity):
        velocity = number(head, "VHELIO") - correction
    observation = Observation(
        **facts_from_header(head, file.path),
        survey="apogee",
        medium="vacuum",
        frame="observed",
        normalisation="none",
        resolving_power=APOGEE_RESOLVING_POWER,
        snr=number(head, "SNR"),
        radial_velocity=velocity,
        barycentric_correction=correction,
    )
    return [
        finish_arrays(
            wavelength[order],
            file[1].array().ravel()[order],
            sigma=file[2].array().ravel()[order],
            mask=mask_from_bits(file[3].array().ravel()[order], bad_bits),
            flux_unit=APOGEE_FLUX_UNIT,
            observation=observation,
            meta={"header": head},
        )
    ]


APOGEE_VISIT = Format(
    name="apvisit",
    title="APOGEE apVisit or asVisit",
    identify=identify_apvisit,
    read=read_apvisit,
    options=("bad_bits",),
)
