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

__all__ = ["Batch", "PreparedSpectra", "Row", "check_errors", "quantile"]

#: Errors that are absurd, in units of the median error of the spectrum: so large, and
#: larger than the median flux and than a part of the pixel's own; or so small, with a
#: signal-to-noise ratio that nothing has. Real ones are within 0.2 to 45 medians.
_LARGE, _LEAST_ERROR = 20.0, 0.3
_SMALL, _MOST_SNR = 1e-3, 1e4
_SAMPLE = 4_000  # pixels from which medians are taken

# what contradicts errors, see check_errors
_CHUNK = 128  # pixels
_LONG, _SPARSE = 20_000, 1024  # of spectra longer than that, only a chunk of so many
_FOURTH = ((0, 6.0), (1, -4.0), (2, 1.0))  # distance and factor, on both sides
_WIDE = ((0, 2.0), (6, -1.0))
_NOISELESS = 1e-4  # scatter over error of what was computed, and is not judged
_SMALLEST, _LARGEST = 0.08, 5.0  # scatter over error in the quietest quarter
_RUN = 3  # chunks in a row
_NOISY, _NOISIER = 2.0, 3.0  # scatter over error there, and over the median of all
_SMOOTH = 0.2  # scatter there over that of the noisiest quarter
_INDEPENDENT = 0.3  # scatter over error where neighbours do not share their noise
_MAD = 1.482602


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
        elif not (
            np.all(wavelength[1:] > wavelength[:-1])
            and np.isfinite(wavelength[[0, -1]]).all()
        ):
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
            both, count = self.valid & positive, int(np.count_nonzero(self.valid))
            if 2 * int(np.count_nonzero(both)) >= max(count, 1):
                self.valid = both
                self._drop_absurd(sigma)
                self.variance = np.where(self.valid, sigma, 1.0) ** 2
                return
        if self.usable:
            self.flag(QualityFlag.NO_UNCERTAINTY)

    def _drop_absurd(self, sigma: np.ndarray) -> None:
        """Do not use pixels whose errors do not belong to those of the others."""
        measured = np.flatnonzero(self.valid)
        if not len(measured):
            return
        errors, step = sigma[measured], max(1, len(measured) // _SAMPLE)
        least, most = errors.min(), errors.max()
        typical = quantile(errors[::step]) if most > _LARGE * least else least
        if most <= _LARGE * typical and least >= _SMALL * typical:
            return  # the usual case, often without a median
        size = np.abs(self.flux)
        large = (sigma > _LARGE * typical) & (sigma > quantile(size[measured[::step]]))
        large &= sigma > _LEAST_ERROR * size
        small = (sigma < _SMALL * typical) & (size > _MOST_SNR * sigma)
        absurd = self.valid & (large | small)
        if count := np.count_nonzero(absurd):
            self.valid = self.valid & ~absurd
            text = f"{count} pixel{'s' if count > 1 else ''} with absurd errors masked"
            self.flag(QualityFlag.ABSURD_ERRORS, text)


def quantile(values: np.ndarray, share: float = 0.5) -> float:
    """Return a quantile of some numbers, by default the median; NaN if one is NaN.

    `numpy.quantile` does the same, in twenty times as long for few numbers.
    """
    place = share * (values.size - 1)
    low = int(place)
    needed = low, min(low + 1, values.size - 1), -1  # few are sorted sooner
    parted = np.sort(values) if values.size < 300 else np.partition(values, needed)
    if np.isnan(parted[-1]):
        return np.nan
    value = float(parted[low])
    if place > low:
        value += (place - low) * (float(parted[low + 1]) - value)
    return value


def check_errors(row: Row) -> None:
    """Flag a spectrum whose errors contradict its flux, or whose noise its noise.

    Differences of neighbouring pixels hold noise and little else. The fourth difference
    sees hardly anything of resolved lines: where even that is far larger than the
    errors allow, they are too small. A wide second difference sees noise that
    neighbours share, and lines: where even that is far smaller, the errors are too
    large. Resampled spectra have shared noise and crowded ones unresolved lines, so
    only gross contradictions count. Spectra without any noise are models, and are not
    judged.

    Parameters
    ----------
    row : Row
        A spectrum on its own pixels, before anything is done to it.
    """
    if row.variance is None:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        _check(row)


def _check(row: Row) -> None:
    fourth = _compare(row, _FOURTH)
    if fourth is None or quantile(fourth[1], 0.25) < _NOISELESS:
        return
    scatter, ratio = fourth
    text = _compare_parts(scatter, ratio)
    if row.observation.noise == "file":
        text = _compare_errors(row, ratio) or text
    if text:
        row.flag(QualityFlag.ERRORS_SUSPECT, text)


def _compare_errors(row: Row, ratio: np.ndarray) -> str:
    """Say whether all errors are too small or too large."""
    quiet = quantile(ratio, 0.25)
    if quiet > _LARGEST:
        return f"the flux scatters {quiet:.1f} times as much as its errors say"
    wide = _compare(row, _WIDE) if quiet < _SMALLEST else None
    quiet = 1.0 if wide is None else quantile(wide[1], 0.25)
    if quiet < _SMALLEST:
        return f"the flux scatters only {quiet:.3f} times as its errors say"
    return ""


def _compare_parts(scatter: np.ndarray, ratio: np.ndarray) -> str:
    """Say whether some chunks in a row scatter unlike the others."""
    if len(ratio) <= _RUN:
        return ""
    most = float(_in_a_row(ratio, np.minimum).max())
    if most > max(_NOISY, _NOISIER * quantile(ratio)):
        return f"a part scatters {most:.1f} times as much as its errors say"
    high = quantile(ratio, 0.75)
    share = np.maximum(ratio / high, scatter / quantile(scatter, 0.75))
    least = float(_in_a_row(share, np.maximum).min())
    if high > _INDEPENDENT and least < _SMOOTH:
        return f"a part scatters {least:.2f} times as much as others"
    return ""


def _in_a_row(values: np.ndarray, function: np.ufunc) -> np.ndarray:
    """Return the least, or the largest, of each _RUN values in a row."""
    count = len(values) - _RUN + 1
    return function.reduce([values[k : k + count] for k in range(_RUN)])


def _compare(
    row: Row, factors: tuple[tuple[int, float], ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Scatter of a symmetric difference, and that over its error, chunk by chunk."""
    assert row.variance is not None
    reach, size = factors[-1][0], _CHUNK + 2 * factors[-1][0]
    stride = _CHUNK if len(row.flux) < _LONG else _SPARSE
    if len(row.flux) < size + stride:
        return None
    shape = (len(row.flux) - size) // stride + 1, size
    flux, variance, valid = (  # windows, as views
        np.ndarray(shape, a.dtype, a, 0, (stride * a.itemsize, a.itemsize))
        for a in map(np.ascontiguousarray, (row.flux, row.variance, row.valid))
    )
    total, spread = np.zeros((2, len(flux), _CHUNK))
    every = np.ones(total.shape, dtype=bool)
    for distance, factor in factors:
        for side in {reach - distance, reach + distance}:
            part = np.s_[:, side : side + _CHUNK]
            total += factor * flux[part]
            spread += factor**2 * variance[part]
            every &= valid[part]
    count = np.count_nonzero(every) // _CHUNK
    if count < 2:
        return None
    scatter = np.abs(total[every])[: count * _CHUNK].reshape(count, _CHUNK)
    error = np.sqrt(spread[every])[: count * _CHUNK].reshape(count, _CHUNK)
    return _typical(scatter), _typical(scatter / error)


def _typical(chunks: np.ndarray) -> np.ndarray:
    """Return the median of each chunk as a standard deviation."""
    middle = chunks.shape[1] // 2
    return _MAD * np.partition(chunks, middle, axis=1)[:, middle]


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
        inside = max(int(np.count_nonzero(self.grid.valid)), 1)
        for i, row in enumerate(self.rows):
            if not row.usable:
                continue
            covered = int(np.count_nonzero(self.covered[i]))
            fraction = covered / inside
            valid = int(np.count_nonzero(self.valid[i]))
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

    def divide(
        self, i: int | slice, pixels: slice, divisor: float | np.ndarray
    ) -> None:
        """Divide a part of a row, or of rows, errors included."""
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
