# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Bring spectra and their labels together, and tell what could not be."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..pipeline.loop import as_spectra, to_table
from ..preparation.chunks import iter_chunks
from ..spectra import iter_arrays
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike, find_files
from .arrays import SpectrumBlock, as_block
from .listing import (
    file_names,
    find_identifier,
    find_paths,
    match_names,
    read_listing,
    row_name,
)
from .omissions import Omissions

__all__ = ["Gathered", "gather_spectra"]

#: Columns of tables whose rows are spectra themselves, or their pixels.
_PIXELS = ("flux", "wavelength", "wave", "spectral_axis")
#: Columns that say something of a spectrum that its file says otherwise.
_STATED = (
    "obs_id", "target_name", "ra", "s_ra", "dec", "s_dec", "obs_publisher_did",
    "radial_velocity",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Spectra that can be read again and again, and what is known of each.

    Parameters
    ----------
    source : SpectraLike
        The spectra.
    facts : dict
        What they do not say themselves.
    key : str
        What tells them from others.
    table : `~astropy.table.Table` or None
        What is known of them; None if nothing is.
    rows : ndarray of int or None
        The row of the table for each spectrum; None if only the spectra tell.
    in_order : bool
        Whether the caller chose the order of the spectra.
    count : int or None
        How many there are, if that is known.
    omissions : Omissions
        What was left out so far.
    """

    source: SpectraLike
    facts: dict[str, Any]
    key: str
    table: Table | None
    rows: np.ndarray | None = None
    in_order: bool = True
    count: int | None = None
    omissions: Omissions = field(default_factory=Omissions)

    def some(self, n_spectra: int = 300) -> list[SpectrumArrays]:
        """Return the first spectra that can be read."""
        found: list[SpectrumArrays] = []
        reasons: list[str] = []
        for chunk, _ in iter_chunks(self.source, 50, facts=self.facts, progress=False):
            found += [arrays for arrays in chunk if len(arrays.wavelength) > 1]
            reasons += [arrays.observation.message for arrays in chunk]
            if len(found) >= n_spectra:
                break
        if not found:
            why = next(filter(None, reasons), "they hold nothing")
            msg = f"none of {len(reasons)} spectra could be read: {why}"
            raise SpectrumReadError(msg)
        return found

    def match(self, spectra: Table) -> np.ndarray:
        """Find what is known of each spectrum that was read.

        Parameters
        ----------
        spectra : `~astropy.table.Table`
            Of the spectra, in order, with ``obs_id`` and ``target_name``.

        Returns
        -------
        ndarray of int, shape (n_spectra,)
            Rows of the table; -1 where nothing is known. What has no partner is added
            to the omissions.

        Raises
        ------
        ValueError
            If there is no table, or spectra and rows cannot be matched.
        """
        if self.table is None:
            msg = "spectra without a table have no labels; give table="
            raise ValueError(msg)
        n_spectra, n_rows = len(spectra), len(self.table)
        if self.rows is not None and len(self.rows) == n_spectra:
            return self.rows
        names = [n for n in ("obs_id", "target_name") if n in spectra.colnames]
        called = [[str(row[n]).partition("#")[0] for n in names] for row in spectra]
        found = match_names(self.table, called, self.omissions)
        if (found < 0).all():
            if n_spectra == n_rows and self.in_order:
                return np.arange(n_rows)
            raise ValueError(self._mismatch(self.table, spectra))
        lost = np.flatnonzero(found < 0)
        self.omissions.add("no labels for the spectrum", spectra["obs_id"][lost])
        spare = np.setdiff1d(np.arange(n_rows), found)
        names_of_rows = (row_name(self.table, row) for row in spare)
        self.omissions.add("no spectrum for the label", names_of_rows)
        return found

    def _mismatch(self, table: Table, spectra: Table) -> str:
        name = find_identifier(table)
        if name is not None:
            return (
                f"no spectrum has an obs_id that is in the column {name!r} of the "
                f"table: '{spectra['obs_id'][0]}' and '{table[name][0]}' for example"
            )
        why = "" if self.in_order else ", whose order is that of the names of files,"
        return (
            f"{len(spectra)} spectra{why} and {len(table)} rows of labels: give the "
            "table a column obs_id, or one row for each spectrum of a list"
        )


def gather_spectra(
    spectra: SpectraLike | Mapping[str, Any],
    *,
    table: Table | None = None,
    folder: str | os.PathLike[str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Gathered:
    """Understand what a user calls spectra.

    Parameters
    ----------
    spectra : object
        Arrays on one axis (see `as_block`); a table, or the path of one, with a column
        of paths or of identifiers; or all that `iter_arrays` takes.
    table : `~astropy.table.Table`, optional
        What is known of the spectra, if it comes apart from them.
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
        return _from_block(block, table, facts)
    files = _list_files(spectra)
    of_folder = isinstance(spectra, str | os.PathLike) and Path(spectra).is_dir()
    if files is not None and not any(path.is_file() for path in files):
        why = "the folder holds no spectra" if of_folder else "there is nothing there"
        msg = f"{spectra} leads to no file: {why}"
        raise SpectrumReadError(msg)
    if files is None or (table is None and len(files) == 1 and not of_folder):
        listed, home = _as_listing(spectra)
        if listed is not None:
            base = home if folder is None else Path(folder)
            return _from_table(listed, table, base, facts, fetch=folder is None)
    if files:
        return _from_files(files, table, facts, in_order=not _is_path(spectra))
    return _from_objects(cast(SpectraLike, spectra), table, facts)


def _from_block(
    block: SpectrumBlock, table: Table | None, facts: dict[str, Any]
) -> Gathered:
    rows = np.arange(len(block)) if table is None else None
    return Gathered(
        source=block,
        facts=facts,
        key=_digest([block.digest()], facts),
        table=block.table if table is None else table,
        rows=rows,
        count=len(block),
    )


def _is_path(source: object) -> bool:
    return isinstance(source, str | os.PathLike)


def _list_files(source: object) -> list[Path] | None:
    """Return the files that are meant; None if something else is."""
    if isinstance(source, str | os.PathLike):
        return find_files(source)
    if isinstance(source, Sequence) and source and all(map(_is_path, source)):
        return [path for part in source for path in find_files(part)]
    return None


def _as_listing(source: object) -> tuple[Table | None, Path]:
    """Return a table that lists spectra, and the folder that it lies in."""
    home = Path()
    if isinstance(source, str | os.PathLike):
        home, table = Path(source).parent, read_listing(Path(source))
        table.meta["path"] = str(source)
        if not len(table):
            msg = f"{source}: the table has no rows, or the file holds no table"
            raise SpectrumReadError(msg)
    else:
        table = to_table(source)
    if table is None:
        return None, home
    names = {name.lower() for name in table.colnames}
    if names & {*_PIXELS} and not find_paths(table):
        return None, home
    return table, home


def _from_table(
    listed: Table,
    table: Table | None,
    base: Path,
    facts: dict[str, Any],
    *,
    fetch: bool,
) -> Gathered:
    """Spectra that a table lists: by paths, by names of files, or in archives."""
    omissions = Omissions()
    column, known = find_paths(listed), base != Path() and find_identifier(listed)
    reason, of = "no file under the path of the table", np.arange(len(listed))
    if column is not None:
        paths = _join_paths(listed, column, base)
    elif known and (fetch is False or _named_files(listed, base)):
        paths, of = _match_files(listed, base, omissions)
        reason = f"no file in {base} has the identifier in its name"
    else:  # archives are asked; what they do not know either they say
        listed = Table(as_spectra(listed))
        paths = _join_paths(listed, "path", Path())
    kept = [i for i, path in enumerate(paths) if path is not None and path.is_file()]
    lost = np.setdiff1d(np.arange(len(listed)), of[kept])
    omissions.add(reason, (row_name(listed, row) for row in lost))
    if not kept:
        msg = f"{reason}: none of {len(listed)} rows, such as {row_name(listed, 0)}"
        raise SpectrumReadError(msg)
    source = Table(listed[of[kept]], copy=True)
    source["path"] = [str(paths[i]) for i in kept]
    return Gathered(
        source=source,
        facts=facts,
        key=_digest([*map(_file_key, source["path"]), *_stated(source)], facts),
        table=listed if table is None else table,
        rows=of[kept] if table is None else None,
        count=len(kept),
        omissions=omissions,
    )


def _join_paths(table: Table, column: str, base: Path) -> list[Path | None]:
    named = [str(name).strip() for name in np.ma.filled(table[column], "")]
    return [base / name if name else None for name in named]


def _below(folder: Path, table: Table) -> list[Path]:
    """Files of a folder and below, but for the table itself."""
    own = str(table.meta.get("path", ""))
    return sorted(p for p in folder.rglob("*") if p.is_file() and str(p) != own)


def _named_files(table: Table, folder: Path) -> bool:
    called = [file_names(path) for path in _below(folder, table)]
    return bool((match_names(table, called, Omissions()) >= 0).any())


def _match_files(
    table: Table, folder: Path, omissions: Omissions
) -> tuple[list[Path | None], np.ndarray]:
    """Find the files of rows by their identifiers; a row may have several."""
    files = _below(folder, table)
    rows = match_names(table, [file_names(path) for path in files], omissions)
    spare = [path.name for path, row in zip(files, rows, strict=True) if row < 0]
    omissions.add("no labels for the file", spare)
    kept = np.flatnonzero(rows >= 0)
    kept = kept[np.argsort(rows[kept], kind="stable")]  # in the order of the table
    return [files[i] for i in kept], rows[kept]


def _from_files(
    files: list[Path], table: Table | None, facts: dict[str, Any], *, in_order: bool
) -> Gathered:
    """Files without a table of their own: by name, or by what stands in them."""
    omissions, rows = Omissions(), None
    if table is not None:
        found = match_names(table, [file_names(path) for path in files], omissions)
        if (found >= 0).any():
            spare = [p.name for p, row in zip(files, found, strict=True) if row < 0]
            omissions.add("no labels for the file", spare)
            lost = np.setdiff1d(np.arange(len(table)), found)
            names = (row_name(table, row) for row in lost)
            omissions.add("no spectrum for the label", names)
            files = [p for p, row in zip(files, found, strict=True) if row >= 0]
            rows = found[found >= 0]
    return Gathered(
        source=files,
        facts=facts,
        key=_digest([_file_key(str(path)) for path in files], facts),
        table=table,
        rows=rows,
        in_order=in_order,
        count=len(files),
        omissions=omissions,
    )


def _from_objects(
    source: SpectraLike, table: Table | None, facts: dict[str, Any]
) -> Gathered:
    """Specutils objects, and what other packages return."""
    source = as_spectra(source)
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
        table=table,
        count=count,
    )


def _file_key(path: str) -> str:
    try:
        about = Path(path).stat()
    except OSError:
        return path
    return f"{path}:{about.st_size}:{about.st_mtime_ns}"


def _stated(table: Table) -> list[str]:
    return [str(table[n].tolist()) for n in _STATED if n in table.colnames]


def _digest(parts: Iterable[str], facts: dict[str, Any]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in (*parts, repr(sorted(facts.items()))):
        found.update(part.encode())
    return found.hexdigest()
