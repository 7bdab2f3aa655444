# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of text (CSV, ECSV), and tables that are in memory already.

Both are told by the names of their columns, which stand in the first line of a file
that is no comment; the rows are parsed when they are asked for.
"""

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..utils.files import check_pixels, read_start, read_whole

__all__ = [
    "TableFile",
    "as_table",
    "is_sampled",
    "looks_like_table",
    "name_tables",
]

_HEAD = 1 << 18
_MAX_COLUMNS = 10_000
_ECSV = "# %ECSV"


class TableFile:
    """A table whose columns are known and whose rows wait.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is unpacked in memory. For a table in memory the name that
        it goes by, which may be empty.
    table : `~astropy.table.Table`, optional
        The table, if it is in memory.

    Raises
    ------
    SpectrumReadError
        If the file cannot be read, or has no line with names of columns.
    """

    container = "table"

    def __init__(self, path: str | os.PathLike, table: Table | None = None) -> None:
        self.path = Path(path)
        self.in_memory = table is not None
        self._table = table
        self._names = [] if table is None else list(table.colnames)
        if table is None:
            text = _decode(read_start(self.path, _HEAD))
            self._ecsv = text.startswith(_ECSV)
            self._names = _read_names(text)
            if not self._names:
                self.refuse("is no table of text: no line names its columns")

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error that names the file.

        Parameters
        ----------
        reason : str
            What is wrong with it.
        """
        msg = f"{self.path}: {reason}"
        raise SpectrumReadError(msg)

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *exception: object) -> None:
        if not self.in_memory:
            self._table = None

    @property
    def names(self) -> list[str]:
        """Names of the columns, in small letters."""
        return [name.lower() for name in self._names]

    @property
    def table(self) -> Table:
        """The table, parsed when first asked for."""
        if self._table is None:
            content = read_whole(self.path, text=True)
            check_pixels(self.path, content.count(b"\n"))
            kind = "ascii.ecsv" if self._ecsv else "ascii.csv"
            options = {} if self._ecsv else {"comment": "#"}
            try:
                self._table = Table.read(io.BytesIO(content), format=kind, **options)
            except Exception as error:  # Astropy raises whatever comes up
                reason = str(error).strip().partition("\n")[0]
                self.refuse(f"cannot be parsed ({type(error).__name__}: {reason})")
        return self._table


def _decode(head: bytes) -> str:
    """Return text; "" for bytes that are none."""
    if b"\0" in head:
        return ""
    return head.decode("utf-8-sig", errors="replace")


def _read_names(text: str) -> list[str]:
    """Return what the first line that is no comment names, or nothing."""
    comma = (
        "," if "# delimiter: ','" in text[:200] or not text.startswith(_ECSV) else " "
    )
    line = next((x for x in text.splitlines() if x.strip() and x[0] != "#"), "")
    names = [name.strip() for name in next(csv.reader([line], delimiter=comma), [])]
    named = all(name[:1].isalpha() or name[:1] == "_" for name in names)
    return names if 0 < len(names) <= _MAX_COLUMNS and named else []


def looks_like_table(path: str | os.PathLike) -> bool:
    """Tell whether a file begins as CSV or ECSV do, whatever it is called.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    bool
        True if its first line names two columns or more, or says that it is ECSV.
    """
    text = _decode(read_start(path, _HEAD))
    return text.startswith(_ECSV) or len(_read_names(text)) > 1


def as_table(value: object) -> Table | None:
    """Return what is a table of some kind as one of Astropy.

    Parameters
    ----------
    value : object
        A `~astropy.table.Table`; a table of `astropy.io.votable`, whose parameters
        become ``meta``; a pandas DataFrame, whose ``attrs`` do.

    Returns
    -------
    `~astropy.table.Table` or None
        None if it is none of these.
    """
    if isinstance(value, Table):
        return value
    votable = sys.modules.get("astropy.io.votable.tree")
    if votable is not None and isinstance(value, votable.TableElement):
        table = value.to_table(use_names_over_ids=True)
        table.meta |= {param.name: param.value for param in value.params}
        return table
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        table = Table.from_pandas(value.rename(columns=str))
        table.meta |= {str(key): item for key, item in value.attrs.items()}
        return table
    return None


def is_sampled(value: object) -> bool:
    """Tell whether this is what GaiaXPy returns: a table, and the wavelengths it has.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        True for a pair of a table and an array.
    """
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    sampling = value[1]
    one = isinstance(sampling, np.ndarray) and sampling.ndim == 1
    return one and as_table(value[0]) is not None


def name_tables(
    source: Mapping[str, object] | tuple[object, np.ndarray],
) -> Iterator[object]:
    """Take apart what other packages return for files that they have read.

    Parameters
    ----------
    source : mapping or tuple
        Tables, or lists of tables, by the names of their files (astroquery); a pair for
        which `is_sampled` holds.

    Yields
    ------
    TableFile or object
        The tables; what else there is as it was.
    """
    if isinstance(source, tuple):
        table = Table(as_table(source[0]), copy=False)
        table.meta["sampling"] = source[1]
        yield TableFile("", table)
        return
    for name, value in source.items():
        for part in value if isinstance(value, list | tuple) else [value]:
            table = as_table(part)
            yield part if table is None else TableFile(str(name), table)
