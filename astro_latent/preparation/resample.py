# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From one wavelength grid and resolving power to another.

Linear and flux-conserving resampling are both weighted sums, with weights worked out
once for each pair of grids and used for flux, variance and mask alike. Masked pixels
weigh nothing. Where the grids agree to a millionth of a pixel, values are copied.
A resolving power is lowered by a Gaussian in the logarithm of wavelength.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .pixels import Pixels, Plan, flux_conserving_plan, linear_plan
from .prepared import Batch, Row
from .recipe import Settings

__all__ = ["Resampler", "match_resolution", "resample", "smooth"]

_FWHM = np.sqrt(8.0 * np.log(2.0))  # full width at half maximum of a unit Gaussian
_REACH = 4.0  # standard deviations


def smooth(
    wavelength: np.ndarray,
    flux: np.ndarray,
    variance: np.ndarray | None = None,
    valid: np.ndarray | None = None,
    *,
    sigma: float,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Convolve with a Gaussian of constant width in ln(wavelength).

    Parameters
    ----------
    wavelength, flux : ndarray, shape (n_pixels,)
        The spectrum on any increasing grid.
    variance : ndarray, shape (n_pixels,), optional
        Variance of independent pixels.
    valid : ndarray of bool, shape (n_pixels,), optional
        True for pixels to use; the others weigh nothing.
    sigma : float
        Standard deviation of the kernel in ln(wavelength).

    Returns
    -------
    flux : ndarray
        Smoothed flux; 0 where no valid pixel contributes.
    variance : ndarray or None
        Its variance, the diagonal only.
    fraction : ndarray
        Part of the kernel that fell on valid pixels.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"sigma must be a positive number, not {sigma!r}"
        raise ValueError(msg)
    position = np.log(wavelength)
    width = np.gradient(position)
    valid = np.ones(len(flux), dtype=bool) if valid is None else valid
    flux = np.where(valid, flux, 0.0)
    noise = None if variance is None else np.where(valid, variance, 0.0)
    total, weight, valid_weight, spread = np.zeros((4, len(flux)))
    reach = min(int(np.ceil(_REACH * sigma / width.min())), len(flux) - 1)
    for k in range(-reach, reach + 1):
        here = slice(max(0, -k), len(flux) - max(0, k))
        there = slice(max(0, k), len(flux) - max(0, -k))
        offset = (position[there] - position[here]) / sigma
        kernel = np.exp(-0.5 * offset**2) * width[there]
        weight[here] += kernel
        valid_weight[here] += kernel * valid[there]
        total[here] += kernel * flux[there]
        if noise is not None:
            spread[here] += kernel**2 * noise[there]
    safe = np.where(valid_weight > 0, valid_weight, 1.0)
    out = None if noise is None else spread / safe**2
    return total / safe, out, valid_weight / weight


def match_resolution(row: Row, settings: Settings, grid: SpectralGrid) -> None:
    """Lower the resolving power to the grid's; recipe step ``match_resolution``.

    Within ``tolerance`` nothing is done. A lower resolving power cannot be raised: it
    is flagged, as is an unknown one.
    """
    have, want = row.observation.resolving_power, grid.resolving_power
    if not (np.isfinite(have) and have > 0):
        row.flag(QualityFlag.RESOLUTION_UNKNOWN)
        return
    if have < want * (1.0 - settings["tolerance"]):
        text = f"resolving power {have:.0f}, the model expects {want:.0f}"
        row.flag(QualityFlag.RESOLUTION_TOO_LOW, text)
        return
    if have <= want * (1.0 + settings["tolerance"]):
        return
    sigma = float(np.sqrt(want**-2.0 - have**-2.0) / _FWHM)
    row.flux, row.variance, fraction = smooth(
        row.wavelength, row.flux, row.variance, row.valid, sigma=sigma
    )
    row.valid = row.valid & (fraction >= settings["min_good"])


_ALIGNED = 1e-6  # pixels


@dataclass(frozen=True, eq=False)
class Resampler:
    """The way from one wavelength grid to another.

    Build one with `Resampler.between` and call it for each spectrum on that grid.

    Parameters
    ----------
    n_out : int
        Number of output pixels.
    copies : tuple of (slice, slice)
        Output and input pixels that agree, where the grids are aligned.
    plan : Plan or None
        Weights of the input pixels in each output pixel, where they are not.
    source : ndarray
        The input wavelengths.
    """

    n_out: int
    copies: tuple[tuple[slice, slice], ...]
    plan: Plan | None
    source: np.ndarray

    @classmethod
    def between(
        cls,
        source: np.ndarray,
        target: np.ndarray | SpectralGrid,
        *,
        method: str = "flux_conserving",
    ) -> "Resampler":
        """Work out the weights from one grid to another.

        Parameters
        ----------
        source : ndarray
            Increasing wavelengths, Ångström.
        target : ndarray or SpectralGrid
            The same of the output; of a grid, the pixels of its segments.
        method : {"linear", "flux_conserving"}
            Interpolate between centres, or average over the output pixel.

        Returns
        -------
        Resampler
            To be called with flux, variance and mask.

        Examples
        --------
        >>> import numpy as np
        >>> from astro_latent.preparation import Resampler
        >>> halve = Resampler.between(np.arange(6.0), np.array([0.5, 2.5, 4.5]))
        >>> flux, variance, share = halve(np.array([1.0, 3, 5, 7, 9, 11]), np.ones(6))
        >>> flux, variance, share
        (array([ 2.,  6., 10.]), array([0.5, 0.5, 0.5]), array([1., 1., 1.]))
        """
        if method not in ("linear", "flux_conserving"):
            msg = f"method must be linear or flux_conserving, not {method!r}"
            raise ValueError(msg)
        pixels = target.pixels if isinstance(target, SpectralGrid) else Pixels(target)
        n_out = len(pixels.wavelength)
        copies = _aligned(source, pixels.wavelength, pixels.segments)
        if copies is not None:
            return cls(n_out, copies, None, source)
        build = linear_plan if method == "linear" else flux_conserving_plan
        return cls(n_out, (), build(source, pixels), source)

    def __call__(
        self,
        flux: np.ndarray,
        variance: np.ndarray | None = None,
        valid: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Resample one spectrum.

        Parameters
        ----------
        flux : ndarray, shape (n_in,)
            Flux density.
        variance : ndarray, shape (n_in,), optional
            Its variance, of independent pixels.
        valid : ndarray of bool, shape (n_in,), optional
            True for pixels to use.

        Returns
        -------
        flux : ndarray, shape (n_out,)
            Resampled flux; 0 where no valid pixel contributes.
        variance : ndarray, shape (n_out,)
            Its variance (the diagonal: neighbours are correlated after resampling);
            NaN where unknown.
        share : ndarray, shape (n_out,)
            Fraction of each pixel that comes from valid input pixels.
        """
        if valid is not None:
            flux = np.where(valid, flux, 0.0)
            variance = None if variance is None else np.where(valid, variance, 0.0)
        if self.plan is None:
            return self._copy(flux, variance, valid)
        share = None if valid is None else valid.astype(float)
        return self.plan.average(flux, variance, share)

    @cached_property
    def coverage(self) -> np.ndarray:
        """Fraction of each output pixel that the input covers, shape (n_out,)."""
        if self.plan is not None:
            return self.plan.coverage
        covered = np.zeros(self.n_out)
        for there, _ in self.copies:
            covered[there] = 1.0
        return covered

    def _copy(
        self, flux: np.ndarray, variance: np.ndarray | None, valid: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        valid = np.ones(len(flux), dtype=bool) if valid is None else valid
        out, fraction = np.zeros(self.n_out), np.zeros(self.n_out)
        spread = np.broadcast_to(np.nan, self.n_out)
        if variance is not None:
            spread = spread.copy()
        for there, here in self.copies:
            out[there] = flux[here]
            fraction[there] = valid[here]
            if variance is not None:
                spread[there] = np.where(valid[here], variance[here], np.nan)
        return out, spread, fraction


def _aligned(
    source: np.ndarray, target: np.ndarray, segments: tuple[tuple[int, int], ...]
) -> tuple[tuple[slice, slice], ...] | None:
    """Find the runs of pixels that agree; None unless all overlapping ones do."""
    if len(source) < 2:
        return None
    ends = max(source[1] - source[0], source[-1] - source[-2])
    copies = []
    for first, last in segments:
        part = target[first:last]
        if len(part) < 2:
            return None
        step = part[1] - part[0]
        # A pixel reaches out half its width.
        reach = max(step, part[-1] - part[-2], ends)
        if source[-1] < part[0] - reach or source[0] > part[-1] + reach:
            continue
        start = int(np.searchsorted(source, part[0] - 0.5 * step))
        skip = 0
        if start == 0:
            skip = int(np.searchsorted(part, source[0] - 0.5 * step))
        count = min(len(part) - skip, len(source) - start)
        here, there = source[start : start + count], part[skip : skip + count]
        if count < 2 or abs(here[-1] - there[-1]) > _ALIGNED * step:
            return None  # most grids that differ do so here
        if np.any(np.abs(here - there) > _ALIGNED * step):
            return None
        into = slice(first + skip, first + skip + count)
        copies.append((into, slice(start, start + count)))
    return tuple(copies)


def resample(
    rows: list[Row],
    settings: Settings,
    grid: SpectralGrid,
    *,
    resamplers: list[Resampler],
) -> Batch:
    """Put spectra on the grid; recipe step ``resample``.

    A pixel is valid if at least ``min_good`` of it comes from valid pixels.
    ``resamplers`` keeps the last way found, since neighbours often share their grid.
    """
    batch = Batch.empty(rows, grid)
    for i, row in enumerate(rows):
        if not row.usable:
            continue
        if not (resamplers and np.array_equal(resamplers[-1].source, row.wavelength)):
            resamplers[:] = [
                Resampler.between(row.wavelength, grid, method=settings["method"])
            ]
        least = settings["min_good"] - _ALIGNED
        flux, variance, share = resamplers[-1](row.flux, row.variance, row.valid)
        batch.flux[i] = flux
        if row.variance is not None:  # what is not known is NaN already
            batch.variance[i] = variance
        batch.valid[i] = (share >= least) & (share > 0) & grid.valid
        batch.covered[i] = resamplers[-1].coverage >= max(least, _ALIGNED)
    batch.covered &= grid.valid
    return batch
