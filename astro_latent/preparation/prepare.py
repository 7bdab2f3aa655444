# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""prepare_spectra: anything that can be read becomes one batch on a model's grid."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from astropy import units as u

from ..spectra.reading import SpectraLike
from .chunks import iter_chunks, prepare_chunk
from .grid import SpectralGrid, get_grid
from .prepared import PreparedSpectra
from .recipe import Recipe
from .resample import Resampler

__all__ = ["iter_prepared", "prepare_spectra"]


def prepare_spectra(
    spectra: SpectraLike,
    grid: SpectralGrid | str,
    recipe: Recipe | dict,
    *,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> PreparedSpectra:
    """Turn spectra into the array that a model expects.

    Parameters
    ----------
    spectra : SpectraLike
        Anything that `~astro_latent.spectra.iter_arrays` takes: specutils objects,
        paths, a folder, a table with a column of paths.
    grid : SpectralGrid or str
        Where the spectra go; a name is looked up with `get_grid`.
    recipe : Recipe or dict
        How they get there.
    radial_velocity : float, array_like or Quantity, optional
        Barycentric velocities of the stars, km/s, one for all or one each; NaN where
        not known. They win over what the files say.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey`` of the spectra, where
        they do not say it themselves.
    progress : bool, optional
        Show a progress bar; by default as configured.

    Returns
    -------
    PreparedSpectra
        One row for each spectrum, unusable ones included and flagged.

    Raises
    ------
    UnknownNameError
        If the grid or a step of the recipe does not exist.
    ValueError
        If the velocities do not match the spectra in number.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.preparation import get_grid, prepare_spectra, HARPS_RECIPE
    >>> from astro_latent.spectra.observation import Observation, SpectrumArrays
    >>> wavelength = np.arange(3790.0, 6900.0, 0.01)
    >>> spectrum = SpectrumArrays(
    ...     wavelength=wavelength,
    ...     flux=np.full(len(wavelength), 1000.0),
    ...     mask=np.zeros(len(wavelength), dtype=bool),
    ...     observation=Observation(medium="air", frame="barycentric"),
    ... )
    >>> prepared = prepare_spectra([spectrum], "harps_327680", HARPS_RECIPE)
    >>> prepared.flux.shape, float(prepared.scale[0, 0])
    ((1, 327680), 1000.0)
    """
    parts = list(
        iter_prepared(
            spectra,
            grid,
            recipe,
            chunk_size=256,
            radial_velocity=radial_velocity,
            facts=facts,
            progress=progress,
        )
    )
    if not parts:
        return prepare_chunk([], _as_grid(grid), _as_recipe(recipe), np.zeros(0), [])
    return parts[0] if len(parts) == 1 else _join(parts)


def iter_prepared(
    source: SpectraLike,
    grid: SpectralGrid | str,
    recipe: Recipe | dict,
    *,
    chunk_size: int,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    on_error: str = "flag",
    progress: bool | None = None,
) -> Iterator[PreparedSpectra]:
    """Prepare spectra chunk by chunk, in bounded memory.

    Parameters
    ----------
    source, grid, recipe, radial_velocity, facts, progress
        As for `prepare_spectra`.
    chunk_size : int
        Number of spectra in each batch.
    on_error : {"flag", "raise"}, optional
        What to do with files that cannot be read.

    Yields
    ------
    PreparedSpectra
        Up to ``chunk_size`` rows, in order.
    """
    if chunk_size < 1:
        msg = f"chunk_size must be 1 or more, not {chunk_size}"
        raise ValueError(msg)
    grid, recipe = _as_grid(grid), _as_recipe(recipe)
    resamplers: list[Resampler] = []
    for chunk, velocities in iter_chunks(
        source,
        chunk_size,
        radial_velocity=radial_velocity,
        facts=facts,
        on_error=on_error,
        progress=progress,
    ):
        yield prepare_chunk(chunk, grid, recipe, velocities, resamplers)


def _as_grid(grid: SpectralGrid | str) -> SpectralGrid:
    return get_grid(grid) if isinstance(grid, str) else grid


def _as_recipe(recipe: Recipe | dict) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe)


def _join(parts: list[PreparedSpectra]) -> PreparedSpectra:
    """Put chunks one below the other."""
    arrays = ("flux", "variance", "valid", "scale", "radial_velocity", "flags")
    lists = ("radial_velocity_source", "observations")
    joined: dict[str, Any] = {
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in arrays},
        **{name: [v for p in parts for v in getattr(p, name)] for name in lists},
    }
    return replace(parts[0], **joined)
