# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights for the autoencoder: a linear map to nodes and one back.

The published layers can hold them: the halvings first average pixels, then move
neighbours into channels of their own, so that the nodes see a whole smoothed spectrum;
the decoder does the reverse and interpolates. What is left to learn is what is not
linear.
"""

import torch
from torch import Tensor, nn

from recipes.harps.coarse import CoarseAutoencoder

__all__ = ["LINEAR", "sampling_order", "set_linear"]

#: Taps that interpolate while they double the length.
LINEAR = (0.25, 0.75, 0.75, 0.25)
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
    >>> from recipes.harps.linear_start import sampling_order
    >>> sampling_order(8, 4).tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    """
    order = torch.arange(n_samples)[None]
    while len(order) < n_channels:
        order = torch.cat([order[:, ::2], order[:, 1::2]])
    return order.flatten()


@torch.no_grad()
def set_linear(
    coarse: CoarseAutoencoder,
    *,
    mean: Tensor,
    project: Tensor,
    centre: Tensor,
    decode: Tensor,
    log_variance: Tensor,
) -> None:
    """Set the weights of a coarse autoencoder to linear maps, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        With random weights.
    mean : Tensor, shape (n_samples,)
        Smoothed spectrum at which all nodes are zero.
    project : Tensor, shape (n_nodes, n_samples)
        From smoothed spectra less the mean to the first nodes; others stay at the
        prior.
    centre : Tensor, shape (n_samples,)
        What is decoded from zeros, to be interpolated.
    decode : Tensor, shape (n_nodes, n_samples)
        What each node adds to that.
    log_variance : Tensor, shape (n_nodes,)
        Of the posterior.
    """
    full = coarse.full
    order = sampling_order(len(mean), full.channels[-1])
    n_nodes = len(project)
    _route(coarse)
    for layer in (full.mean, full.log_variance):
        layer.weight.zero_()
        layer.get_parameter("bias").zero_()
    full.mean.weight[:n_nodes] = project[:, order]
    full.mean.get_parameter("bias")[:n_nodes] = -(project @ mean)
    full.log_variance.get_parameter("bias")[:n_nodes] = log_variance
    full.expand.weight.zero_()
    full.expand.weight[:, :n_nodes] = decode.T[order]
    full.expand.get_parameter("bias")[:] = centre[order] + _OFFSET


def _route(coarse: CoarseAutoencoder) -> None:
    """Set the convolutions to averaging, sorting and interpolating.

    Channels that hold nothing yet keep their random weights on the way in; no used
    channel reads them at first, so they change nothing until they have learnt.
    """
    full = coarse.full
    length = full.n_pixels >> coarse.levels
    used = 1
    for outer in (coarse.enter, coarse.leave):
        nn.init.zeros_(outer.get_parameter("bias"))
    coarse.enter.weight[0] = 1.0
    for layer in full.down[coarse.levels : -1]:
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
    for layer in full.up[1 : -coarse.levels]:
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
            weight[0, 0, 0] = weight.new_tensor(LINEAR)
    coarse.leave.weight[:] = 0.0
    coarse.leave.weight[0, 0] = 1.0
    coarse.leave.get_parameter("bias")[:] = -_OFFSET
