# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights for the autoencoder: principal components of smoothed spectra.

A network that starts from random weights spends most of a short training on what
principal components give at once. The published layers can hold them: the halvings
first average pixels, then move neighbours into channels of their own, so that the
nodes see a whole smoothed spectrum; the decoder does the reverse and interpolates.
What is left to learn is what components cannot do.
"""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor, nn

from recipes.harps_dae128_v1.grow import LEVELS, CoarseAutoencoder

__all__ = ["sampling_order", "start_from_components"]

_LINEAR = (0.25, 0.75, 0.75, 0.25)  # taps that interpolate while they double the length
_OFFSET = 1.0  # keeps what the decoder's rectifiers see positive


def sampling_order(n_samples: int, n_channels: int) -> Tensor:
    """Which sample of a smoothed spectrum each value of the innermost layer holds.

    Parameters
    ----------
    n_samples : int
        Samples of the smoothed spectrum.
    n_channels : int
        Channels of the innermost layer, a power of two.

    Returns
    -------
    Tensor of int, shape (n_samples,)
        Indices of samples, channel by channel.

    Examples
    --------
    >>> from recipes.harps_dae128_v1.principal_start import sampling_order
    >>> sampling_order(8, 4).tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    """
    order = torch.arange(n_samples)[None]
    while len(order) < n_channels:
        order = torch.cat([order[:, ::2], order[:, 1::2]])
    return order.flatten()


@torch.no_grad()
def start_from_components(
    coarse: CoarseAutoencoder, flux: Tensor, *, noise: float = 4e-4
) -> None:
    """Set the weights of a coarse autoencoder to principal components, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        With random weights.
    flux : Tensor, shape (n_spectra, n_pixels)
        Coarse spectra, more than the network has nodes.
    noise : float, optional
        Noise that the spread of one node may add to a pixel, in units of the flux.
    """
    full = coarse.full
    n_samples = full.expand.out_features
    smooth = flux.unflatten(1, (n_samples, -1)).mean(2)
    mean = smooth.mean(0)
    _, values, components = torch.linalg.svd(smooth - mean, full_matrices=False)
    scale = values[: full.n_latent] / len(flux) ** 0.5
    scale = scale.clamp(min=1e-4 * float(scale[0]))  # fewer factors than nodes
    project = components[: full.n_latent] / scale[:, None]
    samples = _samples_to_interpolate(flux, n_samples)
    centre = samples.mean(0)
    decode = torch.linalg.lstsq((smooth - mean) @ project.T, samples - centre).solution

    _route(coarse)
    order = sampling_order(n_samples, full.channels[-1])
    full.mean.weight[:] = project[:, order]
    full.mean.bias[:] = -(project @ mean)
    full.expand.weight[:] = decode.T[order]
    full.expand.bias[:] = centre[order] + _OFFSET
    spread = noise * decode.pow(2).mean(1).rsqrt()
    full.log_variance.weight.zero_()
    full.log_variance.bias[:] = 2.0 * spread.clamp(max=1.0).log()


def _samples_to_interpolate(flux: Tensor, n_samples: int) -> Tensor:
    """Return the samples whose linear interpolation comes closest to the flux."""
    length = n_samples
    total = sparse.identity(n_samples, format="csr")
    while length < flux.shape[1]:
        total = _doubling(length) @ total
        length *= 2
    normal = total.T @ total + 1e-4 * sparse.identity(n_samples)
    solved = splu(normal.tocsc()).solve(total.T @ flux.numpy().T.astype(np.float64))
    return torch.from_numpy(solved.T.astype(np.float32))


def _doubling(n: int) -> sparse.csr_matrix:
    """Return the transposed convolution with linear taps as a matrix."""
    taps = [
        sparse.coo_matrix(
            (np.full(n, tap), (2 * np.arange(n) + k, np.arange(n))), (2 * n + 2, n)
        )
        for k, tap in enumerate(_LINEAR)
    ]
    return sparse.csr_matrix(sum(taps))[1:-1]


def _route(coarse: CoarseAutoencoder) -> None:
    """Set the convolutions to averaging, sorting and interpolating.

    Channels that hold nothing yet keep their random weights on the way in; no used
    channel reads them at first, so they change nothing until they have learnt.
    """
    full = coarse.full
    length = full.n_pixels >> LEVELS
    used = 1
    for outer in (coarse.enter, coarse.leave):
        nn.init.zeros_(outer.get_parameter("bias"))
    coarse.enter.weight[0] = 1.0
    for layer in full.down[LEVELS:-1]:
        weight = layer.get_parameter("weight")
        length //= 2
        if length >= full.expand.out_features:
            weight[0] = 0.0
            weight[0, 0, 0, 1:] = 0.5
            continue
        weight[: 2 * used] = 0.0
        for channel in range(used):
            weight[channel, channel, 0, 1] = 1.0
            weight[used + channel, channel, 0, 2] = 1.0
        used *= 2
    for layer in (full.down[-1], full.up[0]):
        weight = layer.get_parameter("weight")
        weight.zero_()
        weight[range(used), range(used), 0, 1] = 1.0
    for layer in full.up[1:-LEVELS]:
        weight = layer.get_parameter("weight")
        length *= 2
        if used > 1:
            used //= 2
            weight[:, :used] = 0.0
            for channel in range(used):
                weight[channel, channel, 0, 1] = 1.0
                weight[used + channel, channel, 0, 2] = 1.0
        else:
            weight[:, 0] = 0.0
            weight[0, 0, 0] = weight.new_tensor(_LINEAR)
    coarse.leave.weight[:] = 0.0
    coarse.leave.weight[0, 0] = 1.0
    coarse.leave.get_parameter("bias")[:] = -_OFFSET
