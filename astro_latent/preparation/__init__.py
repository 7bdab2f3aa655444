# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Preparation: any spectrum becomes the array that a model expects."""

from ..utils.physics import doppler_factor
from .grid import GRIDS, SpectralGrid, get_grid
from .inverse import restore_spectrum
from .prepare import iter_prepared, prepare_spectra
from .prepared import PreparedSpectra
from .recipe import APOGEE_CHEBYSHEV_RECIPE, APOGEE_RECIPE, HARPS_RECIPE, Recipe, Step
from .resample import Resampler
from .velocity import Velocity, measure_velocity
from .wavelengths import air_to_vacuum, vacuum_to_air

__all__ = [
    "APOGEE_CHEBYSHEV_RECIPE",
    "APOGEE_RECIPE",
    "GRIDS",
    "HARPS_RECIPE",
    "PreparedSpectra",
    "Recipe",
    "Resampler",
    "SpectralGrid",
    "Step",
    "Velocity",
    "air_to_vacuum",
    "doppler_factor",
    "get_grid",
    "iter_prepared",
    "measure_velocity",
    "prepare_spectra",
    "restore_spectrum",
    "vacuum_to_air",
]
