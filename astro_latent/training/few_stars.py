# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Teach a network with few stars: its answers are corrected, nothing else learns."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.architectures.corrected import CorrectedNetwork
from .correction import Correction, fit_correction
from .prepared_file import PreparedFile
from .targets import Targets

__all__ = ["LeftOut", "correct_network"]

_ROWS = 256  # spectra in memory at a time
_LEAST = 1e-3  # of the median scatter of the hidden layer: what hardly varies


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What a corrected network says of each star if the others alone teach it.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_labels)
        In units of the network.
    ratio : ndarray, shape (n_rows, n_labels)
        By how much its errors are larger than those of the network that all taught.
    """

    values: np.ndarray
    ratio: np.ndarray


@torch.no_grad()
def correct_network(
    network: CorrectedNetwork,
    file: PreparedFile,
    targets: Targets,
    rows: np.ndarray,
    *,
    stars: np.ndarray,
    units: tuple[np.ndarray, np.ndarray],
) -> LeftOut:
    """Fit the correction of a network that already holds what it corrects.

    Parameters
    ----------
    network : CorrectedNetwork
        Changed in place.
    file : PreparedFile
        All spectra.
    targets : Targets
        Labels of all spectra.
    rows : ndarray of int, shape (n_rows,)
        Spectra that teach.
    stars : ndarray of int
        Star of each spectrum of the file.
    units : tuple of ndarray, shape (n_labels,)
        Mean and scatter that the network's labels are in.

    Returns
    -------
    LeftOut
        What it would say of each star without that star.
    """
    features = _features(network, file, rows)
    _measure(network, features)
    mean, covariance = network.answer(features)
    terms = network.terms(features, mean).double().numpy()
    middle, scale = units
    truth = (targets.values[rows] - middle) / scale
    given = (targets.errors[rows] / scale) ** 2
    values, ratio = np.zeros_like(truth), np.ones_like(truth)
    for label, column in enumerate(network.columns):
        own, found = np.zeros(len(rows)), np.zeros(len(rows))
        if column >= 0:
            own = covariance[:, column, column].double().numpy()
            found = mean[:, column].double().numpy()
        residual = truth[:, label] - found
        there = np.flatnonzero(np.isfinite(residual))
        fitted = fit_correction(
            terms[there], _kinds(network), residual[there], own=own[there],
            given=given[there, label], stars=stars[rows[there]],
        )  # fmt: skip
        _keep(network, label, fitted)
        values[:, label] = found + terms @ fitted.coefficient
        values[there, label] = found[there] + fitted.left_out
        ratio[there, label] = fitted.ratio
    return LeftOut(values=values, ratio=ratio)


def _features(
    network: CorrectedNetwork, file: PreparedFile, rows: np.ndarray
) -> Tensor:
    """Last hidden layer of spectra."""
    found = []
    for first in range(0, len(rows), _ROWS):
        prepared = file.prepared(rows[first : first + _ROWS])
        arrays = (prepared.flux, prepared.valid, prepared.variance)
        found.append(network.features(*map(torch.from_numpy, arrays)))
    return torch.cat(found)


def _measure(network: CorrectedNetwork, features: Tensor) -> None:
    """Set centre and scatter of the hidden layer, which few stars tell roughly."""
    variance = features.var(0, correction=0)
    middle = variance.median()
    network.centre.copy_(features.mean(0))
    width = (0.5 * variance + 0.5 * middle).sqrt()
    network.width.copy_(width.clamp_min(_LEAST * float(middle.sqrt()) + 1e-6))


def _kinds(network: CorrectedNetwork) -> np.ndarray:
    """Which kind each term is of, see `fit_correction`."""
    n_known = network.n_known
    counts = (1, n_known, n_known * (n_known + 1) // 2, len(network.centre))
    return np.repeat(np.arange(4), counts)


def _keep(network: CorrectedNetwork, label: int, fitted: Correction) -> None:
    """Write the correction of a label into the network."""
    n_labels, n_terms = network.coefficient.shape
    prior = network.prior.reshape(n_labels, n_terms)
    known = network.known.reshape(n_labels, -1, n_terms)
    network.coefficient[label] = torch.from_numpy(fitted.coefficient)
    prior[label] = torch.from_numpy(fitted.prior)
    known[label, : len(fitted.known)] = torch.from_numpy(fitted.known)
    network.growth[label], network.floor[label] = fitted.growth, fitted.floor
