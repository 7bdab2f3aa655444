# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The loop: read, choose a model, prepare, run, lay out rows, hand them on."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy import units as u
from astropy.table import Row, Table

from ..preparation.chunks import iter_chunks, prepare_chunk
from ..preparation.resample import Resampler
from ..spectra.formats import identify_format, read_file
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike, find_path_column
from ..spectra.sources import is_table_like
from ..spectra.tablefile import TableFile, as_table
from ..utils.files import PATH_COLUMNS
from ..utils.guard import is_file
from .rows import Rows, label_rows, latent_rows, observed_rows, stack_rows

if TYPE_CHECKING:
    from ..models import SpectralModel

__all__ = [
    "Choice",
    "Chooser",
    "MemorySink",
    "OneModel",
    "Sink",
    "Task",
    "as_spectra",
    "iter_rows",
    "push_rows",
    "to_table",
]


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


@dataclass(frozen=True)
class Choice:
    """Which model a spectrum goes to, and why.

    Parameters
    ----------
    model : SpectralModel or None
        None if there is none.
    flag : int
        ``NO_MODEL``, ``MODEL_BY_COVERAGE`` or none.
    message : str
        For a person.
    """

    model: "SpectralModel | None"
    flag: int = 0
    message: str = ""


class Chooser(Protocol):
    """Whatever finds the model of each spectrum."""

    default: "SpectralModel | None"

    @property
    def used(self) -> list["SpectralModel"]:
        """The models that spectra were given to."""
        ...

    def load(self, name: str) -> None:
        """Load a model that rows of an earlier run are from."""
        ...

    def choose(self, arrays: SpectrumArrays) -> Choice:
        """Find the model of a spectrum."""
        ...

    def again(self) -> tuple[Path | None, str | None]:
        """Return folder of the weights, if they are chosen, and device."""
        ...

    def identity(self) -> str:
        """Tell it from those that could give a spectrum to another model."""
        ...


class OneModel:
    """The answer of those who named their model: that one for every spectrum."""

    def __init__(self, model: "SpectralModel") -> None:
        self.default: SpectralModel | None = model
        self.used: list[SpectralModel] = [model]

    def load(self, name: str) -> None:
        """Do nothing: the model is there."""

    def choose(self, arrays: SpectrumArrays) -> Choice:
        """Return the model that was named."""
        return Choice(self.default)

    def again(self) -> tuple[Path | None, str | None]:
        """Return folder of the weights and device, to load them again."""
        (model,) = self.used
        if model.config.source is None:
            msg = (
                f"{model.name!r} is in no folder from which processes could load it: "
                "save_weights makes one; or take one worker"
            )
            raise ValueError(msg)
        return model.config.source.parent, str(model.device)

    def identity(self) -> str:
        """Return name and hash of the model."""
        (model,) = self.used
        return f"{model.name} {model.sha256}"


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


def as_spectra(source: Any) -> SpectraLike:
    """Turn what other packages return into what spectra are read from.

    Parameters
    ----------
    source : object
        Results of pyvo, frames of pandas or polars, mappings of columns, tables of
        astroquery; what `~astro_latent.spectra.iter_arrays` takes is returned as it is.

    Returns
    -------
    SpectraLike
        Spectra, or a table with a column of paths. Rows that name no file here are
        fetched: by ``access_url``, or by what their survey calls its spectra.

    Raises
    ------
    ValueError
        If a table says nowhere where its spectra are; the message lists its columns
        and those that are needed.
    """
    table = to_table(source)
    if table is None:
        return source
    if _names_files(table):
        return table
    spectrum = TableFile("", table)
    if identify_format(spectrum) is not None:
        return list(read_file(spectrum, None, {}))
    from ..surveys import fetch

    try:
        return fetch(table)
    except ValueError:  # nobody has them: files they are, and missing
        if find_path_column(table.colnames) is None:
            raise
        return table


def _names_files(table: Table) -> bool:
    """Tell whether a table names files here: archives, too, call columns ``file``."""
    name = find_path_column(table.colnames)
    if name is None or name in PATH_COLUMNS[:2]:
        return name is not None
    return any(is_file(str(value)) for value in table[name])


def to_table(source: Any) -> Table | None:
    """Return whatever is a table in its own package as one of Astropy's.

    Parameters
    ----------
    source : object
        Anything.

    Returns
    -------
    `~astropy.table.Table` or None
        None if it is no table.
    """
    if isinstance(source, str | PathLike):
        return None
    if isinstance(source, Row):
        return Table(source)
    if _is(source, "pyvo.dal", "DALResults"):
        return source.to_table()
    if _is(source, "polars", "DataFrame"):
        return Table(source.to_dict(as_series=False))
    if isinstance(source, Mapping) and is_table_like(source):
        return Table(dict(source))
    return as_table(source)


def _is(value: Any, module: str, name: str) -> bool:
    """Tell whether this is an object of a package, without importing the package."""
    here = sys.modules.get(module)
    return here is not None and isinstance(value, getattr(here, name, ()))


def push_rows(
    spectra: SpectraLike,
    chooser: Chooser,
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
    chooser : Chooser
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
    chooser: Chooser,
    task: Task,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> Iterator[Rows]:
    """Yield rows chunk by chunk, in order; see `push_rows`."""
    whole = isinstance(batch_size, int | np.integer)
    if batch_size is not None and not (whole and batch_size > 0):
        msg = f"batch_size must be 1 or more, not {batch_size!r}"
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
    chooser: Chooser,
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
