# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train an autoencoder on coarse pixels first, then give it its outer layers.

Most of the time of a step goes into the few layers that work at full length. Here
they are left out at first: the inner layers learn on spectra with wider pixels,
several times faster. Then outer layers are set to averaging on the way in and to
linear interpolation on the way out, which changes nothing, and all are trained.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from astro_latent.models.architectures.disentangled_autoencoder import (
    SLOPE,
    DisentangledAutoencoder,
)

__all__ = ["CoarseAutoencoder", "grow"]

_SPREAD = 0.1  # of the random weights that are free to learn something new


class CoarseAutoencoder(nn.Module):
    """The inner layers of an autoencoder, for spectra on a coarse grid.

    The layers are shared with the full network: what they learn here, it knows.

    Parameters
    ----------
    full : DisentangledAutoencoder
        The network whose outer layers are left out.
    levels : int
        How many halvings are left out; a pixel is ``2**levels`` of the full network.
    """

    def __init__(self, full: DisentangledAutoencoder, levels: int) -> None:
        super().__init__()
        self.full = full
        self.levels = levels
        self.enter = nn.Conv2d(1, full.channels[levels - 1], 1)
        self.leave = nn.Conv2d(full.channels[levels - 1], 1, 1)

    def encode(self, flux: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior of the latents.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels // 2**levels)
            Coarse spectra.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        signal = flux[:, None, None].contiguous(memory_format=torch.channels_last)
        signal = functional.leaky_relu(self.enter(signal), SLOPE)
        for layer in self.full.down[self.levels :]:
            signal = functional.leaky_relu(layer(signal), SLOPE, inplace=True)
        signal = signal.flatten(1)
        return self.full.mean(signal), self.full.log_variance(signal)

    def decode(self, latent: Tensor) -> Tensor:
        """Return the coarse spectra of latent vectors.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, n_pixels // 2**levels)
            Decoded flux.
        """
        full = self.full
        signal = full.expand(latent).unflatten(1, (full.channels[-1], 1, -1))
        signal = signal.contiguous(memory_format=torch.channels_last)
        for layer in full.up[: -self.levels]:
            signal = functional.leaky_relu(layer(signal), SLOPE, inplace=True)
        return self.leave(signal).flatten(1)

    def forward(self, flux: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode and decode; in training mode through a draw from the posterior.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels // 2**levels)
            Coarse spectra.

        Returns
        -------
        reconstruction : Tensor, shape (n, n_pixels // 2**levels)
            Decoded flux.
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        mean, log_variance = self.encode(flux)
        latent = self.full.sample(mean, log_variance) if self.training else mean
        return self.decode(latent), mean, log_variance


@torch.no_grad()
def grow(
    coarse: CoarseAutoencoder, levels: int = 0
) -> CoarseAutoencoder | DisentangledAutoencoder:
    """Set outer layers so that a finer network does what the coarse one did.

    Exact for positive flux: the leaky rectifiers between the layers pass it unchanged.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        Trained.
    levels : int, optional
        How many halvings are still left out, fewer than before; by default none.

    Returns
    -------
    CoarseAutoencoder or DisentangledAutoencoder
        It shares its layers with the coarse one, which is of no use any more.
    """
    full, before = coarse.full, coarse.levels
    down, up = full.down[levels:before], full.up[-before : len(full.up) - levels]
    for layer in (*down, *up):
        weight, bias = _parameters(layer)
        weight *= _SPREAD
        bias.zero_()
    for layer in down[:-1]:  # channel 0 holds the mean of two
        weight, _ = _parameters(layer)
        weight[0] = 0.0
        _middle(weight[0, 0, 0])[:] = 0.5
    weight, bias = _parameters(down[-1])
    entrance, entrance_bias = _parameters(coarse.enter)
    weight[:] = 0.0  # only channel 0 is read at first; the others can be taken up
    _middle(weight[:, 0, 0])[:] = 0.5 * entrance[:, 0, 0]
    bias[:] = entrance_bias
    linear = weight.new_tensor([0.25, 0.75, 0.75, 0.25])
    weight, bias = _parameters(up[0])
    leave, leave_bias = _parameters(coarse.leave)
    weight[:, 0, 0] = leave[0, :, 0] * linear
    bias[0] = leave_bias[0]
    for layer in up[1:]:
        weight, _ = _parameters(layer)
        weight[1:, 0] = 0.0
        weight[0, 0, 0] = linear
    if levels == 0:
        weight, bias = _parameters(full.smooth)
        weight[0, 0, 0] = weight.new_tensor([0.0, 1.0, 0.0])
        bias.zero_()
        return full
    finer = CoarseAutoencoder(full, levels).to(entrance.device)
    for end, used in ((finer.enter, 0), (finer.leave, 1)):
        weight, bias = _parameters(end)
        weight *= _SPREAD
        weight.select(used, 0).fill_(1.0)
        bias.zero_()
    finer.leave.weight[:, 1:] = 0.0
    return finer


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer, to be set in place."""
    return layer.get_parameter("weight"), layer.get_parameter("bias")


def _middle(taps: Tensor) -> Tensor:
    """Return the two taps of a filter that see pixels 2i and 2i + 1."""
    centre = taps.shape[-1] // 2
    return taps[..., centre : centre + 2]
