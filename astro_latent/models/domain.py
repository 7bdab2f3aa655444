# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether a model may be believed: limits, likeness to the training set, its scale.

A low-rank model of single stars tells what a spectrum has that they have not.
Lines of a second star stand in the residual as a shifted copy of the lines of the
first; emission stands where a template says. Both are searched for by
cross-correlation, and measured in units of the scatter that the correlation has at lags
where neither can be: no error of the flux has to be right for that. To the scatter of
emission is added what a model of few components gets wrong about the lines themselves:
noise limits the search where there is much of it, and the model elsewhere.

A network has the label scale of what it was trained on. By how much models of spectra
disagree about that, and what brings giants to the scale of a catalogue, is data of the
configuration as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..preparation.prepared import PreparedSpectra
from ..utils.quality import QualityFlag
from .config import ModelConfig

__all__ = [
    "BASIS_TENSORS",
    "FluxBasis",
    "judge_results",
    "measure_missing",
    "move_giants",
    "systematic_variance",
    "weigh_missing",
]

#: Names of the tensors of a `FluxBasis` in a tensor file, in the order of its fields.
BASIS_TENSORS = (
    "domain.flux_mean", "domain.flux_basis", "domain.flux_spread", "domain.emission",
)  # fmt: skip

_MODEL_ERROR = 0.01  # of the low-rank model, in prepared flux
_MIMICRY = 0.01  # strongest line of the emission that an error of the model looks like
_NEAR_LAGS = np.arange(7, 45)  # of a second star, in pixels
_FAR, _LAST = 60, 700  # lags where there is neither
_CENTRE = np.array([-5, 0, 5])  # lags of emission: where its template is, and near
_ROWS = 8  # spectra that are searched together: what stays in the cache
_NOTHING = 1e30  # variance of a pixel that tells nothing, in single precision, too
_MOST = 2.0  # weight of the best pixels, in units of the median
_REACH = 3.0  # beyond so many scatters of the training set nothing is extrapolated
_LARGEST = 1.2  # ln of the largest ratio of systematic parts
_TENTH = 0.1  # share of missing pixels that has half of their effect
_GIANT, _DWARF = 3.2, 3.8  # log g up to which, and from which, a star is one


@dataclass(frozen=True)
class FluxBasis:
    """Mean and principal components of the clean prepared spectra of single stars.

    Parameters
    ----------
    mean : ndarray, shape (n_pixels,)
        Mean prepared flux.
    basis : ndarray, shape (n_components, n_pixels)
        Orthonormal rows.
    spread : ndarray, shape (n_components,)
        Standard deviation of each coefficient among the stars.
    emission : ndarray, shape (n_pixels,)
        Emission lines, each a peak.
    """

    mean: NDArray
    basis: NDArray
    spread: NDArray
    emission: NDArray

    def search(
        self,
        flux: np.ndarray,
        valid: np.ndarray,
        variance: np.ndarray,
        emission_limit: float = -np.inf,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Look for a second set of lines and for emission.

        Parameters
        ----------
        flux, variance : ndarray, shape (n_spectra, n_pixels)
            Prepared flux and its variance.
        valid : ndarray of bool, shape (n_spectra, n_pixels)
            Pixels that count.
        emission_limit : float, optional
            Emission that is certainly weaker than this is not measured, which saves 4
            of 10 Fourier transforms: an upper bound, itself below, stands for it.

        Returns
        -------
        second, emission : ndarray, shape (n_spectra,)
            Height of the highest peak of either correlation over its scatter; NaN
            where fewer pixels than twice the largest lag count.

        Examples
        --------
        >>> import numpy as np
        >>> from astro_latent.models.domain import FluxBasis
        >>> rng = np.random.default_rng(0)
        >>> lines = np.where(rng.random(4000) < 0.03, -0.5, 0.0)
        >>> basis = FluxBasis(1.0 + lines, np.eye(1, 4000), np.ones(1), np.zeros(4000))
        >>> two = 1.0 + 0.6 * lines + 0.4 * np.roll(lines, 20)
        >>> flux = np.stack([1.0 + lines, two]) + rng.normal(0.0, 0.02, (2, 4000))
        >>> valid = np.ones((2, 4000), dtype=bool)
        >>> second, _ = basis.search(flux, valid, np.full((2, 4000), 4e-4))
        >>> second[0] < 5 < second[1]
        np.True_
        """
        found = np.full((2, len(flux)), np.nan)
        enough = np.flatnonzero(np.count_nonzero(valid, axis=1) > 2 * _LAST)
        for start in range(0, len(enough), _ROWS):
            rows = enough[start : start + _ROWS]
            part = flux[rows], valid[rows], variance[rows]
            found[:, rows] = self._search_rows(*part, emission_limit)
        return found[0], found[1]

    def _search_rows(
        self,
        flux: np.ndarray,
        valid: np.ndarray,
        variance: np.ndarray,
        emission_limit: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        known = np.where(valid & np.isfinite(variance), variance, 0.0)
        known = known.clip(max=_NOTHING) + _MODEL_ERROR**2
        weight = np.where(valid, 1.0 / known, 0.0).astype(np.float32)
        both = np.empty((len(flux), 3, flux.shape[1]), dtype=np.float32)
        both[:, 0], both[:, 2] = np.where(valid, flux, 0.0), self.emission
        both[:, 1] = self._fit(both[:, 0], weight)
        both[:, 0] -= both[:, 1]
        for row, mine in zip(weight, valid, strict=True):
            row /= np.median(row[mine])
        np.minimum(weight, _MOST, out=weight)
        both -= both @ weight[:, :, None] / weight.sum(axis=1)[:, None, None]
        both *= (weight > 0)[:, None]
        residual, single, template = both[:, 0], both[:, 1], both[:, 2]
        second = _correlate(residual, single, weight)
        near = second[:, [*(_LAST + _NEAR_LAGS), *(_LAST - _NEAR_LAGS)]].max(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # no template, no bound
            emission, mimicry = _bound_emission(residual, template, weight)
        rows = np.flatnonzero(~(emission <= emission_limit))
        if len(rows):
            found = _correlate(residual[rows], template[rows], weight[rows])
            centre = found[:, _LAST + _CENTRE].max(axis=1)
            emission[rows] = _divide_by_scatter(centre, found, least=mimicry[rows])
        return _divide_by_scatter(near, second), emission

    @cached_property
    def _single(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, components, and products of any two of them, in single precision."""
        mean, basis = self.mean.astype(np.float32), self.basis.astype(np.float32)
        one, other = np.triu_indices(len(basis))
        return mean, basis, basis[one] * basis[other]

    def _fit(self, seen: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the single stars that are most like spectra."""
        mean, basis, products = self._single
        normal = np.zeros((len(seen), len(basis), len(basis)))
        one, other = np.triu_indices(len(basis))
        normal[:, one, other] = normal[:, other, one] = _multiply(weight, products.T)
        normal += np.diag(self.spread**-2.0)
        right = _multiply(weight * (seen - mean), basis.T)
        amounts = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        return mean + _multiply(amounts.astype(np.float32), basis)


def _multiply(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply always as many rows: their number must not change the rounding."""
    whole = np.zeros((_ROWS, rows.shape[1]), dtype=rows.dtype)
    whole[: len(rows)] = rows
    return (whole @ matrix)[: len(rows)]


def _bound_emission(
    residual: np.ndarray, template: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Emission if the correlation had no scatter; what the model mimics of it."""
    seen, squares = weight * residual, template**2
    mimicry = _MIMICRY * np.sqrt(np.sum(weight * squares, axis=1))
    heights, size = [], seen.shape[1]
    for lag in _CENTRE.tolist():
        at = np.s_[:, max(lag, 0) : size + min(lag, 0)]
        of = np.s_[:, max(-lag, 0) : size - max(lag, 0)]
        norm = np.vecdot(weight[at], squares[of])
        heights.append(np.vecdot(seen[at], template[of]) / np.sqrt(norm))
    return np.max(heights, axis=0).clip(min=0.0) / mimicry, mimicry


def _correlate(
    residual: np.ndarray, template: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Amplitudes of templates in residuals over their errors, from lag -_LAST on.

    In single precision, many at once: that is four times as fast, and good to 1e-5.
    """
    n = next_fast_len(residual.shape[1] + _LAST, real=True)
    seen = rfft(np.stack([weight * residual, weight], axis=1), n)
    made = rfft(np.stack([template, template**2], axis=1), n)
    np.conjugate(made, out=made)
    made *= seen
    both = irfft(made, n)
    largest = np.max(both[:, 1], axis=-1, keepdims=True)
    both = np.concatenate([both[..., -_LAST:], both[..., :_LAST]], axis=-1)
    norm = np.maximum(both[:, 1], 1e-3 * largest)
    return both[:, 0] / np.sqrt(np.where(largest > 0, norm, np.inf))


def _divide_by_scatter(
    height: np.ndarray, correlation: np.ndarray, *, least: np.ndarray | float = 0.0
) -> np.ndarray:
    far = np.delete(correlation, np.s_[_LAST - _FAR : _LAST + _FAR], axis=1)
    scatter = np.hypot(np.std(far, axis=1), least)
    return np.where(scatter > 0, height / np.where(scatter > 0, scatter, 1.0), 0.0)


def judge_results(
    config: ModelConfig, prepared: PreparedSpectra, found: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Compare results with the limits that a configuration states.

    What is NaN is not flagged: not knowing is no evidence of a fault. Where a model
    gives no finite number for a usable spectrum, all its results are taken back.

    Parameters
    ----------
    config : ModelConfig
        With the limits; one that is not stated flags nothing.
    prepared : PreparedSpectra
        What the model was given.
    found : mapping of str to ndarray, shape (n_spectra, ...)
        Labels ``values`` (as the network gave them ``network_values``, if others) and
        their total ``error``, or latents ``mean`` and their
        errors ``sigma``; as far as they are known ``domain_score``, mean absolute
        ``residual`` of the reconstruction, and the peaks of `FluxBasis.search`,
        ``second`` and ``emission``. Rows without a finite number become NaN.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)
        The preparation's flags with the model's.
    """
    flags = np.array(prepared.flags, dtype=np.int64)
    needed = [found[name] for name in ("values", "mean", "sigma") if name in found]
    finite = np.all([np.isfinite(each).all(axis=1) for each in needed], axis=0)
    for each in found.values():
        each[prepared.usable & ~finite] = np.nan
    _mark(flags, prepared.usable & ~finite, QualityFlag.NO_RESULT)
    if "residual" in found:  # what the decoder cannot render is evidence
        lost = prepared.usable & ~np.isfinite(found["residual"])
        _mark(flags, lost, QualityFlag.POOR_RECONSTRUCTION)
    if "snr" in config.domain:
        snr = np.array([observation.snr for observation in prepared.observations])
        _mark(flags, snr < config.domain["snr"][0], QualityFlag.LOW_SNR)
    for column, output in enumerate(config.outputs if "values" in found else ()):
        # limits are those of the network's own labels
        values = found.get("network_values", found["values"])[:, column]
        error = found["error"][:, column]
        if output.domain is not None:
            low, high = output.domain
            outside = (values < low) | (values > high)
            _mark(flags, outside, QualityFlag.LABEL_OUT_OF_DOMAIN)
        if output.max_error is not None:
            _mark(flags, error > output.max_error, QualityFlag.LARGE_ERROR)
    limits = config.domain | {"domain_limit": 1.0}
    for name, limit, bit in (
        ("domain_score", "domain_limit", QualityFlag.UNLIKE_TRAINING),
        ("residual", "reconstruction_limit", QualityFlag.POOR_RECONSTRUCTION),
        ("second", "second_limit", QualityFlag.DOUBLE_LINED),
        ("emission", "emission_limit", QualityFlag.EMISSION_LINES),
    ):
        if name in found and limit in limits:
            _mark(flags, found[name] > limits[limit], bit)
    return flags


def measure_missing(prepared: PreparedSpectra, rows: np.ndarray) -> np.ndarray:
    """Return the share of missing pixels in segments that are there.

    Parameters
    ----------
    prepared : PreparedSpectra
        Spectra.
    rows : ndarray of int
        Which.

    Returns
    -------
    ndarray, shape (n_rows,)
        0 to 1.
    """
    missing, total = np.zeros(len(rows)), np.zeros(len(rows))
    for first, last in prepared.grid.segments:
        count = np.count_nonzero(prepared.valid[rows, first:last], axis=1)
        missing += np.where(count > 0, last - first - count, 0)
        total += np.where(count > 0, last - first, 0)
    return missing / np.maximum(total, 1.0)


def weigh_missing(share: np.ndarray) -> np.ndarray:
    """Return how much of their full effect on the errors missing pixels have.

    Parameters
    ----------
    share : ndarray
        Share of missing pixels, from `measure_missing`.

    Returns
    -------
    ndarray
        0 where none is missing, half of the effect at a tenth, 1 at most: a network
        sees many gaps by itself and overlooks some.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.domain import weigh_missing
    >>> weigh_missing(np.array([0.0, 0.1, 0.3]))
    array([0. , 0.5, 0.9])
    """
    return share**2 / (share**2 + _TENTH**2)


def systematic_variance(
    calibration: Mapping[str, list], values: np.ndarray, away: np.ndarray
) -> np.ndarray:
    """Return the square of what is the same for all spectra of like stars.

    Parameters
    ----------
    calibration : mapping
        Of the configuration: ``systematic``, ``systematic_slopes``,
        ``systematic_shape``, or none of them.
    values : ndarray, shape (n_spectra, n_labels)
        Labels of the network.
    away : ndarray, shape (n_spectra, n_labels)
        The same in the units of the network.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        In squares of the units of the labels.
    """
    numbers = np.asarray(calibration.get("systematic", 0.0), dtype=float)
    variance = np.broadcast_to(numbers**2, values.shape)
    if "systematic_shape" in calibration:
        near = np.clip(away, -_REACH, _REACH)
        terms = np.concatenate([np.ones((len(away), 1)), near, near**2], axis=1)
        ratio = terms @ np.asarray(calibration["systematic_shape"], dtype=float).T
        variance = variance * (1.0 + np.exp(2.0 * np.clip(ratio, -_REACH, _LARGEST)))
    if "systematic_slopes" in calibration:
        slopes = np.asarray(calibration["systematic_slopes"], dtype=float)
        variance = variance + away**2 @ slopes.T**2
    return variance


def move_giants(
    config: ModelConfig, values: np.ndarray, offsets: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bring labels of giants to the scale that a configuration states.

    Parameters
    ----------
    config : ModelConfig
        With ``giants_shift`` in its calibration: for each label the range within which
        it counts, a constant, and a slope for each label in the units of the network.
    values : ndarray, shape (n_spectra, n_labels)
        Labels of the network.
    offsets, scales : ndarray, shape (n_labels,)
        Units of the network.

    Returns
    -------
    moved : ndarray, shape (n_spectra, n_labels)
        Shifted by the whole up to log g 3.2, by nothing from 3.8, between linearly.
    slope : ndarray, shape (n_spectra, n_labels, n_labels)
        Derivative of these by ``values``, for the errors.
    """
    rows = np.asarray(config.calibration["giants_shift"], dtype=float)
    low, high, constant = rows[:, :3].T
    shift = constant + (np.clip(values, low, high) - offsets) / scales @ rows[:, 3:].T
    counts = (values > low) & (values < high)
    gravity = [output.name for output in config.outputs].index("logg")
    share = np.clip((_DWARF - values[:, gravity]) / (_DWARF - _GIANT), 0.0, 1.0)
    slope = share[:, None, None] * rows[:, 3:] * (counts / scales)[:, None, :]
    between = (share > 0.0) & (share < 1.0)
    slope[:, :, gravity] -= between[:, None] * shift / (_DWARF - _GIANT)
    return values + share[:, None] * shift, slope + np.eye(values.shape[1])


def _mark(flags: np.ndarray, rows: np.ndarray, bit: QualityFlag) -> None:
    flags[rows] |= np.int64(bit)
