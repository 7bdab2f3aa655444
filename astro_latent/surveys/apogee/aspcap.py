# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""APOGEE aspcapStar files: the combined spectrum over its pseudo-continuum.

The grid of apStar, in vacuum and at rest; dimensionless; zeros in the chip gaps.
"""

import numpy as np

from ...spectra.axes import log_axis
from ...spectra.checks import finish_arrays
from ...spectra.facts import facts_from_header, number
from ...spectra.fits import FitsFile, open_fits
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from .star import APOGEE_RESOLVING_POWER

__all__ = ["ASPCAP_STAR", "identify_aspcapstar", "read_aspcapstar"]


def identify_aspcapstar(file: FitsFile) -> bool:
    """Tell whether a file is an aspcapStar file."""
    if len(file) < 5 or file[1].header.get("CTYPE1") != "LOG-LINEAR":
        return False
    return file[4].is_table and file[4].header.mentions("'FPARAM")


def read_aspcapstar(source: "FitsFile | str") -> list[SpectrumArrays]:
    """Read an aspcapStar file; zeros and pixels without error are masked."""
    file = open_fits(source)
    head = file.primary
    flux, sigma = file[1].array(row=0), file[2].array(row=0)
    facts = facts_from_header(head, file.path)
    facts["time"] = np.nan  # several visits
    observation = Observation(
        **facts,
        survey="apogee",
        medium="vacuum",
        frame="rest",
        normalisation="continuum",
        resolving_power=APOGEE_RESOLVING_POWER,
        snr=number(head, "SNR"),
        radial_velocity=0.0,
    )
    return [
        finish_arrays(
            log_axis(file[1].header, flux.size, file=file),
            flux,
            sigma=sigma,
            mask=flux == 0,
            observation=observation,
            meta={"header": head},
        )
    ]


ASPCAP_STAR = Format(
    name="aspcapstar",
    title="APOGEE aspcapStar",
    identify=identify_aspcapstar,
    read=read_aspcapstar,
)
