# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""`TableWriter`: results of any length to one file, in bounded memory."""

from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import Any

import numpy as np
from astropy.table import Table

from ..utils.writing import commit, free_path
from .fields import Field, flatten
from .opening import guess_format
from .parquet import ParquetWriter
from .votable import VOTableWriter

__all__ = ["TableWriter"]


class TableWriter:
    """Write a table chunk by chunk.

    The first chunk fixes the columns. The file appears under its name only when it is
    complete: until then, and if the block is left by an error, it is ``<name>.part``.

    Parameters
    ----------
    path : path-like
        A VOTable (``.vot``, ``.xml``; BINARY2) or Parquet (``.parquet``) file;
        other formats cannot be written in pieces.
    format : {"votable", "parquet"}, optional
        By default from the file name.
    meta : dict, optional
        Metadata of the table; by default that of the first chunk.
    overwrite : bool, optional
        Replace an existing file.

    Raises
    ------
    OSError
        If the file exists.
    ValueError
        If the format cannot be written in pieces.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from astropy.table import QTable
    >>> from astro_latent.tables import TableWriter, read_table
    >>> path = Path(mkdtemp(), "long.vot")
    >>> with TableWriter(path) as writer:
    ...     for start in (0, 2, 4):
    ...         writer.write(QTable({"number": [start, start + 1]}))
    >>> read_table(path)["number"].tolist()
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        format: str | None = None,
        meta: dict[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self._format = format or guess_format(path)
        if self._format not in ("votable", "parquet"):
            msg = (
                f"{path}: {self._format or 'a file of this name'} cannot be written in "
                "pieces, only VOTable (.vot, .xml) and Parquet (.parquet) can; "
                "write_table writes a whole table in any format"
            )
            raise ValueError(msg)
        self._path = free_path(path, overwrite=overwrite)
        self._part = self._path.with_name(self._path.name + ".part")
        self._meta = meta
        self._fields: list[Field] = []
        self._writer: VOTableWriter | ParquetWriter | None = None
        self.n_rows = 0

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(complete=error is None)

    def _start(
        self, fields: list[Field], meta: dict[str, Any]
    ) -> VOTableWriter | ParquetWriter:
        make = VOTableWriter if self._format == "votable" else ParquetWriter
        self._fields = fields
        return make(self._part, fields, meta)

    def write(self, chunk: Table) -> None:
        """Append rows.

        Parameters
        ----------
        chunk : `~astropy.table.Table`
            Rows with the columns of the first chunk, in the same order.

        Raises
        ------
        ValueError
            If the columns differ from those of the first chunk.
        """
        fields, arrays = flatten(chunk)
        if self._writer is None:
            meta = dict(chunk.meta) if self._meta is None else self._meta
            self._writer = self._start(fields, meta)
        self._check_names(fields)
        arrays = [
            _convert(values, other, mine)
            for mine, other, values in zip(self._fields, fields, arrays, strict=True)
        ]
        self._writer.write(arrays)
        self.n_rows += len(chunk)

    def _check_names(self, fields: list[Field]) -> None:
        names = [spec.name for spec in fields]
        wanted = [spec.name for spec in self._fields]
        if names != wanted:
            msg = f"the first chunk has columns {wanted}, this one {names}"
            raise ValueError(msg)

    def close(self, *, complete: bool = True) -> None:
        """Finish the file.

        Parameters
        ----------
        complete : bool, optional
            Give the file its name; False leaves it as ``<name>.part``.

        Raises
        ------
        ValueError
            If nothing was written: there are no columns to describe.
        """
        if self._writer is None:
            if complete:
                msg = f"nothing was written to {self._path}; write an empty table first"
                raise ValueError(msg)
            return
        writer, self._writer = self._writer, None
        writer.close()
        if complete:
            commit(self._part, self._path)


def _convert(values: np.ndarray, other: Field, mine: Field) -> np.ndarray:
    """Bring values of a later chunk to the type and unit of the first."""
    if mine.kind == "U" or replace(mine, meta={}) == replace(other, meta={}):
        return values
    if mine.shape != other.shape or not np.can_cast(other.kind, mine.kind, "same_kind"):
        msg = (
            f"column {mine.name!r} is {mine.kind}{list(mine.shape)} in the first "
            f"chunk, {other.kind}{list(other.shape)} in this one"
        )
        raise ValueError(msg)
    if mine.unit != other.unit:
        if mine.unit is None or other.unit is None:
            msg = f"column {mine.name!r} is in {mine.unit} first, then in {other.unit}"
            raise ValueError(msg)
        values = other.unit.to(mine.unit, values)
    return values.astype(mine.kind)
