# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""ESO Phase 3 one-dimensional spectra: one table row, roles told by utypes.

Follows the ESO Science Data Products Standard: columns are found by TUTYP, not by
name; air or vacuum by the UCD of the wavelength; the frame by SPECSYS.
"""

import re
from typing import Any

import numpy as np
from astropy import units as u

from ...exceptions import SpectrumReadError
from ...spectra.checks import finish_arrays
from ...spectra.facts import facts_from_header, number, stated_frame
from ...spectra.fits import FitsFile, Hdu
from ...spectra.formats import Format
from ...spectra.header import chain_headers
from ...spectra.observation import Observation, SpectrumArrays

__all__ = ["PHASE3", "identify_phase3", "read_phase3"]

_WAVELENGTH = "spectralaxis.value"
_FLUX = "fluxaxis.value"
_ERROR = "fluxaxis.accuracy.staterror"
_QUALITY = "fluxaxis.accuracy.qualitystatus"
_NORMALISATION: dict[Any, str] = {True: "continuum", False: "none"}  # CONTNORM


def identify_phase3(file: FitsFile) -> bool:
    """Tell whether a file is an ESO Phase 3 spectrum."""
    if len(file) < 2 or not file[1].is_table or file[1].header.get("NAXIS2") != 1:
        return False
    category = str(file.primary.get("PRODCATG") or "")
    model = str(file[1].header.get("VOCLASS") or "")
    named = category.startswith("SCIENCE.SPECTRUM") or model.startswith("SPECTRUM")
    return named and {_WAVELENGTH, _FLUX} <= set(_find_roles(file[1]))


def _find_roles(table: Hdu) -> dict[str, tuple[int, str]]:
    """Return role -> (column number, column name); the first column of a role counts.

    Both prefixes are in use, ``Spectrum.Data.`` (v1) and ``spec:Data.`` (v2); further
    fluxes have ``eso:Data.`` and are left alone.
    """
    roles: dict[str, tuple[int, str]] = {}
    for name, (column, _, _) in table.columns.items():
        utype = str(table.header.get(f"TUTYP{column}") or "").strip().lower()
        role = re.sub(r"^(spectrum\.|spec:|spec:spectrum\.)data\.", "", utype)
        if role:
            roles.setdefault(role, (column, name))
    return roles


def _read_unit(text: object, file: FitsFile, column: str) -> u.UnitBase:
    """Parse a TUNIT; ESO writes both Angstrom and angstrom, adu and ADU."""
    text = str(text or "").strip()
    if text.lower() in ("angstrom", "angstroms"):
        return u.AA
    try:
        return u.Unit(text, format=None)
    except ValueError:
        pass
    try:
        return u.Unit(
            re.sub(r"angstroms?", "Angstrom", text.replace("**", "^"), flags=re.I)
        )
    except ValueError as error:
        msg = f"{file.path}: column {column} has the unknown unit {text!r}"
        raise SpectrumReadError(msg) from error


def _read_medium(ucd: str) -> str:
    """Air if the UCD says ``obs.atmos``, vacuum if it is a plain wavelength."""
    words = [word.strip() for word in ucd.lower().split(";")]
    if words[0] != "em.wl":
        return "unknown"
    return "air" if "obs.atmos" in words[1:] else "vacuum"


def _read_observation(file: FitsFile, ucd: str) -> Observation:
    head = chain_headers(file.primary, file[1].header)
    return Observation(
        **facts_from_header(head, file.path),
        survey=str(head.get("INSTRUME") or "").strip().lower(),
        medium=_read_medium(ucd),
        frame=stated_frame(head),
        normalisation=_NORMALISATION.get(head.get("CONTNORM"), "unknown"),
        resolving_power=number(head, "SPEC_RES"),
        snr=number(head, "SNR"),
        barycentric_correction=number(
            head, "ESO DRS BERV", "ESO QC BERV", "ESO DRS BERV VALUE"
        ),
        obs_publisher_did=str(head.get("VOPUB") or ""),
    )


def read_phase3(file: FitsFile, *, estimate: bool = False) -> list[SpectrumArrays]:
    """Read an ESO Phase 3 spectrum.

    Parameters
    ----------
    file : FitsFile
        The file.
    estimate : bool, optional
        Estimate the noise where the file has no errors (HARPS: all NaN).

    Returns
    -------
    list of SpectrumArrays
        One spectrum.

    Raises
    ------
    SpectrumReadError
        If a role has no column, or a unit is not one of wavelength.
    """
    table = file[1]
    roles = _find_roles(table)
    for role in (_WAVELENGTH, _FLUX):
        if role not in roles:
            file.refuse(f"no column has the utype {role}; utypes: {sorted(roles)}")
    number_w, name_w = roles[_WAVELENGTH]
    number_f, name_f = roles[_FLUX]
    unit = _read_unit(table.header.get(f"TUNIT{number_w}"), file, name_w)
    if not unit.is_equivalent(u.AA):
        file.refuse(f"the spectral axis is in {unit}; only wavelengths are supported")
    wavelength = table.column(name_w).ravel().astype(np.float64, copy=False)
    factor = unit.to(u.AA)
    flux = table.column(name_f).ravel()
    sigma = table.column(roles[_ERROR][1]).ravel() if _ERROR in roles else None
    mask = table.column(roles[_QUALITY][1]).ravel() != 0 if _QUALITY in roles else None
    if _QUALITY not in roles and "QUAL" in table.columns:
        mask = table.column("QUAL").ravel() != 0
    observation = _read_observation(
        file, str(table.header.get(f"TUCD{number_w}") or "")
    )
    if sigma is not None and not np.isfinite(sigma).any():
        sigma = None
    return [
        finish_arrays(
            wavelength if factor == 1 else wavelength * factor,
            flux,
            sigma=sigma,
            mask=mask,
            flux_unit=_read_unit(table.header.get(f"TUNIT{number_f}"), file, name_f),
            observation=observation,
            estimate=estimate,
            meta={"header": file.primary, "table_header": table.header},
        )
    ]


PHASE3 = Format(
    name="eso_phase3",
    title="ESO Phase 3 one-dimensional spectrum",
    identify=identify_phase3,
    read=read_phase3,
    options=("estimate",),
)
