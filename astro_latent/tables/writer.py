# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""`TableWriter`: results of any length to one file, in bounded memory."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
from astropy.table import Table

from ..utils.writing import free_path, replacing
from .fields import Field, flatten
from .opening import guess_format
from .parquet import ParquetWriter
from .text_writer import TextWriter
from .votable import VOTableWriter

__all__ = ["TableWriter", "piecewise_format"]

#: What writes rows as they come.
RowWriter: TypeAlias = VOTableWriter | ParquetWriter | TextWriter
#: Formats that can be written in pieces. FITS states the number of rows and the width
#: of text before the first row.
PIECEWISE: dict[str, Callable[..., RowWriter]] = {
    "votable": VOTableWriter,
    "parquet": ParquetWriter,
    "ascii.ecsv": partial(TextWriter, form="ascii.ecsv"),
    "ascii.csv": partial(TextWriter, form="ascii.csv"),
}


_TEXT = {".csv": "ascii.csv"}  # which is read as whatever text in columns it is


def piecewise_format(
    path: str | PathLike[str], format: str | None = None
) -> str | None:
    """Return the format of a file, if it can be written in pieces.

    Parameters
    ----------
    path : path-like
        The file.
    format : str, optional
        Its format; by default from the file name.

    Returns
    -------
    str or None
        None if it cannot.
    """
    form = format or _TEXT.get(Path(path).suffix.lower()) or guess_format(path)
    packed = format is None and Path(path).suffix.lower() in (".gz", ".bz2")
    return form if form in PIECEWISE and not packed else None


class _AbandonedError(Exception):
    """Tells the temporary file that it will not be completed."""


class TableWriter:
    """Write a table chunk by chunk.

    The first chunk fixes the columns. The file appears under its name only when it is
    complete. If the block is left by an error nothing of it stays, as nothing could go
    on behind it: rows that took hours are kept by ``checkpoint=`` of
    `~astro_latent.pipeline.iter_results`.

    Parameters
    ----------
    path : path-like
        A VOTable (``.vot``, ``.xml``; BINARY2), Parquet (``.parquet``), ECSV
        (``.ecsv``) or CSV (``.csv``) file; FITS cannot be written in pieces.
    format : {"votable", "parquet", "ascii.ecsv", "ascii.csv"}, optional
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
        form = piecewise_format(path, format)
        if form is None:
            msg = (
                f"{path}: {format or 'a file of this name'} cannot be written in "
                "pieces, only VOTable (.vot, .xml), Parquet (.parquet), ECSV (.ecsv) "
                "and CSV (.csv) can; write_table writes a whole table in any format"
            )
            raise ValueError(msg)
        self._path = free_path(path, overwrite=overwrite)
        self._make, self._overwrite, self._meta = PIECEWISE[form], overwrite, meta
        self._file = ExitStack()  # the temporary name, until close()
        self._fields: list[Field] = []
        self._writer: RowWriter | None = None
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

    def _start(self, fields: list[Field], meta: dict[str, Any]) -> RowWriter:
        with ExitStack() as stack:
            lent = replacing(self._path, overwrite=self._overwrite)
            writer = self._make(stack.enter_context(lent), fields, meta)
            self._file = stack.pop_all()
        self._fields = fields
        return writer

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
            Give the file its name; False removes what was written.

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
        with suppress(_AbandonedError), self._file:
            writer.close()
            if not complete:
                raise _AbandonedError


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
