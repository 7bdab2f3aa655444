# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train an autoencoder on coarse pixels first, then give it its outer layers.

Most of the time of a step goes into the few layers that work at full length. Here
they are left out at first: the inner layers learn on spectra with eight times wider
pixels, several times faster. Then the outer layers are set to averaging on the way in
and to linear interpolation on the way out, which changes nothing, and all are trained.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from astro_latent.models.architectures.disentangled_autoencoder import (
    SLOPE,
    DisentangledAutoencoder,
)

__all__ = ["FACTOR", "LEVELS", "CoarseAutoencoder", "grow"]

LEVELS = 3
FACTOR = 2**LEVELS
_SPREAD = 0.1  # of the random weights that are free to learn something new


class CoarseAutoencoder(nn.Module):
    """The inner layers of an autoencoder, for spectra on a coarse grid.

    The layers are shared with the full network: what they learn here, it knows.

    Parameters
    ----------
    full : DisentangledAutoencoder
        The network whose outer layers are left out.
    """

    def __init__(self, full: DisentangledAutoencoder) -> None:
        super().__init__()
        self.full = full
        self.enter = nn.Conv2d(1, full.channels[LEVELS - 1], 1)
        self.leave = nn.Conv2d(full.channels[LEVELS - 1], 1, 1)

    def forward(self, flux: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode and decode through a draw from the posterior.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels // 8)
            Coarse spectra.

        Returns
        -------
        reconstruction : Tensor, shape (n, n_pixels // 8)
            Decoded flux.
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        full = self.full
        signal = flux[:, None, None].contiguous(memory_format=torch.channels_last)
        signal = functional.leaky_relu(self.enter(signal), SLOPE)
        for layer in full.down[LEVELS:]:
            signal = functional.leaky_relu(layer(signal), SLOPE, inplace=True)
        mean, log_variance = (
            full.mean(signal.flatten(1)),
            full.log_variance(signal.flatten(1)),
        )
        latent = full.sample(mean, log_variance) if self.training else mean
        signal = full.expand(latent).unflatten(1, (full.channels[-1], 1, -1))
        signal = signal.contiguous(memory_format=torch.channels_last)
        for layer in full.up[:-LEVELS]:
            signal = functional.leaky_relu(layer(signal), SLOPE, inplace=True)
        return self.leave(signal).flatten(1), mean, log_variance


@torch.no_grad()
def grow(coarse: CoarseAutoencoder) -> DisentangledAutoencoder:
    """Set the outer layers so that the full network does what the coarse one did.

    Exact for positive flux: the leaky rectifiers between the layers pass it unchanged.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        Trained.

    Returns
    -------
    DisentangledAutoencoder
        Its full network, in place.
    """
    full = coarse.full
    for layer in (*full.down[:LEVELS], *full.up[-LEVELS:], full.smooth):
        weight, bias = _parameters(layer)
        weight *= _SPREAD
        bias.zero_()
    for layer in full.down[: LEVELS - 1]:  # channel 0 holds the mean of two
        weight, _ = _parameters(layer)
        weight[0] = 0.0
        _middle(weight[0, 0, 0])[:] = 0.5
    weight, bias = _parameters(full.down[LEVELS - 1])
    entrance, entrance_bias = _parameters(coarse.enter)
    weight[:] = 0.0  # only channel 0 is read at first; the others can be taken up
    _middle(weight[:, 0, 0])[:] = 0.5 * entrance[:, 0, 0]
    bias[:] = entrance_bias
    linear = weight.new_tensor([0.25, 0.75, 0.75, 0.25])
    weight, bias = _parameters(full.up[-LEVELS])
    leave, leave_bias = _parameters(coarse.leave)
    weight[:, 0, 0] = leave[0, :, 0] * linear
    bias[0] = leave_bias[0]
    for layer in full.up[1 - LEVELS :]:
        weight, _ = _parameters(layer)
        weight[1:, 0] = 0.0
        weight[0, 0, 0] = linear
    weight, _ = _parameters(full.smooth)
    weight[0, 0, 0] = weight.new_tensor([0.0, 1.0, 0.0])
    return full


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer, to be set in place."""
    return layer.get_parameter("weight"), layer.get_parameter("bias")


def _middle(taps: Tensor) -> Tensor:
    """Return the two taps of a filter that see pixels 2i and 2i + 1."""
    centre = taps.shape[-1] // 2
    return taps[..., centre : centre + 2]
