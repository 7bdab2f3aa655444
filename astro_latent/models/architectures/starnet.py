# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""StarNet: a convolutional network from a normalised spectrum to stellar labels.

The topology is that of Fabbro et al. (2018, MNRAS 475, 2978): two convolutions, one
max-pooling, two dense layers and a linear output.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...exceptions import UnknownNameError
from ..layers.heads import HEADS
from ..layers.pooled_slope import PooledSlope, convolve_slopes

__all__ = ["ACTIVATIONS", "INITIALISATIONS", "StarNet"]

#: Functions between layers by name; Fabbro et al. take the first.
ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}
#: How weights are drawn, by Keras' names; Fabbro et al. take the first.
INITIALISATIONS: dict[str, Callable[..., Tensor]] = {
    "he_normal": nn.init.kaiming_normal_,
    "he_uniform": nn.init.kaiming_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "glorot_uniform": nn.init.xavier_uniform_,
}
#: Numbers of a layer that a value of the next may depend on, for slopes to pay.
_LARGEST_WINDOW = 64


def _find(
    kind: str, name: str, known: Mapping[str, Callable[..., Tensor]]
) -> Callable[..., Tensor]:
    if name not in known:
        raise UnknownNameError(kind, name, list(known))
    return known[name]


class StarNet(nn.Module):
    """The network of Fabbro et al. (2018), on any number of pixels and labels.

    With the default arguments it has 7,419,191 parameters. Convolutions are padded to
    keep the length; of the ``filter_length - 1`` zeros ``(filter_length - 1) // 2`` go
    to the left, as in Keras.

    Parameters
    ----------
    n_pixels : int
        Length of a spectrum.
    n_labels : int
        Number of outputs.
    n_filters : sequence of int
        Filters of each convolution.
    filter_length : int
        Pixels that a filter spans.
    pool_length : int
        Pixels that max-pooling joins.
    n_hidden : sequence of int
        Units of each dense layer.
    heteroscedastic : bool
        Predict a log-variance for each label as well.
    posterior : {None, "gaussian", "covariance", "mixture", "flow"}
        A head of `~astro_latent.models.layers.heads` in place of the linear outputs.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu"}
        What follows each layer but the last.
    initialisation : {"he_normal", "he_uniform", "glorot_normal", "glorot_uniform"}
        How weights are drawn.
    dropout : float
        Share of the values after each dense layer that a step of training drops.

    Attributes
    ----------
    pixel_mean : Tensor, shape (n_pixels,)
        Buffer, subtracted from the flux; 0 until it is set.
    pixel_scale : Tensor, scalar
        Buffer, what the difference is divided by; 1 until it is set.

    Raises
    ------
    ValueError
        If there are fewer pixels than are pooled, or dropout is no share.
    UnknownNameError
        If there is no such activation or initialisation.

    Examples
    --------
    >>> from astro_latent.models.architectures.starnet import StarNet
    >>> sum(p.numel() for p in StarNet(n_pixels=7214, n_labels=3).parameters())
    7419191
    """

    def __init__(
        self,
        *,
        n_pixels: int = 7214,
        n_labels: int = 3,
        n_filters: Sequence[int] = (4, 16),
        filter_length: int = 8,
        pool_length: int = 4,
        n_hidden: Sequence[int] = (256, 128),
        heteroscedastic: bool = False,
        posterior: str | None = None,
        activation: str = "relu",
        initialisation: str = "he_normal",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if n_pixels < pool_length:
            msg = f"n_pixels={n_pixels} is less than pool_length={pool_length}"
            raise ValueError(msg)
        self.activate = _find("activation", activation, ACTIVATIONS)
        self._draw = _find("initialisation", initialisation, INITIALISATIONS)
        self.dropout = nn.Dropout(dropout)
        self.n_pixels = n_pixels
        self.n_outputs = n_labels
        self.pool_length = pool_length
        self.heteroscedastic = heteroscedastic
        left = (filter_length - 1) // 2
        self._padding = (left, filter_length - 1 - left)

        channels = [1, *n_filters]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, n_out, filter_length) for n_in, n_out in pairwise(channels)
        )
        # more of them would make the matrices of `convolve_slopes` too large to pay
        below = filter_length * max(channels[:-1], default=0)
        small = len(channels) > 1 and below <= _LARGEST_WINDOW
        self._rectifies = activation == "relu"
        self.slopes_pay = small and self._rectifies
        units = [channels[-1] * (n_pixels // pool_length), *n_hidden]
        self.dense = nn.ModuleList(
            nn.Linear(n_in, n_out) for n_in, n_out in pairwise(units)
        )
        self.posterior = HEADS[posterior](units[-1], n_labels) if posterior else None
        linear = 0 if posterior else 1 + heteroscedastic
        # None under a head of another kind
        self.output: nn.Linear = nn.Linear(units[-1], n_labels) if linear else None  # type: ignore[assignment]
        self.log_variance = nn.Linear(units[-1], n_labels) if linear == 2 else None

        self.pixel_mean: Tensor
        self.pixel_scale: Tensor
        self.register_buffer("pixel_mean", torch.zeros(n_pixels))
        self.register_buffer("pixel_scale", torch.ones(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, by default He et al. (2015) normal; biases are zero.

        The log-variance starts at zero for every spectrum, which keeps the first steps
        of a training with a Gaussian likelihood those of least squares.
        """
        layers = [*self.convolutions, *self.dense]
        for layer in [*layers, self.output] if self.output is not None else layers:
            self._draw(layer.weight)
            nn.init.zeros_(layer.bias)
        if self.log_variance is not None:
            nn.init.zeros_(self.log_variance.weight)
            nn.init.zeros_(self.log_variance.bias)

    @torch.no_grad()
    def adapt(self, flux: Tensor, valid: Tensor, variance: Tensor) -> None:
        """Set mean and scale of the pixels from spectra.

        Parameters
        ----------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            The training set or a part of it.
        """
        seen = torch.where(valid, flux, 0.0)
        self.pixel_mean.copy_(seen.sum(0) / valid.sum(0).clamp_min(1))
        self.pixel_scale.copy_((flux - self.pixel_mean)[valid].std())

    def convolve(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the pooled, flattened output of the convolutions.

        Parameters
        ----------
        flux : Tensor, shape (..., n_pixels)
            Normalised flux.
        valid : Tensor of bool, shape (..., n_pixels), optional
            False where a pixel carries nothing.

        Returns
        -------
        Tensor, shape (..., n_filters[-1] * (n_pixels // pool_length))
            Input of the first dense layer.
        """
        signal = self._standardise(flux, valid).unsqueeze(-2)
        last = len(self.convolutions) - 1
        for i, layer in enumerate(self.convolutions):
            signal = layer(functional.pad(signal, self._padding))
            if i == last and self._rectifies:  # the same after pooling, and less work
                pooled = functional.max_pool1d(signal, self.pool_length)
                return self.activate(pooled).flatten(-2)
            signal = self.activate(signal)
        return functional.max_pool1d(signal, self.pool_length).flatten(-2)

    def _standardise(self, flux: Tensor, valid: Tensor | None) -> Tensor:
        signal = (flux - self.pixel_mean) / self.pixel_scale
        if valid is None:
            return signal
        # where, not a product: a NaN times zero would stay NaN
        return torch.where(valid.bool(), signal, torch.zeros_like(signal))

    def convolve_slopes(self, flux: Tensor, valid: Tensor) -> Iterator[PooledSlope]:
        """Differentiate `convolve`.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_pixels)
            As for `convolve`, on the CPU.

        Yields
        ------
        PooledSlope
            Of each spectrum, by what `flux_slope` is the derivative of.
        """
        return convolve_slopes(
            self._standardise(flux, valid),
            cast("Sequence[nn.Conv1d]", self.convolutions),
            padding=self._padding,
            pool_length=self.pool_length,
        )

    def flux_slope(self, valid: Tensor) -> Tensor:
        """Differentiate what is convolved by the flux.

        Parameters
        ----------
        valid : Tensor of bool, shape (n, n_pixels)
            As for `convolve`.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Zero where not valid.
        """
        return valid / self.pixel_scale

    def enter(self, pooled: Tensor) -> Tensor:
        """Begin `project`: its first layer takes most of the time.

        Parameters
        ----------
        pooled : Tensor, shape (n, n_pooled)
            From `convolve`.

        Returns
        -------
        Tensor, shape (n, n_hidden[0])
            What `leave` ends.
        """
        return self.dense[0](pooled)

    def leave(self, hidden: Tensor) -> Tensor:
        """End `project`.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_hidden[0])
            From `enter`.

        Returns
        -------
        Tensor, shape (n, n_hidden[-1])
            As of `project`.
        """
        features = self.dropout(self.activate(hidden))
        for layer in self.dense[1:]:
            features = self.dropout(self.activate(layer(features)))
        return features

    def project_slope(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiate the labels by the output of `convolve`.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_hidden[0])
            From `enter`.

        Returns
        -------
        outer : Tensor, shape (n, n_labels, n_hidden[0])
            By the input of the first activation.
        weight : Tensor, shape (n_hidden[0], n_pooled)
            Of the first layer: the derivative is ``outer @ weight``.
        """
        first = cast(nn.Linear, self.dense[0])
        hidden = hidden.detach().requires_grad_()
        result = self.head(self.leave(hidden))
        mean = result[0] if isinstance(result, tuple) else result
        rows = [
            torch.autograd.grad(label.sum(), hidden, retain_graph=True)[0]
            for label in mean.unbind(1)
        ]
        return torch.stack(rows, 1), first.weight.detach()

    def project(self, pooled: Tensor) -> Tensor:
        """Return the output of the last hidden layer.

        Parameters
        ----------
        pooled : Tensor
            From `convolve`.

        Returns
        -------
        Tensor, shape (..., n_hidden[-1])
            The features that the outputs are linear in.
        """
        return self.leave(self.enter(pooled)) if self.dense else pooled

    def features(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the output of the last hidden layer.

        Parameters
        ----------
        flux : Tensor, shape (..., n_pixels)
            Normalised flux.
        valid : Tensor of bool, shape (..., n_pixels), optional
            False where a pixel carries nothing.

        Returns
        -------
        Tensor, shape (..., n_hidden[-1])
            The features that the outputs are linear in.
        """
        return self.project(self.convolve(flux, valid))

    def head(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the labels from the output of the last hidden layer.

        Parameters
        ----------
        features : Tensor, shape (..., n_hidden[-1])
            From `features`.

        Returns
        -------
        Tensor, shape (..., n_labels), or tuple of two
            As `forward`.
        """
        if self.posterior is not None:
            return self.posterior(features)
        if self.log_variance is None:
            return self.output(features)
        return self.output(features), self.log_variance(features)

    def forward(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the labels in the network's own units.

        Parameters
        ----------
        flux : Tensor, shape (..., n_pixels)
            Normalised flux.
        valid : Tensor of bool, shape (..., n_pixels), optional
            False where a pixel carries nothing.

        Returns
        -------
        Tensor, shape (..., n_labels), or tuple of two
            Labels; with ``heteroscedastic`` also the logarithm of their variance, with
            ``posterior`` what that head gives.
        """
        return self.head(self.features(flux, valid))
