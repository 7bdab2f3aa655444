# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables as text: what VizieR, TOPCAT, SkyServer and people write.

The first line that is no comment names the columns. VizieR has a line of units and a
line of dashes below it, and says in comments what the columns mean.
"""

import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from ..exceptions import TableReadError
from .fields import assemble, flatten, unit_from_text
from .opening import TableSource, check_columns, check_rows, check_text
from .text_limits import check_cells

__all__ = ["decode_text", "read_text", "text_format"]

#: Ends of names of files that hold columns of text, of no format that is known by name.
_ENDS = (
    ".csv",
    ".tsv",
    ".tab",
    ".txt",
    ".dat",
    ".asc",
    ".ascii",
    ".cat",
    ".tbl",
    ".mrt",
)
_DELIMITERS = "\t|;,"  # the first that the line of names has
_NULLS = [("", "0"), ("null", "0"), ("NULL", "0")]
_RULE = '- |;,"\t'  # what the line below the units is made of
_SEXAGESIMAL = ("h:m:s", "d:m:s")
_INTEGER = re.compile(r"[+-]?\d{1,19}")


def decode_text(source: TableSource) -> str:
    r"""Return what a file of text says, if its rows are not too many.

    Parameters
    ----------
    source : TableSource
        The file.

    Returns
    -------
    str
        UTF-8, else Latin-1, with at least one end of a line; each is ``\n``.

    Raises
    ------
    TableReadError
        If it is no text, or has more lines than ``conf.max_table_rows``.
    """
    content = source.stream.read()
    if b"\0" in content:
        msg = f"{source.name}: is no table of text, it holds null characters"
        raise TableReadError(msg)
    check_rows(source.name, content.count(b"\n"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text + "\n"  # without one, Astropy takes it for the name of a file


def text_format(source: TableSource, path: object) -> str | None:
    """Tell whether a file is text in columns, by its name or as VizieR begins.

    Parameters
    ----------
    source : TableSource
        The file.
    path : object
        Its name, perhaps.

    Returns
    -------
    str or None
        ``"text"``, or a format of Astropy; None if it is something else.
    """
    start = source.stream.read(1 << 16)
    source.stream.seek(0)
    if b"Byte-by-byte Description" in start:
        return "ascii.cds"
    named = re.sub(r"\.(gz|bz2)$", "", str(path).lower()).endswith(_ENDS)
    if b"\0" in start or not (named or b"\n#Column\t" in start):
        return None
    return "ascii.ipac" if start.startswith((b"\\", b"|")) else "text"


def read_text(text: str, name: str, *, kind: type = QTable) -> QTable:
    """Read columns of text whose first line names them.

    Parameters
    ----------
    text : str
        The file. Of several tables of VizieR the first is read, with a warning.
    name : str
        What to call it.
    kind : type, optional
        Class of the result.

    Returns
    -------
    `~astropy.table.QTable`
        With the units, UCDs and descriptions of VizieR. Empty cells, and ``null`` in
        CSV, are masked.

    Raises
    ------
    TableReadError
        If there is no line with names, or a row has more or fewer cells than it.
    """
    lines = text.split("\n")  # no more: "..." of Windows is 0x85, which ends lines, too
    start = next(
        (n for n, line in enumerate(lines) if line.strip() and line[0] != "#"), None
    )
    if start is None:
        msg = f"{name}: has no line that names the columns"
        raise TableReadError(msg)
    delimiter = next((mark for mark in _DELIMITERS if mark in lines[start]), None)
    ruled = len(lines) > start + 2 and _is_rule(lines[start + 2])
    if delimiter is None and not ruled:
        check_cells(text, name, " ", guess=True)
        table = Table.read(lines, format="ascii")  # set apart by blanks, or one column
    elif delimiter == "," and not ruled:
        table = _read_csv([*lines[start:], ""], name)
    else:
        table = _read_cells(lines, start, delimiter or "\t", name, ruled=ruled)
    check_columns(name, len(table.columns))
    fields, arrays = flatten(table)
    meanings = dict(_meanings(lines[:start]))
    for n, spec in enumerate(fields):
        if spec.name in meanings:
            description, ucd = meanings[spec.name]
            fields[n] = replace(spec, description=description, ucd=ucd)
    return assemble(fields, arrays, dict(table.meta), kind=kind)


def _is_rule(line: str) -> bool:
    return "-" in line and not line.strip(_RULE)


def _read_csv(lines: list[str], name: str) -> Table:
    """Read lines; of one text Astropy would make more of them."""
    check_cells("\n".join(lines), name, ",")
    return Table.read(
        lines, format="ascii.csv", comment="#", fill_values=_NULLS, guess=False
    )


def _meanings(comments: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for line in comments:
        mark, *cells = line.split("\t", 3)  # name, type, description
        if mark == "#Column" and len(cells) == 3 and cells[0]:
            said = cells[2].rstrip()
            text, found, ucd = said.removesuffix("]").rpartition("\t[ucd=")
            if not found or not said.endswith("]") or "]" in ucd:
                text, ucd = said, ""
            yield cells[0], (text.rstrip(), ucd)


def _read_cells(
    lines: list[str], start: int, delimiter: str, name: str, *, ruled: bool
) -> Table:
    """Read rows cell by cell: Astropy's readers move cells where the first is empty."""
    names, *rest = _split(lines[start : start + 3], delimiter)
    check_columns(name, len(names))
    names = _distinct(names)
    units = [cell.strip('"') for cell in rest[0]] if ruled else [""] * len(names)
    begin = start + (3 if ruled else 1)
    end = next(
        (n for n in range(begin, len(lines)) if not lines[n].strip()), len(lines)
    )
    if any(line.strip() and line[0] != "#" for line in lines[end:]):
        text = f"{name}: holds more than one table; the first is read"
        warnings.warn(text, AstropyUserWarning, stacklevel=2)
    rows = _split([line for line in lines[begin:end] if line[0] != "#"], delimiter)
    odd = next((n for n, row in enumerate(rows) if len(row) != len(names)), None)
    if odd is not None or len(units) != len(names):
        count = len(units) if odd is None else len(rows[odd])
        where = "the line of units" if odd is None else f"row {odd + 1}"
        msg = f"{name}: {where} has {count} cells, the line of names {len(names)}"
        raise TableReadError(msg)
    table = Table()
    for column, unit, cells in zip(
        names,
        units,
        zip(*rows, strict=True) if rows else [()] * len(names),
        strict=True,
    ):
        check_text(name, len(cells), max(map(len, cells), default=0))
        table[column] = _convert(list(cells))
        if unit not in ("", *_SEXAGESIMAL) and table[column].dtype.kind != "U":
            table[column].unit = unit_from_text(unit)
    return table


def _distinct(names: list[str]) -> list[str]:
    """Name columns apart, as Astropy does for CSV."""
    found: dict[str, None] = {}  # in order
    used: dict[str, int] = {}
    for number, name in enumerate(names):
        stem = name or f"col{number}"
        count = used.get(stem, 0)
        while (new := f"{stem}_{count}" if count else stem) in found:
            count += 1
        used[stem] = count
        found[new] = None
    return list(found)


def _split(lines: list[str], delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    return [[cell.strip() for cell in row] for row in reader]


def _convert(cells: list[str]) -> MaskedColumn:
    """Make numbers of cells that are numbers; what is no int64 keeps its digits."""
    missing = np.array([cell == "" for cell in cells], dtype=bool)
    present = [cell for cell in cells if cell]
    kinds: Any = (str,)
    if present and all(map(_INTEGER.fullmatch, present)):
        kinds = (np.int64, str)
    elif not all(cell.lstrip("+-").isdigit() for cell in present):
        kinds = (float, str)
    for kind in kinds:
        filled = [cell or ("" if kind is str else "0") for cell in cells]
        try:
            values = np.array(filled, dtype=str).astype(kind)
        except (ValueError, OverflowError):
            continue
        return MaskedColumn(values, mask=missing)
    raise AssertionError  # pragma: no cover - text is always text
