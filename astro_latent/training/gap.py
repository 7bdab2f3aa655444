# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How far synthetic spectra are from real ones: a classifier, and a distance."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_score

from ..utils.short_repr import short_repr

__all__ = ["Gap", "measure_gap"]

_FOLDS = 5
_FEWEST = 10  # rows of each kind: two in each fold
_SHRINKAGE = 0.01  # of covariances towards a sphere


@dataclass(frozen=True, kw_only=True, repr=False)
class Gap:
    """How well two samples can be told apart.

    Parameters
    ----------
    accuracy : float
        Share of spectra that a classifier names rightly, in folds that it was not
        fitted to: 0.5 if there is no difference, 1 if there is no doubt.
    accuracy_error : float
        Standard error, from the number of spectra.
    accuracy_null : float
        What 95 % of shuffles stay below.
    p_accuracy : float
        Share of shuffles that reach the accuracy, itself counted as one.
    distance : float
        Energy distance, in units of the mean distance of two spectra: 0 for equal
        distributions, about 4 for two far apart.
    distance_null, p_distance : float
        As for the accuracy.
    n_each, n_components, n_permutations : int
        Spectra of each kind, components compared, shuffles.
    """

    accuracy: float
    accuracy_error: float
    accuracy_null: float
    p_accuracy: float
    distance: float
    distance_null: float
    p_distance: float
    n_each: int
    n_components: int
    n_permutations: int

    __repr__ = short_repr


def measure_gap(
    synthetic: np.ndarray,
    real: np.ndarray,
    *,
    n_components: int = 20,
    n_permutations: int = 99,
    rng: np.random.Generator | int | None = None,
) -> Gap:
    """Measure how well synthetic and real spectra can be told apart.

    Parameters
    ----------
    synthetic, real : ndarray, shape (n_spectra, n_pixels) or (n_spectra, n_features)
        Prepared flux, or features of a network; finite. What is measured is all that
        differs: give synthetic spectra of stars with the labels of the real ones, or
        the gap is also one between the stars. Of the larger sample some rows are drawn.
    n_components : int, optional
        Principal components of both together that are compared; fewer if the spectra
        or the pixels are.
    n_permutations : int, optional
        Shuffles of what is synthetic and what is real, for both nulls.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    Gap
        Accuracy and distance with their nulls.

    Raises
    ------
    ValueError
        If the samples have other pixels, are too small, or hold NaN.

    Notes
    -----
    The classifier is quadratic discriminant analysis, which sees differences of means
    and of scatters; the energy distance is that of Székely & Rizzo, which is 0 for
    equal distributions only.

    References
    ----------
    Székely & Rizzo 2013, J. Stat. Plan. Inference 143, 1249;
    Lopez-Paz & Oquab 2017, ICLR (classifiers as tests of two samples).

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training import measure_gap
    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.normal(size=(2, 200, 5))
    >>> measure_gap(one, other, rng=1).p_accuracy > 0.05
    True
    >>> measure_gap(one, other + [3.0, 0, 0, 0, 0], rng=1).accuracy > 0.9
    True
    """
    rng = np.random.default_rng(rng)
    both, n_each = _draw(synthetic, real, rng)
    kind = np.repeat([0, 1], n_each)
    n_components = min(n_components, both.shape[1], n_each // 4)
    scores = PCA(n_components, random_state=int(rng.integers(2**31))).fit_transform(
        both
    )
    accuracy = _classify(scores, kind, rng)
    between = squareform(pdist(scores))
    unit = between.sum() / (len(both) * (len(both) - 1))
    between /= unit if unit > 0 else 1.0
    shuffles = [rng.permutation(kind) for _ in range(n_permutations)]
    accuracies = np.array([_classify(scores, each, rng) for each in shuffles])
    distance = _energy(between, kind)
    distances = np.array([_energy(between, each) for each in shuffles])
    return Gap(
        accuracy=accuracy,
        accuracy_error=float(np.sqrt(accuracy * (1 - accuracy) / len(both))),
        accuracy_null=_limit(accuracies),
        p_accuracy=float(np.mean(np.r_[True, accuracies >= accuracy])),
        distance=distance,
        distance_null=_limit(distances),
        p_distance=float(np.mean(np.r_[True, distances >= distance])),
        n_each=n_each,
        n_components=n_components,
        n_permutations=n_permutations,
    )


def _draw(
    synthetic: np.ndarray, real: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return as many rows of each, one kind below the other."""
    parts = [np.asarray(each, dtype=float) for each in (synthetic, real)]
    shapes = [part.shape for part in parts]
    if any(part.ndim != 2 for part in parts) or shapes[0][1] != shapes[1][1]:
        msg = f"synthetic has shape {shapes[0]} and real {shapes[1]}: pixels must agree"
        raise ValueError(msg)
    n_each = min(len(part) for part in parts)
    if n_each < _FEWEST:
        msg = f"{n_each} spectra of a kind; at least {_FEWEST} are needed"
        raise ValueError(msg)
    for name, part in zip(("synthetic", "real"), parts, strict=True):
        if not np.isfinite(part).all():
            msg = f"{name} spectra hold NaN: fill pixels that are missing first"
            raise ValueError(msg)
    drawn = [part[np.sort(rng.permutation(len(part))[:n_each])] for part in parts]
    return np.concatenate(drawn), n_each


def _classify(scores: np.ndarray, kind: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share that is named rightly by fits to other folds."""
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    classifier = QuadraticDiscriminantAnalysis(reg_param=_SHRINKAGE)
    return float(np.mean(cross_val_score(classifier, scores, kind, cv=folds)))


def _energy(between: np.ndarray, kind: np.ndarray) -> float:
    """Energy distance of two halves, from the distances of all pairs."""
    sign = 2.0 * kind - 1.0
    n_each = len(kind) / 2.0
    return float(-(sign @ between @ sign) / n_each**2)


def _limit(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.95)) if len(values) else np.nan
