# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables to Parquet files and back, with VOParquet metadata.

The footer holds the VOTable document that describes the table, under the keys of the
IVOA note "VOParquet"; array columns are fixed-size lists. Needs ``pyarrow``.
"""

import os
import time
import warnings
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from ..utils.files import check_time, check_unpacked
from ..utils.writing import replacing
from .fields import Field, assemble, flatten
from .opening import check_columns, check_rows, check_text
from .votable import (
    build_document,
    describe_document,
    document_text,
    parse_document,
)

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, DataType, Schema
    from pyarrow import Table as ArrowTable

__all__ = ["ParquetWriter", "read_parquet", "write_parquet"]

_VERSION = b"IVOA.VOTable-Parquet.version"
_CONTENT = b"IVOA.VOTable-Parquet.content"
_NAME = "the Parquet file"
_BATCH = 8192  # rows
_ARROW = {
    "b1": "bool_", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64",
    "f4": "float32", "f8": "float64", "U": "string",
}  # fmt: skip


def _arrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        msg = "Parquet files need pyarrow: python -m pip install 'astro_latent[scale]'"
        raise ImportError(msg) from error
    return pyarrow


def _schema(fields: list[Field], meta: dict[str, Any]) -> "Schema":
    pa = _arrow()
    types = []
    for spec in fields:
        kind = getattr(pa, _ARROW[spec.kind])()
        if spec.shape:
            kind = pa.list_(kind, int(np.prod(spec.shape)))
        types.append(pa.field(spec.name, kind))
    text = document_text(build_document(fields, meta))
    return pa.schema(types, metadata={_VERSION: b"1.0", _CONTENT: text.encode()})


#: Rows that are put together before they are written: small groups are slow to read.
_GROUP = 8192


class ParquetWriter:
    """Write a Parquet file chunk by chunk.

    Parameters
    ----------
    path : path-like
        File to write.
    fields : list of Field
        The columns.
    meta : dict
        Metadata of the table.
    """

    def __init__(
        self, path: str | PathLike[str], fields: list[Field], meta: dict[str, Any]
    ) -> None:
        self._schema = _schema(fields, meta)
        self._fields = fields
        self._file = _arrow().parquet.ParquetWriter(path, self._schema)
        self._waiting: list[Any] = []  # tables of Arrow

    def write(self, arrays: list[np.ndarray]) -> None:
        """Append rows.

        Parameters
        ----------
        arrays : list of ndarray
            One per field.
        """
        pa = _arrow()
        columns = []
        for spec, kind, values in zip(
            self._fields, self._schema.types, arrays, strict=True
        ):
            data = np.ma.getdata(values)
            mask = np.ma.getmaskarray(values) if np.ma.is_masked(values) else None
            if spec.shape:
                flat = np.ascontiguousarray(data).reshape(-1)
                item = pa.array(flat, type=kind.value_type)
                columns.append(pa.FixedSizeListArray.from_arrays(item, type=kind))
            else:
                data = data.astype(object) if spec.kind == "U" else data
                columns.append(pa.array(data, type=kind, mask=mask))
        self._waiting.append(pa.Table.from_arrays(columns, schema=self._schema))
        if sum(table.num_rows for table in self._waiting) >= _GROUP:
            self._write_group()

    def _write_group(self) -> None:
        tables, self._waiting = self._waiting, []
        self._file.write_table(_arrow().concat_tables(tables))

    def close(self) -> None:
        """Finish the file."""
        try:
            if self._waiting:
                self._write_group()
        finally:
            self._file.close()


def write_parquet(
    table: Table, path: str | PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a table as Parquet; see `~astro_latent.tables.write_table`."""
    with replacing(path, overwrite=overwrite) as part:
        fields, arrays = flatten(table)
        writer = ParquetWriter(part, fields, dict(table.meta))
        try:
            writer.write(arrays)
        finally:
            writer.close()


def _values(column: "ChunkedArray", spec: Field) -> np.ndarray:
    chunk = column.combine_chunks()
    if spec.shape:
        return chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, *spec.shape)
    if spec.kind == "U":
        cells = chunk.fill_null("").to_pylist()
        check_text(_NAME, len(cells), max(map(len, cells), default=0))
        return np.array(cells, dtype="U")
    if chunk.null_count and spec.kind[0] != "f":
        mask = chunk.is_null().to_numpy(zero_copy_only=False)
        null = False if spec.kind == "b1" else 0
        filled = chunk.fill_null(null).to_numpy(zero_copy_only=False)
        return np.ma.array(filled, mask=mask)
    return chunk.to_numpy(zero_copy_only=False)


def _arrow_fields(schema: "Schema") -> list[Field]:
    """Describe the columns of a Parquet file that carries no VOTable document."""
    pa = _arrow()
    fields = []
    for column in schema:
        kind = column.type
        shape: tuple[int, ...] = ()
        if pa.types.is_fixed_size_list(kind):
            kind, shape = kind.value_type, (kind.list_size,)
        text = pa.types.is_string(kind)
        try:
            plain = "U" if text else np.dtype(kind.to_pandas_dtype()).str[1:]
        except NotImplementedError:
            plain = "O"
        if plain not in _ARROW:
            text = f"left out: column {column.name!r} holds {kind}, not numbers or text"
            warnings.warn(text, AstropyUserWarning, stacklevel=2)
            continue
        fields.append(Field(name=column.name, kind=plain, shape=shape))
    return fields


def _simplify(table: "ArrowTable") -> "ArrowTable":
    """Turn what other programs write into numbers and text, where it is one of both."""
    pa = _arrow()
    for number, column in enumerate(table.schema):
        kind, new = column.type, None
        if pa.types.is_dictionary(kind):
            kind = new = kind.value_type
        if pa.types.is_decimal(kind):
            new = pa.float64()
        elif pa.types.is_float16(kind):
            new = pa.float32()
        elif pa.types.is_null(kind) or pa.types.is_temporal(kind) or _is_text(kind):
            new = pa.string()
        if new is not None:
            values = table[number].cast(new)
            table = table.set_column(number, column.name, values)
    return table


def _is_text(kind: "DataType") -> bool:
    types = _arrow().types
    return types.is_large_string(kind) or types.is_string_view(kind)


def read_parquet(stream: BinaryIO, *, kind: type = QTable) -> QTable:
    """Read a Parquet file; see `~astro_latent.tables.read_table`."""
    content = _read_bounded(stream)
    metadata = content.schema.metadata or {}
    meta: dict[str, Any] = {}
    if _CONTENT in metadata:
        document = parse_document(metadata[_CONTENT], size=content.nbytes)
        fields, meta = describe_document(document)
    else:
        content = _simplify(content)
        fields = _arrow_fields(content.schema)
    arrays = [_values(content[spec.name], spec) for spec in fields]
    return assemble(fields, arrays, meta, kind=kind)


def _read_bounded(stream: BinaryIO) -> "ArrowTable":
    """Read all rows, a few at a time: a cell that repeats takes no room in the file."""
    pa, begun = _arrow(), time.monotonic()
    file = pa.parquet.ParquetFile(stream)
    check_rows(_NAME, file.metadata.num_rows)
    check_columns(_NAME, file.metadata.num_columns)
    packed, size, batches = stream.seek(0, os.SEEK_END), 0, []
    for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
        size += batch.nbytes
        check_unpacked(_NAME, size, packed)
        check_time(_NAME, begun)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=file.schema_arrow)
