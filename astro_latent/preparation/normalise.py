# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Division by medians and continua, limits on the flux, pixels that never count."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
from numpy.polynomial import chebyshev

from ..exceptions import UnknownNameError
from .grid import SpectralGrid
from .prepared import Batch, quantile
from .recipe import Settings

__all__ = [
    "Lines",
    "chebyshev_continuum",
    "clip",
    "continuum",
    "divide_by_median",
    "divide_mean_out",
    "mask_pixels",
    "sigma_clip_continuum",
]


def divide_by_median(batch: Batch, settings: Settings) -> None:
    """Divide by the median of the valid pixels; recipe step ``divide_by_median``.

    ``per`` is ``"all"`` or ``"segment"``. With ``count_padding`` every pixel that is
    not valid counts as a zero, the padding included, as in the code published with
    Sedaghat et al. (2021). A median of at most ``minimum`` is no signal.
    """
    for i, row in enumerate(batch.rows):
        if not row.usable:
            continue
        parts = _parts(batch.grid, per=settings["per"])
        for pixels, segments in parts:
            valid, flux = batch.valid[i, pixels], batch.flux[i, pixels]
            chosen = (
                np.where(valid, flux, 0.0) if settings["count_padding"] else flux[valid]
            )
            median = quantile(chosen) if valid.any() else 0.0
            if median > settings["minimum"]:
                batch.divide(i, pixels, median)
                batch.scale[i, segments] *= median
            else:
                limit = settings["minimum"]
                text = f"median flux {median:.4g} is not above {limit:.4g}"
                batch.drop(i, pixels, text)


def _parts(grid: SpectralGrid, *, per: str) -> list[tuple[slice, slice]]:
    """Pixels that share a median, and the segments which they make up."""
    if per == "all":
        return [(slice(None), slice(None))]
    return [
        (slice(first, last), slice(k, k + 1))
        for k, (first, last) in enumerate(grid.segments)
    ]


def clip(batch: Batch, settings: Settings) -> None:
    """Limit the flux; recipe step ``clip``.

    Pixels below ``lower`` or above ``upper`` are set to the limit (``action`` is
    ``"clip"``) or no longer used (``"mask"``).
    """
    lower = -np.inf if settings["lower"] is None else settings["lower"]
    upper = np.inf if settings["upper"] is None else settings["upper"]
    if lower > upper:
        msg = f"lower ({lower}) is above upper ({upper})"
        raise ValueError(msg)
    if settings["action"] == "mask":
        batch.valid &= (batch.flux >= lower) & (batch.flux <= upper)
    else:
        np.clip(batch.flux, lower, upper, out=batch.flux)


def mask_pixels(batch: Batch, settings: Settings) -> None:
    """Leave out ranges of the grid's pixels; recipe step ``mask_pixels``.

    ``ranges`` are half-open pairs, for pixels that a model must not see because its
    training spectra are at fault there.
    """
    for first, last in settings["ranges"]:
        if not 0 <= first < last <= batch.grid.n_pixels:
            msg = f"range {first}..{last} is not within 0..{batch.grid.n_pixels}"
            raise ValueError(msg)
        batch.valid[:, first:last] = False


_LISTS = {"apogee_cannon": "apogee_continuum_pixels.json"}


def chebyshev_continuum(
    position: np.ndarray, flux: np.ndarray, weight: np.ndarray, *, degree: int
) -> np.ndarray:
    """Fit Chebyshev polynomials to many spectra by weighted least squares.

    The normal equations of all spectra are solved at once; each row's result does not
    depend on the others.

    Parameters
    ----------
    position : ndarray, shape (n_pixels,)
        Where the pixels lie, scaled to -1..1.
    flux : ndarray, shape (n_spectra, n_pixels)
        Flux.
    weight : ndarray, shape (n_spectra, n_pixels)
        Inverse variance; 0 leaves a pixel out.
    degree : int
        Degree of the polynomials.

    Returns
    -------
    ndarray, shape (n_spectra, degree + 1)
        Coefficients; NaN where fewer than ``degree + 1`` pixels count.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.preparation.normalise import chebyshev_continuum
    >>> x = np.linspace(-1, 1, 5)
    >>> chebyshev_continuum(x, (2 + 3 * x)[None], np.ones((1, 5)), degree=1)
    array([[2., 3.]])
    """
    basis = chebyshev.chebvander(position, degree)
    k = degree + 1
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(position), k * k)
    enough = np.sum(weight > 0, axis=1) >= k
    largest = np.max(weight, axis=1, keepdims=True, initial=0.0)
    weight = weight / np.where(largest > 0, largest, 1.0)
    # One small product for each row, so that a row does not feel its neighbours.
    normal = np.matmul(weight[:, None, :], products)[:, 0].reshape(-1, k, k)
    right = np.matmul((weight * flux)[:, None, :], basis)[:, 0]
    normal[~enough] = np.eye(k)
    enough &= np.linalg.cond(normal) < 1e12
    normal[~enough] = np.eye(k)
    coefficients = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    coefficients[~enough] = np.nan
    return coefficients


def sigma_clip_continuum(
    wavelength: np.ndarray,
    flux: np.ndarray,
    valid: np.ndarray,
    *,
    width: float = 10.0,
    sigma_lower: float = 0.5,
    sigma_upper: float = 2.0,
    knots: int = 20,
) -> np.ndarray:
    """Find a continuum by asymmetric sigma clipping, as Bialek et al. (2020).

    In windows of ``width``, pixels below ``sigma_lower`` or above ``sigma_upper``
    standard deviations from the median are dropped until none is; a cubic spline runs
    through the means of what is left. Windows with less than half valid pixels do not
    count.

    Parameters
    ----------
    wavelength, flux, valid : ndarray, shape (n_pixels,)
        One spectrum, Ångström; ``valid`` is True for pixels to use.
    width : float, optional
        Width of the windows, Ångström.
    sigma_lower, sigma_upper : float, optional
        Limits of the clipping.
    knots : int, optional
        Interior knots of the spline, fewer where there are not three windows each.

    Returns
    -------
    ndarray, shape (n_pixels,)
        The continuum; NaN everywhere if fewer than four windows count.
    """
    from scipy.interpolate import make_lsq_spline

    window = ((wavelength - wavelength[0]) // width).astype(int)
    ends = np.searchsorted(window, np.arange(window[-1] + 2))
    centres, levels = [], []
    for first, last in pairwise(ends):
        use = valid[first:last]
        if last > first and 2 * use.sum() >= last - first:
            kept = _clip(flux[first:last][use], sigma_lower, sigma_upper)
            centres.append(wavelength[first:last][use].mean())
            levels.append(kept.mean())
    if len(centres) < 4:
        return np.full(len(wavelength), np.nan)
    x = 2.0 * (np.array(centres) - centres[0]) / (centres[-1] - centres[0]) - 1.0
    inner = min(knots, (len(x) - 4) // 3)
    places = np.quantile(x, np.linspace(0, 1, inner + 2)[1:-1])
    t = np.concatenate([[-1.0] * 4, places, [1.0] * 4])
    spline = make_lsq_spline(x, np.array(levels), t, k=3)
    where = 2.0 * (wavelength - centres[0]) / (centres[-1] - centres[0]) - 1.0
    inside = np.clip(where, -1.0, 1.0)
    # Straight on from the outermost centres: a cubic would run away.
    return spline(inside) + spline.derivative()(inside) * (where - inside)


def _clip(values: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Drop outliers around the median until none is left."""
    while True:
        middle, spread = np.median(values), np.std(values)
        keep = (values >= middle - lower * spread) & (values <= middle + upper * spread)
        if keep.all() or not keep.any():
            return values
        values = values[keep]


@cache
def _listed(name: str) -> np.ndarray:
    """Wavelengths of a list of continuum pixels that comes with the package."""
    if name not in _LISTS:
        raise UnknownNameError("list of continuum pixels", name, list(_LISTS))
    text = files(__package__).joinpath("data", _LISTS[name]).read_text("utf-8")
    return np.array(json.loads(text)["wavelength"])


def _chosen(grid: SpectralGrid, pixels: str | list[float] | None) -> np.ndarray:
    """Pixels of the grid that a list of wavelengths names, shape (n_pixels,)."""
    if pixels is None:
        return grid.valid
    wanted = _listed(pixels) if isinstance(pixels, str) else np.asarray(pixels, float)
    wavelength = grid.wavelength
    nearest = np.clip(np.searchsorted(wavelength, wanted), 1, len(wavelength) - 1)
    nearest -= wanted - wavelength[nearest - 1] < wavelength[nearest] - wanted
    step = np.gradient(wavelength)[nearest]
    close = np.abs(wavelength[nearest] - wanted) <= 0.5 * step
    chosen = np.zeros(len(wavelength), dtype=bool)
    chosen[nearest[close]] = True
    return chosen & grid.valid


def continuum(batch: Batch, settings: Settings) -> None:
    """Divide by the continuum of each segment; recipe step ``continuum``."""
    chosen = _chosen(batch.grid, settings["pixels"])
    for k, (first, last) in enumerate(batch.grid.segments):
        pixels = slice(first, last)
        if settings["method"] == "chebyshev":
            levels = _chebyshev(batch, pixels, chosen[pixels], settings["degree"])
        else:
            levels = _clipped(batch, pixels, settings)
        _divide(batch, pixels, levels, k)


def _chebyshev(
    batch: Batch, pixels: slice, chosen: np.ndarray, degree: int
) -> np.ndarray:
    """Polynomial continua of one segment, for all rows."""
    wavelength = batch.grid.wavelength[pixels]
    position = 2 * (wavelength - wavelength[0]) / (wavelength[-1] - wavelength[0]) - 1
    valid, flux = batch.valid[:, pixels][:, chosen], batch.flux[:, pixels][:, chosen]
    variance = batch.variance[:, pixels][:, chosen]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(np.isfinite(variance) & (variance > 0), 1 / variance, 0.0)
    unknown = ~np.any(weight > 0, axis=1, keepdims=True)
    weight = np.where(valid, np.where(unknown, 1.0, weight), 0.0)
    coefficients = chebyshev_continuum(
        position[chosen], np.where(valid, flux, 0.0), weight, degree=degree
    )
    basis = chebyshev.chebvander(position, degree)
    return np.matmul(coefficients[:, None, :], basis.T)[:, 0]


def _clipped(batch: Batch, pixels: slice, settings: Settings) -> np.ndarray:
    """Sigma-clipped continua of one segment, for all rows."""
    options = {
        name: settings[name]
        for name in ("width", "sigma_lower", "sigma_upper", "knots")
    }
    wavelength = batch.grid.wavelength[pixels]
    return np.array(
        [
            sigma_clip_continuum(wavelength, flux, valid, **options)
            for flux, valid in zip(
                batch.flux[:, pixels], batch.valid[:, pixels], strict=True
            )
        ]
    )


def _divide(batch: Batch, pixels: slice, levels: np.ndarray, k: int) -> None:
    """Divide one segment of all rows; pixels without a positive continuum are lost."""
    usable = np.isfinite(levels) & (levels > 0)
    mine = np.array([row.usable for row in batch.rows], dtype=bool)
    some = np.any(usable & batch.valid[:, pixels], axis=1)
    for i in np.flatnonzero(mine & ~some).tolist():
        batch.drop(i, pixels, f"no continuum in segment {k}")
    mine &= some
    batch.valid[:, pixels] &= usable | ~mine[:, None]
    batch.divide(slice(None), pixels, np.where(usable & mine[:, None], levels, 1.0))
    whole = usable.all(axis=1)
    for i in np.flatnonzero(mine).tolist():
        level = levels[i] if whole[i] else levels[i, usable[i]]
        batch.scale[i, k] *= quantile(level)


_DARK = 0.02  # of the median: a running mean below is no continuum


@dataclass(frozen=True, eq=False)
class Lines:
    """A spectrum, or templates, without the running mean.

    Parameters
    ----------
    values : ndarray of float32, shape (n, n_pixels)
        Flux over its running mean, less one; zero where not valid.
    weight : ndarray of float32, shape (n, n_pixels)
        One where valid, else zero.
    mean : ndarray of float32, shape (n, n_pixels)
        The running mean; one where there is none.
    """

    values: np.ndarray
    weight: np.ndarray
    mean: np.ndarray

    def row(self, i: int) -> "Lines":
        """Return one of them, as one of one."""
        part = slice(i, i + 1)
        return Lines(self.values[part], self.weight[part], self.mean[part])


def _running_sum(values: np.ndarray, half: int) -> np.ndarray:
    """Add up over ``2 half + 1`` pixels, fewer at the ends."""
    size = values.shape[-1]
    kind = np.int32 if values.dtype == bool else np.float64  # counts add up faster
    total = np.zeros((*values.shape[:-1], size + 2 * half + 2), dtype=kind)
    np.cumsum(values, axis=-1, dtype=kind, out=total[..., half + 1 : half + 1 + size])
    total[..., half + 1 + size :] = total[..., half + size, None]
    return total[..., 2 * half + 1 : -1] - total[..., :size]


def divide_mean_out(values: np.ndarray, weight: np.ndarray, half: int) -> Lines:
    """Divide a running mean of the valid pixels out.

    Parameters
    ----------
    values : ndarray, shape (n, n_pixels)
        Flux; zero where not valid.
    weight : ndarray, shape (n, n_pixels)
        One where valid, else zero.
    half : int
        Half the width of the mean.

    Returns
    -------
    Lines
        What is left, and the mean.
    """
    counts = weight > 0
    count = _running_sum(counts, half)
    mean = _running_sum(values, half) / np.maximum(count, 1)
    some = zip(mean[:, ::16], count[:, ::16] > half, strict=True)
    typical = [quantile(each[mine]) if mine.any() else 0.0 for each, mine in some]
    least = _DARK * np.maximum(typical, 0.0)
    usable = (count > 0.5 * half) & (mean > least[:, None]) & counts
    mean[~usable] = 1.0
    lines = np.clip(values / mean, 0.0, 2.0) - 1.0
    lines[~usable] = 0.0
    return Lines(*(a.astype(np.float32) for a in (lines, usable, mean)))
