# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Prepared spectra: one contiguous batch on a model's grid."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..spectra.observation import Observation
from .grid import SpectralGrid
from .recipe import Recipe

__all__ = ["PreparedSpectra"]


@dataclass(frozen=True, kw_only=True)
class PreparedSpectra:
    """A batch of spectra as a model sees them.

    Row ``i`` belongs to ``observations[i]``; unusable spectra keep their row, with no
    valid pixel and a fatal bit in ``flags``.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels), float32
        Prepared flux; 0 where not valid.
    variance : ndarray, shape (n_spectra, n_pixels), float32
        Variance of ``flux``; NaN where not known. Never 0 for a pixel that is valid.
    valid : ndarray of bool, shape (n_spectra, n_pixels)
        True where the flux was measured.
    scale : ndarray, shape (n_spectra, n_segments), float64
        What each segment's flux was divided by (input units).
    radial_velocity : ndarray, shape (n_spectra,), float64
        Stellar velocity that was removed, km/s; 0 where none was, NaN if unknown.
    radial_velocity_source : list of str
        ``"file"``, ``"caller"``, ``"cross-correlation"`` or ``"none"``.
    flags : ndarray of int32, shape (n_spectra,)
        Quality bits, see `~astro_latent.spectra.QUALITY_FLAGS`.
    observations : list of Observation
        Where each row comes from.
    grid : SpectralGrid
        Wavelengths of the pixels.
    recipe : Recipe
        What was done.
    """

    flux: np.ndarray
    variance: np.ndarray
    valid: np.ndarray
    scale: np.ndarray
    radial_velocity: np.ndarray
    radial_velocity_source: list[str]
    flags: np.ndarray
    observations: list[Observation]
    grid: SpectralGrid
    recipe: Recipe = field(repr=False)

    def __len__(self) -> int:
        return len(self.flux)

    def __getitem__(self, rows: slice) -> "PreparedSpectra":
        return replace(
            self,
            **{
                name: getattr(self, name)[rows]
                for name in (
                    "flux", "variance", "valid", "scale", "radial_velocity",
                    "radial_velocity_source", "flags", "observations",
                )
            },
        )  # fmt: skip

    @property
    def usable(self) -> np.ndarray:
        """True for rows without a fatal flag, shape (n_spectra,)."""
        from ..utils.quality import FATAL_FLAGS

        return (self.flags & FATAL_FLAGS) == 0
