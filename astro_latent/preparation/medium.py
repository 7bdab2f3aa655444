# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Wavelengths in air and in vacuum, after Morton (2000)."""

import numpy as np

from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .recipe import Step
from .row import Row

__all__ = ["air_to_vacuum", "convert_medium", "vacuum_to_air"]

# By the convention of the IAU, wavelengths below 2000 Å are always given in vacuum.
_LIMIT = 2000.0


def _refractive_index(vacuum: np.ndarray) -> np.ndarray:
    """Refractive index of standard air, Morton (2000), equation 8; Ångström in."""
    s2 = (1e4 / vacuum) ** 2
    return 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - s2) + 1.5998e-4 / (38.9 - s2)


def vacuum_to_air(wavelength: np.ndarray) -> np.ndarray:
    """Convert vacuum wavelengths to air.

    Parameters
    ----------
    wavelength : ndarray
        Vacuum wavelengths, Ångström.

    Returns
    -------
    ndarray
        Air wavelengths, Ångström; unchanged below 2000 Å.

    Examples
    --------
    >>> from astro_latent.preparation import vacuum_to_air
    >>> round(float(vacuum_to_air(5001.39)), 2)
    4999.99
    """
    wavelength = np.asarray(wavelength, dtype=float)
    above = wavelength >= _LIMIT
    safe = np.where(above, wavelength, _LIMIT)
    return np.where(above, wavelength / _refractive_index(safe), wavelength)


def air_to_vacuum(wavelength: np.ndarray) -> np.ndarray:
    """Convert air wavelengths to vacuum, the exact inverse of `vacuum_to_air`.

    Parameters
    ----------
    wavelength : ndarray
        Air wavelengths, Ångström.

    Returns
    -------
    ndarray
        Vacuum wavelengths, Ångström; unchanged below 2000 Å.

    Examples
    --------
    >>> from astro_latent.preparation import air_to_vacuum
    >>> round(float(air_to_vacuum(5000.0)), 3)
    5001.394
    """
    wavelength = np.asarray(wavelength, dtype=float)
    above = wavelength * _refractive_index(np.maximum(wavelength, _LIMIT)) >= _LIMIT
    air = np.where(above, wavelength, _LIMIT)
    vacuum = air
    for _ in range(4):  # each round gains about five digits
        vacuum = air * _refractive_index(vacuum)
    return np.where(above, vacuum, wavelength)


def convert_medium(row: Row, step: Step, grid: SpectralGrid) -> None:
    """Bring a spectrum to the grid's medium; recipe step ``convert_medium``.

    An unknown medium is taken as the grid's and flagged.
    """
    if row.medium == "unknown":
        row.flag(QualityFlag.MEDIUM_UNKNOWN)
    elif row.medium != grid.medium:
        convert = air_to_vacuum if grid.medium == "vacuum" else vacuum_to_air
        row.wavelength = convert(row.wavelength)
    row.medium = grid.medium
