# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a loaded model offers: facts that both kinds have, and the verbs of each kind.

`~astro_latent.models.SpectralModel` fulfils them: networks (see
`~astro_latent.models.networks`) with grid, recipe, units, calibration and domain.
"""

from typing import Protocol

import numpy as np
from torch import nn

from ..preparation import Recipe, SpectralGrid
from ..preparation.prepared import PreparedSpectra
from .config import ModelConfig, OutputColumn
from .domain import FluxBasis
from .inference import Runner
from .results import Latents, Parameters, Reconstruction

__all__ = ["LabelModel", "LatentModel", "LoadedModel"]


class LoadedModel(Protocol):
    """What every loaded model knows about itself."""

    #: The configuration.
    config: ModelConfig
    #: The networks, in evaluation mode; several are an ensemble.
    members: tuple[nn.Module, ...]
    #: Where and how they run.
    runner: Runner
    #: Mean of the features of the training set, shape (n_features,).
    domain_mean: np.ndarray | None
    #: What whitens these features, shape (n_features, n_features).
    domain_whitening: np.ndarray | None
    #: Low-rank model of single stars.
    flux_basis: FluxBasis | None
    #: Name of the weights.
    name: str
    #: Version of the weights.
    version: str
    #: SHA-256 of the tensor file.
    sha256: str
    #: Wavelengths that the model expects.
    grid: SpectralGrid
    #: Names, units and meanings of what the model gives.
    outputs: tuple[OutputColumn, ...]
    #: Names of the methods that the model has.
    capabilities: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """How spectra are prepared for the model."""
        ...

    @property
    def latent_groups(self) -> dict[str, list[int]]:
        """Which latents are of the star and which are not; empty if nobody knows."""
        ...

    @property
    def scales(self) -> np.ndarray:
        """Label units in one unit of the network, shape (n_outputs,)."""
        ...

    @property
    def offsets(self) -> np.ndarray:
        """Labels where the network gives zero, shape (n_outputs,)."""
        ...


class LabelModel(LoadedModel, Protocol):
    """A loaded model that predicts labels."""

    def predict(
        self, prepared: PreparedSpectra, *, flux_errors: bool = True
    ) -> Parameters:
        """Return labels with errors; see `SpectralModel.predict`."""
        ...

    def sample(
        self, prepared: PreparedSpectra, n_samples: int = 100, *, seed: int = 0
    ) -> np.ndarray:
        """Draw labels; see `SpectralModel.sample`."""
        ...

    def jacobian(self, prepared: PreparedSpectra) -> np.ndarray:
        """Return the derivatives of labels; see `SpectralModel.jacobian`."""
        ...


class LatentModel(LoadedModel, Protocol):
    """A loaded model that encodes spectra."""

    def encode(self, prepared: PreparedSpectra) -> Latents:
        """Return latents with errors; see `SpectralModel.encode`."""
        ...

    def decode(self, mean: np.ndarray, *, pixels: slice = slice(None)) -> np.ndarray:
        """Return the spectra of latents; see `SpectralModel.decode`."""
        ...

    def reconstruct(
        self, prepared: PreparedSpectra, *, keep_flux: bool = True
    ) -> Reconstruction:
        """Encode and decode; see `SpectralModel.reconstruct`."""
        ...
