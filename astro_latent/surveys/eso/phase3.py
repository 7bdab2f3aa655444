# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""ESO Phase 3 one-dimensional spectra: one table row, roles told by utypes.

Follows the ESO Science Data Products Standard: columns are found by TUTYP, not by
name; air or vacuum by the UCD of the wavelength; the frame by SPECSYS.
"""

import re
from typing import Any

from ...spectra.assemble import Context, assemble_spectra
from ...spectra.columns import Column
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
_ROLES = {
    _WAVELENGTH: "wavelength",
    _FLUX: "flux",
    _ERROR: "sigma",
    _QUALITY: "mask",
}
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
    if _QUALITY not in roles and "QUAL" in table.columns:
        roles[_QUALITY] = table.columns["QUAL"][0], "QUAL"
    columns = {
        name: _read_column(table, *roles[role])
        for role, name in _ROLES.items()
        if role in roles
    }
    return assemble_spectra(
        columns,
        Context(
            observation=_read_observation(file, columns["wavelength"].ucd),
            estimate=estimate,
            meta={"header": file.primary, "table_header": table.header},
        ),
    )


def _read_column(table: Hdu, number: int, name: str) -> Column:
    about = {
        key: str(table.header.get(f"{keyword}{number}") or "")
        for key, keyword in (("unit", "TUNIT"), ("ucd", "TUCD"))
    }
    return Column(values=table.column(name).ravel(), name=name, **about)


PHASE3 = Format(
    name="eso_phase3",
    title="ESO Phase 3 one-dimensional spectrum",
    identify=identify_phase3,
    read=read_phase3,
    options=("estimate",),
)
