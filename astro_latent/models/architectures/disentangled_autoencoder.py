# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The convolutional variational autoencoder of Sedaghat et al. (2021), of any size.

The topology is that of MNRAS 501, 6026: strided convolutions halve the length until
twenty pixels are left, two linear layers give the mean and the log-variance of the
latents, and the decoder mirrors the encoder.
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DisentangledAutoencoder", "default_channels"]

#: Channels after each halving in the published network of 327,680 pixels.
PUBLISHED_CHANNELS = (16, 16, 16, 32, 32, 32, 64, 64, 64, 128, 128, 128, 256, 512)
#: Filter lengths of the first convolutions; the others have 3 pixels.
FIRST_FILTERS = (7, 5, 5)
#: Slope of the leaky rectifier for negative input.
SLOPE = 0.1
# Elements to each side that the layers between two cuts can see, and one more.
_REACH = 3
# Up to torch 2.7, oneDNN takes minutes to prepare long transposed convolutions.
_SLOW_ONEDNN = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 8)


def default_channels(n_pixels: int) -> tuple[int, ...]:
    """Return the channels of the encoder for a length: one number for each halving.

    The length is halved as long as at least twenty pixels are left, as in the
    published network; shorter spectra use its first layers, longer ones repeat the
    last.

    Parameters
    ----------
    n_pixels : int
        Length of a spectrum.

    Returns
    -------
    tuple of int
        Channels after each halving.

    Raises
    ------
    ValueError
        If the length cannot be halved at least once.

    Examples
    --------
    >>> from astro_latent.models.architectures import default_channels
    >>> default_channels(160)
    (16, 16, 16)
    >>> len(default_channels(327_680))
    14
    """
    depth = 0
    while n_pixels % 2 ** (depth + 1) == 0 and n_pixels // 2 ** (depth + 1) >= 20:
        depth += 1
    if depth == 0:
        msg = (
            f"n_pixels={n_pixels} cannot be halved down to 20 pixels; "
            "choose a length n * 2**k with n >= 20, or give channels"
        )
        raise ValueError(msg)
    extra = max(0, depth - len(PUBLISHED_CHANNELS))
    return PUBLISHED_CHANNELS[:depth] + PUBLISHED_CHANNELS[-1:] * extra


class DisentangledAutoencoder(nn.Module):
    """The autoencoder of Sedaghat et al. (2021), on any length ``n * 2**k``.

    With the default arguments it has 7,046,997 parameters. No normalisation layers,
    no pooling, no skips, no dropout; a leaky rectifier follows every convolution but
    the last.

    Convolutions are held as two-dimensional ones of height one, with channels last in
    memory: the same numbers as in one dimension, about three times faster on a CPU.

    Parameters
    ----------
    n_pixels : int
        Length of a spectrum; divisible by ``2**len(channels)``.
    n_latent : int
        Number of latents.
    channels : sequence of int, optional
        Channels after each halving; by default `default_channels`.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures.disentangled_autoencoder import (
    ...     DisentangledAutoencoder,
    ... )
    >>> model = DisentangledAutoencoder(n_pixels=320, n_latent=6)
    >>> mean, log_variance = model.encode(torch.ones(2, 320))
    >>> tuple(mean.shape), tuple(model.decode(mean).shape)
    ((2, 6), (2, 320))
    """

    def __init__(
        self,
        *,
        n_pixels: int = 327_680,
        n_latent: int = 128,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        widths = tuple(default_channels(n_pixels) if channels is None else channels)
        base, rest = divmod(n_pixels, 2 ** len(widths))
        if rest or base == 0 or not widths:
            msg = (
                f"n_pixels={n_pixels} cannot be halved {len(widths)} times, once for "
                f"each of channels={widths}"
            )
            raise ValueError(msg)
        self.n_pixels = n_pixels
        self.n_latent = self.n_outputs = n_latent
        self.channels = widths
        self._base = (widths[-1], 1, base)
        lengths = (FIRST_FILTERS + (3,) * len(widths))[: len(widths)]
        self.down = nn.ModuleList(
            nn.Conv2d(n_in, n_out, (1, k), stride=(1, 2), padding=(0, (k - 1) // 2))
            for n_in, n_out, k in zip((1, *widths), widths, lengths, strict=False)
        )
        last = widths[-1]
        self.down.append(nn.Conv2d(last, last, (1, 3), padding=(0, 1)))
        self.mean = nn.Linear(last * base, n_latent)
        self.log_variance = nn.Linear(last * base, n_latent)

        self.expand = nn.Linear(n_latent, last * base)
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(last, last, (1, 3), padding=(0, 1))]
        )
        for n_in, n_out in zip(widths[::-1], (*widths[-2::-1], 1), strict=True):
            self.up.append(
                nn.ConvTranspose2d(n_in, n_out, (1, 4), stride=(1, 2), padding=(0, 1))
            )
        self.smooth = nn.Conv2d(1, 1, (1, 3), padding=(0, 1))
        self.reset_parameters()
        # torch documents this keyword and leaves it out of the overloads
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def reset_parameters(self) -> None:
        """Draw new weights: He et al. (2015) normal for the rectifier, biases zero."""
        for layer in (*self.down, *self.up):
            # a strided transposed filter reaches each output with half of its taps
            gain = nn.init.calculate_gain("leaky_relu", SLOPE)
            taps = layer.kernel_size[1] / (
                layer.stride[1] if isinstance(layer, nn.ConvTranspose2d) else 1
            )
            nn.init.normal_(layer.weight, std=gain / (layer.in_channels * taps) ** 0.5)
            nn.init.zeros_(layer.bias)
        for layer in (self.mean, self.log_variance, self.expand, self.smooth):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.get_parameter("bias"))

    def encode(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the posterior of the latents.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            False where a pixel carries nothing; such pixels enter as zero.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the Gaussian posterior.
        """
        if valid is not None:
            flux = torch.where(valid.bool(), flux, torch.zeros_like(flux))
        signal = flux.reshape(-1, 1, 1, self.n_pixels)
        signal = signal.contiguous(memory_format=torch.channels_last)
        for layer in self.down:
            signal = functional.leaky_relu(layer(signal), SLOPE, inplace=True)
        signal = signal.flatten(1)
        return self.mean(signal), self.log_variance(signal)

    def decode(self, latent: Tensor) -> Tensor:
        """Return the spectra of latent vectors.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux.
        """
        return self.decode_part(latent, 0, self.n_pixels)

    def decode_part(self, latent: Tensor, first: int, last: int) -> Tensor:
        """Return some pixels of spectra; before each layer others are cut off.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.
        first, last : int
            The pixels from ``first`` to before ``last``.

        Returns
        -------
        Tensor, shape (n, last - first)
            What `decode` gives there.
        """
        signal = self.expand(latent).reshape(-1, *self._base)
        signal = signal.contiguous(memory_format=torch.channels_last)
        width, start = 2 ** len(self.channels), 0  # pixels of an element; the first
        without = torch.backends.mkldnn.flags(enabled=False) if _SLOW_ONEDNN else None
        with without or nullcontext():
            for layer in (*self.up, self.smooth):
                low = max(first // width - _REACH, 0)
                signal = signal[..., low - start : -(-last // width) + _REACH - start]
                signal, start = layer(signal), low
                if layer is not self.smooth:
                    signal = functional.leaky_relu(signal, SLOPE, inplace=True)
                if layer.stride[1] == 2:
                    width, start = width // 2, 2 * start
            return signal[..., first - start : last - start].flatten(1)

    def sample(
        self,
        mean: Tensor,
        log_variance: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw latent vectors from their posterior, differentiably.

        Parameters
        ----------
        mean, log_variance : Tensor, shape (n, n_latent)
            From `encode`.
        generator : torch.Generator, optional
            Source of randomness.

        Returns
        -------
        Tensor, shape (n, n_latent)
            ``mean + exp(log_variance / 2) * noise``, one draw for each row.
        """
        noise = torch.empty_like(mean).normal_(generator=generator)
        return mean + torch.exp(0.5 * log_variance) * noise

    def forward(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode and decode; in training mode through a draw from the posterior.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            False where a pixel carries nothing.
        generator : torch.Generator, optional
            Source of randomness, in training mode.

        Returns
        -------
        reconstruction : Tensor, shape (n, n_pixels)
            Decoded flux.
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        mean, log_variance = self.encode(flux, valid)
        latent = mean
        if self.training:
            latent = self.sample(mean, log_variance, generator=generator)
        return self.decode(latent), mean, log_variance
