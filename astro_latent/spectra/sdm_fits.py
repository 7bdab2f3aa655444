# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as FITS tables: one row per pixel, or arrays of pixels in each row.

What SSA services send when asked for FITS, what specutils writes, and what pipelines
and people make. Roles follow TUTYPn and TUCDn, else the names of the columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from astropy import units as u

from .assemble import Context, assemble_spectra
from .axis import hint_unit
from .columns import (
    Column,
    find_roles,
    find_stated,
    has_spectrum,
    is_other_light,
    medium_among,
)
from .facts import facts_from_header, number, stated_frame, stated_medium
from .fits import FitsFile, Hdu
from .formats import Format
from .header import chain_headers
from .observation import Observation, SpectrumArrays

__all__ = ["SDM_FITS", "identify_sdm_fits", "read_sdm_fits"]

_FIRST_ROWS = 2  # a table of one pixel is none


def _list_fields(table: Hdu) -> list[dict[str, str]]:
    """Return name, UCD, utype and unit of each column, as a VOTable would have them."""
    keys = {"ucd": "TUCD", "utype": "TUTYP", "unit": "TUNIT"}
    return [
        {
            "name": name,
            "datatype": "char" if form.lstrip("0123456789 ").startswith("A") else "",
            **{k: str(table.header.get(f"{v}{n}") or "") for k, v in keys.items()},
        }
        for name, (n, _, form) in table.columns.items()
    ]


def _tables(file: FitsFile) -> list[Hdu]:
    """List the tables that have a wavelength and a flux, of the star itself."""
    return [
        hdu
        for hdu in file.hdus[1:]
        if hdu.is_table and _is_spectrum(hdu) and not is_other_light(hdu.name)
    ]


def _is_spectrum(table: Hdu) -> bool:
    fields = _list_fields(table)
    roles = find_roles(fields)
    if not has_spectrum(roles):
        return False
    rows = table.header.get("NAXIS2") or 0
    flux = table.columns[fields[roles["flux"]]["name"]][2]
    one_each = flux.lstrip("1 ")[:1].isalpha() and flux.lstrip("1 ")[:1] not in "PQ"
    return rows >= (_FIRST_ROWS if one_each else 1)


def identify_sdm_fits(file: FitsFile) -> bool:
    """Tell whether a table of the file is a spectrum."""
    return bool(_tables(file))


def read_sdm_fits(
    file: FitsFile,
    *,
    wavelength_unit: str | u.UnitBase | None = None,
    column_mapping: Sequence[str] | Mapping[str, Any] | None = None,
    estimate: bool = False,
) -> list[SpectrumArrays]:
    """Read FITS tables; non-zero quality is masked.

    Parameters
    ----------
    file : FitsFile
        The file.
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the wavelengths, in place of what the file says.
    column_mapping : sequence of str, or mapping, optional
        Names of the columns of wavelength, flux and error; or as specutils has it.
    estimate : bool, optional
        Estimate the noise from the flux if the file has no uncertainties.

    Returns
    -------
    list of SpectrumArrays
        One for each table with a spectrum, and for each row if these hold arrays.

    Raises
    ------
    SpectrumReadError
        If no table has a wavelength and a flux, or their units make no sense.
    """
    if column_mapping is not None:
        tables = [hdu for hdu in file.hdus[1:] if hdu.is_table][:1]
    else:
        tables = _tables(file)
    if not tables:
        known = [list(hdu.columns) for hdu in file.hdus[1:] if hdu.is_table]
        file.refuse(f"no wavelength and flux among the columns {known}")
    spectra: list[SpectrumArrays] = []
    for table in tables:
        spectra += _read_table(
            file,
            table,
            column_mapping,
            wavelength_unit=wavelength_unit,
            estimate=estimate,
            suffix=f"#{table.name or table.index}" if len(tables) > 1 else "",
        )
    return spectra


def _read_table(
    file: FitsFile,
    table: Hdu,
    stated: Sequence[str] | Mapping[str, Any] | None,
    *,
    suffix: str,
    **asked: Any,
) -> list[SpectrumArrays]:
    fields = _list_fields(table)
    names = [field["name"] for field in fields]
    roles = find_roles(fields) if stated is None else find_stated(names, stated)
    if not has_spectrum(roles):
        file.refuse(f"no wavelength and flux among the columns {names}")
    columns = {
        role: Column(
            values=table.column(names[n]),
            unit=fields[n]["unit"],
            name=names[n],
            ucd=fields[n]["ucd"],
        )
        for role, n in roles.items()
    }
    head = chain_headers(file.primary, table.header)
    facts = facts_from_header(head, file.path)
    words = fields[roles["wavelength"]]["ucd"].lower().replace(" ", "").split(";")
    medium = (
        "air" if "obs.atmos" in words else medium_among(fields, roles["wavelength"])
    )
    observation = Observation(
        **{**facts, "obs_id": facts["obs_id"] + suffix},
        survey=str(head.get("INSTRUME") or "").strip().lower(),
        medium=stated_medium(head) if medium == "unknown" else medium,
        frame=stated_frame(head),
        resolving_power=number(head, "SPEC_RES"),
        snr=number(head, "DER_SNR", "SNR"),
        obs_publisher_did=str(head.get("DS_IDPUB") or ""),
    )
    context = Context(
        observation=observation,
        unit_hint=hint_unit(chain_headers(table.header, file.primary)),
        meta={"header": file.primary, "table_header": table.header},
        **asked,
    )
    return assemble_spectra(columns, context)


SDM_FITS = Format(
    name="sdm_fits",
    title="FITS table with a spectrum (SSA, pipelines, specutils)",
    identify=identify_sdm_fits,
    read=read_sdm_fits,
    options=("wavelength_unit", "column_mapping", "estimate"),
)
