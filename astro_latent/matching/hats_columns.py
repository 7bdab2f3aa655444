# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the columns of a HATS catalogue mean, and spectra as one of them.

The Parquet files of a HATS catalogue say nothing of units and UCDs. HATS has a place
for them in ``_common_metadata``; for those and for provenance, a VOTable without rows
lies in the folder.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..spectra import SpectraLike, SpectrumArrays, iter_arrays
from ..tables.fields import Field
from ..tables.votable import (
    build_document,
    describe_document,
    document_text,
    parse_document,
)
from ..utils.files import read_whole
from ..utils.writing import write_bytes

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "describe_catalogue",
    "described_columns",
    "give_back",
    "nest_spectra",
]

#: Name of the VOTable in the folder of a catalogue.
SIDECAR = "columns.vot"
#: Name of the nested column.
SPECTRUM = "spectrum"
_NESTED = [
    Field(
        name=f"{SPECTRUM}.wavelength", kind="f8", unit=u.AA, ucd="em.wl",
        description="Wavelength, in the medium and frame that the row says",
    ),
    Field(
        name=f"{SPECTRUM}.flux", kind="f4", ucd="phot.flux.density;em.wl",
        description="Flux density, in flux_unit of the row",
    ),
    Field(
        name=f"{SPECTRUM}.flux_error", kind="f4",
        ucd="stat.error;phot.flux.density;em.wl",
        description="One standard deviation of the flux; NaN where nothing is known",
    ),
    Field(
        name=f"{SPECTRUM}.mask", kind="b1", ucd="meta.code.qual",
        description="True where a pixel must not be used",
    ),
]  # fmt: skip
#: Of each row: what a reader of its spectrum must be told.
_FACTS = {
    "medium": "Medium of the wavelengths",
    "frame": "Motion that is removed from the wavelengths",
    "normalisation": "Whether the continuum is divided out",
    "wavelength_unit": "Unit of the wavelengths",
    "flux_unit": "Unit of the flux",
    "resolving_power": "Wavelength over full width at half maximum",
    "snr": "Signal-to-noise ratio per pixel",
    "time": "Mid-exposure time, MJD (UTC)",
    "radial_velocity": "Velocity of the star in the frame of the wavelengths",
    "barycentric_correction": "Velocity to add to an observed one",
}
_FACT_UNITS = {
    "time": u.d,
    "radial_velocity": u.km / u.s,
    "barycentric_correction": u.km / u.s,
}


def nest_spectra(
    frame: "DataFrame", spectra: SpectraLike
) -> tuple["DataFrame", list[Field]]:
    """Put spectra into a nested column.

    Parameters
    ----------
    frame : pandas.DataFrame
        Their rows.
    spectra : SpectraLike
        One for each row.

    Returns
    -------
    frame : nested_pandas.NestedFrame
        With the columns of the spectra and of what is known of them.
    fields : list of Field
        Of the new columns.

    Raises
    ------
    ValueError
        If there is not one spectrum for each row.
    """
    from nested_pandas import NestedFrame

    found = list(iter_arrays(spectra))
    if len(found) != len(frame):
        msg = f"{len(found)} spectra for {len(frame)} rows: there must be one for each"
        raise ValueError(msg)
    nested, fields = NestedFrame(frame), []
    for name, description in _FACTS.items():
        if name in nested.columns:
            continue
        values = np.array([_fact(arrays, name) for arrays in found])
        nested[name] = values
        fields.append(
            Field(
                name=name, kind="U" if values.dtype.kind == "U" else "f8",
                unit=_FACT_UNITS.get(name), description=description,
            )
        )  # fmt: skip
    kind = np.result_type(np.float32, *(arrays.flux.dtype for arrays in found))
    cells = [_cell(arrays, kind) for arrays in found]
    return nested.join_nested(cells, SPECTRUM), [*fields, *_NESTED]


def _fact(arrays: SpectrumArrays, name: str) -> str | float:
    if name == "wavelength_unit":
        return "Angstrom"
    if name == "flux_unit":
        return arrays.flux_unit.to_string()
    return getattr(arrays.observation, name)


def _cell(arrays: SpectrumArrays, kind: np.dtype) -> dict[str, np.ndarray]:
    nothing = np.full(arrays.flux.shape, np.nan)
    sigma = nothing if arrays.sigma is None else arrays.sigma
    return {
        "wavelength": np.asarray(arrays.wavelength, "f8"),
        "flux": np.asarray(arrays.flux, kind),
        "flux_error": np.asarray(sigma, kind),
        "mask": np.asarray(arrays.mask, bool),
    }


def describe_catalogue(folder: Path, fields: list[Field], meta: dict[str, Any]) -> None:
    """Write what the columns of a catalogue mean into its folder.

    Parameters
    ----------
    folder : Path
        Of a catalogue, or of a collection with one in it.
    fields : list of Field
        The columns; those of a nested one as ``spectrum.flux``.
    meta : dict
        Provenance.
    """
    from hats.io.parquet_metadata import write_voparquet_in_common_metadata

    text = document_text(build_document(fields, meta))
    write_bytes(folder / SIDECAR, text.encode())
    for place in folder.rglob("_common_metadata"):
        write_voparquet_in_common_metadata(
            place.parents[1],
            field_units={spec.name: spec.unit for spec in fields if spec.unit},
            field_ucds={spec.name: spec.ucd for spec in fields if spec.ucd},
            field_descriptions={f.name: f.description for f in fields if f.description},
        )


def described_columns(source: object) -> tuple[list[Field], dict[str, Any]]:
    """Return what is written beside a catalogue of the meaning of its columns.

    Parameters
    ----------
    source : path-like or object
        Its folder; of anything else nothing is known.

    Returns
    -------
    fields : list of Field
        Empty if nothing is known.
    meta : dict
        Provenance.
    """
    if not isinstance(source, str | PathLike):
        return [], {}
    sidecar = Path(source, SIDECAR)
    if not sidecar.is_file():
        return [], {}
    return describe_document(parse_document(read_whole(sidecar)))


def give_back(answer: Table, source: str) -> Table:
    """Give columns of a catalogue their units and UCDs, if it came with them.

    Parameters
    ----------
    answer : `~astropy.table.Table`
        With some of its columns.
    source : str
        Folder of the catalogue.

    Returns
    -------
    `~astropy.table.Table`
        The same table.
    """
    fields, meta = described_columns(source)
    for spec in fields:
        if spec.name in answer.colnames:
            column = answer[spec.name]
            column.unit = spec.unit
            column.description = spec.description or None
            column.meta.update({**({"ucd": spec.ucd} if spec.ucd else {}), **spec.meta})
    answer.meta.update(meta)
    return answer
