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
import yaml
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from .._config import conf
from ..exceptions import FileLimitError, TableReadError
from ..utils.absurd import is_absurd_unit
from ..utils.files import MB
from .fields import assemble, flatten, unit_from_text
from .opening import TableSource, check_columns, check_rows, check_text

__all__ = ["check_ecsv", "decode_text", "read_text", "text_format"]

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
_RULE = re.compile(r"[-\s|;,\"]*-[-\s|;,\"]*")  # the line below the units
_SEXAGESIMAL = ("h:m:s", "d:m:s")
_MEANING = re.compile(r"#Column\t([^\t]+)\t[^\t]*\t(.*?)\s*(?:\t\[ucd=([^\]]*)\])?\s*$")
_INTEGER = re.compile(r"[+-]?\d{1,19}")


def decode_text(source: TableSource) -> str:
    """Return what a file of text says, if its rows are not too many.

    Parameters
    ----------
    source : TableSource
        The file.

    Returns
    -------
    str
        UTF-8, else Latin-1, with at least one end of a line.

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


def check_ecsv(text: str, name: str) -> list[tuple[str, ...]]:
    """Refuse the header of an ECSV file that would take Astropy for ever.

    Parameters
    ----------
    text : str
        The file.
    name : str
        What to call it.

    Returns
    -------
    list of tuple
        ``fill_values`` of Astropy: as nulls, Gaia's files have ``null`` in columns of
        numbers.

    Raises
    ------
    TableReadError
        If the header exceeds ``conf.max_header_size``, or a unit is none.
    """
    begin = re.match(r"(?:[ \t]*#.*\n|\s*\n)*", text)
    header = begin[0] if begin else ""
    if len(header) > conf.max_header_size * MB:
        problem = f"its header exceeds {conf.max_header_size:g} MB"
        raise FileLimitError(name, problem, "max_header_size")
    lines = (line.strip()[1:].removeprefix(" ") for line in header.splitlines()[1:])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.compose("\n".join(lines), Loader=loader)
    columns = list(_ecsv_columns(document))
    check_columns(name, len(columns))
    for unit in _units_in(document):
        if is_absurd_unit(unit):
            msg = f"{name}: has the unit {unit[:60]!r}, which is none"
            raise TableReadError(msg)
    numbers = [name for name, kind in columns if kind not in ("bool", "string")]
    truths = [name for name, kind in columns if kind == "bool"]
    nulls = [("null", "0", *numbers)] if numbers else []
    return [("", "0"), *nulls, *([("null", "False", *truths)] if truths else [])]


def _ecsv_columns(document: yaml.Node | None) -> Iterator[tuple[str, str]]:
    """Yield name and type of each column."""
    for key, columns in _pairs(document):
        for column in columns.value if key.value == "datatype" else ():
            facts = {key.value: value.value for key, value in _pairs(column)}
            yield str(facts.get("name", "")), str(facts.get("datatype", ""))


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _units_in(document: yaml.Node | None) -> Iterator[str]:
    """Yield what stands behind ``unit`` anywhere; nothing is constructed."""
    waiting, seen = [document], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == "unit" and isinstance(value, yaml.ScalarNode):
                    yield value.value
                waiting += [key, value]


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
    lines = text.splitlines()
    start = next(
        (n for n, line in enumerate(lines) if line.strip() and line[0] != "#"), None
    )
    if start is None:
        msg = f"{name}: has no line that names the columns"
        raise TableReadError(msg)
    delimiter = next((mark for mark in _DELIMITERS if mark in lines[start]), None)
    ruled = len(lines) > start + 2 and _RULE.fullmatch(lines[start + 2])
    if delimiter is None and not ruled:
        table = Table.read(text, format="ascii")  # set apart by blanks, or one column
    elif delimiter == "," and not ruled:
        table = _read_csv("\n".join(lines[start:]) + "\n")
    else:
        table = _read_cells(lines, start, delimiter or "\t", name, ruled=bool(ruled))
    check_columns(name, len(table.columns))
    fields, arrays = flatten(table)
    meanings = dict(_meanings(lines[:start]))
    for n, spec in enumerate(fields):
        if spec.name in meanings:
            description, ucd = meanings[spec.name]
            fields[n] = replace(spec, description=description, ucd=ucd)
    return assemble(fields, arrays, dict(table.meta), kind=kind)


def _read_csv(text: str) -> Table:
    return Table.read(
        text, format="ascii.csv", comment="#", fill_values=_NULLS, guess=False
    )


def _meanings(comments: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for line in comments:
        if found := _MEANING.match(line):
            yield found[1], (found[2], found[3] or "")


def _read_cells(
    lines: list[str], start: int, delimiter: str, name: str, *, ruled: bool
) -> Table:
    """Read rows cell by cell: Astropy's readers move cells where the first is empty."""
    names, *rest = _split(lines[start : start + 3], delimiter)
    names = _distinct(names)
    check_columns(name, len(names))
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
    found: list[str] = []
    for number, name in enumerate(names):
        stem = name or f"col{number}"
        endings = ("" if n == 0 else f"_{n}" for n in range(len(names) + 1))
        found.append(next(stem + end for end in endings if stem + end not in found))
    return found


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
