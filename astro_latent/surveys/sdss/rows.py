# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From rows of the SDSS database, whoever wrote the query, to names and addresses.

Until DR17 a spectrum is known by plate, day, fibre and reduction, all of which its
``specobjid`` encodes; since DR18 by field, day, entry of the catalogue and reduction.
Addresses follow the templates of sdss-tree (dr17.cfg, dr18.cfg, dr19.cfg).
"""

import re

import numpy as np
from astropy.table import Row, Table

from .config import conf

__all__ = ["name_columns", "name_row", "write_address"]

#: What columns are called by others -> as here; names in small letters.
_ALIASES = {
    "plateid": "plate",
    "fiber": "fiberid",
    "fibre": "fiberid",
    "specobj_id": "specobjid",
    "fieldid": "field",
    "catid": "catalogid",
    "catalog_id": "catalogid",
    "snmedian_all": "snmedian",
    "sn_median_all": "snmedian",
    "plug_ra": "ra",
    "plug_dec": "dec",
    "racat": "ra",
    "deccat": "dec",
}
_RUN2D = re.compile(r"[A-Za-z0-9_]+")
_PADDED = ("v6_0_1", "v6_0_2", "v6_0_3", "v6_0_4")  # reductions of plates in DR18
OLDER, NEWER = ("plate", "mjd", "fiberid"), ("field", "mjd", "catalogid")


def name_columns(table: Table) -> Table:
    """Call columns as this package does, and add those that ``specobjid`` encodes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows of any query; changed in place.

    Returns
    -------
    `~astropy.table.Table`
        The same table.
    """
    for name in list(table.colnames):
        plain = name.lower()
        plain = _ALIASES.get(plain, plain)
        if plain != name and plain not in table.colnames:
            table.rename_column(name, plain)
    older = "specobjid" in table.colnames and "catalogid" not in table.colnames
    if older and len(table):
        _decode(table)
    return table


def _decode(table: Table) -> None:
    """Unpack plate, fibre, day and reduction: 14, 12, 14 and 14 bits from bit 63 on."""
    try:
        codes = [int(value) for value in table["specobjid"]]
    except (TypeError, ValueError):
        return  # masked, or text
    if max(codes) >= 1 << 64:
        return  # of SDSS-V, which have 30 digits
    parts = {
        "plate": [code >> 50 for code in codes],
        "fiberid": [code >> 38 & 0xFFF for code in codes],
        "mjd": [(code >> 24 & 0x3FFF) + 50_000 for code in codes],
        "run2d": [_name_reduction(code >> 10 & 0x3FFF) for code in codes],
    }
    for name, values in parts.items():
        if name not in table.colnames:
            table[name] = np.array(values)


def _name_reduction(code: int) -> str:
    """Reductions of SDSS-I, -II and SEGUE are numbers, those of BOSS v5_13_2."""
    if code < 1000:
        return str(code)
    return f"v{code // 10_000 + 5}_{code // 100 % 100}_{code % 100}"


def name_row(row: Row) -> str:
    """Return the name of a row's file, without its ending; "" if it cannot be told."""
    known = set(row.colnames)
    if known >= set(OLDER):
        plate, mjd, fibre = (int(row[name]) for name in OLDER)
        return f"spec-{plate:04d}-{mjd}-{fibre:04d}"
    if known >= {*NEWER, "run2d"}:
        padded = _read_run2d(row) in _PADDED
        field, mjd, entry = (int(row[name]) for name in NEWER)
        if padded:
            return f"spec-{field}-{mjd}-{entry:011d}"
        return f"spec-{field:06d}-{mjd}-{entry}"
    return ""


def _read_run2d(row: Row) -> str:
    run2d = str(row["run2d"]).strip()
    if not _RUN2D.fullmatch(run2d):
        msg = f"the database returned the strange reduction {run2d!r}"
        raise ValueError(msg)
    return run2d


def write_address(row: Row, release: int) -> str:
    """Return the address of a row's file in the Science Archive Server.

    Parameters
    ----------
    row : `~astropy.table.Row`
        Of a table that went through `name_columns`.
    release : int
        Data release.

    Returns
    -------
    str
        Address of the light version.

    Raises
    ------
    ValueError
        If the row lacks what makes an address.
    """
    name = name_row(row)
    if not name or "run2d" not in row.colnames:
        msg = (
            "the row needs plate, mjd, fiberid and run2d, or specobjid, or field, mjd, "
            f"catalogid and run2d to find the file; it has {', '.join(row.colnames)}"
        )
        raise ValueError(msg)
    run2d = _read_run2d(row)
    if set(row.colnames) >= set(OLDER):
        # DR18 and DR19 keep what DR17 has of plates where DR17 has it
        root = f"{conf.sas_url}/dr{min(release, 17)}/sdss/spectro/redux/{run2d}"
        return f"{root}/spectra/lite/{int(row['plate']):04d}/{name}.fits"
    folder = name.split("-")[1] + ("p" if run2d in _PADDED else "")
    root = f"{conf.sas_url}/dr{max(release, 18)}/spectro/boss/redux/{run2d}"
    return f"{root}/spectra/lite/{folder}/{int(row['mjd'])}/{name}.fits"
