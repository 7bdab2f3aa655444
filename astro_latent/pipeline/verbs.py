# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verbs: rows of an archive to spectra, spectra to tables, one row each."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..models import ModelLike
from ..spectra.reading import SpectraLike
from ..tables.fields import assemble
from ..tables.result_table import ResultTable
from .choose import ModelChooser
from .long_run import iter_parts, run_in_parts
from .loop import Chooser, MemorySink, OneModel, Task, iter_rows, push_rows
from .rows import Rows, describe_rows, provenance, stack_rows

if TYPE_CHECKING:
    from distributed import Client
    from specutils import SpectrumList

    from ..archives import Survey

__all__ = [
    "as_chooser",
    "encode_spectra",
    "fetch_spectra",
    "iter_results",
    "predict_parameters",
]


def fetch_spectra(
    table: Table,
    *,
    directory: str | Path | None = None,
    survey: "str | Survey | None" = None,
    progress: bool | None = None,
    **options: Any,
) -> "SpectrumList":
    """Fetch the files of a table and read them.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that queries returned.
    directory : path-like, optional
        Where to keep the files; by default in Astropy's cache.
    survey : str or Survey, optional
        By default the column ``survey`` says it, row by row.
    progress : bool, optional
        Show a progress bar; by default ``conf.show_progress``.
    **options
        As for `~astro_latent.spectra.read_spectra`, such as ``format=``.

    Returns
    -------
    `~specutils.SpectrumList`
        One spectrum per row (more where a file holds several), in the same order and
        with the same ``obs_id``; a file that could not be had or read is an empty
        spectrum whose observation is flagged.

    Examples
    --------
    >>> from astro_latent.surveys import get_survey
    >>> from astro_latent.pipeline import fetch_spectra
    >>> spectra = fetch_spectra(get_survey("sample").table()[:2])
    >>> [spectrum.meta["observation"].survey for spectrum in spectra]
    ['apogee', 'apogee']
    """
    from ..spectra.loaders import read_spectra
    from ..spectra.sources import NO_FILE
    from ..surveys import fetch

    fetched = fetch(table, directory, survey=survey, progress=progress)
    spectra = read_spectra(fetched, progress=progress, **options)
    lost = iter([row for row in fetched if row["path"] == ""])
    for spectrum in spectra:  # of which a file may hold several
        observation = spectrum.meta["observation"]
        if NO_FILE in observation.message:
            row = next(lost)
            spectrum.meta["observation"] = observation.flagged(
                int(row["flags"]), str(row["message"])
            )
    return spectra


def encode_spectra(
    spectra: SpectraLike,
    *,
    model: ModelLike | None = None,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    reconstruct: bool = True,
    checkpoint: str | Path | None = None,
    workers: int = 1,
    client: "Client | None" = None,
) -> ResultTable:
    """Compute the latent features of spectra.

    Parameters
    ----------
    spectra : object
        One spectrum, a list, a ``SpectrumList`` or ``SpectrumCollection``, paths, a
        folder or glob, or a table of observations with a column of paths.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model. By default a model is found for
        each spectrum: by its survey, or where that is unknown by what it covers.
    radial_velocity : float, array_like or Quantity, optional
        Barycentric velocity of the stars, km/s, one for all or one each, for models
        that expect rest wavelengths. It wins over what the files say.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey`` of the spectra, where
        they do not say it themselves; ``wavelength_unit`` and ``column_mapping`` for
        readers.
    batch_size : int, optional
        Spectra in memory at a time; by default about 100 MB of flux.
    device : str, optional
        Where the model runs; by default as configured.
    progress : bool, optional
        Show a progress bar; by default as configured.
    reconstruct : bool, optional
        Decode as well, and tell how well the spectrum is reproduced; False saves half
        of the time.
    checkpoint : path-like, optional
        Folder in which finished rows are kept as they come, as VOTables of 64 to
        256 files each. If the run is stopped, the same call goes on behind them.
    workers : int, optional
        Processes that share the spectra, 64 to 256 files at a time, each with a model
        of its own. Rows are in order and numbers those of a run with a checkpoint. A
        script needs ``if __name__ == "__main__":`` around the call.
        Formats, surveys and architectures of your own they know by entry points only.
    client : distributed.Client, optional
        Of Dask: its workers share the spectra instead, as processes do, and what a lost
        one was at, another does. Each must see the files by the same paths.

    Returns
    -------
    ResultTable
        One row per spectrum, in order. Rows of unusable spectra hold NaN and a flag;
        so do those that no model suits, and their message names the nearest.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    TypeError
        If the model is not an encoder, or the input nothing that holds spectra.
    ValueError
        If the checkpoint is of other spectra or options.

    Examples
    --------
    >>> from astro_latent.pipeline import encode_spectra
    >>> table = encode_spectra("spectra/*.fits")  # doctest: +SKIP
    >>> table["obs_id", "latent", "flags"]  # doctest: +SKIP
    """
    return _gather(
        spectra,
        model,
        Task(name="encode", reconstruct=reconstruct),
        device,
        checkpoint,
        workers=workers,
        client=client,
        radial_velocity=radial_velocity,
        facts=facts,
        batch_size=batch_size,
        progress=progress,
    )


def predict_parameters(
    spectra: SpectraLike,
    *,
    model: ModelLike | None = None,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    flux_errors: bool = True,
    checkpoint: str | Path | None = None,
    workers: int = 1,
    client: "Client | None" = None,
) -> ResultTable:
    """Predict stellar parameters, with errors.

    Parameters
    ----------
    spectra : object
        As for `encode_spectra`.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model. By default a model is found for
        each spectrum: by its survey, or where that is unknown by what it covers.
    radial_velocity, facts, batch_size, device, progress, checkpoint, workers, client
        As for `encode_spectra`.
    flux_errors : bool, optional
        Propagate the errors of the flux, which takes most of the time of a network.
        Without, labels are the same, their parts from flux and model are NaN, and the
        total is what the model predicts: it is not raised where the errors of a
        spectrum give more, and correlations are not known, by which it may be a few per
        cent larger where giants are moved. It is NaN if the model predicts no errors.

    Returns
    -------
    ResultTable
        One row per spectrum, in order: each label with its total error, the part from
        the flux and the part from the model, their covariance, a domain score and the
        name of the model. A label is NaN where the model of the row does not give it.
        Rows of unusable spectra hold NaN and a flag, and so do those that no model
        suits.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    TypeError
        If the model predicts no labels, or the input nothing that holds spectra.
    ValueError
        If the checkpoint is of other spectra or options.

    Examples
    --------
    >>> from astro_latent.pipeline import predict_parameters
    >>> table = predict_parameters("apogee/*.fits")  # doctest: +SKIP
    >>> table["obs_id", "teff", "teff_error", "flags"]  # doctest: +SKIP
    """
    return _gather(
        spectra,
        model,
        Task(name="predict", flux_errors=flux_errors),
        device,
        checkpoint,
        workers=workers,
        client=client,
        radial_velocity=radial_velocity,
        facts=facts,
        batch_size=batch_size,
        progress=progress,
    )


def iter_results(
    spectra: SpectraLike,
    *,
    task: str,
    model: ModelLike | None = None,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    reconstruct: bool = True,
    flux_errors: bool = True,
    checkpoint: str | Path | None = None,
    workers: int = 1,
    client: "Client | None" = None,
) -> Iterator[ResultTable]:
    """Yield results in pieces, for more spectra than a table in memory should hold.

    Parameters
    ----------
    spectra : object
        As for `encode_spectra`.
    task : {"encode", "predict"}
        What to do.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model. It may be left out where there
        is a checkpoint: only after the last spectrum is it known which columns the
        models of all have together.
    radial_velocity, facts, batch_size, device, progress, reconstruct
        As for `encode_spectra`.
    flux_errors : bool, optional
        As for `predict_parameters`.
    checkpoint : path-like, optional
        Folder in which finished rows are kept, as for `encode_spectra`. The first
        table comes when the last spectrum is done; no more than the rows of 256 files
        are in memory at a time.
    workers, client
        As for `encode_spectra`.

    Yields
    ------
    ResultTable
        Up to ``batch_size`` rows, or those of 256 files, in order; feed them to a
        `TableWriter`.

    Raises
    ------
    TypeError
        If the model cannot do the task, or there is neither model nor checkpoint.
    """
    if model is None and checkpoint is None:
        msg = "iter_results needs model=, or checkpoint= to find out the columns of all"
        raise TypeError(msg)
    chooser = as_chooser(model, task, device)
    what = Task(name=task, reconstruct=reconstruct, flux_errors=flux_errors)
    options: dict[str, Any] = {
        "radial_velocity": radial_velocity,
        "facts": facts,
        "batch_size": batch_size,
        "progress": progress,
    }

    def to_table(rows: Rows) -> ResultTable:
        return _table(rows, chooser, task, spectra)

    shared = options | {"workers": workers, "client": client}
    if checkpoint is not None:
        pieces = run_in_parts(spectra, chooser, what, checkpoint, to_table, **shared)
    elif workers != 1 or client is not None:
        pieces = iter_parts(spectra, chooser, what, **shared)
    else:
        pieces = iter_rows(spectra, chooser, what, **options)
    yield from map(to_table, pieces)


def as_chooser(model: ModelLike | None, task: str, device: str | None) -> Chooser:
    """Turn the argument ``model`` of a verb into what chooses.

    Parameters
    ----------
    model : str, path-like, SpectralModel or None
        None finds a model for each spectrum.
    task : {"encode", "predict"}
        What it has to do.
    device : str, optional
        Where it runs.

    Returns
    -------
    Chooser
        What finds the model of each spectrum.

    Raises
    ------
    TypeError
        If the model cannot do the task.
    ValueError
        If a device is given for a model that is loaded already.
    """
    if model is None:
        return ModelChooser(task, device)
    if isinstance(model, str | os.PathLike) or not hasattr(model, "capabilities"):
        from ..models import load_model

        model = load_model(cast("str", model), device=device)
    elif device is not None:
        msg = f"the model is loaded already; device={device!r} goes to load_model"
        raise ValueError(msg)
    if task not in model.capabilities:
        msg = f"model {model.name!r} can {', '.join(model.capabilities)}, not {task}"
        raise TypeError(msg)
    return OneModel(model)


def _gather(
    spectra: SpectraLike,
    model: ModelLike | None,
    task: Task,
    device: str | None,
    checkpoint: str | Path | None,
    **options: Any,
) -> ResultTable:
    """Send spectra through the loop into a table in memory."""
    chooser, sink = as_chooser(model, task.name, device), MemorySink()

    def to_table(rows: Rows) -> ResultTable:
        return _table(rows, chooser, task.name, spectra)

    if checkpoint is not None:
        parts = run_in_parts(spectra, chooser, task, checkpoint, to_table, **options)
        return to_table(stack_rows(list(parts)))
    if options["workers"] != 1 or options["client"] is not None:
        parts = iter_parts(spectra, chooser, task, **options)
        return to_table(stack_rows(list(parts)))
    del options["workers"], options["client"]
    push_rows(spectra, chooser, task, sink, **options)
    return to_table(sink.rows())


def _table(
    rows: Rows, chooser: Chooser, task: str, spectra: SpectraLike
) -> ResultTable:
    """Make a table of rows, with all that is known of their origin."""
    fields, arrays = describe_rows(rows)
    meta = provenance(chooser.used, spectra)
    if task == "predict":
        meta["labels"] = list(rows.labels)
    what = {"predict": "Stellar parameters", "encode": "Latent features"}[task]
    meta["description"] = f"{what} by {meta['model'] or 'no model'}"
    return assemble(fields, arrays, meta, kind=ResultTable)
