# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Bring spectra and their labels together, and tell what could not be."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..pipeline.inputs import as_spectra
from ..preparation.prepare import iter_chunks
from ..spectra import iter_arrays
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike
from ..tables import read_table
from .arrays import SpectrumBlock, as_block

__all__ = ["Gathered", "Omissions", "gather_spectra", "match_rows"]

_TABLES = (".ecsv", ".csv", ".parquet", ".vot", ".xml", ".votable", ".fits", ".fit")
_PATHS = ("path", "local_path", "file", "filename", "file_name", "spectrum", "fits")
_IDS = (
    "obs_id",
    "star",
    "source_id",
    "gaia_source_id",
    "obsid",
    "apogee_id",
    "target_name",
)
_LISTED = 20  # names that a message gives


class Omissions:
    """What was left out of a training, and why."""

    def __init__(self) -> None:
        self.reasons: dict[str, list[str]] = {}

    def add(self, reason: str, names: Iterable[str]) -> None:
        """Take note of what was left out.

        Parameters
        ----------
        reason : str
            Why, such as ``"no spectrum for the label"``.
        names : iterable of str
            What.
        """
        found = [str(name) for name in names]
        if found:
            self.reasons.setdefault(reason, []).extend(found)

    def counts(self) -> dict[str, int]:
        """Return how many were left out for each reason."""
        return {reason: len(names) for reason, names in self.reasons.items()}

    def table(self) -> Table:
        """Return a table with the columns ``name`` and ``reason``."""
        rows = [(n, reason) for reason, names in self.reasons.items() for n in names]
        return Table(rows=rows or None, names=("name", "reason"), dtype=(str, str))

    def __str__(self) -> str:
        parts = []
        for reason, names in self.reasons.items():
            shown = ", ".join(names[:_LISTED])
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            parts.append(f"{len(names)} left out, {reason}: {shown}{more}")
        return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Spectra that can be read again and again, and what is known of each.

    Parameters
    ----------
    source : SpectraLike
        The spectra, which can be read again and again.
    facts : dict
        What they do not say themselves.
    key : str
        What tells them from others.
    table : `~astropy.table.Table` or None
        One row for each spectrum; None if labels are matched by ``obs_id``.
    count : int or None
        How many there are, if that is known.
    omissions : Omissions
        What was left out so far.
    """

    source: SpectraLike
    facts: dict[str, Any]
    key: str
    table: Table | None
    count: int | None = None
    omissions: Omissions = field(default_factory=Omissions)

    def some(self, n_spectra: int = 300) -> list[SpectrumArrays]:
        """Return the first spectra that can be read."""
        found: list[SpectrumArrays] = []
        for chunk, _ in iter_chunks(self.source, 50, facts=self.facts, progress=False):
            found += [arrays for arrays in chunk if len(arrays.wavelength) > 1]
            if len(found) >= n_spectra:
                break
        if not found:
            msg = "none of the spectra could be read"
            raise SpectrumReadError(msg)
        return found


def gather_spectra(
    spectra: SpectraLike | Mapping[str, Any],
    *,
    folder: str | os.PathLike[str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Gathered:
    """Understand what a user calls spectra.

    Parameters
    ----------
    spectra : object
        Arrays on one axis (see `as_block`); a table, or the path of one, with a column
        of paths or of identifiers; or all that `iter_arrays` takes.
    folder : path-like, optional
        What paths in a table begin at, and where identifiers are looked for; by
        default the folder of the table.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey``, where the spectra do
        not say it.

    Returns
    -------
    Gathered
        The spectra.

    Raises
    ------
    SpectrumReadError, ValueError
        If a table leads to no spectra.
    """
    facts = dict(facts or {})
    block = as_block(spectra)
    if block is not None:
        return _from_block(block, facts)
    table, home = _as_table(spectra)
    if table is None:
        source = as_spectra(spectra)
        if not isinstance(source, Table):
            return _from_source(source, facts)
        table = source
    base = home if folder is None else Path(folder)
    omissions = Omissions()
    table = _with_paths(table, base, omissions)
    key = _digest([*map(_file_key, table["path"])], facts)
    return Gathered(
        source=table,
        facts=facts,
        key=key,
        table=table,
        count=len(table),
        omissions=omissions,
    )


def _from_block(block: SpectrumBlock, facts: dict[str, Any]) -> Gathered:
    return Gathered(
        source=block,
        facts=facts,
        key=_digest([block.digest()], facts),
        table=block.table,
        count=len(block),
    )


def _from_source(source: SpectraLike, facts: dict[str, Any]) -> Gathered:
    """Spectra without a table: files, specutils objects."""
    if isinstance(source, Iterator):
        source = list(source)
    found = hashlib.blake2b(digest_size=16)
    count = 0
    for arrays in iter_arrays(source):
        count += 1
        for array in (arrays.wavelength, arrays.flux, arrays.sigma, arrays.mask):
            if array is not None:
                found.update(np.ascontiguousarray(array).tobytes())
    return Gathered(
        source=source,
        facts=facts,
        key=_digest([found.hexdigest()], facts),
        table=None,
        count=count,
    )


def _as_table(source: object) -> tuple[Table | None, Path]:
    """Return a table that lists spectra, and the folder that it lies in."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix.lower() in _TABLES and path.is_file():
            try:
                table = read_table(path)
            except Exception:  # a spectrum, then, or for the readers to complain of
                return None, Path()
            if _find(table, _PATHS) or _find(table, _IDS):
                return table, path.parent
        return None, Path()
    if isinstance(source, Table) and (_find(source, _PATHS) or _find(source, _IDS)):
        return source, Path()
    return None, Path()


def _find(table: Table, names: tuple[str, ...]) -> str | None:
    spelled = {name.lower(): name for name in table.colnames}
    return next((spelled[name] for name in names if name in spelled), None)


def _with_paths(table: Table, folder: Path, omissions: Omissions) -> Table:
    """Give each row the path of its file; rows without one are left out."""
    column = _find(table, _PATHS)
    if column is not None:
        named = [str(name).strip() for name in np.ma.filled(table[column], "")]
        paths = [folder / name if name else None for name in named]
        there = [path is not None and path.is_file() for path in paths]
        reason = "no file under the path of the table"
    else:
        paths = _match_files(table, folder, omissions)
        there = [path is not None for path in paths]
        reason = f"no file in {folder} has the identifier in its name"
    kept = np.flatnonzero(there)
    lost = [i for i in range(len(table)) if not there[i]]
    omissions.add(reason, (_row_name(table, i) for i in lost))
    if not len(kept):
        msg = f"{reason}: none of {len(table)} rows, such as {_row_name(table, 0)}"
        raise SpectrumReadError(msg)
    found = Table(table[kept], copy=True)
    found["path"] = [str(paths[i]) for i in kept]
    return found


def _row_name(table: Table, row: int) -> str:
    name = _find(table, _IDS) or _find(table, _PATHS)
    return f"row {row}" if name is None else str(table[name][row])


def _match_files(table: Table, folder: Path, omissions: Omissions) -> list[Path | None]:
    """Find the file of each row by its identifier."""
    name = _find(table, _IDS)
    if name is None or folder == Path():
        msg = (
            "the table needs a column of paths, or one of identifiers and the folder "
            f"of the files; it has {', '.join(table.colnames)}"
        )
        raise ValueError(msg)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    words: dict[str, Path] = {}
    for path in files:
        stem = path.name
        while "." in stem:  # a.b.fits is called a.b.fits, a.b and a
            words.setdefault(stem, path)
            stem = stem.rpartition(".")[0]
        for word in (stem, *stem.replace("-", "_").split("_")):
            words.setdefault(word, path)
    found = [words.get(str(value).strip()) for value in table[name]]
    listed = {*(str(table.meta.get("path", "")),), *map(str, found)}
    spare = [path.name for path in files if str(path) not in listed]
    omissions.add("no labels for the file", spare)
    return found


def _file_key(path: str) -> str:
    try:
        about = Path(path).stat()
    except OSError:
        return path
    return f"{path}:{about.st_size}:{about.st_mtime_ns}"


def _digest(parts: Iterable[str], facts: dict[str, Any]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in (*parts, repr(sorted(facts.items()))):
        found.update(part.encode())
    return found.hexdigest()


def match_rows(
    gathered: Gathered, rows: Table, table: Table | None
) -> tuple[Table, np.ndarray]:
    """Find what is known of each prepared spectrum.

    Parameters
    ----------
    gathered : Gathered
        The spectra; omissions are added to it.
    rows : `~astropy.table.Table`
        Of the prepared spectra, with ``obs_id``.
    table : `~astropy.table.Table`, optional
        Labels that came apart from the spectra: one row for each, or matched by their
        columns ``obs_id``.

    Returns
    -------
    about : `~astropy.table.Table`
        Rows of labels.
    spectra : ndarray of int
        The prepared spectrum of each.

    Raises
    ------
    ValueError
        If spectra and labels cannot be matched.
    """
    if table is None:
        table = gathered.table
        if table is None:
            msg = "spectra without a table have no labels; give table="
            raise ValueError(msg)
    name = _find(table, _IDS)
    if len(table) == len(rows) and (gathered.table is table or name is None):
        return table, np.arange(len(rows))
    if name is None:
        msg = (
            f"{len(rows)} spectra and {len(table)} rows of labels: give the table a "
            "column obs_id, or one row for each spectrum"
        )
        raise ValueError(msg)
    at = {str(value): i for i, value in enumerate(table[name])}
    found = [at.get(str(value), -1) for value in rows["obs_id"]]
    known = np.flatnonzero(np.array(found, dtype=int) >= 0)
    if not len(known):
        if len(table) == len(rows):
            return table, np.arange(len(rows))
        msg = (
            f"no spectrum has an obs_id that is in the column {name!r} of the table: "
            f"{rows['obs_id'][0]!r} and {table[name][0]!r} for example"
        )
        raise ValueError(msg)
    gathered.omissions.add(
        "no labels for the spectrum",
        (rows["obs_id"][i] for i in range(len(rows)) if found[i] < 0),
    )
    used = {found[i] for i in known}
    gathered.omissions.add(
        "no spectrum for the label",
        (str(table[name][i]) for i in range(len(table)) if i not in used),
    )
    return table[[found[i] for i in known]], known
