# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in, table out: latent features and stellar parameters, one row each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from ..tables.fields import Field, assemble
from ..tables.result_table import ResultTable
from .provenance import provenance
from .rows import result_rows

__all__ = ["encode_spectra", "iter_results", "predict_parameters"]

#: Model that predicts parameters, by survey.
DEFAULT_MODELS = {"apogee": "apogee_starnet_v1"}

_PIXELS_IN_FLIGHT = 2**23


def encode_spectra(
    spectra: Any,
    *,
    model: Any = "harps_dae_fast_v1",
    radial_velocity: "float | np.ndarray | u.Quantity | None" = None,
    batch_size: "int | None" = None,
    device: "str | None" = None,
    progress: "bool | None" = None,
    reconstruct: bool = True,
) -> ResultTable:
    """Compute the latent features of spectra.

    Parameters
    ----------
    spectra : object
        One spectrum, a list, a ``SpectrumList`` or ``SpectrumCollection``, paths, a
        folder or glob, or a table of observations with a column of paths.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model.
    radial_velocity : float, array_like or Quantity, optional
        Barycentric velocity of the stars, km/s, one for all or one each, for models
        that expect rest wavelengths. It wins over what the files say.
    batch_size : int, optional
        Spectra in memory at a time; by default about 100 MB of flux.
    device : str, optional
        Where the model runs; by default as configured.
    progress : bool, optional
        Show a progress bar; by default as configured.
    reconstruct : bool, optional
        Decode as well, and tell how well the spectrum is reproduced; False saves half
        of the time.

    Returns
    -------
    ResultTable
        One row per spectrum, in order. Rows of unusable spectra hold NaN and a flag.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    TypeError
        If the model is not an encoder, or the input nothing that holds spectra.

    Examples
    --------
    >>> from astro_latent.pipeline import encode_spectra
    >>> table = encode_spectra("spectra/*.fits")  # doctest: +SKIP
    >>> table["obs_id", "latent", "flags"]  # doctest: +SKIP
    """
    loaded = _load(model, device)
    return _gather(
        spectra,
        loaded,
        "encode",
        radial_velocity=radial_velocity,
        batch_size=batch_size,
        progress=progress,
        reconstruct=reconstruct,
    )


def predict_parameters(
    spectra: Any,
    *,
    model: Any = None,
    radial_velocity: "float | np.ndarray | u.Quantity | None" = None,
    batch_size: "int | None" = None,
    device: "str | None" = None,
    progress: "bool | None" = None,
) -> ResultTable:
    """Predict stellar parameters, with errors.

    Parameters
    ----------
    spectra : object
        As for `encode_spectra`.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model; by default the one for the
        survey that the first readable spectrum comes from.
    radial_velocity, batch_size, device, progress
        As for `encode_spectra`.

    Returns
    -------
    ResultTable
        One row per spectrum, in order: each label with its total error, the part from
        the flux and the part from the model, their covariance, and a domain score.
        Rows of unusable spectra hold NaN and a flag.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    ValueError
        If no model is given and none belongs to the survey.
    TypeError
        If the model predicts no labels, or the input nothing that holds spectra.

    Examples
    --------
    >>> from astro_latent.pipeline import predict_parameters
    >>> table = predict_parameters("apogee/*.fits")  # doctest: +SKIP
    >>> table["obs_id", "teff", "teff_error", "flags"]  # doctest: +SKIP
    """
    if isinstance(spectra, Iterator):
        spectra = list(spectra)
    loaded = _load(model if model is not None else _survey_model(spectra), device)
    return _gather(
        spectra,
        loaded,
        "predict",
        radial_velocity=radial_velocity,
        batch_size=batch_size,
        progress=progress,
    )


def iter_results(
    spectra: Any,
    *,
    model: Any,
    task: str,
    radial_velocity: "float | np.ndarray | u.Quantity | None" = None,
    batch_size: "int | None" = None,
    device: "str | None" = None,
    progress: "bool | None" = None,
    reconstruct: bool = True,
) -> "Iterator[ResultTable]":
    """Yield results in pieces, for more spectra than a table in memory should hold.

    Parameters
    ----------
    spectra : object
        As for `encode_spectra`.
    model : str, path-like or SpectralModel
        Name or folder of weights, or a loaded model.
    task : {"encode", "predict"}
        What to do.
    radial_velocity, batch_size, device, progress, reconstruct
        As for `encode_spectra`.

    Yields
    ------
    ResultTable
        Up to ``batch_size`` rows, in order; feed them to a `TableWriter`.

    Raises
    ------
    TypeError
        If the model cannot do the task.
    """
    loaded = _load(model, device)
    for fields, arrays in _chunks(
        spectra,
        loaded,
        task,
        radial_velocity=radial_velocity,
        batch_size=batch_size,
        progress=progress,
        reconstruct=reconstruct,
    ):
        yield assemble(fields, arrays, _meta(loaded, spectra, task), kind=ResultTable)


def _load(model: Any, device: "str | None") -> Any:
    if isinstance(model, str | Path):
        from ..models import load_model

        return load_model(model, device=device)
    if device is not None:
        msg = f"the model is loaded already; device={device!r} goes to load_model"
        raise ValueError(msg)
    return model


def _survey_model(spectra: Any) -> str:
    """Name of the model for the survey of the first spectrum that can be read."""
    from ..spectra import iter_arrays

    unread, survey = "there are none", None
    for arrays in iter_arrays(spectra):
        if len(arrays.wavelength):
            survey = arrays.observation.survey.lower()
            break
        unread = arrays.observation.message or "an empty spectrum"
    for name, model in DEFAULT_MODELS.items():
        if survey is not None and survey.startswith(name):
            return model
    why = f"no model belongs to survey {survey!r}"
    if survey is None:
        why = f"no spectrum can be read that would tell the model ({unread})"
    known = ", ".join(sorted(set(DEFAULT_MODELS.values())))
    msg = f"{why}; pass model= (-m), such as {known}"
    raise ValueError(msg)


def _chunks(
    spectra: Any,
    model: Any,
    task: str,
    *,
    radial_velocity: Any,
    batch_size: "int | None",
    progress: "bool | None",
    reconstruct: bool = True,
) -> "Iterator[tuple[list[Field], list[np.ndarray]]]":
    from ..preparation.prepare import iter_prepared

    if task not in model.capabilities:
        msg = f"model {model.name!r} can {', '.join(model.capabilities)}, not {task}"
        raise TypeError(msg)
    size = batch_size or min(1024, max(8, _PIXELS_IN_FLIGHT // model.grid.n_pixels))
    for prepared in iter_prepared(
        spectra,
        model.grid,
        model.recipe,
        chunk_size=size,
        radial_velocity=radial_velocity,
        progress=progress,
    ):
        yield result_rows(model, prepared, task, reconstruct=reconstruct)


def _gather(spectra: Any, model: Any, task: str, **options: Any) -> ResultTable:
    chunks = list(_chunks(spectra, model, task, **options))
    if not chunks:
        from ..preparation.prepare import prepare_spectra

        nothing = prepare_spectra([], model.grid, model.recipe)
        chunks = [result_rows(model, nothing, task, reconstruct=False)]
    fields = chunks[0][0]
    arrays = [
        np.concatenate(parts) for parts in zip(*(a for _, a in chunks), strict=True)
    ]
    return assemble(fields, arrays, _meta(model, spectra, task), kind=ResultTable)


def _meta(model: Any, spectra: Any, task: str) -> dict[str, Any]:
    meta = provenance(model, spectra)
    if task == "predict":
        meta["labels"] = [output.name for output in model.outputs]
        meta["description"] = f"Stellar parameters by {model.name}"
    else:
        meta["description"] = f"Latent features by {model.name}"
    return meta
