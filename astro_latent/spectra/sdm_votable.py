# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as VOTables: what SSA services and DataLink cutouts send.

Roles follow the utypes of the IVOA Spectrum Data Model, else the UCDs. Air is
``em.wl;obs.atmos``; a plain ``em.wl`` is written for air and vacuum alike, so that the
medium stays unknown. The frame is what SpectralFrame.RefPos says.
"""

import re
from dataclasses import replace

import numpy as np
from astropy import units as u

from .assemble import Context, assemble_spectra
from .columns import Column, find_roles, has_spectrum
from .facts import identifier_from_path
from .formats import Format
from .observation import Observation, SpectrumArrays
from .votable import VotableFile, VotableTable

__all__ = [
    "SDM_VOTABLE",
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
    return [table for table in file.tables if has_spectrum(find_roles(table.fields))]


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
    file: VotableFile,
    table: VotableTable,
    observation: Observation,
    *,
    wavelength_unit: str | u.UnitBase | None = None,
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
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the wavelengths, in place of what the file says.

    Returns
    -------
    SpectrumArrays
        The spectrum; non-zero quality is masked.

    Raises
    ------
    SpectrumReadError
        If the axis is no wavelength, or the data cannot be read.
    """
    values = file.columns(table)
    columns = {}
    for role, n in find_roles(table.fields).items():
        about = {key: table.fields[n].get(key, "") for key in ("unit", "name", "ucd")}
        columns[role] = Column(values=_one_row(values[n]), **about)
    context = Context(
        observation=observation,
        wavelength_unit=wavelength_unit,
        meta={"header": {p["name"]: p.get("value", "") for p in _list_named(table)}},
    )
    found = assemble_spectra(columns, context)
    if len(found) > 1:
        file.refuse(f"{len(found)} rows of arrays in one table; one is expected")
    return found[0]


def _one_row(values: np.ndarray) -> np.ndarray:
    """Return arrays of pixels that stand in one row as they are in many rows."""
    if values.dtype == object and len(values) == 1:
        return np.ma.filled(np.ma.asarray(values[0], float), np.nan)
    return values


def _list_named(table: VotableTable) -> list[dict[str, str]]:
    return [param for param in table.params if param.get("name")]


def read_sdm(
    file: VotableFile, *, wavelength_unit: str | u.UnitBase | None = None
) -> list[SpectrumArrays]:
    """Read the spectra of a VOTable, one for each table that has one.

    Parameters
    ----------
    file : VotableFile
        The open file.
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the wavelengths, in place of what the file says.

    Returns
    -------
    list of SpectrumArrays
        Of several, the ``obs_id`` end in ``#1``, ``#2``...

    Raises
    ------
    SpectrumReadError
        If there is no spectrum, or its axis makes no sense.
    """
    tables = spectral_tables(file)
    if not tables:
        file.refuse("none of its tables has a wavelength and a flux")
    found = []
    for number, table in enumerate(tables, 1):
        seen = _read_observation(file, table)
        if len(tables) > 1:
            seen = replace(seen, obs_id=f"{seen.obs_id}#{number}")
        found.append(make_spectrum(file, table, seen, wavelength_unit=wavelength_unit))
    return found


SDM_VOTABLE = Format(
    name="sdm_votable",
    title="VOTable with a spectrum (SSA, DataLink)",
    identify=identify_sdm,
    read=read_sdm,
    options=("wavelength_unit",),
    priority=4,
    container="votable",
)
