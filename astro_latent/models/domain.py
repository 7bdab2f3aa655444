# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether a model may be believed: limits, likeness to the training set, residuals.

A low-rank model of single stars tells what a spectrum has that they have not.
Lines of a second star stand in the residual as a shifted copy of the lines of the
first; emission stands where a template says. Both are searched for by
cross-correlation, and measured in units of the scatter that the correlation has at lags
where neither can be: no error of the flux has to be right for that. To the scatter of
emission is added what a model of few components gets wrong about the lines themselves:
noise limits the search where there is much of it, and the model elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..preparation.prepared import PreparedSpectra
from ..utils.quality import QualityFlag
from .config import ModelConfig

__all__ = [
    "BASIS_TENSORS",
    "FluxBasis",
    "drop_broken",
    "model_flags",
    "score_features",
]

#: Names of the tensors of a `FluxBasis` in a tensor file, in the order of its fields.
BASIS_TENSORS = (
    "domain.flux_mean", "domain.flux_basis", "domain.flux_spread", "domain.emission",
)  # fmt: skip

_MODEL_ERROR = 0.01  # of the low-rank model, in prepared flux
_MIMICRY = 0.01  # strongest line of the emission that an error of the model looks like
_CORE, _NEAR, _FAR, _LAST = 7, 45, 60, 700  # lags in pixels
_WIDE = 5  # pixels by which emission may lie off its template
_MOST = 2.0  # weight of the best pixels, in units of the median


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
        self, flux: np.ndarray, valid: np.ndarray, variance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Look for a second set of lines and for emission.

        Parameters
        ----------
        flux, variance : ndarray, shape (n_spectra, n_pixels)
            Prepared flux and its variance.
        valid : ndarray of bool, shape (n_spectra, n_pixels)
            Pixels that count.

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
        for row in range(len(flux)):
            if np.count_nonzero(valid[row]) > 2 * _LAST:
                found[:, row] = self._search_row(flux[row], valid[row], variance[row])
        return found[0], found[1]

    def _search_row(
        self, flux: np.ndarray, valid: np.ndarray, variance: np.ndarray
    ) -> tuple[float, float]:
        variance = np.where(valid & np.isfinite(variance), variance, 0.0)
        weight = np.where(valid, 1.0 / (variance + _MODEL_ERROR**2), 0.0)
        seen = np.where(valid, flux, 0.0).astype(float)
        weighted = self.basis * weight
        normal = weighted @ self.basis.T + np.diag(self.spread**-2.0)
        fit = self.mean + np.linalg.solve(normal, weighted @ (seen - self.mean)) @ (
            self.basis
        )
        weight = np.minimum(weight / np.median(weight[valid]), _MOST)
        residual = _centre(seen - fit, weight)
        second = _correlate(residual, _centre(fit, weight), weight)
        near = np.concatenate([second[_CORE:_NEAR], second[1 - _NEAR : 1 - _CORE]])
        lines = _centre(self.emission, weight)
        emission = _correlate(residual, lines, weight)
        centre = max(emission[0], emission[_WIDE], emission[-_WIDE])
        mimicry = _MIMICRY * float(np.sqrt(np.sum(weight * lines**2)))
        return (
            _divide_by_scatter(near.max(), second),
            _divide_by_scatter(centre, emission, least=mimicry),
        )


def _centre(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take off the weighted mean; zero where nothing counts."""
    mean = np.sum(weight * values) / np.sum(weight)
    return np.where(weight > 0, values - mean, 0.0)


def _correlate(
    residual: np.ndarray, template: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Amplitude of a template in the residual at every lag, over its error."""
    n = next_fast_len(len(residual) + _LAST, real=True)
    amplitude = irfft(rfft(weight * residual, n) * np.conj(rfft(template, n)), n)
    norm = irfft(rfft(weight, n) * np.conj(rfft(template**2, n)), n)
    largest = np.max(norm)
    if not largest > 0:
        return np.zeros(n)
    return amplitude / np.sqrt(np.maximum(norm, 1e-3 * largest))


def _divide_by_scatter(
    height: float, correlation: np.ndarray, *, least: float = 0.0
) -> float:
    far = np.concatenate([correlation[_FAR:_LAST], correlation[-_LAST:-_FAR]])
    scatter = np.hypot(np.std(far), least)
    return float(height / scatter) if scatter > 0 else 0.0


def model_flags(
    config: ModelConfig,
    prepared: PreparedSpectra,
    *,
    values: np.ndarray | None = None,
    error: np.ndarray | None = None,
    score: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    second: np.ndarray | None = None,
    emission: np.ndarray | None = None,
) -> np.ndarray:
    """Compare results with the limits that a configuration states.

    What is NaN is not flagged: not knowing is no evidence of a fault.

    Parameters
    ----------
    config : ModelConfig
        With the limits; one that is not stated flags nothing.
    prepared : PreparedSpectra
        What the model was given.
    values, error : ndarray, shape (n_spectra, n_labels), optional
        Labels and their total errors.
    score, residual : ndarray, shape (n_spectra,), optional
        Domain score, and mean absolute residual of the reconstruction.
    second, emission : ndarray, shape (n_spectra,), optional
        Heights of the peaks that `FluxBasis.search` finds.

    Returns
    -------
    ndarray of int32, shape (n_spectra,)
        The preparation's flags with the model's.
    """
    flags = np.array(prepared.flags, dtype=np.int32)
    if "snr" in config.domain:
        snr = np.array([observation.snr for observation in prepared.observations])
        _mark(flags, snr < config.domain["snr"][0], QualityFlag.LOW_SNR)
    for column, output in enumerate(config.outputs):
        if values is not None and output.domain is not None:
            low, high = output.domain
            outside = (values[:, column] < low) | (values[:, column] > high)
            _mark(flags, outside, QualityFlag.LABEL_OUT_OF_DOMAIN)
        if error is not None and output.max_error is not None:
            _mark(flags, error[:, column] > output.max_error, QualityFlag.LARGE_ERROR)
    if score is not None:
        _mark(flags, score > 1, QualityFlag.UNLIKE_TRAINING)
    for height, key, bit in (
        (residual, "reconstruction_limit", QualityFlag.POOR_RECONSTRUCTION),
        (second, "second_limit", QualityFlag.DOUBLE_LINED),
        (emission, "emission_limit", QualityFlag.EMISSION_LINES),
    ):
        if height is not None and key in config.domain:
            _mark(flags, height > config.domain[key], bit)
    return flags


def drop_broken(
    found: Mapping[str, np.ndarray], values: np.ndarray, prepared: PreparedSpectra
) -> np.ndarray:
    """Take back results of spectra for which a model gives no finite number.

    Parameters
    ----------
    found : mapping of str to ndarray, shape (n_spectra, ...)
        Results; those rows become NaN.
    values : ndarray, shape (n_spectra, n_outputs)
        Labels or latents.
    prepared : PreparedSpectra
        What the model was given.

    Returns
    -------
    ndarray of int32, shape (n_spectra,)
        ``NO_RESULT`` for those rows.
    """
    broken = prepared.usable & ~np.isfinite(values).all(axis=1)
    for each in found.values():
        each[broken] = np.nan
    return np.where(broken, np.int32(QualityFlag.NO_RESULT), np.int32(0))


def score_features(
    features: np.ndarray,
    mean: np.ndarray | None,
    whitening: np.ndarray | None,
    *,
    limit: float | None,
) -> np.ndarray:
    """Return how far features lie from those of the training set.

    Parameters
    ----------
    features : ndarray, shape (n_spectra, n_features)
        Output of the last hidden layer.
    mean : ndarray, shape (n_features,), or None
        Of the training set.
    whitening : ndarray, shape (n_features, n_features), or None
        Matrix that gives the training set unit covariance.
    limit : float or None
        Distance that counts as one.

    Returns
    -------
    ndarray, shape (n_spectra,)
        Domain score; NaN if anything is not known.
    """
    if limit is None or mean is None or whitening is None:
        return np.full(len(features), np.nan)
    return np.linalg.norm((features - mean) @ whitening.T, axis=1) / limit


def _mark(flags: np.ndarray, rows: np.ndarray, bit: QualityFlag) -> None:
    flags[rows] |= np.int32(bit)
