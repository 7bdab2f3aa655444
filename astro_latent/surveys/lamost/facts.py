# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What headers of LAMOST say, in low and in medium resolution."""

import numpy as np

from ...spectra.facts import facts_from_header, mjd_from_text, number
from ...spectra.fits import FitsFile
from ...spectra.header import chain_headers
from ...spectra.observation import Observation
from ...utils.physics import SPEED_OF_LIGHT

__all__ = ["is_lamost", "read_observation"]


def is_lamost(file: FitsFile) -> bool:
    """Tell by its header whether a file is one of LAMOST."""
    head = file.primary
    return "LAMOST" in f"{head.get('TELESCOP')} {head.get('ORIGIN')}"


def _read_flag(value: object, *, true: str) -> str:
    return true if value in (True, "T") else "unknown"


def _read_snr(file: FitsFile) -> float:
    """Return the mean of the header's g, r, i values, or NaN."""
    head = chain_headers(file.primary, *(hdu.header for hdu in file.hdus[1:2]))
    bands = [number(head, f"SN_{b}", f"SNR{b}") for b in "GRI"]
    return float(np.mean(bands))


def read_observation(file: FitsFile) -> Observation:
    """Read what the primary header says of a spectrum."""
    head = file.primary
    facts = facts_from_header(head, file.path)
    # DATE-OBS is the middle of the exposure here, in UTC
    facts["time"] = mjd_from_text(head.get("DATE-OBS"))
    facts["target_name"] = str(head.get("DESIG") or facts["target_name"]).strip()
    return Observation(
        **facts,
        survey="lamost",
        medium=_read_flag(head.get("VACUUM"), true="vacuum"),
        frame=_read_flag(head.get("HELIO"), true="barycentric"),
        normalisation="none",
        snr=_read_snr(file),
        # what was subtracted, by its sign (checked against astropy)
        barycentric_correction=-number(head, "HELIO_RV"),
        radial_velocity=number(head, "Z") * SPEED_OF_LIGHT,
    )
