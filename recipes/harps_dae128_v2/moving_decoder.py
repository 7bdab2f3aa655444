# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Set the published decoder to: the exponential of a template that node 0 moves.

The innermost linear layer makes, for each of 80 pieces, the coefficients of shapes and
one displacement. The first layers unfold these (0 to 2) and spell samples out (3, 4).
Then copies of the samples, moved by several displacements, lie in channels side by
side, and gates let one through: by multiples of 7 (layers 5 to 7), then by single ones
(7 to 9). What is left, half a sample to each side, is a mean of three copies whose
weights are added as logarithms (9, 10) before hinges make the exponential. Samples are
16 pixels; layers 11 to 14 are not touched here.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from astro_latent.utils.physics import SPEED_OF_LIGHT
from recipes.harps.coarse import CoarseAutoencoder

from .doubling import Doubling
from .gates import LEAK, RECTIFIED, Copies, choose, hinge_edges
from .template import COPIES, N_SHAPES, PIECE, Exponential, HalfSteps, Pieces

__all__ = ["MOVING_LAYERS", "Motion", "set_decoder"]

#: Layers of the decoder that say how lines move; training has to keep them.
MOVING_LAYERS = 11
_N_PIECES, _CHANNELS, _BASE = 80, 512, 20
_KINKS = (-0.5, -0.45, -0.375, -0.25, -0.125, -0.05, 0.0, 0.05, 0.125, 0.25, 0.375,
          0.45, 0.5)  # fmt: skip
_BEYOND = 0.75  # samples: what is left is at most so far from the middle copy
# Added so that rectifiers pass what follows: displacements, before and after copies
# were chosen; the lowest logarithm of a flux, taken off; sums of logarithms.
_ZERO, _LEFT, _LOWEST, _SUM = 18.0, 10.0, -3.2, 60.0
_FAR = Copies(
    (-7, 0, 7), n_samples=16, hinges=33, width=0.001, zero=_ZERO, left=_LEFT
)  # fmt: skip
_NEAR = Copies(
    (-3, -2, -1, 0, 1, 2, 3), n_samples=4, hinges=9, width=0.0005, zero=_LEFT,
    left=_LEFT,
)  # fmt: skip
_SPREAD = 4.5  # standard deviations of nodes that coefficients stay positive for


@dataclass(frozen=True)
class Motion:
    """Where samples lie and what node 0 is.

    Parameters
    ----------
    first, step : float
        Blue edge of the first sample and width of samples, Angstrom.
    velocity : float
        km/s of one unit of node 0.
    """

    first: float
    step: float
    velocity: float


@torch.no_grad()
def set_decoder(
    coarse: CoarseAutoencoder,
    pieces: Pieces,
    motion: Motion,
    half: HalfSteps,
    exponential: Exponential,
    *,
    floor: float,
) -> None:
    """Set the decoder of a coarse autoencoder, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        The published network on pixels joined by 16.
    pieces : Pieces
        Of the logarithm of flux and floor: a constant, and what nodes 1, 2, ... add.
    motion : Motion
        What node 0 does.
    half : HalfSteps
        What lies between samples.
    exponential : Exponential
        Hinges.
    floor : float
        Added to the flux before its logarithm.
    """
    up = coarse.full.up
    largest = _set_expand(coarse.full.expand, pieces, motion)
    up[0].weight.zero_()
    up[0].get_parameter("bias").zero_()
    up[0].weight[range(_CHANNELS), range(_CHANNELS), 0, 1] = 1.0
    layers = {k: Doubling(up[k]) for k in range(1, MOVING_LAYERS)}
    layers[1].unfold(256, 256)
    layers[2].unfold(128, 128)
    _spell(layers[3], pieces.shapes, largest)
    _complete(layers[4], half)
    layers[5].unfold(32, 32)
    layers[5].smooth(32, 64)
    hinge_edges(layers[5], _FAR, 64, smooth=True)
    choose(layers[6], layers[7], _FAR, 32)
    hinge_edges(layers[7], _NEAR, _FAR.remainder, smooth=False)
    choose(layers[8], layers[9], _NEAR, 8)
    for k, kink in enumerate(_KINKS):
        layers[9].both(3 + k, _NEAR.remainder, 1.0)
        layers[9].bias[3 + k] = -_LEFT - kink
    _weigh_copies(layers[10], half, exponential)
    _exponentiate(coarse.leave, exponential, floor)


def _set_expand(layer: nn.Linear, pieces: Pieces, motion: Motion) -> np.ndarray:
    """Make coefficients, over the largest of each shape and plus one; displacements."""
    coefficients = pieces.coefficients
    n_terms = coefficients.shape[2]
    spread = np.sqrt((coefficients[:, :, 1:] ** 2).sum(2))
    largest = (np.abs(coefficients[:, :, 0]) + _SPREAD * spread).max(0) + 0.1
    piece = np.arange(_N_PIECES)
    weight, bias = layer.weight.zero_(), layer.get_parameter("bias").zero_()

    def places(channel: int) -> Tensor:
        at = ((piece % 4) * (N_SHAPES + 2) + channel) * _BASE + piece // 4
        return torch.from_numpy(at)

    for k in range(N_SHAPES):
        part = torch.from_numpy(coefficients[:, k] / largest[k]).float()
        bias[places(k)] = part[:, 0] + 1.0
        weight[places(k)[:, None], torch.arange(1, n_terms)] = part[:, 1:]
    bias[places(N_SHAPES)] = 1.0
    centre = motion.first + motion.step * PIECE * (piece + 0.5)
    moved = centre * motion.velocity / SPEED_OF_LIGHT / motion.step
    weight[places(N_SHAPES + 1), 0] = torch.from_numpy(moved).float()
    bias[places(N_SHAPES + 1)] = _ZERO
    return largest


def _spell(layer: Doubling, shapes: np.ndarray, largest: np.ndarray) -> None:
    """Sum shapes to samples, but for the last of each half piece."""
    n = N_SHAPES + 1
    scaled = torch.from_numpy(largest[:, None] * shapes).float()
    for tap, start in ((1, 0), (2, PIECE // 2)):
        part = scaled[:, start : start + n]
        layer.weight[:N_SHAPES, :n, 0, tap] = part
        layer.weight[N_SHAPES, :n, 0, tap] = -scaled.sum(0)[start : start + n] - _LOWEST
    layer.smooth(n, n)


def _complete(layer: Doubling, half: HalfSteps) -> None:
    """Unfold, and interpolate the sample that has no channel."""
    for channel in range(64):
        layer.see(channel, 0, channel, 0, 1.0)
        if channel < 63:
            layer.see(channel, 1, 64 + channel, 0, 1.0)
    outer = half.middle[0]  # the same to both sides
    for channel, offset, value in (
        (125, 0, outer), (126, 0, 0.5 - outer), (0, 1, 0.5 - outer), (1, 1, outer),
    ):  # fmt: skip
        layer.see(63, 1, channel, offset, value)
    layer.smooth(64, N_SHAPES + 1)


def _weigh_copies(layer: Doubling, half: HalfSteps, exponential: Exponential) -> None:
    """Add logarithms of weights to three copies, less the thresholds of hinges."""
    grid = np.array([-_BEYOND, *_KINKS, _BEYOND])
    thresholds = exponential.thresholds
    total = len(COPIES) * len(thresholds)
    for k, copy in enumerate(COPIES):
        distance = np.abs(np.clip(grid, -0.5, 0.5) - copy) / 0.5
        weight = np.interp(distance, exponential.distances, exponential.log_weights)
        slope = np.diff(weight) / np.diff(grid)
        bend = np.diff(slope)
        # the leak of the hinges at the kinks is linear in what is left
        constant = weight[0] + _BEYOND * slope[0] + LEAK * (bend * _KINKS).sum()
        linear = slope[0] - LEAK * bend.sum()
        first = k * len(thresholds)
        for out in (*range(first, first + len(thresholds)), total):
            for parity in (0, 1):
                for sample, tap in _half_step(copy, parity, half):
                    layer.see(out, parity, sample % 2, sample // 2, tap)
            layer.bias[out] += _LOWEST + constant - linear * _LEFT
            layer.both(out, 2, linear)
            for j, value in enumerate(bend):
                layer.both(out, 3 + j, value / RECTIFIED)
        for j, threshold in enumerate(thresholds):
            layer.bias[first + j] -= threshold
    layer.bias[total] += _SUM


def _half_step(copy: float, parity: int, half: HalfSteps) -> list[tuple[int, float]]:
    """Return samples and taps of a copy moved by half a sample, for either parity."""
    if copy == 0.0:
        return [(parity, 1.0)]
    if parity == 0:
        return list(
            zip((-2, -1, 0, 1), half.middle if copy > 0 else half.end, strict=True)
        )
    samples, taps = (
        ((3, 2, 1, 0), half.end) if copy > 0 else ((0, 1, 2, 3), half.middle)
    )
    return list(zip(samples, taps, strict=True))


def _exponentiate(leave: nn.Conv2d, exponential: Exponential, floor: float) -> None:
    """Sum hinges, less what leaks through their rectifiers."""
    slopes, thresholds = exponential.slopes, exponential.thresholds
    n = len(slopes)
    weight, bias = leave.weight.zero_(), leave.get_parameter("bias")
    for k in range(len(COPIES)):
        weight[0, k * n : (k + 1) * n, 0, 0] = torch.from_numpy(slopes) / RECTIFIED
    weight[0, len(COPIES) * n] = -LEAK * slopes.sum()
    bias[:] = LEAK * (slopes.sum() * _SUM + len(COPIES) * (slopes @ thresholds)) - floor
