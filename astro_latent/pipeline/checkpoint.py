# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Runs of hours: finished rows are kept in a folder as they come.

A run goes through its spectra in parts of `PART` files, of more where there are
thousands, or of fewer where they are large, as tables of many spectra are. The rows of
each part are a VOTable in the folder, written under a temporary name and then moved, so
that a kill at any time leaves whole parts only. A run that finds parts goes on behind
them: the parts are the same whether it was stopped or not, and so are the numbers in
them.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Row

from ..models.config import OutputColumn
from ..spectra.reading import find_path_column
from ..tables.fields import ucd_of, unit_to_text
from ..tables.result_table import ResultTable, read_table, write_table
from ..utils.writing import write_bytes
from .rows import Rows

__all__ = ["PART", "Checkpoint", "begin_parts", "table_rows"]

#: Files in a part: what a kill may cost. A table of few rows costs as much as the
#: spectra in it, so that a long run has up to four times as many in a part.
PART = 64
_FEWEST = 16  # parts of a long run, for processes to share
#: Bytes of its files; a larger file is a part by itself.
_BYTES = 2**29
_PLAN = "run.json"


def begin_parts(items: Sequence[object]) -> list[int]:
    """Find where the parts of a run begin.

    Parameters
    ----------
    items : sequence
        What the run reads, from `list_items`; what is no file has no size.

    Returns
    -------
    list of int
        The first item of each part.
    """
    longest = min(max(PART, len(items) // _FEWEST), 4 * PART)
    starts, size = [0], 0
    for number, item in enumerate(items):
        own = _size(item)
        full = number - starts[-1] == longest or size + own > _BYTES
        if full and number > starts[-1]:
            starts.append(number)
            size = 0
        size += own
    return starts


def _size(item: object) -> int:
    """Return the size of a file; one that is not there fails later, as a row."""
    if isinstance(item, Row):
        name = find_path_column(item.colnames)
        item = str(item[name]) if name in item.colnames else None
    if not isinstance(item, str | PathLike):
        return 0
    with suppress(OSError, TypeError, ValueError):
        return Path(item).stat().st_size
    return 0


def _digest(items: list[Any]) -> str:
    """Tell lists of files apart; objects in memory count by their number."""
    names = []
    for item in items:
        if isinstance(item, Row):
            item = _source_of(item)
        names.append(str(item) if isinstance(item, str | PathLike) else "")
    return hashlib.sha256("\n".join(names).encode("utf-8", "replace")).hexdigest()


def _source_of(row: Row) -> str:
    """Say where a row's file is from: its path is empty if it could not be had once."""
    names = ("access_url", find_path_column(row.colnames))
    texts = (str(row[name]) for name in names if name in row.colnames)
    return next(filter(None, texts), "")


class Checkpoint:
    """The finished parts of a run.

    Parameters
    ----------
    folder : path-like
        Where they are; made if it is not there.
    items : list
        What the run reads, from `list_items`.
    plan : dict
        What else decides the numbers, as JSON can say it.

    Raises
    ------
    TypeError
        If the folder is no path.
    ValueError
        If the folder holds parts of a run on other spectra or with another plan, or
        is a folder of something else.
    """

    def __init__(
        self, folder: str | PathLike[str], items: list[Any], plan: dict[str, Any]
    ) -> None:
        if not isinstance(folder, str | PathLike):
            msg = f"checkpoint= is the path of a folder, not {folder!r}"
            raise TypeError(msg)
        self.folder = Path(folder)
        plan = plan | {"spectra": len(items), "names": _digest(items), "part": PART}
        plan = json.loads(json.dumps(plan))
        note = self.folder / _PLAN
        if note.is_file():
            old = json.loads(note.read_text("utf-8"))
            # an older run had equal parts
            old.setdefault("starts", list(range(0, len(items), PART)) or [0])
            # a file may have been lost since, and its size with it
            plan["starts"] = old["starts"]
            self._compare(old, plan)
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            msg = f"{self.folder} holds other files; name a folder that is not there"
            raise ValueError(msg)
        else:
            plan["starts"] = begin_parts(items)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(note, json.dumps(plan, indent=1).encode())
        #: First item of each part, finished or not.
        self.starts: list[int] = plan["starts"]
        self.n_parts = 0
        while self._path(self.n_parts).is_file():
            self.n_parts += 1

    def _compare(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        other = sorted(name for name in new if old.get(name) != new[name])
        if other:
            msg = (
                f"{self.folder} was made with other {', '.join(other)}: give the same "
                "files and options to go on, or remove the folder to start anew"
            )
            raise ValueError(msg)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.vot"

    def keep(self, table: ResultTable) -> None:
        """Keep the rows of the next part.

        Parameters
        ----------
        table : ResultTable
            The rows.
        """
        write_table(table, self._path(self.n_parts), overwrite=True)
        self.n_parts += 1

    def close(self) -> None:
        """Remove the folder if nothing is kept in it."""
        if not self.n_parts:
            (self.folder / _PLAN).unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's files are in it
                self.folder.rmdir()

    def tables(self) -> Iterator[ResultTable]:
        """Yield the parts, in order.

        Yields
        ------
        ResultTable
            The rows of one part.
        """
        for number in range(self.n_parts):
            yield read_table(self._path(number))


def table_rows(table: ResultTable) -> Rows:
    """Take the rows out of a table of results again.

    Parameters
    ----------
    table : ResultTable
        As the verbs make it.

    Returns
    -------
    Rows
        The same columns, to be stacked with others.
    """
    labels = tuple(table.meta.get("labels", ()))
    outputs = {
        name: OutputColumn(
            name=name,
            unit=unit_to_text(table[name].unit),
            ucd=ucd_of(table[name]),
            description=table[name].info.description or "",
        )
        for name in (*labels, "latent")
        if name in table.colnames
    }
    columns = {
        name: np.ma.getdata(getattr(table[name], "value", table[name]))
        for name in table.colnames
    }
    return Rows({n: np.asarray(v) for n, v in columns.items()}, labels, outputs)
