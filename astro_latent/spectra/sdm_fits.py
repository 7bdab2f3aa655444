# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as FITS tables of the IVOA Spectrum Data Model: one row per pixel.

What SSA services send when asked for FITS. Roles follow TUTYPn and TUCDn; an error
without either is known by its name, that of the flux with ``_error``.
"""

import numpy as np
from astropy import units as u

from .checks import finish_arrays
from .facts import facts_from_header, number, stated_frame
from .fits import FitsFile, Hdu
from .formats import Format
from .header import chain_headers
from .observation import Observation, SpectrumArrays
from .sdm_votable import find_roles
from .votable import parse_unit

__all__ = ["SDM_FITS", "identify_sdm_fits", "read_sdm_fits"]


def _list_fields(table: Hdu) -> list[dict[str, str]]:
    """Return name, UCD, utype and unit of each column, as a VOTable would have them."""
    keys = {"ucd": "TUCD", "utype": "TUTYP", "unit": "TUNIT"}
    return [
        {
            "name": name,
            **{k: str(table.header.get(f"{v}{n}") or "") for k, v in keys.items()},
        }
        for name, (n, _, _) in table.columns.items()
    ]


def _find_all_roles(fields: list[dict[str, str]]) -> dict[str, int]:
    roles = find_roles(fields)
    if "flux" in roles and "sigma" not in roles:
        wanted = f"{fields[roles['flux']]['name']}_ERROR"
        names = [field["name"] for field in fields]
        if wanted in names:
            roles["sigma"] = names.index(wanted)
    return roles


def identify_sdm_fits(file: FitsFile) -> bool:
    """Tell whether the first extension is a spectrum with one row per pixel."""
    if len(file) < 2 or not file[1].is_table or (file[1].header.get("NAXIS2") or 0) < 2:
        return False
    return {"wavelength", "flux"} <= set(find_roles(_list_fields(file[1])))


def read_sdm_fits(file: FitsFile) -> list[SpectrumArrays]:
    """Read a FITS table of the Spectrum Data Model; non-zero quality is masked."""
    table = file[1]
    fields = _list_fields(table)
    roles = _find_all_roles(fields)
    if not {"wavelength", "flux"} <= set(roles):
        file.refuse(f"no wavelength and flux among the columns {list(table.columns)}")
    units = {role: parse_unit(fields[n]["unit"]) for role, n in roles.items()}
    if units["wavelength"] is None or not units["wavelength"].is_equivalent(u.AA):
        unit = fields[roles["wavelength"]]["unit"]
        file.refuse(f"the spectral axis is in {unit!r}, not a length")
    data = {role: table.column(fields[n]["name"]) for role, n in roles.items()}
    if "sigma" in data and units["sigma"] != units["flux"]:
        file.refuse("the flux and its error have different units")
    head = chain_headers(file.primary, table.header)
    words = fields[roles["wavelength"]]["ucd"].lower().replace(" ", "").split(";")
    observation = Observation(
        **facts_from_header(head, file.path),
        medium="air" if "obs.atmos" in words else "unknown",
        frame=stated_frame(head),
        resolving_power=number(head, "SPEC_RES"),
        snr=number(head, "DER_SNR"),
        obs_publisher_did=str(head.get("DS_IDPUB") or ""),
    )
    return [
        finish_arrays(
            data["wavelength"].astype(np.float64) * units["wavelength"].to(u.AA),
            data["flux"],
            sigma=data.get("sigma"),
            mask=data["quality"] != 0 if "quality" in data else None,
            flux_unit=units["flux"] or u.dimensionless_unscaled,
            observation=observation,
            meta={"header": file.primary, "table_header": table.header},
        )
    ]


SDM_FITS = Format(
    name="sdm_fits",
    title="FITS table with a spectrum (SSA)",
    identify=identify_sdm_fits,
    read=read_sdm_fits,
)
