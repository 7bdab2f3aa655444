# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""restore_spectrum: a model's array becomes a spectrum again."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from astropy import units as u

from ..exceptions import GridMismatchError
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import iter_arrays
from .chunks import run_recipe
from .prepared import PreparedSpectra
from .resample import Resampler
from .wavelengths import air_to_vacuum, frame_factor, vacuum_to_air

if TYPE_CHECKING:
    from specutils import Spectrum

__all__ = ["restore_spectrum"]


def restore_spectrum(
    flux: np.ndarray,
    prepared: PreparedSpectra,
    row: int,
    *,
    like: "Spectrum | SpectrumArrays | None" = None,
) -> "Spectrum":
    """Turn a model's array, such as a reconstruction, back into a spectrum.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
        On the model's grid, scaled as the model sees it.
    prepared : PreparedSpectra
        The batch that the model was given.
    row : int
        Row of the batch to which the array belongs.
    like : Spectrum or SpectrumArrays, optional
        The spectrum that was prepared. The result has its pixels, medium, frame and
        flux unit; without it, the model's pixels and no unit.

    Returns
    -------
    `~specutils.Spectrum`
        Pixels that the model does not cover are masked and hold NaN.

    Raises
    ------
    GridMismatchError
        If the array is not on the grid.
    IndexError
        If there is no such row.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.preparation import prepare_spectra, restore_spectrum
    >>> from astro_latent.preparation import APOGEE_RECIPE, get_grid
    >>> from astro_latent.spectra.observation import Observation, SpectrumArrays
    >>> wavelength = get_grid("apogee_8575").wavelength
    >>> star = SpectrumArrays(
    ...     wavelength=wavelength,
    ...     flux=np.full(8575, 50.0),
    ...     mask=np.zeros(8575, dtype=bool),
    ...     observation=Observation(medium="vacuum", frame="rest"),
    ... )
    >>> prepared = prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    >>> restored = restore_spectrum(prepared.flux[0], prepared, 0, like=star)
    >>> float(restored.flux.value[5000]), bool(restored.mask[0])
    (50.0, True)
    """
    grid = prepared.grid
    flux = np.asarray(flux, dtype=float)
    if flux.shape != (grid.n_pixels,):
        msg = f"the grid {grid.name} has {grid.n_pixels} pixels, flux is {flux.shape}"
        raise GridMismatchError(msg)
    if not -len(prepared) <= row < len(prepared):
        msg = f"there is no row {row} among {len(prepared)}"
        raise IndexError(msg)
    if like is None:
        axis = grid.wavelength * u.AA
        values = np.where(grid.valid, flux, np.nan)
        return _spectrum(values, u.dimensionless_unscaled, axis, prepared, row)
    axis, wavelength, unit = _axis_of(like)
    order = np.argsort(wavelength)
    values = np.empty(len(wavelength))
    positions = _to_grid(wavelength[order], prepared, row)
    scaled = flux * _divisor(prepared, row, like)
    values[order] = _from_grid(scaled, positions, prepared)
    return _spectrum(values, unit, axis, prepared, row)


def _axis_of(like: Any) -> tuple[u.Quantity, np.ndarray, u.UnitBase]:
    """Spectral axis as given, its wavelengths in Ångström, and the flux unit."""
    if isinstance(like, SpectrumArrays):
        return like.wavelength * u.AA, np.asarray(like.wavelength), like.flux_unit
    axis = u.Quantity(like.spectral_axis)
    return axis, axis.to_value(u.AA, equivalencies=u.spectral()), like.flux.unit


def _to_grid(wavelength: np.ndarray, prepared: PreparedSpectra, row: int) -> np.ndarray:
    """Wavelengths of the input in the medium and frame of the grid."""
    grid, observation = prepared.grid, prepared.observations[row]
    media = {observation.medium, grid.medium}
    if media == {"air", "vacuum"}:
        convert = air_to_vacuum if grid.medium == "vacuum" else vacuum_to_air
        wavelength = convert(wavelength)
    velocity = prepared.radial_velocity[row]
    frame = observation.frame
    if frame == "unknown":  # shifted only where the caller gave a velocity
        given = prepared.radial_velocity_source[row] == "caller"
        frame = "barycentric" if given else grid.frame
    correction = observation.barycentric_correction
    return wavelength / (frame_factor(frame, grid.frame, velocity, correction) or 1.0)


def _divisor(prepared: PreparedSpectra, row: int, like: Any) -> np.ndarray:
    """Find what each pixel of the row was divided by, shape (n_pixels,)."""
    grid = prepared.grid
    if any(step.name == "continuum" for step in prepared.recipe.steps):
        velocity = np.array([prepared.radial_velocity[row]])
        chunk = list(iter_arrays(like, on_error="raise"))
        batch = run_recipe(
            chunk, grid, prepared.recipe, velocity, [], keep_divisor=True
        )
        return cast("np.ndarray", batch.divisor)[0]
    divisor = np.ones(grid.n_pixels)
    for (first, last), scale in zip(grid.segments, prepared.scale[row], strict=True):
        divisor[first:last] = scale
    return divisor


def _from_grid(
    flux: np.ndarray, positions: np.ndarray, prepared: PreparedSpectra
) -> np.ndarray:
    """Resample each segment; NaN where none covers a pixel."""
    grid, step = prepared.grid, prepared.recipe.stage("resample")[0]
    values = np.full(len(positions), np.nan)
    for first, last in grid.segments:
        way = Resampler.between(
            grid.wavelength[first:last], positions, method=step["method"]
        )
        part, _, fraction = way(flux[first:last])
        inside = fraction >= 0.5
        values[inside] = part[inside]
    return values


def _spectrum(
    values: np.ndarray,
    unit: u.UnitBase,
    axis: u.Quantity,
    prepared: PreparedSpectra,
    row: int,
) -> "Spectrum":
    from specutils import Spectrum

    return Spectrum(
        flux=values * unit,
        spectral_axis=axis,
        mask=np.isnan(values),
        meta={"observation": prepared.observations[row]},
    )
