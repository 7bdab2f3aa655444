# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where the spectra of a training lie, in the last hidden layer of its network."""

import numpy as np

from ..models.features import collect_features

__all__ = ["collect_features", "describe_domain", "point_outside"]

_REACH = 8.0  # scatters beyond which a feature is no more unusual
_LEAST = 0.05  # of the median scatter: what hardly varies tells nothing, but rounding
_PENALTY = 0.01  # of the classifier: C of scikit-learn
#: Shares of the training set within the distance and the direction that count alike,
#: and how much more the direction counts then.
_DISTANCE, _DIRECTION, _WEIGHT = 0.995, 0.975, 2.0


def describe_domain(
    features: np.ndarray, *, n_components: int = 48, false_alarms: float = 0.02
) -> tuple[np.ndarray, np.ndarray, float]:
    """Describe where the features of in-domain spectra lie.

    The distance is that of Mahalanobis in the leading principal components plus the
    length of what they leave, so that new directions count as well.

    Parameters
    ----------
    features : ndarray, shape (n_spectra, n_features)
        Of held-out in-domain spectra.
    n_components : int, optional
        Components that are whitened singly.
    false_alarms : float, optional
        Share of these spectra beyond the limit.

    Returns
    -------
    mean : ndarray, shape (n_features,)
        Centre.
    whitening : ndarray, shape (n_features, n_features)
        Matrix that whitens.
    limit : float
        Norm of the whitened features that this share exceeds.
    """
    mean = features.mean(0)
    centred = features - mean
    _, values, rotation = np.linalg.svd(
        centred, full_matrices=len(features) < features.shape[1]
    )
    spread = np.zeros(features.shape[1])
    spread[: len(values)] = values / np.sqrt(len(features))
    rest = np.sqrt(np.mean(spread[n_components:] ** 2))
    spread[n_components:] = max(rest, 1e-3 * spread[0])
    whitening = rotation / spread[:, None]
    distance = np.linalg.norm(centred @ whitening.T, axis=1)
    return mean, whitening, float(np.quantile(distance, 1.0 - false_alarms))


def point_outside(
    mean: np.ndarray, whitening: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Let the distance count the direction in which foreign spectra lie.

    Spectra of a neighbouring kind may lie close to a training set, all on one side of
    it. Logistic regression finds that side; it becomes one more row of the matrix.

    Parameters
    ----------
    mean, whitening : ndarray
        From `describe_domain`.
    inside, outside : ndarray, shape (n_spectra, n_features)
        Features of spectra of the training, and of others that are to be flagged.

    Returns
    -------
    ndarray, shape (n_features + 1, n_features)
        Matrix whose product with centred features has the distance as its norm.
    """
    from sklearn.linear_model import LogisticRegression

    spread = inside.std(0)
    spread = np.maximum(spread, _LEAST * np.median(spread)) + 1e-9
    both = np.clip((np.concatenate([inside, outside]) - mean) / spread, -_REACH, _REACH)
    kinds = np.arange(len(both)) >= len(inside)
    found = LogisticRegression(C=_PENALTY, max_iter=1000, class_weight="balanced")
    direction = found.fit(both, kinds).coef_[0] / spread
    along = (inside - mean) @ direction
    distance = np.linalg.norm((inside - mean) @ whitening.T, axis=1)
    equal = np.quantile(distance, _DISTANCE) / np.quantile(along, _DIRECTION)
    return np.concatenate([whitening, _WEIGHT * equal * direction[None]])
