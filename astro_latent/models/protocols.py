# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a network must offer, and what a loaded model offers: two kinds of each.

A *label network* gives labels, a *latent network* latents and spectra. A network is of
one kind or the other by the methods that it has; `kind_of` tells which. Loaded models
(`~astro_latent.models.SpectralModel`) add grid, recipe, units, calibration and domain.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from ..exceptions import WeightsError
from ..preparation import Recipe, SpectralGrid
from ..preparation.prepared import PreparedSpectra
from .config import ModelConfig, OutputColumn
from .inference import Runner
from .residuals import FluxBasis
from .results import Latents, Parameters, Reconstruction

__all__ = [
    "LabelModel",
    "LabelNetwork",
    "LatentModel",
    "LatentNetwork",
    "ModelParts",
    "kind_of",
]


@runtime_checkable
class LabelNetwork(Protocol):
    """A network from prepared flux to labels, a `torch.nn.Module`.

    All its arguments are keywords with defaults. A pixel that is not valid may hold
    anything, NaN too, and must not change the result. ``forward(flux, valid)`` is
    ``head(features(flux, valid))``.
    """

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
        """Return labels, and the logarithm of their variance if that is predicted.

        Parameters
        ----------
        features : Tensor, shape (n, n_features)
            From `features`.

        Returns
        -------
        Tensor, shape (n, n_labels), or tuple of two
            In the network's own units: ``offset + scale * value`` is a label.
        """
        ...


@runtime_checkable
class LatentNetwork(Protocol):
    """A network from prepared flux to latents and back, a `torch.nn.Module`."""

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
        mean, log_variance : Tensor, shape (n, n_latent)
            Of a Gaussian.
        """
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Return spectra.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux.
        """
        ...


class ModelParts(Protocol):
    """What the functions of this room need of a loaded model."""

    config: ModelConfig
    members: tuple[nn.Module, ...]
    runner: Runner
    domain_mean: np.ndarray | None
    domain_whitening: np.ndarray | None
    flux_basis: FluxBasis | None

    @property
    def name(self) -> str:
        """Name of the weights."""
        ...

    @property
    def grid(self) -> SpectralGrid:
        """Wavelengths that the model expects."""
        ...

    @property
    def recipe(self) -> Recipe:
        """How spectra are prepared for the model."""
        ...

    @property
    def outputs(self) -> tuple[OutputColumn, ...]:
        """Names, units and meanings of what the model gives."""
        ...

    @property
    def scales(self) -> np.ndarray:
        """Label units in one unit of the network, shape (n_outputs,)."""
        ...

    @property
    def offsets(self) -> np.ndarray:
        """Labels where the network gives zero, shape (n_outputs,)."""
        ...


class LabelModel(ModelParts, Protocol):
    """A loaded model that predicts labels."""

    def predict(
        self, prepared: PreparedSpectra, *, flux_errors: bool = True
    ) -> Parameters:
        """Return labels with errors; see `SpectralModel.predict`."""
        ...

    def jacobian(self, prepared: PreparedSpectra) -> np.ndarray:
        """Return the derivatives of labels; see `SpectralModel.jacobian`."""
        ...


class LatentModel(ModelParts, Protocol):
    """A loaded model that encodes spectra."""

    def encode(self, prepared: PreparedSpectra) -> Latents:
        """Return latents with errors; see `SpectralModel.encode`."""
        ...

    def decode(self, mean: np.ndarray) -> np.ndarray:
        """Return the spectra of latents; see `SpectralModel.decode`."""
        ...

    def reconstruct(
        self, prepared: PreparedSpectra, *, keep_flux: bool = True
    ) -> Reconstruction:
        """Encode and decode; see `SpectralModel.reconstruct`."""
        ...


def kind_of(members: Sequence[nn.Module], architecture: str) -> str:
    """Tell the kind of a network by the methods that it has.

    Parameters
    ----------
    members : sequence of Module
        Networks of one architecture.
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
    for kind, protocol in (("latent", LatentNetwork), ("label", LabelNetwork)):
        if isinstance(members[0], protocol):
            return kind
    msg = (
        f"the architecture {architecture!r} is neither a label network, which has the "
        "methods features and head, nor a latent network, which has encode and decode"
    )
    raise WeightsError(msg)
