# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Chunks of spectra: read, and brought to a grid by a recipe, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from astropy import units as u

from .._config import conf
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike, count_items, iter_arrays
from ..utils.quality import QualityFlag
from .careful import run_carefully
from .grid import SpectralGrid
from .prepared import Batch, PreparedSpectra, Row, check_errors
from .recipe import Recipe
from .resample import Resampler

__all__ = ["as_velocities", "iter_chunks", "prepare_chunk", "run_recipe"]

_BLOCK = 4_000_000  # pixels in double precision at a time: about 150 MB
#: Spectra in memory at a time: so many, or so many pixels (about 100 MB of them).
_ROWS_IN_FLIGHT, _PIXELS_IN_FLIGHT = 1024, 2**23
#: What the caller may say of spectra that do not say it themselves.
_FACTS = ("medium", "frame", "resolving_power", "survey")
#: What readers have to be told where files do not say it.
_TOLD = ("wavelength_unit", "column_mapping")


def iter_chunks(
    source: SpectraLike,
    size: int | None = None,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    on_error: str = "flag",
    progress: bool | None = None,
) -> Iterator[tuple[list[SpectrumArrays], np.ndarray]]:
    """Read spectra chunk by chunk, each with the velocities that the caller gave.

    Parameters
    ----------
    source, radial_velocity, on_error, progress
        As for `iter_prepared`.
    size : int, optional
        Spectra in a chunk; by default as many as make up about 100 MB.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey`` of the spectra, where
        they do not say it themselves.

    Yields
    ------
    list of SpectrumArrays, ndarray of shape (n_spectra,)
        Spectra, and velocities in km/s, NaN where none is given.
    """
    if facts is not None and not isinstance(facts, Mapping):
        msg = f"facts must be a mapping such as {{'frame': 'rest'}}, not {facts!r}"
        raise TypeError(msg)
    stated = dict(facts or {})
    unknown = stated.keys() - {*_FACTS, *_TOLD}
    if unknown:
        can = ", ".join(_FACTS + _TOLD)
        msg = f"facts {sorted(unknown)} cannot be stated; {can} can"
        raise ValueError(msg)
    told = {name: stated.pop(name) for name in _TOLD if name in stated}
    given, count = as_velocities(radial_velocity), 0
    for chunk in _chunks(source, size, on_error, progress, told):
        if stated:
            chunk = [_state(arrays, stated) for arrays in chunk]
        first, count = count, count + len(chunk)
        if given.ndim and count > len(given):
            msg = f"{len(given)} radial velocities for more spectra than that"
            raise ValueError(msg)
        yield chunk, given[first:count] if given.ndim else np.full(len(chunk), given)
    if given.ndim and count != len(given):
        msg = f"{len(given)} radial velocities for {count} spectra"
        raise ValueError(msg)


def as_velocities(given: float | np.ndarray | u.Quantity | None) -> np.ndarray:
    """Bring the velocities of a caller to one form.

    Parameters
    ----------
    given : float, array_like, Quantity or None
        Velocities, km/s if they have no unit; None and masked ones are not known.

    Returns
    -------
    ndarray, shape () or (n_spectra,)
        In km/s, NaN where not known.

    Raises
    ------
    ValueError
        If they have more than one dimension.
    TypeError
        If they are no numbers.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astro_latent.preparation.chunks import as_velocities
    >>> as_velocities([1500, -200] * u.m / u.s).tolist()
    [1.5, -0.2]
    """
    if isinstance(given, u.Quantity):
        given = given.to_value(u.km / u.s)
    values = np.nan if given is None else np.ma.filled(given, np.nan)
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        msg = f"radial_velocity must be km/s, for all spectra or each, not {given!r}"
        raise TypeError(msg) from None
    if values.ndim > 1:
        msg = f"radial_velocity has shape {values.shape}; one each is needed"
        raise ValueError(msg)
    return values


def _chunks(
    source: SpectraLike,
    size: int | None,
    on_error: str,
    progress: bool | None,
    told: Mapping[str, Any],
) -> Iterator[list[SpectrumArrays]]:
    """Read spectra until they are so many or so long."""
    stream: Iterable[SpectrumArrays] = iter_arrays(source, on_error=on_error, **told)
    if conf.show_progress if progress is None else progress:
        from tqdm.auto import tqdm

        stream = tqdm(stream, total=count_items(source), unit=" spectra")
    chunk: list[SpectrumArrays] = []
    n_pixels = 0
    for arrays in stream:
        chunk.append(arrays)
        n_pixels += len(arrays.wavelength)
        full = n_pixels >= _PIXELS_IN_FLIGHT or len(chunk) >= _ROWS_IN_FLIGHT
        if len(chunk) == size or (size is None and full):
            yield chunk
            chunk, n_pixels = [], 0
    if chunk:
        yield chunk


def _state(arrays: SpectrumArrays, facts: Mapping[str, Any]) -> SpectrumArrays:
    """Fill in what the caller knows and the spectrum does not say."""
    said = arrays.observation
    new = {
        name: value
        for name, value in facts.items()
        if getattr(said, name) in ("unknown", "")
        or getattr(said, name) != getattr(said, name)
    }
    return replace(arrays, observation=replace(said, **new)) if new else arrays


def prepare_chunk(
    chunk: list[SpectrumArrays],
    grid: SpectralGrid,
    recipe: Recipe,
    velocities: np.ndarray,
    resamplers: list[Resampler],
) -> PreparedSpectra:
    """Prepare one chunk, a few rows in double precision at a time.

    Parameters
    ----------
    chunk : list of SpectrumArrays
        The spectra.
    grid : SpectralGrid
        Where they go.
    recipe : Recipe
        How they get there.
    velocities : ndarray, shape (n_spectra,)
        Of the caller, km/s; NaN where not given.
    resamplers : list of Resampler
        Kept from chunk to chunk, for spectra that share their pixels.

    Returns
    -------
    PreparedSpectra
        One row for each spectrum.
    """
    n, shape = len(chunk), (len(chunk), grid.n_pixels)
    flux, valid = np.zeros(shape, np.float32), np.zeros(shape, dtype=bool)
    variance = np.full(shape, np.nan, np.float32)
    scale = np.ones((n, len(grid.segments)))
    rows: list[Row] = []
    size = max(1, _BLOCK // grid.n_pixels)
    run = partial(run_recipe, grid=grid, recipe=recipe)
    for first in range(0, n, size):
        part = slice(first, first + size)
        mine, given = chunk[part], velocities[part]
        try:
            batch = run(mine, velocities=given, resamplers=resamplers)
        except Exception:  # of one spectrum, or of the recipe
            batch = run_carefully(run, mine, given)
        flux[part], variance[part] = batch.flux, batch.variance
        valid[part], scale[part] = batch.valid, batch.scale
        rows += batch.rows
    return PreparedSpectra(
        flux=flux,
        variance=variance,
        valid=valid,
        scale=scale,
        radial_velocity=np.array([row.velocity for row in rows], dtype=float),
        radial_velocity_source=[row.velocity_source for row in rows],
        flags=np.array([row.flags for row in rows], dtype=np.int64),
        observations=[row.observation for row in rows],
        grid=grid,
        recipe=recipe,
    )


def run_recipe(
    chunk: list[SpectrumArrays],
    grid: SpectralGrid,
    recipe: Recipe,
    velocities: np.ndarray,
    resamplers: list[Resampler],
    *,
    keep_divisor: bool = False,
) -> Batch:
    """Carry out the recipe on some spectra, in double precision."""
    rows = []
    for arrays, velocity in zip(chunk, velocities, strict=True):
        row = Row.from_arrays(arrays, velocity=velocity)
        if row.usable:
            _own_pixels(row, grid, recipe)
        rows.append(row)
    ((resample, settings),) = recipe.functions["resample"]
    batch = resample(rows, settings, grid, resamplers=resamplers)
    batch.check_coverage(recipe)
    if keep_divisor:
        batch.divisor = np.ones_like(batch.flux)
    for function, settings in recipe.functions["batch"]:
        function(batch, settings)
    _finish(batch)
    return batch


def _own_pixels(row: Row, grid: SpectralGrid, recipe: Recipe) -> None:
    """Run the steps that come before resampling on one spectrum."""
    expected = recipe.requirements["normalisation"]
    if expected == "none" and row.observation.normalisation == "continuum":
        row.flag(QualityFlag.WRONG_NORMALISATION)
    check_errors(row)
    for stage in ("wavelength", "native"):
        for function, settings in recipe.functions[stage]:
            function(row, settings, grid)
    # A recipe may leave out a step only where there is nothing to do.
    if grid.medium not in ("unknown", row.medium):
        text = f"medium {row.medium}, the model expects {grid.medium}, no conversion"
        row.flag(QualityFlag.MEDIUM_UNKNOWN, text)
    if grid.frame not in ("unknown", row.frame):
        text = f"frame {row.frame}, the model expects {grid.frame}, no shift"
        row.flag(QualityFlag.FRAME_UNKNOWN, text)


def _finish(batch: Batch) -> None:
    """Leave nothing in pixels that do not count, or do not fit single precision."""
    single = np.finfo(np.float32)
    for i, row in enumerate(batch.rows):
        if not row.usable:
            batch.valid[i] = False
    with np.errstate(invalid="ignore"):
        batch.valid &= np.abs(batch.flux) <= single.max
        batch.valid &= ~(batch.variance < single.tiny) & ~(batch.variance > single.max)
    for i, row in enumerate(batch.rows):
        if row.usable and not batch.valid[i].any():
            row.flag(QualityFlag.NO_SIGNAL, "no pixel has a flux and an error of use")
    batch.flux[~batch.valid] = 0.0
    batch.variance[~batch.valid] = np.nan
