# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the command line names: files, folders, patterns, tables, standard input."""

import glob
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..utils.guard import is_file, printable

__all__ = ["expand_inputs", "find_missing"]

#: Endings of what is a table of observations, or else a spectrum.
_TABLES = (".ecsv", ".csv", ".parquet", ".vot", ".xml", ".votable", ".fits", ".fit")


def expand_inputs(inputs: Iterable[str]) -> Sequence[str] | Table:
    """Turn the arguments into something that the readers take.

    Parameters
    ----------
    inputs : iterable of str
        As given on the command line; ``-`` stands for names on standard input.

    Returns
    -------
    list of str or `~astropy.table.Table`
        Names, or the one table of observations that was named.

    Raises
    ------
    SpectrumReadError
        If there are no names, or a table among other inputs.
    """
    names: list[str] = []
    for name in inputs:
        names += _from_stdin() if name == "-" else [name]
    if not names:
        msg = "standard input named no spectra"
        raise SpectrumReadError(msg)
    tables = {name: table for name in names if (table := _observations(name))}
    if not tables:
        return names
    if len(names) > 1:
        msg = (
            f"{next(iter(tables))} is a table of observations: give it alone, not "
            f"among {len(names)} inputs"
        )
        raise SpectrumReadError(msg)
    return next(iter(tables.values()))


def _from_stdin() -> list[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):  # names of files need not be UTF-8
        sys.stdin.reconfigure(errors="surrogateescape")
    return [line.strip() for line in sys.stdin if line.strip()]


def _observations(name: str) -> Table | None:
    """Read a table that lists spectra; None for whatever else it may be."""
    from ..spectra.reading import find_path_column
    from ..tables import read_table

    path = Path(name)
    if path.suffix.lower() not in _TABLES or not is_file(path):
        return None
    try:
        table = read_table(path)
    except Exception:  # not a table: a spectrum, or for the readers to complain of
        return None
    names = {name.lower() for name in table.colnames}
    listed = find_path_column(table.colnames) or "access_url" in names
    return table if listed else None


def find_missing(inputs: Sequence[str] | Table) -> list[str]:
    """Return the names that lead to nothing: mistyped files and patterns.

    Parameters
    ----------
    inputs : sequence of str or `~astropy.table.Table`
        From `expand_inputs`.

    Returns
    -------
    list of str
        Those names.
    """
    if isinstance(inputs, Table):
        return []
    return [printable(name) for name in inputs if not _leads_somewhere(name)]


def _leads_somewhere(name: str) -> bool:
    try:
        return Path(name).exists() or _matches(name)
    except (OSError, ValueError):  # a name that no file can have
        return False


def _matches(pattern: str) -> bool:
    return glob.has_magic(pattern) and bool(glob.glob(pattern, recursive=True))  # noqa: PTH207
