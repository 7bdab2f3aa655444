# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether the parts of a spectrum say the same: depths and places of lines.

A spectrum at rest is described by a sum of templates with positive weights. In each
part of some hundred pixels the lines must be as deep as in that sum (a constant,
smoothed, repeated or foreign part has others) and lie where the wavelengths say (a
shifted part, or a wrong axis, has them elsewhere).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np
from astropy.io import fits

from ..utils.physics import SPEED_OF_LIGHT
from ..utils.quality import QualityFlag
from .grid import SpectralGrid, get_grid
from .prepared import Batch
from .resample import Resampler

__all__ = ["Parts", "check_parts", "compare_parts"]

_WIDTH = 240  # pixels of a part
_LAGS = np.arange(-6, 7)
_FEWEST = 0.5  # share of the pixels of a part that must be valid
_CLEAR = 5.0  # standard errors
_LIKE = 0.25  # share of the variance, noise aside, that templates must explain
_DEPTH = 0.2  # difference of depths that any star may have
_PLACE = 0.5  # difference of places, pixels
_AT_REST = 0.7  # where all lines may lie, pixels
_UNLIKE = 0.5  # more of a difference for what templates do not explain
_ROUGH = 9.0  # times as much left in a part as in others
_SURE = 0.4  # largest standard error of a place that counts, pixels


@dataclass(frozen=True)
class Parts:
    """What the parts of one spectrum show; one value each.

    Parameters
    ----------
    depth : ndarray
        Depth of the lines over that of the templates.
    depth_error : ndarray
        Its standard error, from what the templates leave.
    place : ndarray
        Where the lines lie, pixels from where they should.
    place_error : ndarray
        Its standard error.
    residual : ndarray
        Root mean square of what the templates leave.
    explained : float
        Share of the variance, noise aside, that the templates explain in the best
        quarter of the parts.
    """

    depth: np.ndarray
    depth_error: np.ndarray
    place: np.ndarray
    place_error: np.ndarray
    residual: np.ndarray
    explained: float


@dataclass(frozen=True)
class _Reference:
    """Templates at each lag without their trends; parts, and trends on each part."""

    shifted: np.ndarray  # (n_templates, n_lags, n_pixels)
    parts: tuple[slice, ...]
    trends: tuple[np.ndarray, ...]


@cache
def _load(grid_name: str) -> _Reference:
    grid = get_grid(grid_name)
    resource = files(__package__).joinpath("data", "apogee_templates.fits")
    with as_file(resource) as path, fits.open(path) as hdus:
        fluxes = hdus[0].data.astype(float)
        source = get_grid(hdus[0].header["GRID"]).wavelength
    way = Resampler.between(source, grid.wavelength, method="linear")
    templates = np.nan_to_num(np.array([way(flux)[0] for flux in fluxes]) - 1.0)
    parts: list[slice] = []
    for first, last in grid.segments:
        count = max(1, round((last - first) / _WIDTH))
        edges = np.linspace(first, last, count + 1).astype(int).tolist()
        parts += [slice(a, b) for a, b in pairwise(edges)]
    trends = []
    for part in parts:
        size = part.stop - part.start
        powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, size), 2)
        trends.append(np.linalg.qr(powers)[0])
    rolled = np.stack([np.roll(templates, lag, axis=1) for lag in _LAGS], axis=1)
    shifted = _flatten(rolled, parts, trends)
    return _Reference(shifted, tuple(parts), tuple(trends))


def _flatten(
    values: np.ndarray, parts: Sequence[slice], trends: Sequence[np.ndarray]
) -> np.ndarray:
    """Take a parabola off each part."""
    out = np.empty_like(values)
    for part, trend in zip(parts, trends, strict=True):
        piece = values[..., part]
        out[..., part] = piece - (piece @ trend) @ trend.T
    return out


def compare_parts(
    flux: np.ndarray, variance: np.ndarray, valid: np.ndarray, grid: SpectralGrid
) -> Parts | None:
    """Compare the parts of a normalised spectrum at rest with templates.

    Parameters
    ----------
    flux, variance : ndarray, shape (n_pixels,)
        Normalised flux, and its variance.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels count.
    grid : SpectralGrid
        One of the grids of APOGEE known by name.

    Returns
    -------
    Parts or None
        None if too few pixels are valid, or no lines are seen.
    """
    from scipy.optimize import nnls  # takes a third as long to import as torch

    reference = _load(grid.name)
    used = [
        n for n, part in enumerate(reference.parts) if valid[part].mean() >= _FEWEST
    ]
    if len(used) < 4:
        return None
    weight = np.where(valid, 1.0, 0.0)
    data = np.clip(flux - 1.0, -1.0, 0.5) * weight
    data = _flatten(data, reference.parts, reference.trends) * weight
    basis = reference.shifted[:, len(_LAGS) // 2] * weight
    factor, rotated = np.linalg.qr(basis.T)
    weights = nnls(rotated, factor.T @ data)[0]
    if not weights.any():
        return None
    models = np.tensordot(weights, reference.shifted, 1) * weight
    # place by place: a spectrum that lies elsewhere is described as well
    columns = [
        _measure(data[p], models[:, p], weight[p])
        for p in map(reference.parts.__getitem__, used)
    ]
    depth, depth_error, place, place_error, left, total = np.array(columns).T
    known = np.where(valid & np.isfinite(variance), variance, 0.0)
    noise = np.array([known[reference.parts[n]].sum() for n in used])
    if total.sum() < 1.05 * noise.sum():
        return None  # no lines above the noise
    shares = (total - left) / np.maximum(total - noise, 0.05 * total)
    explained = min(float(np.percentile(shares, 75)), 1.0)
    pixels = [weight[reference.parts[n]].sum() for n in used]
    residual = np.sqrt(left / pixels)
    return Parts(depth, depth_error, place, place_error, residual, explained)


def _measure(
    data: np.ndarray, models: np.ndarray, weight: np.ndarray
) -> tuple[float, float, float, float, float, float]:
    """Depth and place of the lines of one part, with errors; what is left; all."""
    middle = len(_LAGS) // 2
    norm = np.maximum((models**2).sum(axis=1), 1e-12)
    slopes = models @ data / norm
    total = float((data**2).sum())
    left = total - slopes**2 * norm
    pixels = max(weight.sum(), 1.0)
    noise = max(left.min() / pixels, 1e-12)
    depth_error = float(np.sqrt(noise / norm[middle]))
    best = int(np.argmin(np.where(slopes > 0, left, np.inf)))
    place, place_error = float(_LAGS[best]), 1.0
    if 0 < best < len(_LAGS) - 1:
        below, at, above = left[best - 1 : best + 2]
        bend = below - 2 * at + above
        if bend > 0:
            place += float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5))
            place_error = float(np.sqrt(2 * noise / bend))
    return (
        float(slopes[middle]), depth_error, place, place_error,
        float(left[best]), total,
    )  # fmt: skip


def check_parts(batch: Batch, i: int) -> None:
    """Flag a spectrum whose parts contradict each other, or its wavelengths.

    Parameters
    ----------
    batch : Batch
        Normalised spectra at rest.
    i : int
        Which of them.
    """
    row, grid = batch.rows[i], batch.grid
    found = compare_parts(batch.flux[i], batch.variance[i], batch.valid[i], grid)
    if found is None or found.explained < _LIKE:
        return
    floor = _DEPTH + _UNLIKE * (1 - found.explained)
    excess, odd = _scan(found.depth, found.depth_error, floor)
    worst = float(found.residual.max() / np.median(found.residual))
    if worst > _ROUGH:
        text = f"a part departs {worst:.0f} times as far from its lines as the others"
        row.flag(QualityFlag.INCONSISTENT_PARTS, text)
    if excess > 0:
        text = f"lines of some part are {odd:.2f} times as deep as those of the others"
        row.flag(QualityFlag.INCONSISTENT_PARTS, text)
    sure = found.place_error < _SURE
    if not sure.any():
        return
    place, error = found.place[sure], found.place_error[sure]
    excess, odd = _scan(place, error, _PLACE)
    middle = float(np.median(place))
    all_off = abs(middle) > _AT_REST + _CLEAR * float(
        np.median(error) / sum(sure) ** 0.5
    )
    if excess > 0 or all_off:
        odd = middle if all_off else odd
        text = f"lines lie {odd * _pixel(grid):+.1f} km/s off"
        row.flag(QualityFlag.WAVELENGTHS_SUSPECT, text)


def _scan(values: np.ndarray, errors: np.ndarray, floor: float) -> tuple[float, float]:
    """Compare each run of neighbouring parts with all others.

    Returns by how much the largest difference exceeds what the errors, the scatter from
    part to part and the floor allow, and the mean of that run.
    """
    count = len(values)
    if count < 4:
        return -1.0, np.nan
    # a change of a whole half leaves the scatter between neighbours alone
    scatter = float(np.median(np.abs(np.diff(values)))) * 1.4826 / np.sqrt(2)
    weight = 1 / (np.minimum(errors, 1e3) ** 2 + scatter**2 + 1e-4)
    sums = np.concatenate([[0], np.cumsum(weight)])
    products = np.concatenate([[0], np.cumsum(weight * values)])
    first, last = np.triu_indices(count + 1, 1)
    inside = sums[last] - sums[first]
    outside = sums[-1] - inside
    some = (outside > 0.2 * sums[-1]) & (
        inside > 0
    )  # the others must be enough to compare with
    first, last, inside, outside = first[some], last[some], inside[some], outside[some]
    mean = (products[last] - products[first]) / inside
    others = (products[-1] - products[last] + products[first]) / outside
    excess = np.abs(mean - others) - floor - _CLEAR * np.sqrt(1 / inside + 1 / outside)
    best = int(np.argmax(excess))
    return float(excess[best]), float(mean[best])


def _pixel(grid: SpectralGrid) -> float:
    """Width of a pixel, km/s."""
    wavelength = grid.wavelength
    return float(np.median(np.diff(np.log(wavelength))) * SPEED_OF_LIGHT)
