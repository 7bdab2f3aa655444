# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia's mean spectra in the files that DataLink, its bulk download and GaiaXPy write.

Gaia writes ``spec:Spectrum`` on all its DataLink products, astrometry too, so a file is
known by its columns and the identifier of the source. The DR3 mean RVS spectrum (0.01
nm) is at rest, in vacuum and normalised. Epoch spectra and other samplings are not
described by that, nor does the file of a BP/RP spectrum state medium and frame: what is
not stated stays unknown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...exceptions import SpectrumReadError
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import SpectrumArrays
from ...spectra.tablefile import TableFile
from ...spectra.votable import VotableFile, VotableTable
from .rows import GaiaColumns, holds_spectra, read_columns

__all__ = [
    "GAIA_FITS",
    "GAIA_SPECTRUM",
    "GAIA_TABLE",
    "identify_gaia",
    "identify_gaia_fits",
    "identify_gaia_table",
    "read_gaia",
    "read_gaia_fits",
    "read_gaia_table",
]

#: Files of DataLink are called so; tables of astroquery by their files.
_PRODUCT = re.compile(r"(?:RVS|XP|SPECTRUM)[A-Z_]*-Gaia E?DR\d+ (\d+)")


def _to_sampling(value: object) -> np.ndarray | None:
    """Return wavelengths in nm, from numbers or text such as ``"(336.0, 338.0)"``."""
    if value is None:
        return None
    if isinstance(value, str):
        value = [float(word) for word in value.strip("()[] ").replace(",", " ").split()]
    return np.asarray(value, dtype=float)


def _lower(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in facts.items()}


# VOTables


def _read_params(table: VotableTable) -> dict[str, str]:
    return {p.get("name", "").lower(): p.get("value", "") for p in table.params[::-1]}


def _is_gaia(table: VotableTable) -> bool:
    axes = [f for f in table.fields if f.get("name", "").lower() == "wavelength"]
    spectral = all(f.get("ucd", "em.wl").startswith("em.wl") for f in axes)
    names = [field.get("name", "").lower() for field in table.fields]
    return spectral and holds_spectra(names, _read_params(table))


def identify_gaia(file: VotableFile) -> bool:
    """Tell whether a VOTable holds spectra of Gaia, or their coefficients."""
    return any(_is_gaia(table) for table in file.tables)


def read_gaia(file: VotableFile) -> list[SpectrumArrays]:
    """Read all mean spectra of a VOTable."""
    spectra: list[SpectrumArrays] = []
    for table in filter(_is_gaia, file.tables):
        names = [field.get("name", "").lower() for field in table.fields]
        units = [field.get("unit", "") for field in table.fields]
        facts = _read_params(table)
        spectra += read_columns(
            GaiaColumns(
                path=file.path,
                columns=dict(zip(names, file.columns(table), strict=True)),
                units=dict(zip(names, units, strict=True)),
                facts=facts,
                sampling=_to_sampling(facts.pop("sampling", None)),
            )
        )
    return _tell_apart(spectra)


def _tell_apart(spectra: list[SpectrumArrays]) -> list[SpectrumArrays]:
    """Name the spectra of several tables of one file by their sources."""
    if len(spectra) == 1 or "#" in spectra[0].observation.obs_id:
        return spectra
    return [
        replace(
            found,
            observation=replace(
                found.observation,
                obs_id=f"{found.observation.obs_id}#{found.observation.target_name}",
            ),
        )
        for found in spectra
    ]


# FITS


def identify_gaia_fits(file: FitsFile) -> bool:
    """Tell whether a FITS table holds spectra of Gaia, or their coefficients."""
    if len(file) < 2 or not file[1].is_table:
        return False
    names = [name.lower() for name in file[1].columns]
    known = [key for key in ("SOURCEID", "SOURCE_ID") if key in file[1].header]
    return holds_spectra(names, _lower(dict.fromkeys(known)))


def read_gaia_fits(file: FitsFile) -> Sequence[SpectrumArrays]:
    """Read all mean spectra of the first table of a FITS file."""
    table = file[1]
    head = table.header
    units = {
        name.lower(): str(head.get(f"TUNIT{column}") or "")
        for name, (column, _, _) in table.columns.items()
    }
    wanted = {"source_id", "ra", "dec", "wavelength", "flux", "flux_error", "xp"}
    names = [name for name in units if name in wanted or name.endswith("coefficients")]
    keys = ("SOURCEID", "SOURCE_ID", "POS", "RA", "DEC", "DESIGNATION")
    return read_columns(
        GaiaColumns(
            path=file.path,
            columns={name: table.column(name) for name in names},
            units=units,
            facts={key.lower(): head[key] for key in keys if key in head},
            sampling=_to_sampling(head.get("SAMPLING")),
            header=head,
        )
    )


# CSV, ECSV and tables in memory


def identify_gaia_table(file: TableFile) -> bool:
    """Tell whether a text or a table in memory holds spectra of Gaia."""
    if not set(file.names) & {"flux", "bp_coefficients"}:
        return False
    if holds_spectra(file.names, ()):
        return True
    # the ECSV of a single source has its number in the header, not in a column
    try:
        return holds_spectra(file.names, _read_meta(file))
    except SpectrumReadError:
        return False


def _read_meta(file: TableFile) -> dict[str, Any]:
    """Return the parameters of a table; the file's name may have to say the source."""
    facts = _lower(file.table.meta)
    named = _PRODUCT.search(file.path.name)
    return {"source_id": named[1], **facts} if named else facts


def read_gaia_table(file: TableFile) -> Sequence[SpectrumArrays]:
    """Read all mean spectra of a text, or of a table in memory."""
    table, facts = file.table, _read_meta(file)
    columns = {}
    for name in table.colnames:
        values = table[name]
        filled = values.dtype.kind == "f" and hasattr(values, "filled")
        columns[name.lower()] = np.asarray(values.filled(np.nan) if filled else values)
    units = {n.lower(): str(table[n].unit) for n in table.colnames if table[n].unit}
    sampling = _to_sampling(facts.pop("sampling", None))
    if sampling is None and not file.in_memory:
        sampling = _read_sampling(file)
    return read_columns(
        GaiaColumns(
            path=file.path, columns=columns, units=units, facts=facts, sampling=sampling
        )
    )


def _read_sampling(file: TableFile) -> np.ndarray | None:
    """Return what GaiaXPy writes beside its CSV, or None."""
    stem, dot, rest = file.path.name.partition(".csv")
    beside = file.path.with_name(f"{stem}_sampling{dot}{rest}")
    if not dot or "wavelength" in file.names or not beside.is_file():
        return None
    with TableFile(beside) as other:
        if other.names != ["pos"] or len(other.table) != 1:
            other.refuse("is no sampling as GaiaXPy writes it: one column pos, one row")
        return _to_sampling(str(other.table["pos"][0]))


GAIA_SPECTRUM = Format(
    name="gaia",
    title="Gaia RVS or BP/RP mean spectra (VOTable of DataLink or GaiaXPy)",
    identify=identify_gaia,
    read=read_gaia,
    container="votable",
)
GAIA_FITS = Format(
    name="gaia_fits",
    title="Gaia RVS or BP/RP mean spectra (FITS of DataLink or GaiaXPy)",
    identify=identify_gaia_fits,
    read=read_gaia_fits,
)
GAIA_TABLE = Format(
    name="gaia_table",
    title="Gaia RVS or BP/RP mean spectra (CSV, ECSV or a table in memory)",
    identify=identify_gaia_table,
    read=read_gaia_table,
    container="table",
)
