# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""VOTables, looked through once without Astropy before Astropy reads their data.

What a stranger's XML may do to a reader (point to other files or addresses, declare
entities, promise a billion rows) is refused in that first pass; what columns there are
is known after it.
"""

import io
import os
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

import numpy as np

from ..exceptions import SpectrumReadError
from ..utils.absurd import is_absurd_unit, promised
from ..utils.files import check_pixels, check_time, read_whole
from ..utils.service_error import service_error

__all__ = ["VotableFile", "VotableTable"]

_PIECE = 1 << 20
_MAX_TABLES, _MAX_ELEMENTS = 1000, 20_000  # the latter columns and parameters


@dataclass
class VotableTable:
    """What the first pass learns of one table.

    Parameters
    ----------
    number : int
        Its place among the tables of the document.
    fields, params : list of dict
        XML attributes of its columns and of the parameters that apply to it.
    """

    number: int
    fields: list[dict[str, str]] = field(default_factory=list)
    params: list[dict[str, str]] = field(default_factory=list)


class VotableFile:
    """A VOTable whose columns are known and whose data wait.

    Parameters
    ----------
    path : str or path-like
        The file; ``.gz`` is unpacked in memory.
    content : bytes, optional
        What is in it, if that is in memory already; then ``path`` is but a name.

    Raises
    ------
    SpectrumReadError
        If it is too large, damaged, or asks for something outside of it.
    """

    container = "votable"

    def __init__(self, path: str | os.PathLike, content: bytes | None = None) -> None:
        self.path = Path(path)
        self._content = read_whole(self.path, text=True) if content is None else content
        self.tables: list[VotableTable] = []
        self._outside: list[dict[str, str]] = []  # parameters outside of tables
        self._inside = False
        self._elements = self._rows = 0
        self._scan()

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error that names the file.

        Parameters
        ----------
        reason : str
            What is wrong with it.
        """
        msg = f"{self.path}: {reason}"
        raise SpectrumReadError(msg)

    @property
    def error(self) -> str | None:
        """What the service says that sent an error in place of data, or None."""
        return service_error(self._content)

    def __enter__(self) -> "VotableFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self._content = b""

    def _scan(self) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity
        try:
            begun = time.monotonic()
            for start in range(0, len(self._content), _PIECE):
                parser.Parse(self._content[start : start + _PIECE], False)
                check_time(self.path, begun)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            self.refuse(
                f"damaged or truncated: not well-formed XML ({error}); the file has "
                f"{len(self._content)} bytes"
            )
        for table in self.tables:
            table.params = [*table.params, *self._outside]

    def _entity(self, name: str, *rest: Any) -> None:
        self.refuse(f"declares the XML entity {name!r}, which no VOTable needs")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "TR":
            self._rows += 1
            check_pixels(self.path, self._rows)
        elif tag == "TABLE":
            self._count_element()
            self.tables.append(VotableTable(len(self.tables)))
            self._inside = True
            self._check_count("nrows", attributes.get("nrows", ""))
        elif tag == "STREAM":
            if "href" in attributes or attributes.get("encoding", "") != "base64":
                self.refuse("has its data elsewhere or packed; only base64 is read")
        elif tag in ("FITS", "PARQUET"):
            self.refuse(f"has its data as {tag} within the VOTable, which is not read")
        elif tag in ("FIELD", "PARAM"):
            self._count_element()
            self._check_count("arraysize", attributes.get("arraysize", ""))
            if is_absurd_unit(unit := attributes.get("unit", "")):
                self.refuse(f"{unit[:60]!r} is no unit; correct it in the file")
            self._keep(tag, attributes)

    def _count_element(self) -> None:
        self._elements += 1
        if len(self.tables) > _MAX_TABLES or self._elements > _MAX_ELEMENTS:
            self.refuse(
                f"has more than {_MAX_TABLES} tables, or {_MAX_ELEMENTS} columns and "
                "parameters; take out what is no spectrum"
            )

    def _keep(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._inside:
            if tag == "PARAM":
                self._outside.append(attributes)
        elif tag == "FIELD":
            self.tables[-1].fields.append(attributes)
        else:
            self.tables[-1].params.append(attributes)

    def _end(self, tag: str) -> None:
        if tag.rpartition(":")[2] == "TABLE":
            self._inside = False

    def _check_count(self, name: str, text: str) -> None:
        """Refuse numbers for which this file cannot have the data."""
        if promised(text) > len(self._content):
            self.refuse(f"{name}={text[:40]!r} promises more than the file holds")

    def columns(self, table: VotableTable) -> list[np.ndarray]:
        """Read the data of a table.

        Parameters
        ----------
        table : VotableTable
            One of `tables`.

        Returns
        -------
        list of ndarray
            One array per column, in order; NaN for what is null in numeric columns.

        Raises
        ------
        SpectrumReadError
            If Astropy cannot read them.
        """
        from astropy.io.votable import parse

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                document = parse(
                    io.BytesIO(self._content),
                    table_number=table.number,
                    verify="ignore",
                )
                found = next(t for t in document.iter_tables() if not t.is_empty())
                columns = [
                    _fill_nulls(found.array[name]) for name in found.array.dtype.names
                ]
        except Exception as error:  # Astropy raises whatever comes up
            self.refuse(f"its data cannot be read ({type(error).__name__}: {error})")
        if len(columns) != len(table.fields):
            self.refuse(f"declares {len(table.fields)} columns, has {len(columns)}")
        return columns


def _fill_nulls(column: np.ma.MaskedArray | np.ndarray) -> np.ndarray:
    values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
    if values.dtype.kind in "iu" and mask.any():
        values = values.astype(np.float64)
    if values.dtype.kind == "f" and mask.any():
        values = np.where(mask, np.nan, values)
    return values
