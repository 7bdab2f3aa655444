# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether the parts of a spectrum say the same: depths and places of lines, levels.

A spectrum at rest is described by a sum of templates with positive weights. In each
part of some hundred pixels the lines must be as deep as in that sum (a constant,
smoothed, repeated or foreign part has others) and lie where the wavelengths say (a
shifted part, or a wrong axis, has them elsewhere); and no part may begin with a step.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft

from ..utils.physics import SIGMA_PER_MAD
from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .normalise import Lines, divide_mean_out
from .prepared import Batch, Row, quantile
from .references import LAGS, Reference, get_reference, integrate

__all__ = ["Parts", "check_parts", "compare_parts"]

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
_ROUGHLY = 4  # pixels joined to find a velocity roughly


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
        Where the lines lie, pixels of equal velocity from where they should.
    place_error : ndarray
        Its standard error.
    residual : ndarray
        Root mean square of what the templates leave.
    noise : ndarray
        The same that the errors of the flux make expect; 0 if not known.
    explained : float
        Share of the variance, noise aside, that the templates explain in the best
        quarter of the parts; 0 if there are no lines above the noise.
    jump : float
        Largest step of ln flux, lines aside.
    step : float
        Width of a pixel of equal velocity, km/s.
    at_rest : bool
        Whether the velocity was known, so that places are absolute.
    """

    depth: np.ndarray
    depth_error: np.ndarray
    place: np.ndarray
    place_error: np.ndarray
    residual: np.ndarray
    noise: np.ndarray
    explained: float
    jump: float
    step: float
    at_rest: bool


def compare_parts(
    flux: np.ndarray, variance: np.ndarray, valid: np.ndarray, grid: SpectralGrid
) -> Parts | None:
    """Compare the parts of a spectrum with templates.

    Parameters
    ----------
    flux, variance : ndarray, shape (n_pixels,)
        Prepared flux, and its variance.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels count.
    grid : SpectralGrid
        One of the grids of APOGEE (at rest) or HARPS (at any velocity) known by name.

    Returns
    -------
    Parts or None
        None if too few pixels are valid, no line is like those of templates, or the
        grid has none.
    """
    reference = get_reference(grid.name)
    if reference is None:
        return None
    lines = _join(reference, flux, valid)
    noise = _expect(reference, variance, valid, lines)
    if not reference.at_rest:
        return _compare(reference, lines, noise, _find_shift(reference, lines))
    found = _compare(reference, lines, noise, 0)
    if found is None or not 0 < found.explained < _DOUBTFUL:
        return found
    shift = _find_shift(reference, lines)  # for what lies far off
    other = _compare(reference, lines, noise, shift) if shift else None
    better = other is not None and other.explained > found.explained + _BETTER
    return other if better else found


def _join(reference: Reference, flux: np.ndarray, valid: np.ndarray) -> Lines:
    """Bring a spectrum to pixels of equal velocity and divide its mean out."""
    covered, sides = reference.covered, reference.sides
    flux = np.where(valid, flux, 0.0)
    if sides.dtype.kind == "i":
        total, count = np.zeros((2, len(covered)))
        total[sides], count[sides] = flux, valid
    else:
        total, count = integrate(flux, sides), covered
        if np.count_nonzero(valid) < covered.sum():
            count = integrate(valid.astype(float), sides)
    weight = count > 0.5 * np.maximum(covered, 0.5)
    total *= weight
    total /= np.maximum(count, 0.25)
    return divide_mean_out(total, weight.astype(np.float32), reference.half)


def _compare(
    reference: Reference, lines: Lines, noise: np.ndarray, shift: int
) -> Parts | None:
    """Compare a spectrum that is shifted by some pixels."""
    lines = _take(lines, shift, reference.inside)
    pixels = _add_up(reference, lines.weight)
    used = pixels >= _FEWEST * np.diff(reference.edges)[:, 0]
    if used.sum() < 4:
        return None
    missing = np.flatnonzero(reference.inside & (lines.weight == 0))
    gaps = reference.templates.values[:, missing]
    right = reference.templates.values @ lines.values
    amounts = _fit(reference.products - gaps @ gaps.T, right)
    if not amounts.any():
        return None
    model = amounts @ reference.templates.values
    depth, depth_error, place, place_error, left, total = _measure(
        reference, lines, model, pixels
    )[:, used]
    pixels, noise = pixels[used], noise[used]
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
        place=place + shift if reference.at_rest else place,
        residual=np.sqrt(left / pixels), noise=noise,
        explained=explained,
        jump=_find_jump(reference, lines, amounts) if reference.at_rest else 0.0,
        step=reference.step, at_rest=reference.at_rest,
    )  # fmt: skip


def _add_up(reference: Reference, values: np.ndarray) -> np.ndarray:
    """Add up pixels in each part, along the last axis."""
    return np.add.reduceat(values, reference.edges.ravel(), axis=-1)[..., ::2]


def _find_shift(reference: Reference, lines: Lines) -> int:
    """Find the velocity of a star by cross-correlation, in pixels."""
    seen, template = lines.values, reference.middle
    whole = len(seen) // _ROUGHLY * _ROUGHLY
    joined = np.stack([seen, template])[:, :whole].reshape(2, -1, _ROUGHLY).sum(axis=2)
    reach = reference.reach // _ROUGHLY
    size = fft.next_fast_len(joined.shape[1] + reach + 1, real=True)
    seen_at, template_at = fft.rfft(joined, size)
    cross = fft.irfft(seen_at * template_at.conj(), size)
    near = np.concatenate([cross[-reach:], cross[: reach + 1]])
    rough = (int(np.argmax(near)) - reach) * _ROUGHLY
    first = max(rough - _ROUGHLY, -reference.reach)
    last = min(rough + _ROUGHLY, reference.reach)
    margin = reference.reach
    inner = template[margin:-margin]
    scores = [seen[margin + k :][: len(inner)] @ inner for k in range(first, last + 1)]
    return first + int(np.argmax(scores))


def _take(lines: Lines, shift: int, inside: np.ndarray) -> Lines:
    """Shift lines to rest; what lies outside of all parts does not count."""
    size = len(lines.values)
    to = slice(max(-shift, 0), size - max(shift, 0))
    of = slice(max(shift, 0), size - max(-shift, 0))
    values, weight, mean = np.zeros(size), np.zeros(size), np.ones(size)
    values[to], weight[to], mean[to] = (
        lines.values[of],
        lines.weight[of],
        lines.mean[of],
    )
    values *= inside
    weight *= inside
    return Lines(values.astype(np.float32), weight.astype(np.float32), mean)


def _fit(products: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve the normal equations without negative amounts."""
    from scipy.optimize import nnls  # takes a third as long to import as torch

    ridge = 1e-5 * np.trace(products) / len(products)
    factor = np.linalg.cholesky(products + (ridge + 1e-12) * np.eye(len(products)))
    amounts = nnls(factor.T, np.linalg.solve(factor, right.astype(float)))[0]
    return amounts.astype(np.float32)


def _measure(
    reference: Reference, lines: Lines, model: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """Depth and place of the lines, with errors; what is left; all. Of each part."""
    round_ = np.concatenate([model[-LAGS[-1] :], model, model[: LAGS[-1]]])
    shifted, squares = np.lib.stride_tricks.sliding_window_view(
        np.stack([round_, np.square(round_)]), len(model), axis=1
    )[:, ::-1]
    norm = _add_up(reference, squares * lines.weight)
    cross = _add_up(reference, shifted * lines.values)
    norm = np.maximum(norm, 1e-9)
    total = _add_up(reference, np.square(lines.values))
    left = total - np.maximum(cross, 0.0) ** 2 / norm
    noise = np.maximum(left.min(axis=0) / np.maximum(pixels, 1.0), 1e-12)
    middle, parts = len(LAGS) // 2, np.arange(len(pixels))
    best = left.argmin(axis=0)
    around = np.clip(best, 1, len(LAGS) - 2)
    below, at, above = (left[around + k, parts] for k in (-1, 0, 1))
    bend = below - 2 * at + above
    inside = (best == around) & (bend > 0)
    bend = np.where(inside, bend, 1.0)
    offset = np.where(inside, np.clip(0.5 * (below - above) / bend, -0.5, 0.5), 0.0)
    error = np.where(inside, np.sqrt(2 * noise / bend), 1.0)
    depth = cross[middle] / norm[middle]
    depth_error = np.sqrt(noise / norm[middle])
    place = best - middle + offset
    return np.stack([depth, depth_error, place, error, left.min(axis=0), total])


def _expect(
    reference: Reference, variance: np.ndarray, valid: np.ndarray, lines: Lines
) -> np.ndarray:
    """Return the standard deviation of the noise in each part, relative to the flux."""
    seen = valid[reference.samples] & np.isfinite(variance[reference.samples])
    total = np.where(seen, variance[reference.samples], 0.0).sum(axis=1)
    joined = reference.covered[reference.edges.sum(axis=1) // 2].clip(min=1.0)
    mean = total / np.maximum(seen.sum(axis=1), 1) / joined
    level = lines.mean[reference.edges.sum(axis=1) // 2]
    return np.sqrt(mean) / level


def _find_jump(reference: Reference, lines: Lines, amounts: np.ndarray) -> float:
    """Largest step of the flux over that of the templates, in ln."""
    half, size = reference.half, len(lines.mean)
    at = np.arange(2 * half, size - 2 * half, half // 6)
    sides = np.stack([at - half - 2, at + half + 2])
    absorbed = amounts @ (1.0 - reference.templates.mean[:, sides.ravel()])
    model = np.maximum(1.0 - absorbed, 0.1).reshape(sides.shape)
    level = np.log(np.maximum(lines.mean[sides], 1e-3) / model)
    total = np.concatenate([[0.0], np.cumsum(lines.weight)])
    count = total[at + 2 * half] - total[at - 2 * half]
    whole = (count >= 0.95 * 4 * half) & (lines.weight[sides] > 0).all(axis=0)
    jumps = (level[1] - level[0])[whole]
    return float(np.abs(jumps - quantile(jumps)).max()) if jumps.size else 0.0


def check_parts(batch: Batch, i: int) -> None:
    """Flag a spectrum whose parts contradict each other, or its wavelengths.

    Parameters
    ----------
    batch : Batch
        Spectra of APOGEE, at rest, or of HARPS.
    i : int
        Which of them.
    """
    row, grid = batch.rows[i], batch.grid
    found = compare_parts(batch.flux[i], batch.variance[i], batch.valid[i], grid)
    if found is None:
        return
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
    if count < 4:
        return -1.0, np.nan
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
