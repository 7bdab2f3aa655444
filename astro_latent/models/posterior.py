# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Draws from what a model believes of the labels of spectra."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..preparation.prepared import PreparedSpectra
from .inference import ROWS_DENSE
from .layers.gaussian import cholesky_of
from .networks import LabelNetwork, PosteriorNetwork, inputs_of
from .protocols import LoadedModel
from .results import Parameters

__all__ = ["sample_labels"]

_MIDDLE = (0.1587, 0.8413)  # quantiles at a standard deviation of a Gaussian


def sample_labels(
    model: LoadedModel,
    prepared: PreparedSpectra,
    found: Parameters,
    n_samples: int,
    *,
    seed: int = 0,
) -> np.ndarray:
    """Draw labels; see `SpectralModel.sample`.

    Parameters
    ----------
    model : LoadedModel
        A label network.
    prepared : PreparedSpectra
        On its grid.
    found : Parameters
        What the model predicts of them.
    n_samples : int
        For each spectrum.
    seed : int, optional
        Of the draws.

    Returns
    -------
    ndarray, shape (n_spectra, n_samples, n_labels), float32
        In label units; NaN for unusable spectra.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = np.full((len(prepared.flux), n_samples, model.config.n_outputs), np.nan)
    usable = np.flatnonzero(prepared.usable)
    for start in range(0, len(usable), ROWS_DENSE):
        rows = usable[start : start + ROWS_DENSE]
        values = _draw(model, prepared, rows, n_samples, generator)
        mean, error = found.values[rows, None], found.error[rows, None]
        # the shape is the network's, the width that of the calibrated error, which has
        # 68 % of the stars within: a standard deviation would count wings for more
        off = values - values.mean(axis=1, keepdims=True)
        low, high = np.quantile(off, _MIDDLE, axis=1)[:, :, None]
        drawn[rows] = mean + off * error / np.maximum(0.5 * (high - low), 1e-12)
    return drawn.astype(np.float32)


def _draw(
    model: LoadedModel,
    prepared: PreparedSpectra,
    rows: np.ndarray,
    n_samples: int,
    generator: torch.Generator,
) -> np.ndarray:
    """Draws of the members, each as many as the others, in the network's units."""
    arrays = (prepared.flux, prepared.valid, prepared.variance)
    flux, valid, variance = (model.runner.tensor(array[rows]) for array in arrays)
    n_members = len(model.members)
    counts = [len(part) for part in np.array_split(np.arange(n_samples), n_members)]
    parts = []
    for member, count in zip(model.members, counts, strict=True):
        network = cast(LabelNetwork, member)
        with torch.inference_mode(), model.runner.numerics():
            inputs = inputs_of(network, flux, valid, variance)
            features = model.runner.features(network, *inputs)[: len(rows)]
            parts.append(_draw_member(network, features, count, generator))
    return torch.cat(parts, dim=1).float().cpu().numpy().astype(float)


def _draw_member(
    network: LabelNetwork, features: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    if isinstance(network, PosteriorNetwork):
        return network.sample(features, count, generator=generator)
    head = getattr(network, "posterior", None)
    if head is not None:
        return head.sample(features, count, generator=generator)
    result = network.head(features)
    mean, spread = result if isinstance(result, tuple) else (result, result * 0.0)
    shape = (len(mean), count, mean.shape[1])
    noise = torch.empty(shape, dtype=mean.dtype).normal_(generator=generator)
    return mean[:, None] + noise.to(mean.device) @ cholesky_of(spread).mT
