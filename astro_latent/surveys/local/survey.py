# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra that are on this machine already: a folder, or a table of files."""

import io
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.registry import identify_format
from astropy.table import Column, Row, Table

from ...archives.base import Survey
from ...archives.files import FileResult, safe_name, with_results
from ...archives.obscore_columns import to_obscore
from ...archives.query import QueryFilter, TimeLike
from ...exceptions import ArchiveFormatError
from ...spectra.reading import find_path_column, is_spectrum_name
from ...utils.absurd import find_fault
from ...utils.files import (
    PATH_COLUMNS,
    check_pixels,
    is_votable,
    read_start,
    read_whole,
)
from ...utils.guard import explain, is_file, printable, raise_as
from ...utils.writing import replacing

__all__ = ["LocalSurvey"]

_REMEDY = "read it with astro_latent.tables.read_table, and give the table as path="


class LocalSurvey(Survey):
    """A folder of spectra, or a table that names files, asked like an archive.

    Parameters
    ----------
    path : path-like or `~astropy.table.Table`, optional
        Folder (searched with everything below it but what is hidden, for the names that
        the readers take), or table with a column ``path``, or file that holds such a
        table. Relative paths are relative to that file.
        Without it only `fetch` can be used, for rows that carry their ``path``.

    Examples
    --------
    >>> from astropy.table import Column, Row, Table
    >>> from astro_latent.surveys import get_survey
    >>> files = Table({"path": ["a.fits", "b.fits"], "target_name": ["A", "B"]})
    >>> mine = get_survey("local", path=files)
    >>> mine.query_object("B")["obs_id"].tolist()
    ['b']
    """

    name = "local"
    title = "Files on this machine"
    licence = "that of the files"

    def __init__(self, path: str | os.PathLike | Table | None = None) -> None:
        self._source = path

    def table(self) -> Table:
        """List everything there is.

        Returns
        -------
        `~astropy.table.Table`
            One row per file, ObsCore names, with column ``path``.
        """
        if self._source is None:
            msg = "local needs a folder or a table: get_survey('local', path=...)"
            raise ValueError(msg)
        if isinstance(self._source, Table):
            return self._list_table(self._source, Path())
        source = Path(self._source)
        if source.is_dir():
            return to_obscore(_scan(source), survey=self.name)
        if not source.is_file():
            msg = f"{source} is neither a folder nor a file"
            raise FileNotFoundError(msg)
        return self._list_table(_read_list(source), source.parent)

    def _list_table(self, table: Table, folder: Path) -> Table:
        column = find_path_column(table.colnames)
        if column is None:
            msg = f"the table has none of the columns {PATH_COLUMNS}: {table.colnames}"
            raise ArchiveFormatError(msg)
        out = to_obscore(table, survey=self.name, rename={"ra": "s_ra", "dec": "s_dec"})
        out["path"] = [str(folder / str(name)) for name in table[column]]
        stems = [_strip_ending(Path(path)) for path in out["path"]]
        ids = [
            obs_id or stem for obs_id, stem in zip(out["obs_id"], stems, strict=True)
        ]
        out["obs_id"] = _refill(out["obs_id"], ids)
        return out

    def query_region(
        self,
        coordinates: SkyCoord,
        radius: u.Quantity,
        *,
        snr: float | None = None,
        time: TimeLike | None = None,
        band: u.Quantity | None = None,
        row_limit: int | None = None,
    ) -> Table:
        """List the spectra within a circle; see `Survey.query_region`."""
        table = self.table()
        position = SkyCoord(table["s_ra"], table["s_dec"])
        keep = coordinates.icrs.separation(position) <= u.Quantity(radius)
        return self._select(
            table[keep],
            QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit),
        )

    def query_object(
        self, name: str, *, radius: u.Quantity | None = None, **filters: Any
    ) -> Table:
        """List the spectra of a star by its name, or around its position.

        Parameters
        ----------
        name : str
            Compared with ``target_name`` and ``obs_id``, without regard to spaces and
            capital letters. No name service is asked.
        radius : `~astropy.units.Quantity` ['angle'], optional
            If given, the name is resolved and everything around it is listed.
        **filters
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        if radius is not None:
            return super().query_object(name, radius=radius, **filters)
        table = self.table()
        wanted = _normalise(name)
        keep = [
            wanted in (_normalise(row["target_name"]), _normalise(row["obs_id"]))
            for row in table
        ]
        return self._select(
            table[np.array(keep, dtype=bool)], QueryFilter.build(**filters)
        )

    def _select(self, table: Table, wanted: QueryFilter) -> Table:
        """Apply the conditions; what a file does not state does not satisfy them."""
        keep = np.ones(len(table), dtype=bool)
        if wanted.snr is not None:
            keep &= table["snr"] >= wanted.snr
        for ends, low, high in (
            (wanted.time, "t_min", "t_max"),
            (wanted.band, "em_min", "em_max"),
        ):
            if ends is not None:
                keep &= (table[high] >= ends[0]) & (table[low] <= ends[1])
        return self._answer(table[keep][: wanted.row_limit])

    def fetch(
        self,
        table: Table,
        directory: str | Path | None = None,
        *,
        progress: bool | None = None,
        **options: Any,
    ) -> Table:
        """Say where the files are, or copy them; see `Survey.fetch`."""
        return with_results(table, [_place_file(row, directory) for row in table])


def _place_file(row: Row, directory: str | Path | None) -> FileResult:
    """Where the file of one row is, after copying it if a folder was named."""
    identifier, source = str(row["obs_id"]), Path(str(row["path"]))
    if not is_file(source):
        text = f"no file at {printable(str(source))}"
        return FileResult(identifier=identifier, status="failed", message=text)
    if directory is None:
        return FileResult(identifier=identifier, path=source, status="local")
    try:
        target = _copy(source, directory, identifier)
    except (OSError, ValueError) as error:
        text = explain(source, error, problem="cannot be copied")
        return FileResult(identifier=identifier, status="failed", message=text)
    return FileResult(identifier=identifier, path=target, status="copied")


def _copy(source: Path, directory: str | Path, identifier: str) -> Path:
    """Copy a file under the name that it would have if it had been fetched."""
    target = Path(directory, safe_name(identifier) + "".join(source.suffixes[-2:]))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            shutil.copyfile(source, part)
    return target


def _scan(folder: Path) -> Table:
    paths = sorted(path for path in folder.rglob("*") if _is_listed(path, folder))
    rows = [
        {"obs_id": _strip_ending(path), "path": str(path), **_read_header(path)}
        for path in paths
    ]
    names = ("obs_id", "path", "target_name", "s_ra", "s_dec", "t_min", "t_max", "snr")
    kinds = (str, str, str, float, float, float, float, float)
    return Table(rows=rows or None, names=names, dtype=None if rows else kinds)


def _is_listed(path: Path, folder: Path) -> bool:
    """Tell whether this is a spectrum by its name, in no hidden folder below."""
    above = path.relative_to(folder).parts[:-1]
    hidden = any(part.startswith(".") for part in above)
    return is_spectrum_name(path.name) and not hidden and path.is_file()


def _read_header(path: Path) -> dict[str, Any]:
    """Facts in the primary header; a file that cannot be opened is still listed."""
    header: Any = {}
    if re.search(r"\.fi?ts?\b", path.name.lower()):
        try:
            header = fits.getheader(path)
        except Exception as error:  # Astropy raises whatever comes up
            explain(path, error)
            header = {}
    start = _to_number(header.get("MJD-OBS"))
    exposure = _to_number(header.get("EXPTIME"))
    return {
        "target_name": str(header.get("OBJECT", header.get("OBJID", ""))),
        "s_ra": _to_number(header.get("RA")),
        "s_dec": _to_number(header.get("DEC")),
        "t_min": start,
        "t_max": start + (exposure if np.isfinite(exposure) else 0.0) / 86400,
        "snr": _to_number(header.get("SNR")),
    }


def _to_number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def _strip_ending(path: Path) -> str:
    name = path.name
    for packed in (".gz", ".bz2", ".fz"):
        name = name.removesuffix(packed)
    return name.rpartition(".")[0] or path.name


def _normalise(name: object) -> str:
    return "".join(str(name).split()).casefold()


def _refill(column: Column, values: list[str]) -> Column:
    new = type(column)(values, name=column.name, description=column.description)
    new.meta = dict(column.meta)
    return new


def _read_list(path: Path) -> Table:
    """Read a table, of bounded size, that leads nowhere else; Astropy opens nothing."""
    form = _find_format(path)
    text = form.startswith("ascii")
    content = read_whole(path, text=text)
    if text:
        check_pixels(path, content.count(b"\n"))
    fault = find_fault(content) if form == "votable" else None
    if fault is not None:
        msg = f"{path}: the VOTable {fault}"
        raise ArchiveFormatError(msg)
    try:
        return Table.read(io.BytesIO(content), format=form)
    except Exception as error:  # Astropy raises whatever comes up
        raise_as(error, ArchiveFormatError, path, remedy=_REMEDY)


def _find_format(path: Path) -> str:
    start = read_start(path, 4096)
    if is_votable(start):
        return "votable"
    plain = str(path).removesuffix(".gz").removesuffix(".bz2")
    found = identify_format("read", Table, plain, io.BytesIO(start), [plain], {})
    if not found:
        msg = f"{path}: neither name nor content tell the format of the list; {_REMEDY}"
        raise ArchiveFormatError(msg)
    return found[0]
