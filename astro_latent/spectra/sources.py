# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables that name spectra, and contents of files, as one item for each spectrum."""

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from astropy.table import Row, Table

from ..exceptions import SpectrumReadError
from ..utils.files import PATH_COLUMNS, is_votable, unpack
from ..utils.guard import guarding
from .fits import FitsFile
from .formats import HEAD, AnyFile, identify_format, may_have_columns, open_plain
from .observation import SpectrumArrays
from .tablefile import TableFile, as_table
from .votable import VotableFile

if TYPE_CHECKING:
    from astropy.io.fits import HDUList
    from specutils import Spectrum, SpectrumCollection, SpectrumList

__all__ = [
    "NO_FILE",
    "Item",
    "Numbered",
    "SpectraLike",
    "expand_table",
    "find_path_column",
    "is_content",
    "is_table_like",
    "open_content",
    "read_content",
]

#: Whatever spectra can be read from: paths, folders and globs, tables with a column of
#: paths, specutils objects, arrays, and iterables of those.
SpectraLike: TypeAlias = Union[
    str, os.PathLike[str], Table, Row, SpectrumArrays, "Spectrum", "SpectrumList",
    "SpectrumCollection", Iterable[Any],
]  # fmt: skip

# column of a table -> field of Observation; the first that has a value wins
_OVERRIDES = {
    "obs_id": "obs_id",
    "target_name": "target_name",
    "ra": "ra",
    "s_ra": "ra",
    "dec": "dec",
    "s_dec": "dec",
    "obs_publisher_did": "obs_publisher_did",
    "radial_velocity": "radial_velocity",
}
#: Message of rows of tables without a path.
NO_FILE = "the table names no file here"
_UNITS = {"ra": "deg", "dec": "deg", "radial_velocity": "km/s"}


@dataclass(frozen=True)
class Item:
    """One thing to read: a path, a spectrum, arrays, or the reason there is none.

    Parameters
    ----------
    value : Path, Spectrum, SpectrumArrays or None
        The thing.
    problem : str, optional
        Why there is nothing.
    source : str, optional
        What the user had named.
    overrides : dict, optional
        Fields of `Observation` that the user knows better.
    """

    value: Any
    problem: str = ""
    source: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Numbered:
    """A part of a list, handed on by itself, that knows its place in the list.

    Parameters
    ----------
    value : object
        The part.
    index : int
        Its place.
    row : int, optional
        If it is a row of a copy, its number in the table that the user has.
    """

    value: Any
    index: int
    row: int | None = None


def find_path_column(names: Sequence[str]) -> str | None:
    """Return the column that names files on this machine.

    Parameters
    ----------
    names : sequence of str
        Columns of a table.

    Returns
    -------
    str or None
        None if there is none.
    """
    return next((name for name in PATH_COLUMNS if name in names), None)


def is_table_like(source: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping is one of columns, not of files and their tables.

    Parameters
    ----------
    source : mapping
        Arrays by the names of columns, or what astroquery returns: tables by files.

    Returns
    -------
    bool
        True for columns.
    """
    return not any(
        isinstance(value, Table) or (isinstance(value, list) and _is_table(value[:1]))
        for value in source.values()
    )


def _is_table(values: list[Any]) -> bool:
    return bool(values) and as_table(values[0]) is not None


def is_content(source: object) -> bool:
    """Tell whether this is the content of a file: open, or in memory."""
    fits = sys.modules.get("astropy.io.fits")
    opened = isinstance(source, bytes | bytearray) or hasattr(source, "readable")
    return opened or (fits is not None and isinstance(source, fits.HDUList))


def read_content(source: "IO[Any] | bytes | bytearray | HDUList") -> Item:
    """Open what is open already or in memory, or say why it cannot be opened."""
    name = getattr(source, "name", "")
    if isinstance(name, str) and Path(name).is_file():
        return Item(Path(name), source=name)
    name = f"({type(source).__name__})"
    try:
        if isinstance(source, bytes | bytearray):
            content = bytes(source)
        elif hasattr(source, "writeto") and hasattr(source, "filename"):
            buffer = io.BytesIO()
            source.writeto(buffer, output_verify="ignore")
            content, name = buffer.getvalue(), source.filename() or name
        else:
            if source.seekable():
                source.seek(0)
            content = source.read()
        return Item(open_content(content, name), source=name)
    except (SpectrumReadError, OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error) if name in str(error) else f"{name}: {error}"
        return Item(None, problem=reason, source=name)


def expand_table(table: Table | Row, number: int | None = None) -> Iterator[Item]:
    """Yield an item for each row that names a file, or the table as a spectrum.

    Messages call a single row by ``number``, if that is given.
    """
    name = find_path_column(table.colnames)
    if name is None:
        memory = TableFile("", table) if isinstance(table, Table) else None
        if memory is None or identify_format(memory) is None:
            msg = (
                "the table needs a column path, or to be a spectrum of a known "
                f"format; it has {table.colnames}"
            )
            raise ValueError(msg)
        yield Item(memory)
        return
    for row in [table] if isinstance(table, Row) else table:
        path = str(_to_plain(row[name]) or "")
        place = row.index if number is None else number
        what, overrides = path or f"row {place}", {}
        try:
            with guarding(what, SpectrumReadError, remedy="correct the table"):
                overrides = _read_overrides(row)
                found = Path(path).expanduser()
        except SpectrumReadError as error:
            yield Item(None, problem=str(error), source=path)
            continue
        if not path:
            yield Item(None, problem=NO_FILE, overrides=overrides)
        else:
            yield Item(found, source=path, overrides=overrides)


def _to_plain(value: Any) -> Any:
    """Return a table cell as a plain value; None for masked, NaN and empty ones."""
    if value is np.ma.masked or getattr(value, "mask", False) is True:
        return None
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    if isinstance(value, str):
        return value.strip() or None
    return value


def _to_number(value: object, column: str) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        msg = f"{column} is {value!r}, which is no number"
        raise ValueError(msg) from error


def _read_overrides(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for column, name in _OVERRIDES.items():
        if column not in row.colnames or name in facts:
            continue
        value = _to_plain(row[column])
        if value is None:
            continue
        if name in _UNITS:
            unit = getattr(value, "unit", None) or row.table[column].unit
            value = _to_number(getattr(value, "value", value), column)
            if unit is not None:
                value = float(unit.to(_UNITS[name], value))
            if not np.isfinite(value):
                continue
        else:
            value = str(value)
        facts[name] = value
    return facts


def open_content(content: bytes | str, name: str) -> AnyFile:
    """Open what is in memory as `open_file` opens a file.

    Parameters
    ----------
    content : bytes or str
        The content of a file, packed by gzip or bzip2 or not; or text.
    name : str
        What to call it.

    Returns
    -------
    FitsFile, VotableFile or TableFile
        The file with its headers read.

    Raises
    ------
    SpectrumReadError
        If it is none of these, or damaged.
    """
    content = unpack(content.encode() if isinstance(content, str) else content, name)
    if content.startswith(b"SIMPLE"):
        return FitsFile(name, content)
    head = content[:HEAD]
    if is_votable(head):
        return VotableFile(name, content)
    if not may_have_columns(head):
        msg = f"{name}: neither FITS, VOTable, text in columns nor a NumPy archive"
        raise SpectrumReadError(msg)
    return open_plain(content, name)
