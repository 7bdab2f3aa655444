# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where the spectra of a training lie, in the last hidden layer of its network."""

from typing import cast

import numpy as np
import torch

from ..models import LabelNetwork, SpectralModel
from ..models.networks import inputs_of
from ..preparation.prepared import PreparedSpectra

__all__ = ["collect_features", "describe_domain"]


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


def collect_features(model: SpectralModel, prepared: PreparedSpectra) -> np.ndarray:
    """Return the last hidden layer of the first member.

    Parameters
    ----------
    model : SpectralModel
        A label network.
    prepared : PreparedSpectra
        Spectra.

    Returns
    -------
    ndarray, shape (n_spectra, n_features)
        Features.
    """
    network, parts = cast(LabelNetwork, model.members[0]), []
    with torch.inference_mode():
        for first in range(0, len(prepared), 64):
            rows = slice(first, first + 64)
            arrays = (prepared.flux, prepared.valid, prepared.variance)
            inputs = inputs_of(network, *(torch.from_numpy(a[rows]) for a in arrays))
            parts.append(network.features(*inputs).numpy())
    return np.concatenate(parts)
