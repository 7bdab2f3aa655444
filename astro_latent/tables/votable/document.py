# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The VOTable document that describes a table, and what can be read back from one.

The same document heads a VOTable, sits in the primary HDU of a FITS file ("fits-plus",
the convention of STILTS and TOPCAT) and in the footer of a Parquet file (VOParquet).
"""

import io
import json
import warnings
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io.votable import tree
from astropy.utils.xml.check import fix_id

from ...exceptions import TableReadError
from ...utils.absurd import find_fault
from ..fields import Field, unit_from_text, unit_to_text
from .dex import parse_columns

__all__ = [
    "build_document",
    "describe_document",
    "document_text",
    "parse_document",
    "stored_kind",
]

#: Keys of ``table.meta`` that the IVOA note "Data Origin" wants as INFO elements.
INFO_KEYS = frozenset(
    (
        "citation", "creator", "publisher", "query", "request", "request_date",
        "rights", "rights_uri", "server_software", "service_protocol", "ivoid",
        "publication_date",
    )
)  # fmt: skip
DATATYPES = {
    "b1": "boolean", "u1": "unsignedByte", "i2": "short", "i4": "int", "i8": "long",
    "f4": "float", "f8": "double",
}  # fmt: skip
#: Types that VOTable lacks, and the next larger one that it has.
_WIDENED = {"i1": "i2", "u2": "i4", "u4": "i8", "u8": "i8", "f2": "f4"}
_ERROR_SUFFIXES = (
    "_error", "_error_statistical", "_error_flux", "_error_model", "_interval_95",
)  # fmt: skip
_JSON = "astro_latent:json"  # utype of a PARAM that holds a list or dict
#: Beginnings of the XML identifiers of everything that is not a column.
_RESERVED = ("coosys_", "timesys_", "group_", "param_", "info_", "bit_", "table_")


def stored_kind(kind: str) -> str:
    """Return the numpy type under which VOTable stores a type.

    Parameters
    ----------
    kind : str
        Numpy type such as ``"u2"``.

    Returns
    -------
    str
        Itself, or the smallest type that holds it and that VOTable knows.
    """
    return _WIDENED.get(kind, kind)


def _field(
    document: tree.VOTableFile, spec: Field, ID: str, ascii_: bool
) -> tree.Field:
    text = spec.kind == "U"
    size = "x".join(map(str, spec.shape[::-1]))
    datatype = "char" if ascii_ else "unicodeChar"
    element = tree.Field(
        document,
        ID=ID,
        name=spec.name,
        datatype=datatype if text else DATATYPES[stored_kind(spec.kind)],
        arraysize="*" if text else size or None,
        ucd=spec.ucd or None,
        utype=spec.meta.get("utype"),
        xtype=spec.meta.get("xtype"),
    )
    if text and spec.shape:
        msg = f"column {spec.name!r} holds arrays of strings, which VOTable cannot"
        raise TypeError(msg)
    element.description = _one_line(spec.description) or None
    if unit := unit_to_text(spec.unit):
        # spelled already: for each "dex" Astropy would look up all units that are alike
        with warnings.catch_warnings(action="ignore"):
            element.unit = u.UnrecognizedUnit(unit)
    return element


def _param(
    document: tree.VOTableFile, key: str, value: object, home: str = "param"
) -> tree.Param:
    utype = None
    # lines and control characters within an attribute do not survive XML
    if isinstance(value, dict | list | tuple) or not str(value).isprintable():
        value = str(value) if isinstance(value, str) else value
        value, utype = json.dumps(value), _JSON
    if isinstance(value, bool | np.bool_):
        datatype, size, value = "boolean", None, bool(value)
    elif isinstance(value, int | np.integer):
        datatype, size, value = "long", None, int(value)
    elif isinstance(value, float | np.floating):
        datatype, size, value = "double", None, float(value)
    else:
        value, size = str(value), "*"
        datatype = "char" if value.isascii() else "unicodeChar"
    return tree.Param(
        document,
        ID=fix_id(f"{home}_{key}"),
        name=key,
        datatype=datatype,
        arraysize=size,
        value=value,
        utype=utype,
    )


def _tie_groups(
    document: tree.VOTableFile, table: tree.TableElement, fields: list[Field]
) -> None:
    """Tie each value to its errors, and the flags to the meaning of their bits."""
    ids = {element.name: element.ID for element in table.fields}
    for spec in fields:
        parts = [spec.name + s for s in _ERROR_SUFFIXES if spec.name + s in ids]
        if parts:
            ID = f"group_{ids[spec.name]}"
            group = tree.Group(table, name=f"{spec.name}_with_errors", ID=ID)
            for name in (spec.name, *parts):
                group.entries.append(tree.FieldRef(table, ids[name]))
            table.groups.append(group)
        if "bits" in spec.meta:
            ID = f"group_{ids[spec.name]}_bits"
            group = tree.Group(table, name=f"{spec.name}_bits", ID=ID)
            group.description = f"Meaning of the bits of column {spec.name}"
            group.entries.append(tree.FieldRef(table, ids[spec.name]))
            for name, (value, meaning) in spec.meta["bits"].items():
                bit = _param(document, name, int(value), f"bit_{ids[spec.name]}")
                bit.description = meaning
                group.entries.append(bit)
            table.groups.append(group)


def _refer_to_systems(
    document: tree.VOTableFile,
    resource: tree.Resource,
    table: tree.TableElement,
    specs: list[Field],
) -> None:
    """Write each coordinate and time system once and refer to it from its columns."""
    for key, make, home in (
        ("coosys", tree.CooSys, resource.coordinate_systems),
        ("timesys", tree.TimeSys, resource.time_systems),
    ):
        written: list[dict[str, Any]] = []
        for spec, element in zip(specs, table.fields, strict=True):
            system = spec.meta.get(key)
            if not system:
                continue
            if system not in written:
                written.append(system)
                home.append(
                    make(ID=f"{key}_{len(written)}", config=document._config, **system)
                )
            element.ref = f"{key}_{written.index(system) + 1}"


def _unique_ids(fields: list[Field]) -> list[str]:
    ids: list[str] = []
    for spec in fields:
        ID = fix_id(spec.name)
        while ID in ids or ID.startswith(_RESERVED):
            ID = "_" + ID
        ids.append(ID)
    return ids


def build_document(
    fields: list[Field],
    meta: dict[str, Any],
    *,
    version: str = "1.4",
    ascii_columns: set[str] | None = None,
) -> tree.VOTableFile:
    """Describe a table as a VOTable document without data.

    Parameters
    ----------
    fields : list of Field
        The columns.
    meta : dict
        Metadata: ``description`` and ``name`` of the table; the words of the IVOA
        note "Data Origin" become INFO, all others PARAM (lists and dicts as JSON).
        None is left out.
    version : {"1.3", "1.4", "1.5"}, optional
        Version of the standard.
    ascii_columns : set of str, optional
        Text columns to declare as 7-bit ``char``; the others are ``unicodeChar``.

    Returns
    -------
    `~astropy.io.votable.tree.VOTableFile`
        One resource, one table, no rows.
    """
    document = tree.VOTableFile(version=version)
    resource = tree.Resource(type="results")
    document.resources.append(resource)
    name = str(meta.get("name", "results"))
    table = tree.TableElement(document, name=name, ID="table_1")
    resource.tables.append(table)
    table.description = _one_line(meta.get("description")) or None
    status = tree.Info(ID="info_QUERY_STATUS", name="QUERY_STATUS", value="OK")
    resource.infos.append(status)
    columns = {spec.name.lower() for spec in fields}
    for key, value in meta.items():
        if value is None or key in ("name", "description"):
            continue
        if key in INFO_KEYS and isinstance(value, str):
            ID = fix_id(f"info_{key}")
            resource.infos.append(tree.Info(ID=ID, name=key, value=value))
        else:  # within a table, names of FIELD and PARAM must differ
            home = resource if key.lower() in columns else table
            home.params.append(_param(document, key, value))
    for spec, ID in zip(fields, _unique_ids(fields), strict=True):
        ascii_ = ascii_columns is not None and spec.name in ascii_columns
        table.fields.append(_field(document, spec, ID, ascii_))
    _tie_groups(document, table, fields)
    _refer_to_systems(document, resource, table, fields)
    return document


def document_text(document: tree.VOTableFile) -> str:
    """Write a document as XML.

    Parameters
    ----------
    document : `~astropy.io.votable.tree.VOTableFile`
        From `build_document`.

    Returns
    -------
    str
        XML text.
    """
    document.to_xml(buffer := io.BytesIO())
    return buffer.getvalue().decode()


def parse_document(content: bytes, *, size: int | None = None) -> tree.VOTableFile:
    """Parse a VOTable without the warnings about units that `unit_from_text` mends.

    Parameters
    ----------
    content : bytes
        The document.
    size : int, optional
        Bytes that it has, if its rows were taken out.

    Returns
    -------
    `~astropy.io.votable.tree.VOTableFile`
        The document.

    Raises
    ------
    TableReadError
        If it asks for something outside of it, or for what Astropy cannot bear.
    """
    if fault := find_fault(content, size=size):
        msg = f"the VOTable {fault}"
        raise TableReadError(msg)
    return parse_columns(content)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())  # the XML writer wraps long lines


def _describe_field(element: tree.Field, systems: dict[str, tuple[str, dict]]) -> Field:
    text = element.datatype in ("char", "unicodeChar")
    size = "" if text else element.arraysize or ""
    fixed = "*" not in size
    shape = tuple(map(int, size.split("x")))[::-1] if size and fixed else ()
    meta: dict[str, Any] = {
        key: getattr(element, key)
        for key in ("utype", "xtype")
        if getattr(element, key)
    }
    if element.ref in systems:
        key, system = systems[element.ref]
        meta[key] = system
    kinds = {datatype: kind for kind, datatype in DATATYPES.items()}
    return Field(
        name=element.name,
        kind="U" if text else kinds.get(element.datatype, "O") if fixed else "O",
        shape=shape,
        unit=unit_from_text(element.unit),
        ucd=element.ucd or "",
        description=_one_line(element.description),
        meta=meta,
    )


def _read_param(param: tree.Param) -> object:
    value = param.value
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return json.loads(value) if param.utype == _JSON else value
    if np.ma.is_masked(value):
        return None
    return np.asarray(value).tolist()


def _read_bits(table: tree.TableElement) -> dict[str, dict[str, list]]:
    return {
        group.name.removesuffix("_bits"): {
            entry.name: [int(entry.value), _one_line(entry.description)]
            for entry in group.entries
            if isinstance(entry, tree.Param)
        }
        for group in table.groups
        if (group.name or "").endswith("_bits")
    }


def _attributes(
    element: tree.CooSys | tree.TimeSys, names: tuple[str, ...]
) -> dict[str, Any]:
    pairs = ((name, getattr(element, name, None)) for name in names)
    return {name: value for name, value in pairs if value is not None}


def _first_table(document: tree.VOTableFile) -> tree.TableElement:
    table = next(iter(document.iter_tables()), None)
    if table is None:
        infos = [*document.infos, *(i for r in document.resources for i in r.infos)]
        said = "; ".join(f"{i.name} {i.value}: {i.content or ''}" for i in infos)
        msg = f"the VOTable holds no table; it says {said or 'nothing else'}"
        raise ValueError(msg)
    return table


def describe_document(
    document: tree.VOTableFile, table: tree.TableElement | None = None
) -> tuple[list[Field], dict[str, Any]]:
    """Read the columns and metadata that a document describes.

    Parameters
    ----------
    document : `~astropy.io.votable.tree.VOTableFile`
        A parsed document.
    table : `~astropy.io.votable.tree.TableElement`, optional
        Which of its tables; by default the first.

    Returns
    -------
    fields : list of Field
        The columns.
    meta : dict
        Metadata: description, PARAM and INFO.

    Raises
    ------
    ValueError
        If there is no table, as in the error message of a service.
    """
    table = table or _first_table(document)
    home = next(
        (r for r in document.resources if table in r.tables), document.resources[0]
    )
    systems = {
        c.ID: ("coosys", _attributes(c, ("system", "equinox", "epoch")))
        for c in (*document.iter_coosys(),)
    } | {
        t.ID: ("timesys", _attributes(t, ("timeorigin", "timescale", "refposition")))
        for t in document.iter_timesys()
    }
    meta: dict[str, Any] = {}
    if table.name and table.name != "results":
        meta["name"] = table.name
    if table.description:
        meta["description"] = _one_line(table.description)
    for info in (*document.infos, *home.infos, *table.infos):
        if info.name != "QUERY_STATUS":
            meta[info.name] = info.value
    for param in (*home.params, *table.params):
        meta[param.name] = _read_param(param)
    bits = _read_bits(table)
    fields = [_describe_field(element, systems) for element in table.fields]
    for spec in fields:
        if spec.name in bits:
            spec.meta["bits"] = bits[spec.name]
    return fields, meta
