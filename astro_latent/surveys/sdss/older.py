# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS-I and -II spectra (``spSpec``, DR1 to DR8): an image of five rows.

The rows are flux, flux less continuum, its standard deviation and the mask. Vacuum,
heliocentric; the first pixel is at COEFF0 whatever CRPIX1 says. RAOBJ and DECOBJ are
the star; RA and DEC where the telescope pointed.
"""

import numpy as np

from ...spectra.checks import finish_arrays, mask_from_bits
from ...spectra.facts import facts_from_header, log_axis, number
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from ...utils.physics import SPEED_OF_LIGHT
from .spectrum import SDSS_BAD_BITS, SDSS_FLUX_UNIT, name_spectrum

__all__ = ["SDSS_SPSPEC", "identify_spspec", "read_spspec"]

_STARS = (1, 6)  # SPEC_CLN: star, late-type star
_RESOLVING_POWER = 1850.0  # 1850 to 2200 along the spectrum


def identify_spspec(file: FitsFile) -> bool:
    """Tell whether a file is an ``spSpec`` file."""
    head, shape = file.primary, file[0].shape
    if not str(head.get("TELESCOP") or "").startswith("SDSS"):
        return False
    return len(shape) == 2 and shape[0] >= 4 and {"COEFF0", "COEFF1"} <= set(head)


def read_spspec(file: FitsFile) -> list[SpectrumArrays]:
    """Read the spectrum of an ``spSpec`` file."""
    head = file.primary
    rows = file[0].array()
    flux, sigma, bits = rows[0], rows[2], rows[3]
    facts = facts_from_header(head, file.path)
    facts |= {"ra": number(head, "RAOBJ"), "dec": number(head, "DECOBJ")}
    facts["time"] = np.nan  # of several exposures
    facts["obs_id"] = name_spectrum(head) or facts["obs_id"]
    star = head.get("SPEC_CLN") in _STARS and not head.get("Z_WARNIN")
    velocity = number(head, "Z") * SPEED_OF_LIGHT if star else np.nan
    scale = {"CRVAL1": head["COEFF0"], "CDELT1": head["COEFF1"]}
    return [
        finish_arrays(
            log_axis(scale, flux.size, file=file),
            flux,
            sigma=sigma,
            mask=mask_from_bits(bits, SDSS_BAD_BITS),
            flux_unit=SDSS_FLUX_UNIT,
            observation=Observation(
                **facts,
                survey="sdss",
                medium="vacuum",
                frame="barycentric",
                normalisation="none",
                resolving_power=_RESOLVING_POWER,
                radial_velocity=velocity,
            ),
            meta={"header": head},
        )
    ]


SDSS_SPSPEC = Format(
    name="sdss_spspec",
    title="SDSS spSpec (SDSS-I and -II)",
    identify=identify_spspec,
    read=read_spspec,
)
