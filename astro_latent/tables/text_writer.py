# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""ECSV and CSV files in pieces: Astropy lays each out, and its head is kept once."""

import io
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from .fields import Field, assemble

__all__ = ["TextWriter"]


class TextWriter:
    """Write a text file chunk by chunk, as Astropy writes it whole.

    Parameters
    ----------
    path : path-like
        File to write.
    fields : list of Field
        The columns.
    meta : dict
        Metadata of the table.
    form : {"ascii.ecsv", "ascii.csv"}
        Name of the format in Astropy's registry.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        fields: list[Field],
        meta: dict[str, Any],
        *,
        form: str,
    ) -> None:
        self._fields, self._meta, self._form = fields, meta, form
        self._stream = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - close()
        self._has_head = False

    def write(self, arrays: list[np.ndarray]) -> None:
        """Append rows.

        Parameters
        ----------
        arrays : list of ndarray
            One per field.
        """
        text = io.StringIO()
        table = assemble(self._fields, arrays, self._meta, kind=Table)
        table.write(text, format=self._form)
        text.seek(0)
        if self._has_head:
            while text.readline().startswith("#"):
                pass  # up to the line with the names, and that
        self._has_head = True
        self._stream.write(text.read())

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()
