# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as VOTables: what SSA services and DataLink cutouts send.

Roles follow the utypes of the IVOA Spectrum Data Model, else the UCDs. Air is
``em.wl;obs.atmos``; a plain ``em.wl`` is written for air and vacuum alike, so that the
medium stays unknown. The frame is what SpectralFrame.RefPos says.
"""

import re

import numpy as np
from astropy import units as u

from .checks import finish_arrays
from .facts import identifier_from_path
from .formats import Format
from .observation import Observation, SpectrumArrays
from .votable import VotableFile, VotableTable, parse_unit

__all__ = [
    "SDM_VOTABLE",
    "find_roles",
    "first_table",
    "identify_sdm",
    "make_spectrum",
    "read_sdm",
    "spectral_tables",
]

_FRAMES = {
    "BARYCENTER": "barycentric",
    "HELIOCENTER": "barycentric",
    "TOPOCENTER": "observed",
}
_NORMALISED = {
    "NORMALIZED": "continuum",
    "ABSOLUTE": "none",
    "CALIBRATED": "none",
    "UNCALIBRATED": "none",
}
_NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def find_roles(fields: list[dict[str, str]]) -> dict[str, int]:
    """Find the columns of a spectrum.

    Parameters
    ----------
    fields : list of dict
        XML attributes of the columns.

    Returns
    -------
    dict
        Role (wavelength, flux, sigma, quality) to number of the column; the first
        column of a role counts, utypes before UCDs.
    """
    by_utype: dict[str, int] = {}
    by_ucd: dict[str, int] = {}
    for index, attributes in enumerate(fields):
        if attributes.get("datatype") in ("char", "unicodeChar", "boolean"):
            continue
        ucd = attributes.get("ucd", "").lower().replace(" ", "")
        role = _role_of_utype(attributes.get("utype", "").lower())
        if role and not (role == "flux" and ucd.startswith("phys.transmission")):
            by_utype.setdefault(role, index)
        role = _role_of_ucd(ucd.split(";"))
        if role:
            by_ucd.setdefault(role, index)
    return {**by_ucd, **by_utype}


def _role_of_utype(utype: str) -> str:
    ends = {
        "data.spectralaxis.value": "wavelength",
        "data.fluxaxis.value": "flux",
        "data.fluxaxis.accuracy.staterror": "sigma",
        "data.fluxaxis.accuracy.qualitystatus": "quality",
    }
    return next((role for end, role in ends.items() if utype.endswith(end)), "")


def _role_of_ucd(words: list[str]) -> str:
    if words[0] == "em.wl":
        return "wavelength"
    fluxes = [word for word in words if word.startswith("phot.flux")]
    if words[0] == "stat.error":
        return "sigma" if fluxes else ""
    return (
        "flux" if fluxes and words[0].startswith(("phot.flux", "arith.ratio")) else ""
    )


def spectral_tables(file: VotableFile) -> list[VotableTable]:
    """List the tables that have a wavelength and a flux.

    Parameters
    ----------
    file : VotableFile
        The open file.

    Returns
    -------
    list of VotableTable
        In the order of the document.
    """
    needed = {"wavelength", "flux"}
    return [table for table in file.tables if needed <= set(find_roles(table.fields))]


def first_table(file: VotableFile) -> tuple[VotableTable, str]:
    """Return the first table with a spectrum, and a remark if there are more."""
    tables = spectral_tables(file)
    if not tables:
        file.refuse("none of its tables has a wavelength and a flux")
    more = f"the first of {len(tables)} spectra of this VOTable"
    return tables[0], more if len(tables) > 1 else ""


def identify_sdm(file: VotableFile) -> bool:
    """Tell whether a table of a VOTable has a wavelength and a flux."""
    return bool(spectral_tables(file))


def _read_param(table: VotableTable, *ends: str) -> str:
    """Return the value of the first parameter whose utype ends so, or ""."""
    for end in ends:
        for param in table.params:
            if param.get("utype", "").lower().endswith(end):
                value = param.get("value", "").strip()
                if value:
                    return value
    return ""


def _to_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _read_position(table: VotableTable) -> tuple[float, float]:
    """Return the place the spectrum was taken at, or that of its target."""
    text = _read_param(table, "spatialaxis.coverage.location.value", "target.pos")
    numbers = [float(part) for part in _NUMBER.findall(text)]
    if len(numbers) != 2 or not (0 <= numbers[0] <= 360 and -90 <= numbers[1] <= 90):
        return np.nan, np.nan
    return numbers[0], numbers[1]


def _read_medium(field: dict[str, str]) -> str:
    words = field.get("ucd", "").lower().replace(" ", "").split(";")
    return "air" if words[0] == "em.wl" and "obs.atmos" in words else "unknown"


def _read_observation(file: VotableFile, table: VotableTable) -> Observation:
    ra, dec = _read_position(table)
    field = table.fields[find_roles(table.fields)["wavelength"]]
    frame = _read_param(table, "spectralframe.refpos").upper()
    calibration = _read_param(
        table, "fluxaxis.accuracy.calibration", "fluxaxis.calibration"
    )
    return Observation(
        obs_id=identifier_from_path(file.path),
        source=str(file.path),
        target_name=_read_param(table, "target.name"),
        survey=_read_param(table, "dataid.collection").lower(),
        ra=ra,
        dec=dec,
        time=_to_number(_read_param(table, "timeaxis.coverage.location.value")),
        exposure_time=_to_number(_read_param(table, "timeaxis.coverage.bounds.extent")),
        medium=_read_medium(field),
        frame=_FRAMES.get(frame, "unknown"),
        normalisation=_NORMALISED.get(calibration.upper(), "unknown"),
        resolving_power=_to_number(_read_param(table, "spectralaxis.respower")),
        snr=_to_number(_read_param(table, "derived.snr")),
        obs_publisher_did=_read_param(table, "curation.publisherdid"),
    )


def make_spectrum(
    file: VotableFile, table: VotableTable, observation: Observation
) -> SpectrumArrays:
    """Read the columns of one table as a spectrum.

    Parameters
    ----------
    file : VotableFile
        The open file.
    table : VotableTable
        One of its `spectral_tables`.
    observation : Observation
        What is known.

    Returns
    -------
    SpectrumArrays
        The spectrum; non-zero quality is masked.

    Raises
    ------
    SpectrumReadError
        If the axis is no wavelength, or the data cannot be read.
    """
    roles = find_roles(table.fields)
    units = {role: table.fields[n].get("unit", "") for role, n in roles.items()}
    unit = parse_unit(units["wavelength"])
    if unit is None or not unit.is_equivalent(u.AA):
        file.refuse(f"the spectral axis is in {units['wavelength']!r}, not a length")
    flux_unit = parse_unit(units["flux"])
    if flux_unit is None:
        flux_unit = u.dimensionless_unscaled
        remark = f"the unit of the flux is unknown: {units['flux']!r}"
        observation = observation.remarked(remark)
    columns = file.columns(table)
    data = {role: np.ravel(columns[number]) for role, number in roles.items()}
    sigma = data.get("sigma")
    if sigma is not None and units["sigma"].strip():
        sigma = _convert_unit(file, sigma, units["sigma"], flux_unit)
    return finish_arrays(
        data["wavelength"].astype(np.float64) * unit.to(u.AA),
        data["flux"],
        sigma=sigma,
        mask=data["quality"] != 0 if "quality" in data else None,
        flux_unit=flux_unit,
        observation=observation,
        meta={"header": {p["name"]: p.get("value", "") for p in _list_named(table)}},
    )


def _list_named(table: VotableTable) -> list[dict[str, str]]:
    return [param for param in table.params if param.get("name")]


def _convert_unit(
    file: VotableFile, sigma: np.ndarray, text: str, flux_unit: u.UnitBase
) -> np.ndarray:
    unit = parse_unit(text)
    if unit is None or unit == flux_unit:
        return sigma
    if not unit.is_equivalent(flux_unit):
        file.refuse(f"the flux is in {flux_unit}, its error in {text!r}")
    return sigma * unit.to(flux_unit)


def read_sdm(file: VotableFile) -> list[SpectrumArrays]:
    """Read a VOTable's spectrum; of several the first, and the message says so."""
    table, remark = first_table(file)
    observation = _read_observation(file, table)
    if remark:
        observation = observation.remarked(remark)
    return [make_spectrum(file, table, observation)]


SDM_VOTABLE = Format(
    name="sdm_votable",
    title="VOTable with a spectrum (SSA, DataLink)",
    identify=identify_sdm,
    read=read_sdm,
    priority=4,
    container="votable",
)
