# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The loop, part by part, with finished parts kept and not run again."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Row

from .. import __version__, _config
from ..preparation.chunks import as_velocities
from ..spectra.reading import SpectraLike, list_items
from ..spectra.sources import Numbered
from ..tables.result_table import ResultTable
from .checkpoint import Checkpoint, begin_parts, table_rows
from .loop import Chooser, Task, as_spectra
from .rows import Rows, stack_rows
from .workers import Part, run_parts

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["iter_parts", "run_in_parts"]


def run_in_parts(
    spectra: SpectraLike,
    chooser: Chooser,
    task: Task,
    folder: str | PathLike[str],
    to_table: Callable[[Rows], ResultTable],
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    **options: Any,
) -> Iterator[Rows]:
    """Send spectra through the loop, and keep the rows of each part in a folder.

    Only the rows of one part are in memory at a time.

    Parameters
    ----------
    spectra : SpectraLike
        As for `~astro_latent.spectra.iter_arrays`.
    chooser : Chooser
        What finds the model of each spectrum.
    task : Task
        What is asked of it.
    folder : path-like
        Where finished parts are kept; those that are there already are not run again.
    to_table : callable
        Makes a table of rows, with what is known of their origin.
    radial_velocity : float, array_like or Quantity, optional
        As for `push_rows`; if one each, of as many as there are files.
    **options
        As for `push_rows`; a bar shows the number of files. And ``workers``, the
        number of processes, and ``client``, that of Dask.

    Returns
    -------
    iterator of Rows
        Of each part when all are done, with the columns of all parts.
    """
    items = list_items(as_spectra(spectra))
    plan = _plan(chooser, task, radial_velocity, options)
    kept = Checkpoint(folder, items, plan)
    head: list[Rows] = []
    for table in kept.tables():
        for name in dict.fromkeys(table["model"].tolist()):
            chooser.load(str(name))
        head = [stack_rows([*head, _without_rows(table_rows(table))])]
    try:
        for rows in _run(
            items,
            kept.starts[kept.n_parts :],
            chooser,
            task,
            radial_velocity=radial_velocity,
            **options,
        ):
            kept.keep(to_table(rows))
            head = [stack_rows([*head, _without_rows(rows)])]
    finally:
        kept.close()
    return (stack_rows([*head, table_rows(table)]) for table in kept.tables())


def _without_rows(rows: Rows) -> Rows:
    """Return the columns alone, which keep nothing else in memory."""
    columns = {name: values[:0].copy() for name, values in rows.columns.items()}
    return Rows(columns, rows.labels, rows.outputs)


def iter_parts(
    spectra: SpectraLike,
    chooser: Chooser,
    task: Task,
    **options: Any,
) -> Iterator[Rows]:
    """Send spectra through the loop part by part, and keep nothing.

    Parameters
    ----------
    spectra, chooser, task
        As for `run_in_parts`.
    **options
        As for `run_in_parts`.

    Returns
    -------
    iterator of Rows
        Of each part, in order.
    """
    items = list_items(as_spectra(spectra))
    return _run(items, begin_parts(items), chooser, task, **options)


def _run(
    items: list[Any],
    starts: list[int],
    chooser: Chooser,
    task: Task,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    progress: bool | None = None,
    workers: int = 1,
    client: "Client | None" = None,
    **options: Any,
) -> Iterator[Rows]:
    """Send what is not done yet through the loop, part by part."""
    from tqdm.auto import tqdm

    show = _config.conf.show_progress if progress is None else progress
    ends, velocities = [*starts, len(items)], as_velocities(radial_velocity)
    parts = (_part(items, slice(*part), velocities) for part in pairwise(ends))
    counts = {"total": len(items), "initial": ends[0], "unit": " files"}
    with tqdm(disable=not show, **counts) as bar:
        how: dict[str, Any] = {"workers": workers, "client": client, "bar": bar}
        yield from run_parts(parts, chooser, task, **how, **options)


def _part(items: list[Any], part: slice, velocities: np.ndarray) -> Part:
    rows = [item.index if isinstance(item, Row) else None for item in items[part]]
    numbered = map(Numbered, _cut_out(items[part]), count(part.start), rows)
    return list(numbered), _share(velocities, part, len(items))


def _cut_out(items: list[Any]) -> list[Any]:
    """Take rows out of their tables, which would go to another process with them."""
    tables = {id(item.table): item.table for item in items if isinstance(item, Row)}
    found = list(items)
    for key, table in tables.items():
        mine = [
            place
            for place, item in enumerate(items)
            if isinstance(item, Row) and id(item.table) == key
        ]
        copy = table[[items[place].index for place in mine]]
        for place, row in zip(mine, copy, strict=True):
            found[place] = row
    return found


def _share(given: np.ndarray, part: slice, n_items: int) -> np.ndarray:
    """Return the velocities of a part."""
    if not given.ndim:
        return given
    if len(given) != n_items:
        msg = f"{len(given)} radial velocities for {n_items} files"
        raise ValueError(msg)
    return given[part]


def _plan(
    chooser: Chooser,
    task: Task,
    velocity: float | np.ndarray | u.Quantity | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Say what decides the numbers, so that no run goes on with others."""
    return {
        "astro_latent_version": __version__,
        "task": task.name,
        "reconstruct": task.reconstruct,
        "flux_errors": task.flux_errors,
        "model": chooser.identity(),
        "radial_velocity": _digest(as_velocities(velocity)),
        "facts": {k: str(v) for k, v in (options.get("facts") or {}).items()},
        "batch_size": options.get("batch_size"),
    }


def _digest(velocities: np.ndarray) -> list[int | str]:
    """Tell velocities apart, however many they are; all that are NaN are alike."""
    values = np.where(np.isnan(velocities), np.nan, velocities).astype("<f8")
    return [*values.shape, hashlib.sha256(values.tobytes()).hexdigest()]
