# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Everything a DaCHS server needs to publish a table by TAP and cone search."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from astropy.table import Table

from ..utils.writing import free_path, write_bytes
from .fields import Field, coosys_of, flatten, ucd_of, unit_to_text
from .validate import check_table
from .votable import write_votable

__all__ = ["write_resource"]

#: Types of PostgreSQL by numpy type.
_TYPES = {
    "b1": "boolean", "u1": "smallint", "i1": "smallint", "i2": "smallint",
    "u2": "integer", "i4": "integer", "u4": "bigint", "i8": "bigint",
    "f4": "real", "f8": "double precision", "U": "text",
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def write_resource(
    table: Table,
    folder: str | PathLike[str],
    *,
    title: str,
    creator: str,
    schema: str | None = None,
    name: str = "results",
    subjects: Sequence[str] = ("stellar-spectral-lines",),
    overwrite: bool = False,
) -> Path:
    """Write a DaCHS resource that serves a table by TAP and cone search.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table; it must have one main identifier and one main position.
    folder : path-like
        Where ``q.rd`` and ``data/<name>.vot`` go: a folder in DaCHS' ``inputs``.
    title, creator : str
        Of the resource; authors as ``"Family, G.; Other, H."``.
    schema : str, optional
        Schema of the database; by default the name of the folder.
    name : str, optional
        Name of the table in it.
    subjects : sequence of str, optional
        Words of the Unified Astronomy Thesaurus.
    overwrite : bool, optional
        Replace what is there.

    Returns
    -------
    `~pathlib.Path`
        The resource descriptor. Then ``dachs imp q && dachs pub q`` in the folder.

    Raises
    ------
    ValueError
        If the table is not fit to be published; all reasons are given.
    OSError
        If the files exist.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from astro_latent.tables import write_resource
    >>> stars = QTable({"obs_id": ["a"], "ra": [1.0] * u.deg, "dec": [2.0] * u.deg})
    >>> for column in stars.itercols():
    ...     kind = {"ra": "pos.eq.ra", "dec": "pos.eq.dec"}
    ...     ucd = kind.get(column.info.name, "meta.id")
    ...     column.info.meta = {"ucd": f"{ucd};meta.main"}
    >>> rd = write_resource(
    ...     stars, mkdtemp(), title="Stars", creator="Doe, J.", schema="stars"
    ... )
    >>> rd.name
    'q.rd'
    """
    folder = Path(folder)
    schema = schema or folder.name
    _check(table, schema, name)
    path = free_path(folder / "q.rd", overwrite=overwrite)
    data = folder / "data" / f"{name}.vot"
    data.parent.mkdir(parents=True, exist_ok=True)
    write_votable(table, data, overwrite=overwrite)
    root = ET.Element("resource", schema=schema, resdir=".")
    _describe(root, table, title, creator, subjects)
    _add_table(root, table, name)
    _add_import(root, name)
    _add_cone(root, table, name, title)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode") + "\n"
    write_bytes(path, text.encode())
    return path


def _check(table: Table, schema: str, name: str) -> None:
    problems = check_table(table)
    problems += [
        f"{word!r} is not a plain lower-case name"
        for word in (schema, name, *table.colnames)
        if not _NAME.fullmatch(word)
    ]
    if problems:
        msg = "the table cannot be published: " + "; ".join(problems)
        raise ValueError(msg)


def _add_meta(parent: ET.Element, name: str, text: object) -> None:
    ET.SubElement(parent, "meta", name=name).text = str(text)


def _describe(
    root: ET.Element, table: Table, title: str, creator: str, subjects: Sequence[str]
) -> None:
    """Say what the registry wants to know, and where the results come from."""
    meta = table.meta
    _add_meta(root, "creationDate", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    _add_meta(root, "title", title)
    words = [str(meta.get("description") or title).rstrip(".") + "."]
    for key, text in (
        ("model", "Model: {}"),
        ("model_version", "version {}"),
        ("model_sha256", "SHA-256 of the weights {}"),
        ("software", "made with {}"),
        ("query", "spectra selected by: {}"),
    ):
        if meta.get(key):
            words.append(text.format(meta[key]) + ".")
    _add_meta(root, "description", " ".join(words))
    for subject in subjects:
        _add_meta(root, "subject", subject)
    _add_meta(root, "creator", creator)
    if meta.get("citation"):
        _add_meta(root, "source", meta["citation"])
    _add_meta(root, "contentLevel", "Research")
    _add_meta(root, "type", "Catalog")


def _add_table(root: ET.Element, table: Table, name: str) -> None:
    ra, _ = _position_columns(table)
    element = ET.SubElement(
        root, "table", id=name, onDisk="True", adql="True", mixin="//scs#pgs-pos-index"
    )
    _add_meta(element, "description", table.meta.get("description") or "Results")
    system = coosys_of(table[ra])
    epoch = f" Epoch {system['epoch']}" if system.get("epoch") else ""
    position = " ".join(f'"{column}"' for column in _position_columns(table))
    ET.SubElement(element, "stc").text = f"Position ICRS{epoch} {position}"
    main = _main_column(table, "meta.id;meta.main")
    ET.SubElement(element, "index", columns=main)
    for spec, values in zip(*flatten(table), strict=True):
        _add_column(element, spec, values)


def _add_column(parent: ET.Element, spec: Field, values: np.ndarray) -> None:
    size = int(np.prod(spec.shape, dtype=int))
    kind = _TYPES[spec.kind] + (f"[{size}]" if spec.shape else "")
    if spec.kind == "U" and not all(text.isascii() for text in values.tolist()):
        kind = "unicode"  # DaCHS serves "text" with question marks for the rest
    attributes = {
        "name": spec.name,
        "type": kind,
        "unit": unit_to_text(spec.unit),
        "ucd": spec.ucd,
        "description": spec.description,
    }
    column = ET.SubElement(
        parent, "column", {key: text for key, text in attributes.items() if text}
    )
    if spec.kind[0] in "iu" and not spec.shape:
        # VOTable integers have no null of their own; this value stands for it.
        least = np.iinfo(_integer(spec.kind)).min
        ET.SubElement(column, "values", nullLiteral=str(least))


def _integer(kind: str) -> str:
    return {"smallint": "i2", "integer": "i4", "bigint": "i8"}[_TYPES[kind]]


def _add_import(root: ET.Element, name: str) -> None:
    data = ET.SubElement(root, "data", id="import")
    ET.SubElement(data, "sources").text = f"data/{name}.vot"
    ET.SubElement(data, "voTableGrammar")
    make = ET.SubElement(data, "make", table=name)
    ET.SubElement(make, "rowmaker", idmaps="*")


def _add_cone(root: ET.Element, table: Table, name: str, title: str) -> None:
    service = ET.SubElement(root, "service", id="cone", allowed="form,scs.xml")
    _add_meta(service, "title", f"{title}, cone search")
    _add_meta(service, "shortName", f"{name} cone"[:16])
    ra, dec = (
        np.asarray(table[column], dtype=float) for column in _position_columns(table)
    )
    rows = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if len(rows):
        query = ET.SubElement(service, "meta", name="testQuery")
        for key, value in (("ra", ra[rows[0]]), ("dec", dec[rows[0]]), ("sr", 0.001)):
            _add_meta(query, key, value)
    ET.SubElement(service, "publish", render="scs.xml", sets="ivo_managed")
    core = ET.SubElement(service, "scsCore", queriedTable=name)
    ET.SubElement(core, "FEED", source="//scs#coreDescs")


def _main_column(table: Table, ucd: str) -> str:
    return next(name for name in table.colnames if ucd_of(table[name]) == ucd)


def _position_columns(table: Table) -> tuple[str, str]:
    return (
        _main_column(table, "pos.eq.ra;meta.main"),
        _main_column(table, "pos.eq.dec;meta.main"),
    )
