# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables to FITS files and back, with units, UCDs and provenance.

The primary HDU holds the VOTable document that describes the table ("fits-plus", the
convention of STILTS and TOPCAT); TUNITn, TUCDn and TCOMMn say the same for programs
that look at the binary table alone.
"""

import warnings
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, QTable, Table
from astropy.table.meta import get_yaml_from_table

from ..exceptions import TableReadError
from ..utils.writing import replacing
from .fields import (
    Field,
    assemble,
    flatten,
    unit_from_text,
    unit_to_text,
)
from .votable import (
    build_document,
    describe_document,
    document_text,
    parse_document,
    stored_kind,
)

__all__ = ["read_fits", "write_fits"]

#: What Astropy puts around its description of columns, and the length of its lines.
_BEGIN = "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--"
_END = "--END-ASTROPY-SERIALIZED-COLUMNS--"
_CARD = 70
_FIFTH_CARD = 4 * 80

_FORMATS = {"b1": "L", "u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
#: FITS spells unsigned types as shifted signed ones.
_SHIFTED = {"u2": ("I", 2**15), "u4": ("J", 2**31), "u8": ("K", 2**63)}


def _null(values: np.ndarray) -> int | None:
    """Value that stands for null in a masked integer column."""
    if values.dtype.kind in "iu" and np.ma.is_masked(values):
        limits = np.iinfo(values.dtype)
        return int(limits.min if values.dtype.kind == "i" else limits.max)
    return None


def _hdu_column(spec: Field, values: np.ndarray) -> fits.Column:
    size = int(np.prod(spec.shape, dtype=int))
    null = _null(values)
    shift = None
    if spec.kind == "U":
        values = np.char.encode(values, "utf-8")
        form = f"{size * max(values.dtype.itemsize, 1)}A"
    elif spec.kind in _SHIFTED:
        letter, shift = _SHIFTED[spec.kind]
        form = f"{size}{letter}"
    else:
        form = f"{size}{_FORMATS[stored_kind(spec.kind)]}"
    return fits.Column(
        name=spec.name,
        format=form,
        array=np.ma.filled(values, null) if null is not None else np.ma.getdata(values),
        null=null,
        bzero=shift,
        dim=str(spec.shape[::-1]) if len(spec.shape) > 1 else None,
    )


def write_fits(
    table: Table, path: str | PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a table as FITS; see `~astro_latent.tables.write_table`."""
    with replacing(path, overwrite=overwrite) as part:
        _lay_out(table).writeto(part)
        _put_votmeta_first(part)
        _mark_unknown(part, table)


def _lay_out(table: Table) -> fits.HDUList:
    """Describe a table in the primary HDU and hold its rows in the next."""
    fields, arrays = flatten(table)
    text = document_text(build_document(fields, dict(table.meta))).encode()
    primary = fits.PrimaryHDU(np.frombuffer(text, dtype=np.uint8))
    primary.header["VOTMETA"] = (True, "table metadata in VOTable format")
    primary.header["NTABLE"] = (1, "number of tables that follow")
    columns = [_hdu_column(s, v) for s, v in zip(fields, arrays, strict=True)]
    hdu = fits.BinTableHDU.from_columns(columns, name=table.meta.get("name", "RESULTS"))
    for i, spec in enumerate(fields, 1):
        unit = "" if spec.unit == u.dex else unit_to_text(spec.unit)
        for key, value in (
            ("TUNIT", unit),  # FITS knows no dex, and readers warn of what it lacks
            ("TUCD", spec.ucd),
            ("TCOMM", spec.description),
        ):
            if value:
                hdu.header[f"{key}{i}"] = value
    for line in _column_notes(fields):
        hdu.header["COMMENT"] = line
    return fits.HDUList([primary, hdu])


def _mark_unknown(path: Path, table: Table) -> None:
    """Write masked booleans as the standard wants them: neither T nor F, but 0."""
    fields, arrays = flatten(table)
    masked = [
        (spec.name, np.ma.getmaskarray(values))
        for spec, values in zip(fields, arrays, strict=True)
        if values.dtype.kind == "b" and np.ma.is_masked(values)
    ]
    if not masked:
        return
    with fits.open(path) as hdus:
        start, kind = hdus[1].fileinfo()["datLoc"], hdus[1].columns.dtype
    rows = np.memmap(path, dtype=kind, mode="r+", offset=start, shape=(len(table),))
    for name, mask in masked:
        rows[name].view("u1").reshape(mask.shape)[mask] = 0
    rows.flush()


def _put_votmeta_first(path: Path) -> None:
    """Swap EXTEND and VOTMETA: STILTS wants this one first, Astropy the other."""
    with path.open("r+b") as stream:
        stream.seek(_FIFTH_CARD)
        cards = stream.read(160)
        if cards.startswith(b"EXTEND") and cards[80:].startswith(b"VOTMETA"):
            stream.seek(_FIFTH_CARD)
            stream.write(cards[80:] + cards[:80])


def _column_notes(fields: list[Field]) -> list[str]:
    """Describe columns in the way in which Astropy keeps what FITS has no words for."""
    like = Table(meta={"__serialized_columns__": {}})
    for spec in fields:
        like[spec.name] = Column([0], unit=spec.unit, description=spec.description)
    cards = []
    for line in get_yaml_from_table(like):
        parts = [line[i : i + _CARD] for i in range(0, len(line), _CARD)] or [""]
        cards += [f"{part}\\" for part in parts[:-1]] + parts[-1:]
    return [_BEGIN, *cards, _END]


def _header_fields(hdu: fits.BinTableHDU, arrays: dict[str, np.ndarray]) -> list[Field]:
    """Describe the columns of a FITS table that carries no VOTable document."""
    header = hdu.header
    return [
        Field(
            name=name,
            kind="U" if values.dtype.kind == "U" else values.dtype.str[1:],
            shape=values.shape[1:],
            unit=unit_from_text(header.get(f"TUNIT{i}")),
            ucd=header.get(f"TUCD{i}", ""),
            description=header.get(f"TCOMM{i}", ""),
        )
        for i, (name, values) in enumerate(arrays.items(), 1)
    ]


def _values(hdu: fits.BinTableHDU, name: str) -> np.ndarray:
    stored = hdu.data.view(np.ndarray)[name]
    with warnings.catch_warnings():  # of unknown booleans, which become masked here
        warnings.simplefilter("ignore")
        values = np.asarray(hdu.data[name])
    null = hdu.columns[name].null
    if values.dtype.kind in "SU":
        raw = np.char.encode(values, "latin-1") if values.dtype.kind == "U" else values
        return np.char.decode(raw, "utf-8")
    if values.dtype.kind == "b":
        unknown = stored == 0
        return np.ma.array(values, mask=unknown) if unknown.any() else values
    values = values.astype(values.dtype.newbyteorder("="))
    return values if null is None else np.ma.masked_equal(values, null)


def read_fits(stream: BinaryIO, *, kind: type = QTable) -> QTable:
    """Read the first table of a FITS file; see `~astro_latent.tables.read_table`."""
    with fits.open(stream, memmap=False, character_as_bytes=True) as hdus:
        # those behind it are not looked at
        kinds = (fits.BinTableHDU, fits.TableHDU)
        hdu = next((hdu for hdu in hdus if isinstance(hdu, kinds)), None)
        if hdu is None:
            msg = "the FITS file holds no table"
            raise TableReadError(msg)
        if isinstance(hdu, fits.TableHDU):  # of text, as VizieR offers it
            fields, values = flatten(Table.read(hdu))
            return assemble(fields, values, kind=kind)
        arrays = {name: _values(hdu, name) for name in hdu.columns.names}
        meta: dict[str, Any] = {}
        fields = []
        if hdus[0].header.get("VOTMETA"):
            document = parse_document(hdus[0].data.tobytes())
            fields, meta = describe_document(document)
        if not fields or [spec.name for spec in fields] != list(arrays):
            fields = _header_fields(hdu, arrays)
    return assemble(fields, list(arrays.values()), meta, kind=kind)
