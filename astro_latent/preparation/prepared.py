# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A spectrum on its own pixels, a batch on the grid, and what becomes of it.

`Row` and `Batch` are the working state: steps change them in place and never touch the
arrays that the caller handed over. `PreparedSpectra` is what models see.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from ..spectra.observation import Observation, SpectrumArrays
from ..utils.quality import FATAL_FLAGS, QualityFlag
from .grid import SpectralGrid
from .recipe import Recipe

__all__ = ["Batch", "PreparedSpectra", "Row"]

#: Errors that are absurd, in units of the median error of the spectrum: so large, and
#: larger than the median flux and than a part of the pixel's own; or so small, with a
#: signal-to-noise ratio that nothing has. Real ones are within 0.2 to 45 medians.
_LARGE, _LEAST_ERROR = 20.0, 0.3
_SMALL, _MOST_SNR = 1e-3, 1e4
_SAMPLE = 4_000  # pixels from which medians are taken


@dataclass(eq=False)
class Row:
    """One spectrum on its way to the grid: float64, ``valid`` True = use."""

    wavelength: np.ndarray
    flux: np.ndarray
    variance: np.ndarray | None
    valid: np.ndarray
    observation: Observation
    medium: str
    frame: str
    flags: int = 0
    caller_velocity: float = np.nan
    velocity: float = np.nan
    velocity_source: str = "none"
    factor: float = 1.0  # rest or target wavelength = wavelength / factor

    @classmethod
    def from_arrays(cls, arrays: SpectrumArrays, *, velocity: float = np.nan) -> "Row":
        """Start from what a reader made."""
        observation = arrays.observation
        row = cls(
            wavelength=np.asarray(arrays.wavelength, dtype=float),
            flux=np.asarray(arrays.flux, dtype=float),
            variance=None,
            valid=~np.asarray(arrays.mask, dtype=bool) & np.isfinite(arrays.flux),
            observation=observation,
            medium=observation.medium,
            frame=observation.frame,
            flags=observation.flags,
            caller_velocity=float(velocity),
        )
        row._check_wavelength()
        row._take_sigma(arrays.sigma)
        return row

    @property
    def usable(self) -> bool:
        """Whether there is anything to work on."""
        return not self.flags & FATAL_FLAGS

    def flag(self, bit: QualityFlag, message: str = "") -> None:
        """Set a quality bit and say why."""
        self.flags |= int(bit)
        self.observation = self.observation.flagged(bit, message)

    def _check_wavelength(self) -> None:
        if self.flags & QualityFlag.UNREADABLE:
            return
        wavelength = self.wavelength
        if len(wavelength) < 2:
            text = f"{len(wavelength)} pixels are no spectrum"
            self.flag(QualityFlag.NO_OVERLAP, text)
        elif not (np.isfinite(wavelength).all() and np.all(np.diff(wavelength) > 0)):
            text = "the wavelengths are not finite and increasing"
            self.flag(QualityFlag.UNREADABLE, text)
        elif not np.any(self.valid & (self.flux > 0)):
            self.flag(QualityFlag.NO_SIGNAL, "no unmasked pixel has positive flux")

    def _take_sigma(self, sigma: np.ndarray | None) -> None:
        """Keep the errors; pixels without a meaningful one are not used."""
        if sigma is not None:
            sigma = np.asarray(sigma, dtype=float)
            positive = np.isfinite(sigma) & (sigma > 0)
            # An error array that is mostly empty says nothing about single pixels.
            if 2 * np.sum(positive & self.valid) >= max(np.sum(self.valid), 1):
                self.valid = self.valid & positive
                self._drop_absurd(sigma)
                self.variance = np.where(self.valid, sigma, 1.0) ** 2
                return
        if self.usable:
            self.flag(QualityFlag.NO_UNCERTAINTY)

    def _drop_absurd(self, sigma: np.ndarray) -> None:
        """Do not use pixels whose errors do not belong to those of the others."""
        measured = np.flatnonzero(self.valid)
        some = measured[:: max(1, len(measured) // _SAMPLE)]
        if not len(some):
            return
        size, typical = np.abs(self.flux), np.median(sigma[some])
        large = (sigma > _LARGE * typical) & (sigma > np.median(size[some]))
        large &= sigma > _LEAST_ERROR * size
        small = (sigma < _SMALL * typical) & (size > _MOST_SNR * sigma)
        absurd = self.valid & (large | small)
        if count := np.count_nonzero(absurd):
            self.valid = self.valid & ~absurd
            text = f"{count} pixels with absurd errors masked"
            self.flag(QualityFlag.ABSURD_ERRORS, text)


@dataclass(eq=False)
class Batch:
    """Rows on the model's grid: float64 until the end."""

    flux: np.ndarray
    variance: np.ndarray
    valid: np.ndarray
    covered: np.ndarray
    scale: np.ndarray
    rows: list[Row]
    grid: SpectralGrid
    divisor: np.ndarray | None = None  # what each pixel was divided by, if kept

    @classmethod
    def empty(cls, rows: list[Row], grid: SpectralGrid) -> "Batch":
        """Make room for the rows: nothing is covered yet."""
        shape = (len(rows), grid.n_pixels)
        return cls(
            flux=np.zeros(shape),
            variance=np.full(shape, np.nan),
            valid=np.zeros(shape, dtype=bool),
            covered=np.zeros(shape, dtype=bool),
            scale=np.ones((len(rows), len(grid.segments))),
            rows=rows,
            grid=grid,
        )

    def check_coverage(self, recipe: Recipe) -> None:
        """Set the coverage flags of each row."""
        inside = self.grid.valid
        for i, row in enumerate(self.rows):
            if not row.usable:
                continue
            covered = int(self.covered[i].sum())
            fraction = covered / max(int(inside.sum()), 1)
            valid = int(self.valid[i].sum())
            if covered == 0 or fraction < recipe.requirements["min_overlap"]:
                text = f"{fraction:.3f} of the model's pixels are covered"
                row.flag(QualityFlag.NO_OVERLAP, text)
                continue
            if fraction < recipe.requirements["min_coverage"]:
                row.flag(QualityFlag.PARTIAL_COVERAGE)
            if covered - valid > recipe.requirements["max_bad"] * covered:
                row.flag(QualityFlag.MANY_BAD_PIXELS)
            if not np.any(self.valid[i] & (self.flux[i] > 0)):
                row.flag(QualityFlag.NO_SIGNAL, "no valid pixel has positive flux")
            elif not all(self.valid[i, a:b].any() for a, b in self.grid.segments):
                row.flag(QualityFlag.SEGMENT_MISSING)

    def divide(self, i: int, pixels: slice, divisor: float | np.ndarray) -> None:
        """Divide a part of a row, errors included."""
        self.flux[i, pixels] /= divisor
        self.variance[i, pixels] /= np.square(divisor)
        if self.divisor is not None:
            self.divisor[i, pixels] *= divisor

    def drop(self, i: int, pixels: slice, message: str) -> None:
        """Give up a segment of a row, and the row if nothing is left."""
        self.valid[i, pixels] = False
        row = self.rows[i]
        if self.valid[i].any():
            row.flag(QualityFlag.SEGMENT_MISSING, message)
        else:
            row.flag(QualityFlag.NO_SIGNAL, message)


@dataclass(frozen=True, kw_only=True, repr=False)
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
    flags : ndarray of int64, shape (n_spectra,)
        Quality bits, see `~astro_latent.spectra.QUALITY_FLAGS`.
    observations : list of Observation
        Where each row comes from.
    grid : SpectralGrid
        Wavelengths of the pixels.
    recipe : Recipe
        What was done.

    Attributes
    ----------
    usable : ndarray of bool, shape (n_spectra,)
        True for rows without a fatal flag.
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
    recipe: Recipe
    usable: np.ndarray = field(init=False)

    def __repr__(self) -> str:
        return (
            f"<PreparedSpectra: {int(self.usable.sum())} of {len(self)} usable, on "
            f"{self.grid.name}, {self.grid.n_pixels} pixels>"
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "usable", (self.flags & FATAL_FLAGS) == 0)

    def __len__(self) -> int:
        return len(self.flux)

    def __getitem__(self, rows: int | slice) -> "PreparedSpectra":
        """Return some of the spectra; of one row, too, a batch of one."""
        if not isinstance(rows, slice):
            row = range(len(self))[rows]  # raises IndexError
            rows = slice(row, row + 1)
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
