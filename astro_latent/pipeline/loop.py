# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The loop: read, choose a model, prepare, run, lay out rows, hand them on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy import units as u

from ..preparation.prepare import iter_chunks, prepare_chunk
from ..preparation.resample import Resampler
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike
from .choose import Choice, ModelChooser, OneModel
from .inputs import as_spectra
from .rows import Rows, label_rows, latent_rows, observed_rows, stack_rows

if TYPE_CHECKING:
    from ..models import SpectralModel

__all__ = ["MemorySink", "Sink", "Task", "iter_rows", "push_rows"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked of the models.

    Parameters
    ----------
    name : {"encode", "predict"}
        The verb.
    reconstruct : bool, optional
        Whether encoders decode as well.
    flux_errors : bool, optional
        Whether labels have errors from those of the flux.
    """

    name: str
    reconstruct: bool = True
    flux_errors: bool = True


class Sink(Protocol):
    """Whatever takes rows as they come: a table in memory, a file."""

    def write(self, rows: Rows) -> None:
        """Take the next rows."""
        ...


class MemorySink:
    """Keeps rows, for a table in memory."""

    def __init__(self) -> None:
        self._parts: list[Rows] = []

    def write(self, rows: Rows) -> None:
        """Keep the next rows."""
        self._parts.append(rows)

    def rows(self) -> Rows:
        """Return all rows."""
        return stack_rows(self._parts)


def push_rows(
    spectra: SpectraLike,
    chooser: OneModel | ModelChooser,
    task: Task,
    sink: Sink,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> None:
    """Send spectra all the way from their source to a sink.

    Parameters
    ----------
    spectra : SpectraLike
        As for `~astro_latent.spectra.iter_arrays`.
    chooser : OneModel or ModelChooser
        What finds the model of each spectrum.
    task : Task
        What is asked of it.
    sink : Sink
        Where the rows go; also if there are no spectra, it is given no rows once.
    radial_velocity : float, array_like or Quantity, optional
        Barycentric velocities of the caller, km/s, one for all or one each.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey`` of the spectra, where
        they do not say it themselves.
    batch_size : int, optional
        Spectra in memory at a time.
    progress : bool, optional
        Show a bar.
    """
    for rows in iter_rows(
        spectra,
        chooser,
        task,
        radial_velocity=radial_velocity,
        facts=facts,
        batch_size=batch_size,
        progress=progress,
    ):
        sink.write(rows)


def iter_rows(
    spectra: SpectraLike,
    chooser: OneModel | ModelChooser,
    task: Task,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> Iterator[Rows]:
    """Yield rows chunk by chunk, in order; see `push_rows`."""
    if batch_size is not None and batch_size < 1:
        msg = f"batch_size must be 1 or more, not {batch_size}"
        raise ValueError(msg)
    resamplers: dict[str, list[Resampler]] = {}
    count = 0
    for chunk, velocities in iter_chunks(
        as_spectra(spectra),
        batch_size,
        radial_velocity=radial_velocity,
        facts=facts,
        progress=progress,
    ):
        count += len(chunk)
        yield _run_chunk(chunk, chooser, task, velocities, resamplers)
    if not count:
        yield _run_chunk([], chooser, task, np.zeros(0), resamplers)


def _run_chunk(
    chunk: list[SpectrumArrays],
    chooser: OneModel | ModelChooser,
    task: Task,
    velocities: np.ndarray,
    resamplers: dict[str, list[Resampler]],
) -> Rows:
    """Run each model on its spectra of a chunk, and put the rows in order again."""
    choices = [chooser.choose(arrays) for arrays in chunk]
    groups: dict[SpectralModel | None, list[int]] = {}
    for row, choice in enumerate(choices):
        groups.setdefault(choice.model, []).append(row)
    if not groups:
        groups = {chooser.default: []}
    parts, order = [], []
    for model, at in groups.items():
        mine = [_noted(chunk[row], choices[row]) for row in at]
        order += at
        if model is None:
            parts.append(observed_rows([arrays.observation for arrays in mine]))
            continue
        kept = resamplers.setdefault(model.name, [])
        prepared = prepare_chunk(mine, model.grid, model.recipe, velocities[at], kept)
        if task.name == "predict":
            labels = model.predict(prepared, flux_errors=task.flux_errors)
            parts.append(label_rows(model, prepared, labels))
        elif task.reconstruct and "reconstruct" in model.capabilities:
            found = model.reconstruct(prepared, keep_flux=False)
            parts.append(latent_rows(model, prepared, found.latents, found))
        else:
            parts.append(latent_rows(model, prepared, model.encode(prepared)))
    rows = stack_rows(parts)
    if len(parts) > 1:
        back = np.argsort(order)
        rows.columns = {name: values[back] for name, values in rows.columns.items()}
    return rows


def _noted(arrays: SpectrumArrays, choice: Choice) -> SpectrumArrays:
    """Write what came of the choice into the observation."""
    if not choice.flag:
        return arrays
    observation = arrays.observation.flagged(choice.flag, choice.message)
    return replace(arrays, observation=observation)
