# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""APOGEE apStar, asStar and aspcapStar files: the visits of a star, combined.

Vacuum wavelengths on the common log grid of 8575 pixels, at rest: the star's velocity
has been removed. In apStar and asStar, rows are 0 the combination weighted by pixel, 1
the one weighted by visit, 2 and on the visits; files of one visit have a single row or
no row axis. aspcapStar has the combination over its pseudo-continuum, dimensionless,
with zeros in the chip gaps.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy import units as u

from ...spectra.checks import finish_arrays, mask_from_bits
from ...spectra.facts import FLAM, facts_from_header, log_axis, mjd_from_text, number
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays

__all__ = [
    "APOGEE_BAD_BITS",
    "APOGEE_FLUX_UNIT",
    "APOGEE_RESOLVING_POWER",
    "APOGEE_STAR",
    "ASPCAP_STAR",
    "identify_apstar",
    "identify_aspcapstar",
    "read_apstar",
    "read_aspcapstar",
]

#: Bits of APOGEE_PIXMASK for which a pixel is not used: BADPIX, CRPIX, SATPIX,
#: UNFIXABLE, BADDARK, BADFLAT, BADERR (0-6), NOSKY (7), LITTROW_GHOST (8),
#: SIG_SKYLINE (12) and NOT_ENOUGH_PSF (14). What sky lines leave behind exceeds its
#: stated errors many times, so these pixels are no use to a network.
APOGEE_BAD_BITS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 14)
APOGEE_RESOLVING_POWER = 22_500.0
APOGEE_FLUX_UNIT = u.Unit(1e-17 * FLAM)


def identify_apstar(file: FitsFile) -> bool:
    """Tell whether a file is an apStar or asStar file."""
    first = str(file.primary.get("SFILE1") or "").strip()
    logarithmic = len(file) > 3 and file[1].header.get("CTYPE1") == "LOG-LINEAR"
    return logarithmic and first.startswith(("apVisit", "asVisit"))


def _read_facts(file: FitsFile, visit: int) -> dict[str, Any]:
    """Return what differs between the visits (1, 2 ...) and the combination (0)."""
    head = file.primary
    facts = facts_from_header(head, file.path)
    facts["time"], facts["snr"] = np.nan, number(head, "SNR")
    only = 1 if number(head, "NVISITS") == 1 else 0  # whose time is the combination's
    if one := visit or only:
        facts["time"] = number(head, f"JD{one}") - 2400000.5
        if np.isnan(facts["time"]):
            facts["time"] = mjd_from_text(head.get(f"DATE{one}"))
    if visit:
        facts["obs_id"] = f"{facts['obs_id']}#{visit}"
        facts["snr"] = number(head, f"SNRVIS{visit}")
        facts["barycentric_correction"] = number(head, f"BC{visit}")
    return facts


def _read_row(
    file: FitsFile, row: int, visit: int, bad_bits: Iterable[int]
) -> SpectrumArrays:
    observation = Observation(
        survey="apogee",
        medium="vacuum",
        frame="rest",
        normalisation="none",
        resolving_power=APOGEE_RESOLVING_POWER,
        radial_velocity=0.0,
        noise="file",
        **_read_facts(file, visit),
    )
    flux = file[1].array(row=row)
    return finish_arrays(
        log_axis(file[1].header, flux.size, file=file),
        flux,
        sigma=file[2].array(row=row),
        mask=mask_from_bits(file[3].array(row=row), bad_bits),
        flux_unit=APOGEE_FLUX_UNIT,
        observation=observation,
        meta={"header": file.primary},
    )


def read_apstar(
    file: FitsFile,
    *,
    visits: bool = False,
    bad_bits: Iterable[int] = APOGEE_BAD_BITS,
) -> list[SpectrumArrays]:
    """Read an apStar or asStar file.

    Parameters
    ----------
    file : FitsFile
        The file.
    visits : bool, optional
        Return one spectrum per visit instead of the combination (row 0); their
        ``obs_id`` ends in ``#1``, ``#2``...
    bad_bits : iterable of int, optional
        Bits of the pixel mask for which a pixel is dropped.

    Returns
    -------
    list of SpectrumArrays
        The combined spectrum, or the visits.

    Raises
    ------
    SpectrumReadError
        If the file is damaged.
    """
    if not visits:
        return [_read_row(file, 0, 0, bad_bits)]
    rows = file[1].shape[0] if len(file[1].shape) > 1 else 1
    first = 2 if rows > 2 else 0
    return [
        _read_row(file, row, row - first + 1, bad_bits) for row in range(first, rows)
    ]


APOGEE_STAR = Format(
    name="apstar",
    title="APOGEE apStar or asStar",
    identify=identify_apstar,
    read=read_apstar,
    options=("visits", "bad_bits"),
)


def identify_aspcapstar(file: FitsFile) -> bool:
    """Tell whether a file is an aspcapStar file."""
    if len(file) < 5 or file[1].header.get("CTYPE1") != "LOG-LINEAR":
        return False
    return file[4].is_table and file[4].header.mentions("'FPARAM")


def read_aspcapstar(file: FitsFile) -> list[SpectrumArrays]:
    """Read an aspcapStar file."""
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
