# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a network must offer: a label network gives labels, a latent network latents.

An architecture is a `torch.nn.Module` whose arguments are keywords with defaults, plain
data that a ``config.json`` can hold. It is of one kind or the other by the methods that
it has. For both kinds holds: a spectrum's result does not depend on the others in its
batch, nor on what stands in pixels that are not valid, which may be NaN; in evaluation
mode the same input gives the same output; all is float32.
"""

from collections.abc import Iterable
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..exceptions import WeightsError
from .layers.joined_slope import JoinedSlope
from .layers.pooled_slope import PooledSlope
from .layers.process import ProcessMean

__all__ = [
    "CompanionNetwork",
    "JoinedNetwork",
    "LabelNetwork",
    "LatentNetwork",
    "NoiseAwareNetwork",
    "PartialNetwork",
    "PosteriorNetwork",
    "RememberingNetwork",
    "SeeingNetwork",
    "SlopedNetwork",
    "SplitNetwork",
    "inputs_of",
    "kind_of",
]


@runtime_checkable
class LabelNetwork(Protocol):
    """A network from prepared flux to labels.

    Attributes
    ----------
    n_pixels : int
        Length of a spectrum.
    n_outputs : int
        Number of labels.
    """

    n_pixels: int
    n_outputs: int

    def features(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the output of the last hidden layer.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels), float32
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            True where a pixel was measured.

        Returns
        -------
        Tensor, shape (n, n_features)
            What the domain score is measured on.
        """
        ...

    def head(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return labels, and how uncertain they are if that is predicted.

        Parameters
        ----------
        features : Tensor, shape (n, n_features)
            From `features`.

        Returns
        -------
        Tensor, shape (n, n_outputs), or tuple of two
            In the network's own units: ``offset + scale * value`` is a label. The
            second is the logarithm of the variances, with the shape of the first, or
            the lower Cholesky factor of the covariance, shape (n, n_outputs,
            n_outputs).
        """
        ...

    def __call__(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return ``head(features(flux, valid))``, which ``forward`` computes.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_pixels)
            As for `features`.

        Returns
        -------
        Tensor, shape (n, n_outputs), or tuple of two
            As of `head`; differentiable by the flux.
        """
        ...


@runtime_checkable
class SplitNetwork(LabelNetwork, Protocol):
    """A label network whose ``features`` are ``project(convolve(flux, valid))``.

    That is not required; a CPU is faster if it can run the two parts by themselves.
    """

    def convolve(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return what does not mix rows, shape (n, n_pooled)."""
        ...

    def project(self, pooled: Tensor) -> Tensor:
        """Return the features from the output of `convolve`."""
        ...


@runtime_checkable
class SlopedNetwork(SplitNetwork, Protocol):
    """A split network that knows the derivatives of its two parts.

    That is not required; a CPU is faster than by one backward pass for each label.
    """

    #: Whether it is faster for the network's arguments.
    slopes_pay: bool

    def convolve_slopes(self, flux: Tensor, valid: Tensor) -> Iterable[PooledSlope]:
        """Return the output of `convolve` for each spectrum, with its derivative.

        By what is convolved; `flux_slope` has the rest.
        """
        ...

    def flux_slope(self, valid: Tensor) -> Tensor:
        """Return the derivative of what is convolved by the flux, shape of valid."""
        ...

    def enter(self, pooled: Tensor) -> Tensor:
        """Return what the first layer of `project` makes of the output of `convolve`.

        Of its rectifier, if it has one, the input.
        """
        ...

    def leave(self, hidden: Tensor) -> Tensor:
        """Return the features from the output of `enter`."""
        ...

    def project_slope(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivative of the labels by the output of `convolve`.

        It is the matrix product of the two, shapes (n, n_outputs, n_hidden) and
        (n_hidden, n_pooled).
        """
        ...


@runtime_checkable
class JoinedNetwork(LabelNetwork, Protocol):
    """A label network whose first step joins neighbouring pixels.

    That is not required; a CPU is faster, and needs less memory, than by backward
    passes to the pixels.
    """

    def join_slopes(self, flux: Tensor, valid: Tensor) -> Iterable[JoinedSlope]:
        """Return the features of each spectrum, and the derivatives of its labels."""
        ...


@runtime_checkable
class SeeingNetwork(LabelNetwork, Protocol):
    """A label network whose ``features`` are ``think(see(flux, valid, variance))``.

    That is not required; members of an ensemble that see alike look only once.
    """

    def see(
        self, flux: Tensor, valid: Tensor | None = None, variance: Tensor | None = None
    ) -> Tensor:
        """Return what the network makes of the pixels, shape (n, n_seen)."""
        ...

    def think(self, seen: Tensor) -> Tensor:
        """Return the features from the output of `see`."""
        ...

    def sees_like(self, other: "LabelNetwork") -> bool:
        """Tell whether the `see` of another network is the same."""
        ...


@runtime_checkable
class NoiseAwareNetwork(LabelNetwork, Protocol):
    """A label network that is told the variance of each pixel as well.

    ``features`` and the call take it as third argument, ``variance``, of the shape of
    the flux: NaN where it is not known. Labels are differentiated at fixed variance.
    """

    #: Always True; networks without are given flux and valid alone.
    takes_variance: bool


@runtime_checkable
class CompanionNetwork(LabelNetwork, Protocol):
    """A label network that looks for a second star on its way to the features."""

    #: Which of the features says how much of the lines belongs to a second star.
    second_feature: int


@runtime_checkable
class PosteriorNetwork(LabelNetwork, Protocol):
    """A label network that has more to say of its labels than mean and covariance."""

    def log_prob(
        self, features: Tensor, labels: Tensor, label_variance: Tensor | None = None
    ) -> Tensor:
        """Return ln of the density at labels, shape (n,); missing ones are NaN."""
        ...

    def sample(
        self,
        features: Tensor,
        n_samples: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw labels, shape (n, n_samples, n_outputs)."""
        ...


@runtime_checkable
class RememberingNetwork(LabelNetwork, Protocol):
    """A label network with a Gaussian process beside it, which remembers stars."""

    #: The process; None if the network is asked to be alone.
    process: ProcessMean | None

    def components(self, features: Tensor) -> Tensor:
        """Return what the process sees of spectra, shape (n, n_components)."""
        ...


def inputs_of(
    network: LabelNetwork, flux: Tensor, valid: Tensor, variance: Tensor | None
) -> tuple[Tensor, ...]:
    """Return what a network's call and its ``features`` are given.

    Parameters
    ----------
    network : LabelNetwork
        The network.
    flux, valid : Tensor, shape (n, n_pixels)
        Prepared flux, and which of it was measured.
    variance : Tensor, shape (n, n_pixels), or None
        Of the flux.

    Returns
    -------
    tuple of Tensor
        With the variance for a `NoiseAwareNetwork` only.
    """
    if variance is None or not getattr(network, "takes_variance", False):
        return flux, valid
    return flux, valid, variance


@runtime_checkable
class LatentNetwork(Protocol):
    """A network from prepared flux to latents and back.

    Attributes
    ----------
    n_pixels : int
        Length of a spectrum.
    n_outputs : int
        Number of latents.
    """

    n_pixels: int
    n_outputs: int

    def encode(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latents.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels), float32
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            True where a pixel was measured.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_outputs)
            Of a Gaussian.
        """
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Return spectra.

        Parameters
        ----------
        latent : Tensor, shape (n, n_outputs)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux.
        """
        ...


@runtime_checkable
class PartialNetwork(Protocol):
    """A latent network that decodes some pixels faster than all."""

    def decode_part(self, latent: Tensor, first: int, last: int) -> Tensor:
        """Return some pixels of what `LatentNetwork.decode` gives.

        Parameters
        ----------
        latent : Tensor, shape (n, n_outputs)
            Latent vectors.
        first, last : int
            The pixels from ``first`` to before ``last``.

        Returns
        -------
        Tensor, shape (n, last - first)
            Prepared flux.
        """
        ...


def kind_of(network: nn.Module, architecture: str) -> Literal["label", "latent"]:
    """Tell the kind of a network by what it offers.

    Parameters
    ----------
    network : Module
        The network.
    architecture : str
        Its name, for the message.

    Returns
    -------
    {"label", "latent"}
        The kind.

    Raises
    ------
    WeightsError
        If it is neither; the message says what is missing.
    """
    if isinstance(network, LatentNetwork):
        return "latent"
    if isinstance(network, LabelNetwork):
        return "label"
    common = ("n_pixels", "n_outputs")
    lacks = {
        kind: ", ".join(name for name in names if not hasattr(network, name))
        for kind, names in (
            ("label", (*common, "features", "head")),
            ("latent", (*common, "encode", "decode")),
        )
    }
    msg = (
        f"the architecture {architecture!r} is neither a label network, for which it "
        f"lacks {lacks['label']}, nor a latent network, for which it lacks "
        f"{lacks['latent']}"
    )
    raise WeightsError(msg)
