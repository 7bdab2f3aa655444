# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Results as a person reads them: names, values with errors, flags in words."""

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..utils.quality import NOTICE_FLAGS, decode_flags

if TYPE_CHECKING:
    from ..tables.fields import ColumnLike

__all__ = [
    "format_measurement", "list_in_lines", "say", "show_json", "show_results",
    "show_table", "terminal_width",
]  # fmt: skip

#: Labels that are printed first, where a model gives them.
_FIRST = ("teff", "logg", "fe_h", "m_h", "alpha_m", "alpha_fe", "rv")
_NARROWEST = 80
_LONGEST_NAME, _LEAST_FLAGS = 20, 16  # characters, where it is tight


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def terminal_width() -> int | None:
    """Columns of the terminal; None where another program reads the output."""
    if not sys.stdout.isatty():
        return None
    return max(_NARROWEST, shutil.get_terminal_size((_NARROWEST, 24)).columns)


def show_table(table: Table) -> None:
    """Print any table: fitted to a terminal, whole where another program reads it.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    """
    units = any(table[name].unit is not None for name in table.colnames)
    width = terminal_width() or -1
    for line in table.pformat(max_lines=-1, max_width=width, show_unit=units):
        say(line)


def list_in_lines(table: Table, *, head: str, words: Sequence[str]) -> None:
    """Print a table of texts: a paragraph for each row; rows for another program.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    head : str
        The column that begins a paragraph.
    words : sequence of str
        The columns that it goes on with, where they are not empty.
    """
    width = terminal_width()
    if width is None:
        show_table(table)
        return
    for row in table:
        say(str(row[head]))
        text = "; ".join(str(row[name]) for name in words if str(row[name]))
        for line in textwrap.wrap(text, width - 4):
            say(f"    {line}")


def format_measurement(value: float, error: float = math.nan) -> str:
    """Round a value to two digits of its error.

    Parameters
    ----------
    value : float
        The value.
    error : float, optional
        Its error.

    Returns
    -------
    str
        ``"-"`` for NaN.

    Examples
    --------
    >>> from astro_latent.cli.show import format_measurement
    >>> format_measurement(4502.63037, 120.4), format_measurement(-0.0421, 0.0853)
    ('4503 ± 120', '-0.042 ± 0.085')
    >>> format_measurement(2.5), format_measurement(float("nan"), 1.0)
    ('2.5', '-')
    """
    if not math.isfinite(value):
        return "-"
    if not (math.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _to_array(column: "ColumnLike") -> np.ndarray:
    return np.asarray(column.value if isinstance(column, u.Quantity) else column)


def _cells(table: Table, name: str) -> list[str]:
    """Spell one column: labels with their errors, flags in words, numbers short."""
    values = _to_array(table[name])
    if name == "flags":
        return [_flag_words(int(value)) for value in values]
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    if values.ndim > 1:
        return [_short_array(row) for row in values]
    errors = np.full(len(values), np.nan)
    if f"{name}_error" in table.colnames:
        errors = _to_array(table[f"{name}_error"])
    pairs = zip(values.tolist(), errors.tolist(), strict=True)
    return [format_measurement(*pair) for pair in pairs]


def _flag_words(flags: int) -> str:
    """Names of what speaks against a row, then of the notices, in small letters."""
    against = decode_flags(flags & ~NOTICE_FLAGS)
    notices = [str(name).lower() for name in decode_flags(flags & NOTICE_FLAGS)]
    return ", ".join([*map(str, against), *notices]) or "-"


def _short_array(values: np.ndarray) -> str:
    shown = " ".join(f"{value:.3g}" for value in values.ravel()[:3])
    return f"{shown} ... ({values.size})" if values.size > 3 else shown


def _head(table: Table, name: str) -> str:
    unit = table[name].unit
    return f"{name} [{unit}]" if unit is not None and str(unit) else name


def show_results(table: Table, columns: Sequence[str] | None = None) -> None:
    """Print results: one row for each spectrum, values rounded to their errors.

    Parameters
    ----------
    table : ResultTable
        The results.
    columns : sequence of str, optional
        What to print, in this order; by default the name, the labels or latents, and
        the flags. What does not fit a terminal is left out, and a line says so.

    Raises
    ------
    ValueError
        If the table has no such column.
    """
    chosen = _default_columns(table) if columns is None else list(columns)
    unknown = [name for name in chosen if name not in table.colnames]
    if unknown:
        msg = f"no column {', '.join(unknown)}; there are {', '.join(table.colnames)}"
        raise ValueError(msg)
    texts = {name: [_head(table, name), *_cells(table, name)] for name in chosen}
    width = terminal_width()
    left_out = _fit(texts, width) if width else []
    sizes = [max(map(len, column)) for column in texts.values()]
    head, *rows = zip(*texts.values(), strict=True)
    for row in (head, tuple("-" * size for size in sizes), *rows):
        padded = (text.ljust(size) for text, size in zip(row, sizes, strict=True))
        say("  ".join(padded).rstrip())
    if left_out and width:
        said = f"(no room for {', '.join(left_out)}; see --columns, --json, -o)"
        say(textwrap.fill(said, width, subsequent_indent=" "))


def _default_columns(table: Table) -> list[str]:
    """Name, labels or latents, flags; the model where there are several."""
    has_names = "target_name" in table.colnames
    names = _to_array(table["target_name"]).tolist() if has_names else []
    named = len(names) > 0 and all(names) and len(set(names)) == len(names)
    columns = ["target_name" if named else "obs_id"]
    if terminal_width() is None:  # a program reads it, which wants to know both
        columns = ["obs_id", "target_name"]
    labels = table.meta.get("labels", [])
    columns += [name for name in _FIRST if name in labels]
    columns += [name for name in labels if name not in _FIRST]
    if "latent" in table.colnames:
        columns += ["snr", "reconstruction_error", "latent"]
    columns.append("flags")
    if "model" in table.colnames and len(set(_to_array(table["model"]).tolist())) > 1:
        columns.append("model")
    return columns


def _fit(texts: dict[str, list[str]], width: int) -> list[str]:
    """Cut long names and lists of flags, then leave out columns until the rest fits.

    The name, the flags and at least one column between them stay. Returns the names of
    those that were left out.
    """
    first = next(iter(texts))
    left_out: list[str] = []

    def total(texts: dict[str, list[str]]) -> int:
        return sum(2 + max(map(len, column)) for column in texts.values()) - 2

    names = texts[first]
    if total(texts) > width:
        texts[first] = _shorten_all(names, _LONGEST_NAME)
    least = {name: column for name, column in texts.items() if name != "flags"}
    reserved = 2 + _LEAST_FLAGS if "flags" in texts else 0
    while total(least) + reserved > width and len(least) > 2:
        last = list(least)[-1]
        left_out.insert(0, last)
        del least[last], texts[last]
    if "flags" in texts:
        room = max(_LEAST_FLAGS, width - total(least) - 2)
        texts["flags"] = [
            text if len(text) <= room else f"{text[: room - 3]}..."
            for text in texts["flags"]
        ]
    if total(texts) < width and texts[first] != names:
        spare = width - total(texts)
        texts[first] = _shorten_all(names, max(map(len, texts[first])) + spare)
    return left_out


def _shorten_all(texts: list[str], length: int) -> list[str]:
    """Shorten a column below its head: what all names share goes first."""
    head, *names = texts
    if max(map(len, names), default=0) <= length:
        return texts
    start = len(os.path.commonprefix(names))
    end = len(os.path.commonprefix([name[start:][::-1] for name in names]))
    if len(set(names)) > 1:
        before, after = "..." if start > 3 else "", "..." if end > 3 else ""
        start, end = start if before else 0, end if after else 0
        names = [before + name[start : len(name) - end] + after for name in names]
    return [head, *(_shorten(name, length) for name in names)]


def _shorten(text: str, length: int) -> str:
    """Cut the middle out of a name: both ends tell it from others."""
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[: length - 3 - half]}...{text[-half:]}"


def show_json(table: Table) -> None:
    """Print one JSON object for each row; NaN becomes null, flags become words.

    Parameters
    ----------
    table : ResultTable
        The results.
    """
    for line in json_lines(table):
        say(line)


def json_lines(table: Table) -> Iterable[str]:
    """Yield one JSON object for each row."""
    columns = {name: _to_array(table[name]).tolist() for name in table.colnames}
    for row in range(len(table)):
        record = {name: _to_json(values[row]) for name, values in columns.items()}
        if "flags" in record:
            record["flags"] = decode_flags(int(columns["flags"][row]))
        yield json.dumps(record, ensure_ascii=False)


def _to_json(value: object) -> object:
    """Return what JSON has a word for: None for NaN and infinity."""
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
