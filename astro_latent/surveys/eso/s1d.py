# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HARPS ``s1d`` spectra of the Data Reduction Software: a bare primary array.

Air wavelengths at 0.01 Å steps in the barycentric frame, no uncertainties, zeros at
the ends and in the gap between the two detectors. HARPS-N writes the same.
"""

from ...spectra.checks import finish_arrays
from ...spectra.facts import facts_from_header, flux_unit, linear_axis, number
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays

__all__ = ["HARPS_S1D", "identify_harps_s1d", "read_harps_s1d"]

_PREFIXES = ("ESO", "TNG")
# DRS manual: high-accuracy and high-efficiency fibre of HARPS
_RESOLVING_POWER = {"HARPS": 115_000.0, "EGGS": 80_000.0}


def identify_harps_s1d(file: FitsFile) -> bool:
    """Tell whether a file is a HARPS s1d spectrum."""
    head = file.primary
    if head.get("NAXIS") != 1 or not head.get("NAXIS1") or "CRVAL1" not in head:
        return False
    return any(f"{prefix} DRS BERV" in head for prefix in _PREFIXES)


def _read_observation(file: FitsFile) -> Observation:
    head = file.primary
    facts = facts_from_header(head, file.path)
    names = ("ESO OBS TARG NAME", "TNG OBS TARG NAME")
    other = next((str(head[name]).strip() for name in names if head.get(name)), "")
    facts["target_name"] = facts["target_name"] or other
    # IRAF's dopcor shifts to any frame; its output does not say to which
    shifted = "DOPCOR01" in head
    rewritten = "IRAF" in str(head.get("ORIGIN") or "")
    observation = Observation(
        **facts,
        survey=str(head.get("INSTRUME") or "harps").strip().lower(),
        medium="air",
        frame="unknown" if shifted else "barycentric",
        normalisation="unknown" if rewritten else "none",
        resolving_power=_RESOLVING_POWER.get(
            str(head.get("ESO INS MODE") or "").strip(), float("nan")
        ),
        barycentric_correction=number(head, "ESO DRS BERV", "TNG DRS BERV"),
    )
    if shifted:
        reason = f"frame unknown: shifted later (DOPCOR01={head['DOPCOR01']!r})"
        observation = observation.remarked(reason)
    return observation


def read_harps_s1d(file: FitsFile, *, estimate: bool = True) -> list[SpectrumArrays]:
    """Read a HARPS s1d spectrum.

    Parameters
    ----------
    file : FitsFile
        The file.
    estimate : bool, optional
        Estimate the noise from the flux (`estimate_noise`), as the file has none;
        False leaves it unknown.

    Returns
    -------
    list of SpectrumArrays
        One spectrum.

    Raises
    ------
    SpectrumReadError
        If the file is damaged.
    """
    flux = file[0].array()
    return [
        finish_arrays(
            linear_axis(file.primary, flux.size, file=file),
            flux,
            flux_unit=flux_unit(file.primary),
            observation=_read_observation(file),
            estimate=estimate,
            meta={"header": file.primary},
        )
    ]


HARPS_S1D = Format(
    name="harps_s1d",
    title="HARPS or HARPS-N s1d spectrum of the DRS",
    identify=identify_harps_s1d,
    read=read_harps_s1d,
    options=("estimate",),
)
