# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether the parts of a spectrum say the same: depths and places of lines, levels.

A spectrum at rest is described by a sum of templates with positive weights. In each
part of some hundred pixels the lines must be as deep as in that sum (a constant,
smoothed, repeated or foreign part has others) and lie where the wavelengths say (a
shifted part, or a wrong axis, has them elsewhere); and no part may begin with a step.
"""

from functools import cache

import numpy as np

from ..utils.physics import SIGMA_PER_MAD
from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .normalise import Lines, divide_mean_out
from .prepared import Batch, Row, quantile
from .references import LAGS, Parts, Reference, get_reference

__all__ = ["check_parts", "compare_parts"]

_FEWEST = 0.5  # share of the pixels of a part that must be valid
_CLEAR = 5.0  # standard errors
_ABOVE = 1.05  # variance over that of the noise where there are lines
_LIKE = 0.25  # share of the variance, noise aside, that templates must explain
_DEPTH = 0.1  # difference of depths that any star may have
_DEPTH_RELATIVE = 0.15  # the same at a resolving power of 115,000
_PLACE = 0.5  # difference of places, pixels
_PLACE_RELATIVE = 0.25  # the same at a resolving power of 115,000
_AT_REST = 0.7  # where all lines may lie, pixels
_UNLIKE = 0.5  # more of a difference for what templates do not explain
_ROUGH = 9.0  # times as much left in a part as in others
_FINE = 0.01  # or as this, which cosmic rays leave
_SURE = 0.4  # largest standard error of a place that counts, pixels
_DOUBTFUL, _BETTER = 0.6, 0.2  # share that templates explain at rest, and elsewhere
_JUMP, _JUMP_UNLIKE = 0.06, 0.3  # step of ln flux, and more as above
_QUIET = 0.3  # of the errors: what a spectrum differs from its templates at least
_TOGETHER = 2**16  # pixels of spectra that are compared together, within the cache


def compare_parts(
    flux: np.ndarray, variance: np.ndarray, valid: np.ndarray, grid: SpectralGrid
) -> list[Parts | None]:
    """Compare the parts of spectra with templates.

    Parameters
    ----------
    flux, variance : ndarray, shape (n_spectra, n_pixels)
        Prepared flux, and its variance.
    valid : ndarray of bool, shape (n_spectra, n_pixels)
        Which pixels count.
    grid : SpectralGrid
        One of the grids of APOGEE (at rest) or HARPS (at any velocity) known by name.

    Returns
    -------
    list of Parts or None
        Of each spectrum; None if too few pixels are valid, no line is like those of
        templates, or the grid has none.
    """
    reference = get_reference(grid.name)
    if reference is None:
        return [None] * len(flux)
    lines = _join(reference, flux, valid)
    noise = _expect(reference, variance, valid, lines)
    if reference.at_rest:
        found = _compare(reference, lines, noise, 0)
        rows = [i for i, parts in enumerate(found) if _is_doubtful(parts)]
    else:
        found, rows = [None] * len(flux), list(range(len(flux)))
    for i in rows:  # for what lies far off, or anywhere
        alone = lines.row(i)
        shift = reference.find_shift(alone)
        if shift or not reference.at_rest:
            (other,) = _compare(reference, alone, noise[i : i + 1], shift)
            found[i] = _choose(found[i], other)
    return found


def _is_doubtful(found: Parts | None) -> bool:
    return found is not None and 0 < found.explained < _DOUBTFUL


def _choose(found: Parts | None, other: Parts | None) -> Parts | None:
    """Take the other if it explains clearly more."""
    if found is None or other is None:
        return found or other
    return other if other.explained > found.explained + _BETTER else found


def _join(reference: Reference, flux: np.ndarray, valid: np.ndarray) -> Lines:
    """Bring spectra to pixels of equal velocity and divide their means out."""
    total, weight = np.zeros((2, len(flux), len(reference.covered)))
    flux = np.where(valid, flux, 0.0)
    for into, of in reference.copies:
        total[:, into], weight[:, into] = flux[:, of], valid[:, of]
    if not reference.copies:
        for i, mine in enumerate(valid):
            total[i], weight[i] = reference.average(flux[i], mine)
    return divide_mean_out(total, weight, reference.half)


def _compare(
    reference: Reference, lines: Lines, noise: np.ndarray, shift: int
) -> list[Parts | None]:
    """Compare spectra that are shifted by some pixels."""
    lines = _take(lines, shift, reference.inside)
    weight = lines.weight.take(reference.places, axis=1)
    pixels = weight.sum(axis=2)
    used = pixels >= _FEWEST * np.diff(reference.edges)[:, 0]
    enough = np.count_nonzero(used, axis=1) >= 4
    amounts, model = _fit(reference, lines, enough)
    measured = _measure(
        model.take(reference.around, axis=1),
        lines.values.take(reference.places, axis=1),
        weight,
        pixels,
    )
    at_rest = reference.at_rest
    jumps = _find_jumps(reference, lines, amounts) if at_rest else [0.0] * len(pixels)
    found: list[Parts | None] = [None] * len(pixels)
    for i in np.flatnonzero(amounts.any(axis=1)).tolist():
        mine = used[i]
        found[i] = _sum_up(
            reference, measured[:, i, mine], pixels[i, mine], noise[i, mine],
            jump=jumps[i], shift=shift if at_rest else 0,
        )  # fmt: skip
    return found


def _sum_up(
    reference: Reference,
    measured: np.ndarray,
    pixels: np.ndarray,
    noise: np.ndarray,
    *,
    jump: float,
    shift: int,
) -> Parts:
    """Put together what was measured of those parts of one spectrum that count."""
    depth, depth_error, place, place_error, left, total = measured
    known = noise**2 * pixels
    lines_hold = np.maximum(total - known, 0.05 * total)
    shares = np.divide(  # a part without any line explains nothing
        total - left, lines_hold, out=np.zeros_like(total), where=lines_hold > 0
    )
    explained = min(quantile(shares, 0.75), 1.0)
    if total.sum() < _ABOVE * known.sum():
        explained = 0.0
    return Parts(
        depth=depth, depth_error=depth_error, place_error=place_error,
        place=place + shift, residual=np.sqrt(left / pixels), noise=noise,
        explained=explained, jump=jump,
        step=reference.step, at_rest=reference.at_rest,
    )  # fmt: skip


def _take(lines: Lines, shift: int, inside: np.ndarray) -> Lines:
    """Shift lines to rest; what lies outside of all parts does not count."""
    values, weight, mean = lines.values, lines.weight, lines.mean
    if shift:
        size = values.shape[1]
        to = np.s_[:, max(-shift, 0) : size - max(shift, 0)]
        of = np.s_[:, max(shift, 0) : size - max(-shift, 0)]
        values, weight = np.zeros((2, *values.shape), dtype=np.float32)
        mean = np.ones_like(values)
        values[to], weight[to], mean[to] = (
            lines.values[of],
            lines.weight[of],
            lines.mean[of],
        )
    return Lines(values * inside, weight * inside, mean)


def _fit(
    reference: Reference, lines: Lines, enough: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Amounts of templates without negative ones, and their sum; of each spectrum."""
    templates = reference.templates.values
    amounts = np.zeros((len(enough), len(templates)), dtype=np.float32)
    model = np.zeros_like(lines.values)
    for i in np.flatnonzero(enough).tolist():
        missing = np.flatnonzero(reference.inside & (lines.weight[i] == 0))
        gaps = templates[:, missing]
        right = templates @ lines.values[i]
        amounts[i] = _solve(reference.products - gaps @ gaps.T, right)
        np.matmul(amounts[i], templates, out=model[i])
    return amounts, model


def _solve(products: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve the normal equations without negative amounts."""
    from scipy.optimize import nnls  # takes a third as long to import as torch

    ridge = 1e-5 * np.trace(products) / len(products)
    factor = np.linalg.cholesky(products + (ridge + 1e-12) * np.eye(len(products)))
    amounts = nnls(factor.T, np.linalg.solve(factor, right.astype(float)))[0]
    return amounts.astype(np.float32)


def _measure(
    model: np.ndarray, values: np.ndarray, weight: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """Depth and place of the lines, with errors; what is left; all. Of each part."""
    shifted, squares = (
        np.lib.stride_tricks.sliding_window_view(each, values.shape[2], axis=2)
        for each in (model, np.square(model))
    )
    cross, norm = (
        np.moveaxis(np.vecdot(windows, each[:, :, None])[:, :, ::-1], 2, 0)
        for windows, each in ((shifted, values), (squares, weight))
    )
    norm = np.maximum(norm, 1e-9)
    total = np.vecdot(values, values)
    left = total - np.maximum(cross, 0.0) ** 2 / norm
    best, least = left.argmin(axis=0), left.min(axis=0)
    noise = np.maximum(least / np.maximum(pixels, 1.0), 1e-12)
    middle = len(LAGS) // 2
    around = np.clip(best, 1, len(LAGS) - 2)
    below, at, above = (
        np.take_along_axis(left, around[None] + k, axis=0)[0] for k in (-1, 0, 1)
    )
    bend = below - 2 * at + above
    inside = (best == around) & (bend > 0)
    bend = np.where(inside, bend, 1.0)
    offset = np.where(inside, np.clip(0.5 * (below - above) / bend, -0.5, 0.5), 0.0)
    error = np.where(inside, np.sqrt(2 * noise / bend), 1.0)
    depth = cross[middle] / norm[middle]
    depth_error = np.sqrt(noise / norm[middle])
    place = best - middle + offset
    return np.stack([depth, depth_error, place, error, least, total])


def _expect(
    reference: Reference, variance: np.ndarray, valid: np.ndarray, lines: Lines
) -> np.ndarray:
    """Return the standard deviation of the noise in each part, relative to the flux."""
    variance = variance.take(reference.samples, axis=1)
    seen = valid.take(reference.samples, axis=1) & np.isfinite(variance)
    total = np.where(seen, variance, 0.0).sum(axis=2)
    middle = reference.edges.sum(axis=1) // 2
    joined = reference.covered[middle].clip(min=1.0)
    mean = total / np.maximum(np.count_nonzero(seen, axis=2), 1) / joined
    return np.sqrt(mean) / lines.mean[:, middle]


def _find_jumps(reference: Reference, lines: Lines, amounts: np.ndarray) -> list[float]:
    """Largest step of each flux over that of the templates, in ln."""
    half, size = reference.half, lines.mean.shape[1]
    at = np.arange(2 * half, size - 2 * half, half // 6)
    sides = np.stack([at - half - 2, at + half + 2])
    absorbed = amounts @ (1.0 - reference.templates.mean[:, sides.ravel()])
    model = np.maximum(1.0 - absorbed, 0.1).reshape(-1, *sides.shape)
    level = np.log(np.maximum(lines.mean[:, sides], 1e-3) / model)
    total = np.zeros((len(amounts), size + 1), dtype=np.int32)
    np.cumsum(lines.weight > 0, axis=1, dtype=np.int32, out=total[:, 1:])
    count = total[:, at + 2 * half] - total[:, at - 2 * half]
    whole = (count >= 0.95 * 4 * half) & (lines.weight[:, sides] > 0).all(axis=1)
    steps = zip(level[:, 1] - level[:, 0], whole, strict=True)
    return [_largest(each[mine]) for each, mine in steps]


def _largest(steps: np.ndarray) -> float:
    """Return the largest distance from the median; 0 of none."""
    return float(np.abs(steps - quantile(steps)).max()) if steps.size else 0.0


def check_parts(batch: Batch, rows: list[int]) -> None:
    """Flag spectra whose parts contradict each other, or their wavelengths.

    Parameters
    ----------
    batch : Batch
        Spectra of APOGEE, at rest, or of HARPS.
    rows : list of int
        Which of them.
    """
    size = max(1, _TOGETHER // batch.grid.n_pixels)
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        alone = len(some) == 1  # so long that its pixels need not be copied
        part = slice(some[0], some[0] + 1) if alone else some
        seen = compare_parts(
            batch.flux[part], batch.variance[part], batch.valid[part], batch.grid
        )
        for i, found in zip(some, seen, strict=True):
            if found is not None:
                _judge(batch.rows[i], found)


def _judge(row: Row, found: Parts) -> None:
    """Flag what the parts of a spectrum show."""
    ratio = quantile(found.residual / np.maximum(found.noise, 1e-9))
    if row.observation.noise == "file" and ratio < _QUIET:
        text = f"lines aside, the flux scatters {ratio:.2f} times as its errors say"
        row.flag(QualityFlag.ERRORS_SUSPECT, text)
    if found.explained > _LIKE:
        _judge_depths(row, found)
        _judge_places(row, found)


def _judge_depths(row: Row, found: Parts) -> None:
    """Flag lines of another depth, of another kind, and steps."""
    unlike = 1 - found.explained
    floor = _DEPTH if found.at_rest else _DEPTH_RELATIVE
    excess, odd = _scan(found.depth, found.depth_error, floor + _UNLIKE * unlike)
    usual = max(quantile(found.residual), _FINE)
    worst = float(found.residual.max()) / usual
    if worst > _ROUGH:
        text = f"a part departs {worst:.0f} times as far from its lines as the others"
        row.flag(QualityFlag.INCONSISTENT_PARTS, text)
    if excess > 0:
        text = f"lines of some part are {odd:.2f} times as deep as those of the others"
        row.flag(QualityFlag.INCONSISTENT_PARTS, text)
    if found.jump > _JUMP + _JUMP_UNLIKE * unlike:
        text = f"the flux has a step of {found.jump:.0%}"
        row.flag(QualityFlag.INCONSISTENT_PARTS, text)


def _judge_places(row: Row, found: Parts) -> None:
    """Flag lines that do not lie where the wavelengths say."""
    sure = found.place_error < _SURE
    if not sure.any():
        return
    place, error = found.place[sure], found.place_error[sure]
    excess, odd = _scan(place, error, _PLACE if found.at_rest else _PLACE_RELATIVE)
    middle = quantile(place)
    allowed = _AT_REST + _CLEAR * quantile(error) / len(error) ** 0.5
    all_off = found.at_rest and abs(middle) > allowed
    if excess > 0 or all_off:
        odd = middle if all_off else odd - (0.0 if found.at_rest else middle)
        text = f"lines lie {odd * found.step:+.1f} km/s off"
        row.flag(QualityFlag.WAVELENGTHS_SUSPECT, text)


def _scan(values: np.ndarray, errors: np.ndarray, floor: float) -> tuple[float, float]:
    """Compare each run of neighbouring parts with all others.

    Returns by how much the largest difference exceeds what the errors, the scatter from
    part to part and the floor allow, and the mean of that run.
    """
    count = len(values)
    if count < 4 or values.max() - values.min() <= floor:
        return -1.0, np.nan  # no mean of some is further from that of others
    # a change of a whole half leaves the scatter between neighbours alone
    scatter = quantile(np.abs(np.diff(values))) * SIGMA_PER_MAD / np.sqrt(2)
    weight = 1 / (np.minimum(errors, 1e3) ** 2 + scatter**2 + 1e-4)
    sums = np.concatenate([[0], np.cumsum(weight)])
    products = np.concatenate([[0], np.cumsum(weight * values)])
    first, last = _runs(count)
    inside = sums[last] - sums[first]
    outside = sums[-1] - inside
    # the others must be enough to compare with
    some = (outside > 0.2 * sums[-1]) & (inside > 0)
    first, last, inside, outside = first[some], last[some], inside[some], outside[some]
    mean = (products[last] - products[first]) / inside
    others = (products[-1] - products[last] + products[first]) / outside
    excess = np.abs(mean - others) - floor - _CLEAR * np.sqrt(1 / inside + 1 / outside)
    best = int(np.argmax(excess))
    return float(excess[best]), float(mean[best])


@cache
def _runs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """First of each run of parts, and the one after its last."""
    first, last = np.triu_indices(count + 1, 1)
    return first, last
