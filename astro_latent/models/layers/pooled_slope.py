# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Convolutions and max-pooling of spectra, with their derivatives.

Of the pixels that are pooled one is handed on, and most of those are below zero, so
that few of the pooled values change with the flux, each with as many neighbouring
pixels as the filters span together. Written down as a sparse matrix this serves all
labels, where a backward pass would be needed for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csc_array
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ROWS_CONVOLVED", "PooledSlope", "convolve_slopes"]

#: Spectra whose convolutions are computed together: what stays in the cache.
ROWS_CONVOLVED = 8


@dataclass(frozen=True)
class PooledSlope:
    """Pooled values of one spectrum, and how they change with its pixels.

    Parameters
    ----------
    pooled : Tensor, shape (n_channels, n_pools)
        What max-pooling gives.
    active : ndarray of int, shape (n_active,)
        Which of that, flattened, is above zero; the rest has no slope.
    channel, place : ndarray of int, shape (n_active,)
        Of these, the channels and the pixels of the last layer.
    passed : sequence of Tensor, shape (n_padded, n_channels)
        1 where a rectifier lets pass, of the layers below, from the last to the first.
    weight : Tensor, shape (n_channels, size)
        Derivatives of the last layer by a window of the one below.
    spreads : sequence of Tensor, shape (size, size of the next)
        From windows of the output of the layers below to those of their input.
    left : int
        Zeros that each layer has to its left.
    hidden : Tensor, shape (n_hidden,), optional
        What the first dense layer makes of the pooled values, where it is known.
    """

    pooled: Tensor
    active: np.ndarray
    channel: np.ndarray
    place: np.ndarray
    passed: Sequence[Tensor]
    weight: Tensor
    spreads: Sequence[Tensor]
    left: int
    hidden: Tensor | None = None

    def chain(self, outer: Tensor, weight: Tensor, n_pixels: int) -> np.ndarray:
        """Apply the chain rule to a dense layer on top as well.

        Only units that a label depends on, and active values, are looked at: some
        twentieth of the weights.

        Parameters
        ----------
        outer : Tensor, shape (n_labels, n_units)
            Derivatives of labels by the output of the layer.
        weight : Tensor, shape (n_units, n_pooled)
            Of the layer.
        n_pixels : int
            Length of a spectrum.

        Returns
        -------
        ndarray, shape (n_pixels, n_labels)
            Derivatives of labels by the pixels.
        """
        units, weights = outer.any(0).nonzero().flatten(), weight.numpy()
        picked = torch.empty(len(units), len(self.active))
        # row by row, which takes half the time of one selection in two dimensions
        for unit, row in zip(units.tolist(), picked.numpy(), strict=True):
            weights[unit].take(self.active, out=row, mode="clip")
        by_active = outer.index_select(1, units) @ picked
        return self.times(by_active.T.contiguous().numpy(), n_pixels)

    def times(self, outer: np.ndarray, n_pixels: int) -> np.ndarray:
        """Apply the chain rule.

        Parameters
        ----------
        outer : ndarray, shape (n_active, n_labels)
            Derivatives of labels by the active values.
        n_pixels : int
            Length of a spectrum.

        Returns
        -------
        ndarray, shape (n_pixels, n_labels)
            Derivatives of labels by the pixels.
        """
        place = torch.from_numpy(self.place) - self.left
        window = self.weight.index_select(0, torch.from_numpy(self.channel))
        for spread, passed in zip(self.spreads, self.passed, strict=True):
            n_channels, size = passed.shape[1], len(spread)
            switches = passed.flatten().unfold(0, size, n_channels)
            window *= switches.index_select(0, place + size // n_channels)
            window, place = window @ spread, place - self.left
        n_columns, width = window.shape
        rows = (place + width)[:, None] + torch.arange(width, dtype=torch.int32)
        starts = np.arange(0, rows.numel() + 1, width, dtype=np.int32)
        parts = window.view(-1).numpy(), rows.view(-1).numpy(), starts
        matrix = csc_array(parts, shape=(n_pixels + 2 * width, n_columns))
        return (matrix @ outer)[width : width + n_pixels]


def convolve_slopes(
    signals: Tensor,
    convolutions: Sequence[nn.Conv1d],
    *,
    padding: tuple[int, int],
    pool_length: int,
) -> Iterator[PooledSlope]:
    """Convolve, rectify and pool spectra, and differentiate that.

    Parameters
    ----------
    signals : Tensor, shape (n, n_pixels)
        Spectra, on the CPU.
    convolutions : sequence of Conv1d
        Each followed by a rectifier.
    padding : tuple of int
        Zeros to the left and to the right in front of each, which keep the length.
    pool_length : int
        Pixels that max-pooling joins.

    Yields
    ------
    PooledSlope
        Of each spectrum, the values and derivatives that a backward pass has.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from astro_latent.models.layers.pooled_slope import convolve_slopes
    >>> layer = torch.nn.Conv1d(1, 1, 1).requires_grad_(False)
    >>> _ = layer.weight.fill_(2.0), layer.bias.fill_(0.0)
    >>> signals = torch.tensor([[1.0, 3.0, -1.0, -2.0]])
    >>> (found,) = convolve_slopes(signals, [layer], padding=(0, 0), pool_length=2)
    >>> found.pooled.tolist(), found.active.tolist()
    ([[6.0, 0.0]], [0])
    >>> found.times(np.array([[5.0]], dtype="f4"), 4).T
    array([[ 0., 10.,  0.,  0.]], dtype=float32)
    """
    weight = convolutions[-1].weight.transpose(1, 2).flatten(1)
    spreads = _spreads(convolutions)
    for few in signals[:, None].split(ROWS_CONVOLVED):
        layers = [few]
        for layer in convolutions:
            below = functional.relu_(layers[-1]) if len(layers) > 1 else few
            layers.append(layer(functional.pad(below, padding)))
        passed = [
            _mark_passed(layer, len(spread))
            for spread, layer in zip(spreads, layers[-2:0:-1], strict=True)
        ]
        # the rectifier after pooling does the same and has less to do
        pooled = functional.relu_(functional.max_pool1d(layers[-1], pool_length))
        for row, values in enumerate(pooled):
            active, channel, place = _find_active(
                values.numpy(), layers[-1][row].numpy(), pool_length
            )
            yield PooledSlope(
                pooled=values,
                active=active,
                channel=channel,
                place=place,
                passed=[layer[row] for layer in passed],
                weight=weight,
                spreads=spreads,
                left=padding[0],
            )


def _find_active(
    pooled: np.ndarray, layer: np.ndarray, pool_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled values that are not zero, their channels, and the first of their pixels.

    To compare the pixels one after the other takes a third of the time of an argmax.
    """
    some = pooled != 0
    active = np.flatnonzero(some)
    channel = np.repeat(np.arange(len(pooled)), np.count_nonzero(some, axis=1))
    place = (active - channel * pooled.shape[1]) * pool_length
    value, start = pooled.take(active), channel * layer.shape[1] + place
    before = np.ones(len(active), dtype=bool)
    for pixel in range(pool_length - 1):
        before &= layer.take(start + pixel) != value
        place += before
    return active, channel.astype(np.int32), place.astype(np.int32)


def _spreads(convolutions: Sequence[nn.Conv1d]) -> list[Tensor]:
    """Matrices from windows of the output of layers to those of their input."""
    spreads, width = [], convolutions[-1].kernel_size[0]
    for layer in convolutions[-2::-1]:
        channels, size = layer.out_channels, width * layer.out_channels
        unit = torch.eye(size).view(size, width, channels).mT
        spread = functional.conv_transpose1d(unit, layer.weight)
        # columns of zeros fill the registers, which is twice as fast
        spread = functional.pad(spread, (0, -spread.shape[2] % 8))
        spreads.append(spread.mT.flatten(1))
        width = spread.shape[2]
    return spreads


def _mark_passed(layer: Tensor, size: int) -> Tensor:
    """1 where values are above zero, pixel by pixel, with room for a window around."""
    margin = size // layer.shape[1]
    return functional.pad((layer > 0).to(layer.dtype).mT, (0, 0, margin, margin))
