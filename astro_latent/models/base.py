# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A loaded model: prepared spectra in, latents or parameters out, as numpy arrays."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import nn

from ..exceptions import AstroLatentError, GridMismatchError, WeightsError
from ..preparation import Recipe, SpectralGrid
from ..preparation.prepared import PreparedSpectra
from ..utils.guard import explain
from .card import ModelCard
from .config import ModelConfig
from .domain import FluxBasis
from .inference import Runner
from .labels import label_jacobian, predict_labels
from .latents import (
    as_latents,
    decode_latents,
    encode_spectra,
    reconstruct_spectra,
)
from .networks import kind_of
from .posterior import sample_labels
from .results import Latents, Parameters, Reconstruction

__all__ = ["Latents", "Parameters", "Reconstruction", "SpectralModel"]

#: What models of each kind can do.
_CAPABILITIES: dict[str, tuple[str, ...]] = {
    "label": ("predict", "jacobian", "sample"),
    "latent": ("encode", "decode", "reconstruct"),
}


class SpectralModel:
    """Networks, what they expect and what they mean.

    Made by `~astro_latent.models.load_model`.

    Parameters
    ----------
    config : ModelConfig
        The configuration.
    members : sequence of Module
        Networks in evaluation mode, on the device of ``runner``.
    runner : Runner
        Where and how they run.
    domain_mean, domain_whitening : ndarray, optional
        Of the features of the training set: the domain score is
        ``|whitening (features - mean)| / feature_limit``, or the largest product with
        one of the last ``one_sided`` rows if that is more. Of an autoencoder, mean of
        the latents, and directions to foreign spectra (see
        `~astro_latent.models.latents.score_latents`).
    flux_basis : FluxBasis, optional
        Low-rank model of single stars, to look for what they have not.

    Attributes
    ----------
    name, version, sha256 : str
        Of the weights; the hash is that of the tensor file.
    grid : SpectralGrid
        Wavelengths that the model expects.
    outputs : tuple of OutputColumn
        Names, units and meanings of what the model gives.
    kind : {"label", "latent"}
        What the model gives.
    capabilities : tuple of str
        Names of the methods that the model has.
    """

    def __init__(
        self,
        config: ModelConfig,
        members: Sequence[nn.Module],
        *,
        runner: Runner,
        domain_mean: np.ndarray | None = None,
        domain_whitening: np.ndarray | None = None,
        flux_basis: FluxBasis | None = None,
    ) -> None:
        self.config = config
        self.members = tuple(member.eval().requires_grad_(False) for member in members)
        self.runner = runner
        self.domain_mean = domain_mean
        self.domain_whitening = domain_whitening
        self.flux_basis = flux_basis
        self.name, self.version = config.name, config.version
        self.sha256: str = config.weights["sha256"]
        self.grid, self.outputs = config.grid, config.outputs
        self.kind = kind_of(self.members[0], config.architecture)
        self.capabilities = _CAPABILITIES[self.kind]

    def __repr__(self) -> str:
        return (
            f"<SpectralModel {self.name} {self.version}: {self.config.architecture}, "
            f"{self.grid.n_pixels} pixels, {', '.join(self.config.output_names)}>"
        )

    def _repr_html_(self) -> str:
        return self.card._repr_html_()

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.runner.device

    @cached_property
    def scales(self) -> np.ndarray:
        """Label units in one unit of the network, shape (n_outputs,)."""
        return np.concatenate([np.full(out.n, out.scale) for out in self.outputs])

    @cached_property
    def offsets(self) -> np.ndarray:
        """Labels where the network gives zero, shape (n_outputs,)."""
        return np.concatenate([np.full(out.n, out.offset) for out in self.outputs])

    @cached_property
    def latent_groups(self) -> dict[str, list[int]]:
        """Which latents are of the star and which are not; empty if nobody knows."""
        return getattr(self.members[0], "latent_groups", {})

    @cached_property
    def recipe(self) -> Recipe:
        """How spectra are prepared for the model."""
        return Recipe.from_dict(self.config.recipe_record)

    @cached_property
    def card(self) -> ModelCard:
        """Description for people."""
        return ModelCard(self.config)

    def encode(self, prepared: PreparedSpectra) -> Latents:
        """Return the latent features of spectra.

        Parameters
        ----------
        prepared : PreparedSpectra
            On the model's grid, by the model's recipe.

        Returns
        -------
        Latents
            Mean and standard deviation of each latent.

        Raises
        ------
        TypeError
            If the model has no encoder.
        GridMismatchError
            If the spectra lie on another grid.
        ValueError
            If they were prepared by another recipe.
        """
        self._require("encode", prepared)
        with self._guarded():
            return encode_spectra(self, prepared)

    def decode(self, mean: np.ndarray, *, pixels: slice = slice(None)) -> np.ndarray:
        """Return the spectra of latent vectors.

        Parameters
        ----------
        mean : ndarray, shape (n_spectra, n_latent)
            Latent vectors.
        pixels : slice, optional
            Those that are wanted, in steps of one; some networks are faster for few.

        Returns
        -------
        ndarray, shape (n_spectra, n_wanted), float32
            Prepared flux; NaN for latents that are not finite or give no finite flux.

        Raises
        ------
        TypeError
            If the model has no decoder.
        ValueError
            If the shape is wrong, or ``pixels`` has steps other than one.
        """
        self._require("decode")
        if pixels.step not in (None, 1):
            msg = f"pixels are wanted in steps of one, not of {pixels.step}"
            raise ValueError(msg)
        mean = as_latents(mean, self.config.n_outputs)
        with self._guarded():
            return decode_latents(self, mean, pixels)

    def reconstruct(
        self, prepared: PreparedSpectra, *, keep_flux: bool = True
    ) -> Reconstruction:
        """Encode spectra and decode the means.

        Parameters
        ----------
        prepared : PreparedSpectra
            On the model's grid, by the model's recipe.
        keep_flux : bool, optional
            Return the reconstructed flux, not only the residual and the latents.

        Returns
        -------
        Reconstruction
            Flux, residual, latents.

        Raises
        ------
        TypeError, GridMismatchError, ValueError
            As `encode`.
        """
        self._require("reconstruct", prepared)
        with self._guarded():
            return reconstruct_spectra(self, prepared, keep_flux=keep_flux)

    def predict(
        self, prepared: PreparedSpectra, *, flux_errors: bool = True
    ) -> Parameters:
        """Return the labels of spectra, with errors.

        Parameters
        ----------
        prepared : PreparedSpectra
            On the model's grid, by the model's recipe.
        flux_errors : bool, optional
            Propagate the flux errors, which takes most of the time; without,
            ``error_flux`` and ``error_model`` are NaN.

        Returns
        -------
        result : Parameters
            Labels, errors, covariance, domain score and flags.

        Raises
        ------
        TypeError
            If the model predicts no labels.
        GridMismatchError
            If the spectra lie on another grid.
        ValueError
            If they were prepared by another recipe.

        Notes
        -----
        The covariance from the flux is F = flux_scale**2 J diag(variance) J^T with the
        Jacobian J of the labels (Fabbro et al. 2018, section 4); ``flux_scale`` of the
        calibration, from repeated observations, allows for a Jacobian at a noisy
        spectrum being larger than that of the mean. The predicted covariance P is the
        mean of the members' predicted variances plus the covariance between members;
        since networks learn it from noisy spectra, it has the noise in it. The
        statistical variance is ``scale**2 P + floor**2``, and never less than F; labels
        are correlated as in F + P. A model that predicts no variance has the
        statistical variance ``scale**2 F + floor**2``. Statistical errors of a model
        that predicts a variance grow by ``1 + missing w``, where w is 0.5 at a tenth of
        pixels missing from segments that are not missing altogether, and 1 at most
        (`astro_latent.models.domain.weigh_missing`). Where the calibration has
        ``shape_68``, the errors are multiplied by a factor that depends on the
        spectrum, `astro_latent.models.error_shape.error_factor`, and ``shape_95`` gives
        ``interval_95`` in the same way; of missing pixels those beyond
        ``usual_missing`` count for it. The total has the square of
        ``systematic`` in addition: by how much models of real spectra disagree about
        the labels of one spectrum, the same for all; where there are
        ``systematic_slopes``, also the squares of what these give in each label's row,
        times the labels in units of the network, for stars far from its origin; where
        there is ``systematic_shape``, it grows by a factor whose logarithm is a
        polynomial of second degree in these. What the flux errors do not explain of the
        total is the model's part. With ``giants_shift``, labels of giants are brought
        to the scale of a catalogue, errors with them, and ``network_values`` are as the
        network gives them (`astro_latent.models.domain.move_giants`).
        """
        self._require("predict", prepared)
        with self._guarded():
            return predict_labels(self, prepared, flux_errors=flux_errors)

    def sample(
        self, prepared: PreparedSpectra, n_samples: int = 100, *, seed: int = 0
    ) -> np.ndarray:
        """Draw labels of spectra from what the model believes of them.

        Parameters
        ----------
        prepared : PreparedSpectra
            On the model's grid, by the model's recipe.
        n_samples : int, optional
            Draws for each spectrum; the members of an ensemble share them.
        seed : int, optional
            Of the draws.

        Returns
        -------
        ndarray, shape (n_spectra, n_samples, n_labels), float32
            In label units. Their shape is that of the network's posterior, a Gaussian
            for most; their mean is the label, and half the width of their middle 68 %
            its total error.

        Raises
        ------
        TypeError, GridMismatchError, ValueError
            As `predict`.
        """
        self._require("sample", prepared)
        with self._guarded():
            found = predict_labels(self, prepared)
            return sample_labels(self, prepared, found, n_samples, seed=seed)

    def jacobian(self, prepared: PreparedSpectra) -> np.ndarray:
        """Return how the labels change with the flux of each pixel (saliency).

        Parameters
        ----------
        prepared : PreparedSpectra
            On the model's grid, by the model's recipe.

        Returns
        -------
        ndarray, shape (n_spectra, n_labels, n_pixels), float32
            In label units per unit of prepared flux; 0 at masked pixels, NaN for
            unusable spectra.

        Raises
        ------
        TypeError, GridMismatchError, ValueError
            As `predict`.

        Notes
        -----
        Of the labels that the network gives: ``network_values`` where there are others.
        """
        self._require("jacobian", prepared)
        with self._guarded():
            return label_jacobian(self, prepared)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Let what a network raises name its weights; lack of memory is no fault."""
        try:
            yield
        except (AstroLatentError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            text = explain(
                self.config.source or self.name, error,
                problem="the network cannot be run", remedy="fetch the weights again",
            )  # fmt: skip
            raise WeightsError(text) from error

    def _require(
        self, capability: str, prepared: PreparedSpectra | None = None
    ) -> None:
        """Raise unless the model can do this with these spectra."""
        if capability not in self.capabilities:
            msg = (
                f"the model {self.name!r} cannot {capability}; it has "
                f"{', '.join(self.capabilities)}"
            )
            raise TypeError(msg)
        if prepared is None:
            return
        if not _same_grid(prepared.grid, self.grid):
            msg = (
                f"spectra on the grid {prepared.grid.name!r} with "
                f"{prepared.grid.n_pixels} pixels; the model {self.name!r} expects "
                f"{self.grid.name!r} with {self.grid.n_pixels}: prepare them with "
                "model.grid and model.recipe"
            )
            raise GridMismatchError(msg)
        if prepared.recipe != self.recipe:
            msg = (
                f"spectra prepared by another recipe than that of the model "
                f"{self.name!r}: prepare them with model.grid and model.recipe"
            )
            raise ValueError(msg)


def _same_grid(one: SpectralGrid, other: SpectralGrid) -> bool:
    """Compare what matters, which the name of a grid does not."""
    return one is other or (
        one.medium == other.medium
        and one.frame == other.frame
        and one.segments == other.segments
        and np.array_equal(one.wavelength, other.wavelength)
    )
