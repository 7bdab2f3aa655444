# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables to VOTable files and back, with everything that their columns mean.

Astropy's own writer keeps units, UCDs and descriptions but drops PARAM, INFO, COOSYS,
TIMESYS and GROUP, spoils ``dex`` on the second round trip and packs row by row.
"""

import binascii
import re
import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io.votable import tree
from astropy.table import QTable, Table

from ...utils.writing import replacing
from ..fields import Field, assemble, flatten
from .binary2 import Base64Writer, beyond_long, pack_rows, unpack_rows
from .document import build_document, describe_document, document_text, parse_document
from .mivot import annotate_position

__all__ = ["VOTableWriter", "read_votable", "write_votable"]

_STREAM = '<STREAM encoding="base64">'
_CHUNK = 65_536
#: The rows of a table in BINARY2, in the document itself.
_PACKED = re.compile(
    rb"<BINARY2\s*>\s*<STREAM\s+encoding=[\"']base64[\"']\s*>([^<]*)</STREAM>"
)


def _ascii_columns(fields: list[Field], arrays: list[np.ndarray]) -> set[str]:
    """Text columns in which every character is 7-bit."""
    names = set()
    for spec, values in zip(fields, arrays, strict=True):
        if spec.kind == "U":
            codes = np.ascontiguousarray(np.ma.getdata(values)).view("u4")
            if not codes.size or codes.max() < 128:
                names.add(spec.name)
    return names


class VOTableWriter:
    """Write a VOTable (BINARY2) chunk by chunk, in bounded memory.

    Parameters
    ----------
    path : path-like
        File to write.
    fields : list of Field
        The columns.
    meta : dict
        Metadata of the table.
    version : str, optional
        Version of the standard.
    ascii_columns : set of str, optional
        Text columns that are certain to hold 7-bit characters only; the others take
        two bytes per character.
    mivot : bool, optional
        Annotate the position.
    """

    def __init__(
        self,
        path: Path,
        fields: list[Field],
        meta: dict[str, Any],
        *,
        version: str = "1.4",
        ascii_columns: set[str] | None = None,
        mivot: bool = False,
    ) -> None:
        self._fields = fields
        self._ascii = ascii_columns or set()
        document = build_document(
            fields, meta, version=version, ascii_columns=self._ascii
        )
        if mivot:
            annotate_position(document)
        table = next(iter(document.iter_tables()))
        table.format = "binary2"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table.create_arrays(1)  # one empty row, so that a STREAM is written
        head, _, tail = document_text(document).partition(_STREAM)
        self._tail = tail[tail.index("</STREAM>") :]
        self._stream = Path(path).open("wb")  # noqa: SIM115 - until close()
        self._stream.write((head + _STREAM + "\n").encode())
        self._rows = Base64Writer(self._stream)

    def write(self, arrays: list[np.ndarray]) -> None:
        """Append rows.

        Parameters
        ----------
        arrays : list of ndarray
            One per field.
        """
        for start in range(0, len(arrays[0]), _CHUNK):
            part = [values[start : start + _CHUNK] for values in arrays]
            self._rows.write(pack_rows(self._fields, part, ascii_columns=self._ascii))

    def close(self) -> None:
        """Finish the document."""
        with self._stream:
            self._rows.close()
            self._stream.write(self._tail.encode())


def _write_tree(
    path: Path,
    fields: list[Field],
    arrays: list[np.ndarray],
    meta: dict[str, Any],
    *,
    version: str,
    form: str,
    mivot: bool,
) -> None:
    document = build_document(
        fields, meta, version=version, ascii_columns=_ascii_columns(fields, arrays)
    )
    if mivot:
        annotate_position(document)
    table = next(iter(document.iter_tables()))
    table.format = form
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.create_arrays(len(arrays[0]) if arrays else 0)
    for i, values in enumerate(arrays):
        name = table.array.dtype.names[i]
        table.array[name] = np.ma.getdata(values)
        mask = np.ma.getmaskarray(values)
        if values.dtype.kind == "f":
            mask = np.isnan(values)
        table.array.mask[name] = mask
    Path(path).write_text(document_text(document), encoding="utf-8")


def _within_long(
    fields: list[Field], arrays: list[np.ndarray]
) -> tuple[list[Field], list[np.ndarray]]:
    """Spell out as text the unsigned integers that VOTable has no type for."""
    found = []
    for spec, values in zip(fields, arrays, strict=True):
        if beyond_long(values) and not spec.shape:
            text = np.ma.getdata(values).astype("U20")
            values = np.where(np.ma.getmaskarray(values), "", text)
            spec = replace(spec, kind="U", unit=None)
        found.append((spec, values))
    return [spec for spec, _ in found], [values for _, values in found]


def write_votable(
    table: Table,
    path: str | PathLike[str],
    *,
    serialization: str = "binary2",
    version: str = "1.4",
    mivot: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a table as VOTable.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table; UCDs in ``column.info.meta["ucd"]``.
    path : path-like
        File to write.
    serialization : {"binary2", "tabledata", "binary"}, optional
        How the rows are stored; ``"binary2"`` is by far the fastest.
    version : {"1.3", "1.4", "1.5"}, optional
        Version of the standard. Not all programs read 1.5 yet.
    mivot : bool, optional
        Say in the words of MIVOT which columns are the position; needs a main
        identifier and a main position, and version 1.4 or later.
    overwrite : bool, optional
        Replace an existing file.

    Raises
    ------
    OSError
        If the file exists.
    ValueError
        If arrays of unsigned integers exceed 2**63 - 1. Single ones become text.
    """
    if serialization not in ("binary2", "tabledata", "binary"):
        msg = f"serialization must be binary2, tabledata or binary: {serialization!r}"
        raise ValueError(msg)
    with replacing(path, overwrite=overwrite) as part:
        fields, arrays = _within_long(*flatten(table))
        if serialization != "binary2":
            _write_tree(
                part,
                fields,
                arrays,
                table.meta,
                version=version,
                form=serialization,
                mivot=mivot,
            )
            return
        writer = VOTableWriter(
            part,
            fields,
            table.meta,
            version=version,
            ascii_columns=_ascii_columns(fields, arrays),
            mivot=mivot,
        )
        try:
            if arrays:
                writer.write(arrays)
        finally:
            writer.close()


def _to_native(values: np.ndarray, spec: Field) -> np.ndarray:
    """Values of a parsed column in native byte order, text as numpy strings."""
    if spec.kind == "U":
        text = [
            v.decode() if isinstance(v, bytes) else str(v)
            for v in np.ma.getdata(values).tolist()
        ]
        return np.array([t.rstrip("\0") for t in text], dtype="U")
    if spec.kind == "O":
        return values
    return np.ma.array(values, dtype=values.dtype.newbyteorder("="))


def read_votable(stream: BinaryIO, *, kind: type = QTable) -> QTable:
    """Read the first table of a VOTable; see `~astro_latent.tables.read_table`."""
    document, arrays = _parse(stream.read())
    fields, meta = describe_document(document)
    if arrays is None:
        cells = next(iter(document.iter_tables())).array
        arrays = [
            _to_native(cells[name], spec)
            for name, spec in zip(cells.dtype.names or (), fields, strict=True)
        ]
    return assemble(fields, arrays, meta, kind=kind)


def _parse(content: bytes) -> tuple[tree.VOTableFile, list[np.ndarray] | None]:
    """Parse a document; unpack its rows here if that can be done, else by Astropy."""
    parts = _PACKED.search(content)
    if parts is not None and content.count(b"<TABLE") == 1:
        head = content[: parts.start(1)] + content[parts.end(1) :]
        document = parse_document(head, size=len(content))
        table = next(iter(document.iter_tables()))
        arrays = unpack_rows(binascii.a2b_base64(parts[1]), table.fields)
        if arrays is not None:
            return document, arrays
    return parse_document(content), None
