# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is looked at in tables of text before Astropy reads them.

Astropy makes each cell of a column as large as its longest one: a small file with one
long cell among many takes all memory.
"""

import re
from collections.abc import Iterator

import yaml

from .._config import conf
from ..exceptions import FileLimitError, TableReadError
from ..utils.absurd import is_absurd_unit
from ..utils.files import MB
from .opening import check_columns, check_text

__all__ = ["check_cells", "check_ecsv"]

#: Longest line, in lengths of the mean one, of a table that is only wide: in rows of
#: zeros, and of floats with all their digits.
_RAGGED = 16
_COMMENT, _QUOTED = 1, 2  # groups of the pattern of cells


def check_cells(
    text: str, name: str, delimiter: str, *, guess: bool = False, arrays: bool = False
) -> None:
    """Refuse text whose longest cell would make a column too large.

    Parameters
    ----------
    text : str
        The table. A comment counts as a cell, for which some formats take it, unless
        the format is guessed.
    name : str
        What to call it.
    delimiter : str
        What sets cells apart; a blank stands for tabs, too.
    guess : bool, optional
        Astropy tries other delimiters and quotes as well, which takes a line for a
        cell.
    arrays : bool, optional
        Some cells hold arrays, which are not padded: long cells in all rows pass.

    Raises
    ------
    FileLimitError
        If a column takes more than ``conf.max_file_size``.
    """
    lines = text.split("\n")
    longest = max(map(len, lines))
    room = conf.max_file_size * MB / 4
    marks = "\"'" if guess else '"'
    if len(lines) * longest <= room and not any(mark in text for mark in marks):
        return
    if guess and len(lines) * longest > _RAGGED * len(text):
        check_text(name, len(lines), longest)
    rows, longest = len(lines), 0
    for found in _cell_pattern(delimiter, marks).finditer(text):
        begin, end = found.span()
        if end - begin > longest and not (guess and found.lastindex == _COMMENT):
            longest = end - begin
        if found.lastindex == _QUOTED:
            rows -= text.count("\n", begin, end)
    if not arrays or rows * longest > _RAGGED * len(text):
        check_text(name, rows, longest)


def _cell_pattern(delimiter: str, marks: str) -> re.Pattern[str]:
    """Match comments and cells, quoted or not, in linear time."""
    quoted = "|".join(f"(?:{mark}[^{mark}]*{mark})+" for mark in marks)
    ends = r" \t\n" if delimiter == " " else re.escape(delimiter) + r"\n"
    blanks = "".join({" ", "\t"} - set(ends.replace(r"\t", "\t")))
    before = f"[{blanks}]*" if blanks else ""  # what sets cells apart is none of them
    return re.compile(rf"(^#.*)|{before}({quoted})[^{ends}]*|[^{ends}]+", re.MULTILINE)


def check_ecsv(text: str, name: str) -> list[tuple[str, ...]]:
    """Refuse ECSV that would take Astropy for ever, or all memory.

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
        If the header exceeds ``conf.max_header_size``, a unit is none, or a column
        takes more than ``conf.max_file_size``.
    """
    begin = re.match(r"(?:[ \t]*#.*\n|\s*\n)*", text)
    header = begin[0] if begin else ""
    if len(header) > conf.max_header_size * MB:
        problem = f"its header exceeds {conf.max_header_size:g} MB"
        raise FileLimitError(name, problem, "max_header_size")
    lines = (line.strip()[1:].removeprefix(" ") for line in header.split("\n")[1:])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.compose("\n".join(lines), Loader=loader)
    columns = list(_ecsv_columns(document))
    check_columns(name, len(columns))
    for unit in _units_in(document):
        if is_absurd_unit(unit):
            msg = f"{name}: has the unit {unit[:60]!r}, which is none"
            raise TableReadError(msg)
    said = (v.value for k, v in _pairs(document) if k.value == "delimiter")
    delimiter = "," if "," in next(said, " ") else " "
    arrays = any(nested for _, _, nested in columns)
    check_cells(text[len(header) :], name, delimiter, arrays=arrays)
    numbers = [column for column, kind, _ in columns if kind not in ("bool", "string")]
    truths = [column for column, kind, _ in columns if kind == "bool"]
    nulls = [("null", "0", *numbers)] if numbers else []
    return [("", "0"), *nulls, *([("null", "False", *truths)] if truths else [])]


def _ecsv_columns(document: yaml.Node | None) -> Iterator[tuple[str, str, bool]]:
    """Yield name and type of each column, and whether its cells hold arrays."""
    for key, columns in _pairs(document):
        for column in columns.value if key.value == "datatype" else ():
            facts = {key.value: value.value for key, value in _pairs(column)}
            name, kind = str(facts.get("name", "")), str(facts.get("datatype", ""))
            yield name, kind, "subtype" in facts


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
