# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Set the published encoder to: a linear map of joined logarithms of the flux."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps.linear_start import sampling_order

from .gates import LEAK, RECTIFIED
from .reader import Reader

__all__ = ["HingedLog", "fit_log", "set_encoder"]

_KINKS = (-0.06, 0.0, 0.06, 0.14, 0.26, 0.42, 0.62, 0.85, 1.1, 1.5, 2.2, 3.5, 6.0, 10.0)
_BRIGHTEST = 25.0  # flux over its median
_PASS = 2.0  # added to the flux, so that a rectifier passes it
_LOW = -5.0  # taken off logarithms for the same reason


@dataclass(frozen=True)
class HingedLog:
    """The logarithm of the flux as a sum of hinges.

    Parameters
    ----------
    constant, linear : float
        Left of all kinks.
    bends : ndarray, shape (14,)
        Change of the slope at each kink.
    """

    constant: float
    linear: float
    bends: np.ndarray

    def join(self, flux: Tensor) -> Tensor:
        """Return means of two logarithms.

        Parameters
        ----------
        flux : Tensor, shape (n, n_samples)
            Joined spectra.

        Returns
        -------
        Tensor, shape (n, n_samples / 2)
            What the encoder sees.
        """
        found = self.constant + self.linear * flux
        for kink, bend in zip(_KINKS, self.bends.tolist(), strict=True):
            found += bend * (flux - kink).clamp(min=0.0)
        return found.unflatten(1, (-1, 2)).mean(2)


def fit_log(flux: np.ndarray, *, floor: float) -> HingedLog:
    """Fit hinges to the logarithm of flux and floor.

    Parameters
    ----------
    flux : ndarray, shape (n,)
        Typical values.
    floor : float
        Added to the flux before its logarithm.

    Returns
    -------
    HingedLog
        By least squares at quantiles of the flux.
    """
    at = np.unique(np.quantile(flux, np.linspace(0.001, 0.9999, 3000)))
    at = np.append(at, np.linspace(at[-1], _BRIGHTEST, 50)).clip(min=_KINKS[0])
    hinges = np.maximum(at[:, None] - np.array(_KINKS), 0.0)
    terms = np.column_stack([np.ones(len(at)), at, hinges])
    found = np.linalg.lstsq(terms, np.log(at + floor), rcond=None)[0]
    return HingedLog(float(found[0]), float(found[1]), found[2:])


@torch.no_grad()
def set_encoder(
    coarse: CoarseAutoencoder, log: HingedLog, reader: Reader, log_variance: Tensor
) -> None:
    """Set the encoder of a coarse autoencoder, in place.

    Channels that hold nothing keep their random weights: no used channel reads them.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        The published network on pixels joined by 16.
    log : HingedLog
        Of the flux.
    reader : Reader
        Of the first nodes, from means of two logarithms; other nodes stay at the prior.
    log_variance : Tensor, shape (n_nodes,)
        Of the posterior.
    """
    full, enter = coarse.full, coarse.enter
    enter.weight.zero_()
    enter.get_parameter("bias").zero_()
    enter.weight[0], enter.get_parameter("bias")[0] = 1.0, _PASS
    layer = full.down[coarse.levels]
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    weight[0] = 0.0
    # hinges are leaky: what leaks is linear in the flux
    linear = log.linear - LEAK * log.bends.sum()
    weight[0, 0, 0, 1:] = 0.5 * linear
    for j, kink in enumerate(_KINKS):
        enter.weight[1 + j], enter.get_parameter("bias")[1 + j] = 1.0, -kink
        weight[0, 1 + j, 0, 1:] = 0.5 * log.bends[j] / RECTIFIED
    constant = log.constant + LEAK * (log.bends * _KINKS).sum()
    bias[0] = constant - linear * _PASS - _LOW
    _sort(coarse)
    order = sampling_order(reader.weights.shape[1], full.channels[-1])
    n = len(reader.weights)
    for end in (full.mean, full.log_variance):
        end.weight.zero_()
        end.get_parameter("bias").zero_()
    full.mean.weight[:n] = reader.weights[:, order]
    full.mean.get_parameter("bias")[:n] = reader.offset + reader.weights.sum(1) * _LOW
    full.log_variance.get_parameter("bias")[:n] = log_variance


def _sort(coarse: CoarseAutoencoder) -> None:
    """Move neighbours into channels of their own."""
    down, used = coarse.full.down, 1
    for layer in down[coarse.levels + 1 : -1]:
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        weight[: 2 * used], bias[: 2 * used] = 0.0, 0.0
        for channel in range(used):
            weight[channel, channel, 0, 1] = 1.0
            weight[used + channel, channel, 0, 2] = 1.0
        used *= 2
    weight = down[-1].get_parameter("weight").zero_()
    weight[range(used), range(used), 0, 1] = 1.0
    down[-1].get_parameter("bias").zero_()
