# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Begin with weights that are there, also on another grid or with other labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ..models import LabelNetwork, ModelLike, SpectralModel, load_model
from ..models.architectures import CorrectedNetwork
from ..models.networks import inputs_of
from ..preparation import Recipe, SpectralGrid
from .carry_over import copy_rows, move_pixels
from .defaults import FitOptions
from .like_grid import FEW_SPECTRA

__all__ = ["CORRECTED", "HEADS", "STEMS", "Beginning", "begin_with"]

#: Architecture of weights whose answers few stars correct.
CORRECTED = "corrected"

#: Layers with one row for each label, and those that meet the pixels.
HEADS = ("output.", "log_variance.", "linear.", "posterior.")
STEMS = ("views.", "enter.", "linear.", "sigma", "noise_", "pixel_")
#: What remembers stars: their components and labels.
_PROCESS = "process."
_SLOWER = 0.3  # what is nearly right needs smaller steps
_EPOCHS = 30
_ROOM = 1.1  # beyond the farthest of a few stars


def begin_with(model: ModelLike) -> "Beginning":
    """Load weights to begin a training with.

    Parameters
    ----------
    model : str, path-like or SpectralModel
        Name or folder of weights, or a loaded model.

    Returns
    -------
    Beginning
        The weights, and how they are taken over.

    Raises
    ------
    TypeError
        If they do not predict labels.
    """
    if not isinstance(model, SpectralModel):
        model = load_model(model, device="cpu")
    if "predict" not in model.capabilities:
        msg = f"{model.name!r} predicts no labels that a training could begin with"
        raise TypeError(msg)
    return Beginning(model=model)


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Weights that a training begins with.

    Parameters
    ----------
    model : SpectralModel
        Whose they are.
    """

    model: SpectralModel

    @property
    def like(self) -> tuple[SpectralGrid, Recipe]:
        """Grid and recipe of the weights."""
        return self.model.grid, self.model.recipe

    def arguments(self, grid: SpectralGrid, labels: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of a network like those of the weights.

        Parameters
        ----------
        grid : SpectralGrid
            Of the spectra.
        labels : sequence of str
            To learn.

        Returns
        -------
        dict
            Arguments of the architecture.

        Raises
        ------
        ValueError
            If the weights are themselves a correction, on another grid or of others.
        """
        changed = {"n_pixels": grid.n_pixels, "n_labels": len(labels)}
        known = dict(self.model.config.arguments)
        if self.keeps_grid(grid) and self.keeps_labels(labels):
            return known
        if self.model.config.architecture == CORRECTED:
            msg = (
                f"{self.model.name!r} is a correction of weights for one instrument: "
                "begin with what it corrects, for another grid or other labels"
            )
            raise ValueError(msg)
        return known | changed

    def keeps_grid(self, grid: SpectralGrid) -> bool:
        """Tell whether the spectra lie on the grid of the weights."""
        own = self.model.grid
        return grid.n_pixels == own.n_pixels and bool(
            np.allclose(grid.wavelength, own.wavelength, rtol=1e-7, atol=0.0)
        )

    def keeps_labels(self, labels: Sequence[str]) -> bool:
        """Tell whether labels and their order are those of the weights."""
        return tuple(labels) == self.model.config.output_names

    def units(
        self, labels: Sequence[str], mean: np.ndarray, scatter: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the network's units: those of the weights for labels that they have.

        Parameters
        ----------
        labels : sequence of str
            To learn.
        mean, scatter : ndarray, shape (n_labels,)
            Of the training stars, for labels that are new.

        Returns
        -------
        mean, scatter : ndarray, shape (n_labels,)
            Of the units.
        """
        known = {o.name: (o.offset, o.scale) for o in self.model.outputs}
        pairs = [
            known.get(name, (mean[k], scatter[k])) for k, name in enumerate(labels)
        ]
        offset, scale = np.array(pairs).T
        return offset, scale

    def options(self, fit: FitOptions, labels: Sequence[str]) -> FitOptions:
        """Return how such a training is fitted: shorter, with smaller steps."""
        return fit.changed(
            {
                "learning_rate": _SLOWER * fit.learning_rate,
                "epochs": _EPOCHS,
                "mean_first": 0.0 if self.keeps_labels(labels) else fit.mean_first,
            }
        )

    def is_few(self, grid: SpectralGrid, n_spectra: int) -> bool:
        """Tell whether spectra are too few to teach more than a correction."""
        return n_spectra < FEW_SPECTRA and self.keeps_grid(grid)

    def corrects(self, arguments: Mapping[str, Any]) -> bool:
        """Tell whether arguments of a network are those of a correction of these."""
        return arguments.get("architecture") == self.model.config.architecture

    def correction(
        self, grid: SpectralGrid, labels: Sequence[str], n_spectra: int
    ) -> dict[str, Any]:
        """Return the arguments of a network whose answers are corrected.

        Parameters
        ----------
        grid : SpectralGrid
            Of the spectra: that of the weights or a part of it.
        labels : sequence of str
            To learn.
        n_spectra : int
            That teach.

        Returns
        -------
        dict
            Arguments of `~astro_latent.models.architectures.CorrectedNetwork`.
        """
        config, own = self.model.config, self.model.config.output_names
        known = dict(config.arguments)
        if grid.segments != self.model.grid.segments and "views" in known:
            # of components that lost many pixels a projection finds little
            known["views"] = [
                {**view, "fill": "solve"} if view.get("shrink") != 1.0 else dict(view)
                for view in known["views"]
            ]
        network = cast(LabelNetwork, self.model.members[0])
        one = torch.ones(1, grid.n_pixels, device=self.model.device)
        with torch.inference_mode():
            seen = network.features(*inputs_of(network, one, one > 0, 1e-4 * one))
        return {
            "architecture": config.architecture,
            "arguments": known,
            "n_features": seen.shape[1],
            "columns": [own.index(n) if n in own else -1 for n in labels],
            "n_stars": n_spectra,
        }

    def widen(self, labels: Sequence[str], ranges: np.ndarray) -> np.ndarray:
        """Return ranges of labels that hold those of the weights as well.

        Parameters
        ----------
        labels : sequence of str
            Their names.
        ranges : ndarray, shape (n_labels, 2)
            Of a few stars.

        Returns
        -------
        ndarray, shape (n_labels, 2)
            Lowest and highest.
        """
        known = {o.name: o.domain for o in self.model.outputs if o.domain is not None}
        both = [
            np.array([known.get(n, r), r]) for n, r in zip(labels, ranges, strict=True)
        ]
        return np.array([[part[:, 0].min(), part[:, 1].max()] for part in both])

    @property
    def domain(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and whitening of the last hidden layer, of the first training."""
        mean, whitening = self.model.domain_mean, self.model.domain_whitening
        return None if mean is None or whitening is None else (mean, whitening)

    def widen_domain(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the domain of the weights, made large enough for a few stars.

        Parameters
        ----------
        found : dict
            What the stars alone would allow.

        Returns
        -------
        dict
            Section ``domain`` of a configuration.
        """
        own, wider = self.model.config.domain, dict(found)
        limit = _ROOM * found["feature_limit"]
        if self.domain is not None:
            limit = max(limit, own.get("feature_limit", 0.0))
            wider |= {"one_sided": own["one_sided"]} if "one_sided" in own else {}
        ranges = [part["snr"] for part in (own, found) if "snr" in part]
        if ranges:
            wider["snr"] = [min(r[0] for r in ranges), max(r[1] for r in ranges)]
        return wider | {"feature_limit": limit}

    def describe(
        self,
        grid: SpectralGrid,
        labels: Sequence[str],
        n_stars: int,
        *,
        corrected: bool,
    ) -> str:
        """Say what is kept, what is resampled and what is new, for card and log."""
        parts = [f"weights {self.model.name} {self.model.version}"]
        new = [name for name in labels if name not in self.model.config.output_names]
        if corrected:
            parts.append("their grid and all layers kept")
            if grid.segments != self.model.grid.segments:
                share = grid.valid.sum() / self.model.grid.valid.sum()
                parts.append(f"the spectra reach {share:.0%} of the grid")
            few = f"{n_stars} spectra are few: nothing learns but a correction"
            parts.append(f"{few} of the labels, each star left out once for the errors")
            if new:
                parts.append(f"{', '.join(new)} from the last hidden layer alone")
            return "; ".join(parts)
        if self.keeps_grid(grid):
            parts.append("their grid and all layers kept")
        elif hasattr(self.model.members[0], "dense"):
            parts.append("another grid: the first dense layer resampled")
        else:
            parts.append("another grid: components found anew, the stem trained again")
        if new:
            parts.append(f"new rows of the head for {', '.join(new)}")
        return "; ".join(parts)

    def fill(
        self, network: nn.Module, member: int, grid: SpectralGrid, labels: Sequence[str]
    ) -> None:
        """Copy what fits into a network.

        Parameters
        ----------
        network : Module
            Of the arguments that `arguments` gives; changed in place.
        member : int
            Which member of the new ensemble it is.
        grid, labels : SpectralGrid, sequence of str
            Of the new network.
        """
        source = self.model.members[member % len(self.model.members)].state_dict()
        if isinstance(network, CorrectedNetwork) and len(source) < len(
            network.state_dict()
        ):
            network.base.load_state_dict(source)
            return
        kept = self.keeps_grid(grid)
        names = self.model.config.output_names
        rows = [names.index(n) if n in names else -1 for n in labels]
        here = network.state_dict()
        # what remembers stars goes as a whole, or is filled by the new ones
        remembers = kept and self.keeps_labels(labels)
        remembers &= all(
            n in source and source[n].shape == t.shape
            for n, t in here.items()
            if n.startswith(_PROCESS)
        )
        for name, tensor in here.items():
            there = source.get(name)
            if there is None or (not kept and name.startswith(STEMS)):
                continue
            if name.startswith(_PROCESS) and not remembers:
                continue
            if name == "dense.0.weight" and not kept:
                pool = int(getattr(network, "pool_length", 1))
                tensor.copy_(move_pixels(there, self.model.grid, grid, pool=pool))
            elif name.startswith(HEADS) and not self.keeps_labels(labels):
                copy_rows(there, tensor, rows, len(names))
            elif there.shape == tensor.shape:
                tensor.copy_(there)
