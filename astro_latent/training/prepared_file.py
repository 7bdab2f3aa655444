# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Prepared spectra in one memory-mapped file, made once and found again."""

import errno
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ..preparation import Recipe, SpectralGrid
from ..preparation.chunks import iter_chunks, prepare_chunk
from ..preparation.prepared import PreparedSpectra
from ..preparation.resample import Resampler
from ..spectra.observation import Observation, SpectrumArrays
from ..utils.writing import commit, replacing
from .gather import Gathered

__all__ = ["PreparedFile", "Records", "prepare_file"]

_CHUNK = 256
_TEXT = ("obs_id", "target_name", "message")
_NUMBERS = ("ra", "dec", "snr")


def record_type(n_pixels: int) -> np.dtype:
    """Return the layout of one spectrum in the file.

    Records are as long as whole numbers are: PyTorch takes no view of numbers whose
    neighbours are not a multiple of their size apart.
    """
    fields = [("flux", "f4", n_pixels), ("variance", "f4", n_pixels)]
    return np.dtype([*fields, ("valid", "?", n_pixels)], align=True)


class Records:
    """Records of a file, mapped into memory; another process maps them again.

    Parameters
    ----------
    path : Path
        The file.
    n_pixels : int
        Length of a spectrum.
    """

    def __init__(self, path: Path, n_pixels: int) -> None:
        self.path, self.n_pixels = path, n_pixels

    @cached_property
    def _map(self) -> np.ndarray:
        layout = record_type(self.n_pixels)
        if not self.path.stat().st_size:  # such a file cannot be mapped
            return np.empty(0, layout)
        return np.memmap(self.path, layout, "r")

    def __len__(self) -> int:
        return len(self._map)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._map[rows]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "n_pixels": self.n_pixels}


@dataclass(frozen=True, kw_only=True)
class PreparedFile:
    """Prepared spectra on disk: only those that are asked for come into memory.

    Parameters
    ----------
    records : Records
        With the fields flux, variance and valid.
    rows : `~astropy.table.Table`
        What is known of each spectrum: obs_id, position, snr, flags, message.
    grid, recipe : SpectralGrid, Recipe
        How they were prepared.
    path : Path
        The file.
    """

    records: Records
    rows: Table
    grid: SpectralGrid
    recipe: Recipe
    path: Path

    def __len__(self) -> int:
        return len(self.records)

    def prepared(self, rows: np.ndarray) -> PreparedSpectra:
        """Return some of the spectra as a model takes them.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        PreparedSpectra
            In that order.
        """
        records, about = self.records[rows], self.rows[rows]
        # copies: one row of a record counts as contiguous, with strides torch refuses
        return PreparedSpectra(
            flux=records["flux"].copy(),
            variance=records["variance"].copy(),
            valid=records["valid"].copy(),
            scale=np.ones((len(rows), len(self.grid.segments))),
            radial_velocity=np.asarray(about["radial_velocity"], dtype=float),
            radial_velocity_source=["none"] * len(rows),
            flags=np.asarray(about["flags"], dtype=np.int64),
            observations=[
                Observation(obs_id=str(row["obs_id"]), snr=float(row["snr"]))
                for row in about
            ],
            grid=self.grid,
            recipe=self.recipe,
        )


def prepare_file(
    gathered: Gathered,
    grid: SpectralGrid,
    recipe: Recipe,
    folder: Path,
    *,
    radial_velocity: np.ndarray | None = None,
    progress: bool | None = None,
) -> PreparedFile:
    """Prepare spectra into a file, or find the file of an earlier call.

    Parameters
    ----------
    gathered : Gathered
        The spectra; read once, if at all.
    grid, recipe : SpectralGrid, Recipe
        Where they go and how.
    folder : Path
        Where the file is kept.
    radial_velocity : ndarray, optional
        Of the stars, km/s, one for all or one each.
    progress : bool, optional
        Show a bar.

    Returns
    -------
    PreparedFile
        The spectra.

    Raises
    ------
    OSError
        If the disk is full; the message says how much is needed.
    """
    velocities = None if radial_velocity is None else radial_velocity.tolist()
    layout = record_type(grid.n_pixels).itemsize
    facts = [gathered.key, grid.to_dict(), recipe.to_dict(), velocities, layout]
    text = json.dumps(facts, sort_keys=True, default=str)
    name = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    path = folder / f"prepared-{name}.bin"
    about = path.with_suffix(".npz")
    if not (path.is_file() and about.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        _check_space(folder, gathered.count, grid.n_pixels)
        chunks = iter_chunks(
            gathered.source,
            _CHUNK,
            radial_velocity=radial_velocity,
            facts=gathered.facts,
            progress=progress,
        )
        _write(_prepare(chunks, grid, recipe), grid.n_pixels, path, about)
    with np.load(about, allow_pickle=False) as file:
        rows = Table({field: file[field] for field in file.files})
    records = Records(path, grid.n_pixels)
    return PreparedFile(records=records, rows=rows, grid=grid, recipe=recipe, path=path)


def _check_space(folder: Path, count: int | None, n_pixels: int) -> None:
    needed = (count or 0) * record_type(n_pixels).itemsize
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = (
            f"{count} prepared spectra need {needed / 1e6:.0f} MB and {folder} has "
            f"{free / 1e6:.0f} MB left; give another folder as work"
        )
        raise OSError(errno.ENOSPC, msg)


def _prepare(
    chunks: Iterable[tuple[list[SpectrumArrays], np.ndarray]],
    grid: SpectralGrid,
    recipe: Recipe,
) -> Iterator[PreparedSpectra]:
    resamplers: list[Resampler] = []
    for chunk, velocities in chunks:
        yield prepare_chunk(chunk, grid, recipe, velocities, resamplers)


def _write(
    parts: Iterable[PreparedSpectra], n_pixels: int, path: Path, about: Path
) -> None:
    """Write all spectra, or nothing."""
    part = path.with_suffix(".part")
    columns: list[dict[str, np.ndarray]] = []
    try:
        with part.open("wb") as file:
            for prepared in parts:
                records = np.zeros(len(prepared), record_type(n_pixels))
                for name in ("flux", "variance", "valid"):
                    records[name] = getattr(prepared, name)
                file.write(records.tobytes())
                columns.append(_describe(prepared))
        names = columns[0] if columns else {}
        joined = {n: np.concatenate([found[n] for found in columns]) for n in names}
        with replacing(about) as unfinished:
            np.savez(unfinished, allow_pickle=False, **joined)
        commit(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            msg = f"{path.parent} is full; give another folder as work"
            raise OSError(errno.ENOSPC, msg) from error
        raise


def _describe(prepared: PreparedSpectra) -> dict[str, np.ndarray]:
    """Return what is kept of each spectrum beside its pixels."""
    seen = prepared.observations
    columns = {n: np.array([getattr(o, n) for o in seen], dtype="U") for n in _TEXT}
    columns |= {
        n: np.array([getattr(o, n) for o in seen], dtype=float) for n in _NUMBERS
    }
    return columns | {
        "flags": prepared.flags,
        "radial_velocity": prepared.radial_velocity,
    }
