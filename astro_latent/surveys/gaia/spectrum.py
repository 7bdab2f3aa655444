# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia's mean spectra as DataLink sends them: RVS and sampled BP/RP, one source a file.

Gaia writes ``spec:Spectrum`` on all its DataLink products, astrometry too, so a file is
known by its columns and the parameter ``source_id``. The DR3 mean RVS spectrum (0.01
nm) is at rest, in vacuum and normalised. Epoch spectra and other samplings are not
described by that, nor does the file of a BP/RP spectrum state medium and frame: what is
not stated stays unknown.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from astropy import units as u

from ...spectra.facts import identifier_from_path
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from ...spectra.sdm_votable import (
    find_roles,
    first_table,
    make_spectrum,
    spectral_tables,
)
from ...spectra.votable import VotableFile, VotableTable

__all__ = ["GAIA_SPECTRUM", "identify_gaia", "read_gaia"]

_RVS_RANGE = (8450.0, 8710.0)  # Å
_RVS_STEP = 0.1
_RVS_RESOLVING_POWER = 11_500.0
_XP_UNIT = u.W / u.m**2 / u.nm
_NAMES = {"wavelength": "wavelength", "flux": "flux", "sigma": "flux_error"}


def identify_gaia(file: VotableFile) -> bool:
    """Tell whether a VOTable is a spectrum from Gaia's DataLink service."""
    tables = spectral_tables(file)
    return bool(tables) and _is_gaia(tables[0])


def _is_gaia(table: VotableTable) -> bool:
    roles = find_roles(table.fields)
    names = {role: table.fields[n].get("name", "").lower() for role, n in roles.items()}
    return (
        _read_params(table).keys() >= {"source_id"} and names.items() >= _NAMES.items()
    )


def _read_params(table: VotableTable) -> dict[str, str]:
    return {p.get("name", "").lower(): p.get("value", "") for p in table.params[::-1]}


def _to_number(params: dict[str, str], name: str) -> float:
    try:
        return float(params.get(name, ""))
    except ValueError:
        return np.nan


def _recognise(found: SpectrumArrays) -> dict[str, Any]:
    """Return what follows from the kind of spectrum that the pixels show."""
    wavelength = found.wavelength
    if found.flux_unit.is_equivalent(_XP_UNIT):
        return {"normalisation": "none"}
    inside = _RVS_RANGE[0] < wavelength[0] and wavelength[-1] < _RVS_RANGE[1]
    steps = np.diff(wavelength)
    if not inside or not np.allclose(steps, _RVS_STEP, rtol=0, atol=1e-3):
        return {}
    return {
        "medium": "vacuum",
        "frame": "rest",
        "normalisation": "continuum",
        "resolving_power": _RVS_RESOLVING_POWER,
        "radial_velocity": 0.0,
    }


def read_gaia(file: VotableFile) -> list[SpectrumArrays]:
    """Read a mean spectrum of Gaia; of several the first, and the message says so."""
    table, remark = first_table(file)
    params = _read_params(table)
    observation = Observation(
        obs_id=identifier_from_path(file.path),
        source=str(file.path),
        target_name=params.get("designation") or params.get("source_id", ""),
        survey="gaia",
        ra=_to_number(params, "ra"),
        dec=_to_number(params, "dec"),
    )
    if remark:
        observation = observation.remarked(remark)
    found = make_spectrum(file, table, observation)
    facts = _recognise(found)
    if not facts:
        remark = "neither the DR3 mean RVS spectrum nor a sampled BP/RP spectrum"
        found = replace(found, observation=found.observation.remarked(remark))
    return [replace(found, observation=replace(found.observation, **facts))]


GAIA_SPECTRUM = Format(
    name="gaia",
    title="Gaia RVS or sampled BP/RP mean spectrum (DataLink VOTable)",
    identify=identify_gaia,
    read=read_gaia,
    container="votable",
)
