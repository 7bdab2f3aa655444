# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The last hidden layer of a label network, for those who want more than labels."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from astropy.table import QTable

from ..preparation import prepare_spectra
from ..preparation.prepared import PreparedSpectra
from ..spectra.reading import SpectraLike
from .architectures.residual_mlp import ResidualMLP
from .base import SpectralModel
from .locate import ModelLike
from .networks import LabelNetwork, inputs_of
from .pretrained import load_model

__all__ = ["collect_features", "hidden_vectors"]

_ROWS = 64  # spectra in memory at a time


def collect_features(model: SpectralModel, prepared: PreparedSpectra) -> np.ndarray:
    """Return the last hidden layer of the first member.

    Parameters
    ----------
    model : SpectralModel
        A label network.
    prepared : PreparedSpectra
        Spectra.

    Returns
    -------
    ndarray, shape (n_spectra, n_features)
        Features.
    """
    network, parts = cast(LabelNetwork, model.members[0]), []
    with torch.inference_mode():
        for first in range(0, len(prepared), _ROWS):
            rows = slice(first, first + _ROWS)
            arrays = (prepared.flux, prepared.valid, prepared.variance)
            there = (torch.from_numpy(a[rows]).to(model.device) for a in arrays)
            inputs = inputs_of(network, *there)
            parts.append(network.features(*inputs).cpu().numpy())
    return np.concatenate(parts)


def hidden_vectors(
    spectra: SpectraLike | PreparedSpectra,
    model: ModelLike,
    *,
    radial_velocity: float | np.ndarray | None = None,
    facts: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> QTable:
    """Return the last hidden layer of a label network, where an encoder has latents.

    Networks of `~astro_latent.training.train_several` have it in common: spectra of
    several surveys lie in one space.

    Parameters
    ----------
    spectra : SpectraLike or PreparedSpectra
        As for `~astro_latent.prepare_spectra`, or prepared for the model.
    model : str, path-like or SpectralModel
        A model that predicts labels; of an ensemble the first member is asked.
    radial_velocity : float or array_like, optional
        Of the stars, km/s.
    facts : mapping, optional
        What the spectra do not say themselves.
    progress : bool, optional
        Show a bar.

    Returns
    -------
    `~astropy.table.QTable`
        Columns ``obs_id``, ``flags`` and ``latent``, one row for each spectrum; NaN
        where it is unusable. `~astro_latent.latent.LatentIndex` and
        `~astro_latent.latent.map_latents` take it.

    Raises
    ------
    TypeError
        If the model predicts no labels.

    Examples
    --------
    >>> from astro_latent.latent import LatentIndex
    >>> from astro_latent.models import hidden_vectors
    >>> optical = hidden_vectors("optical/*.fits", "both_v1/optical")  # doctest: +SKIP
    >>> infrared = hidden_vectors("apogee/*.fits", "both_v1/apogee")  # doctest: +SKIP
    >>> LatentIndex(infrared).query(optical, n=5)  # doctest: +SKIP
    """
    if not isinstance(model, SpectralModel):
        model = load_model(model)
    if "predict" not in model.capabilities:
        msg = f"{model.name!r} predicts no labels: encode_spectra gives its latents"
        raise TypeError(msg)
    if not isinstance(spectra, PreparedSpectra):
        spectra = prepare_spectra(
            spectra, model.grid, model.recipe, radial_velocity=radial_velocity,
            facts=facts, progress=progress,
        )  # fmt: skip
    found = collect_features(model, spectra)
    network = model.members[0]
    if isinstance(network, ResidualMLP):  # whose features have its input beside it
        found = found[:, : network.n_hidden]
    found[~spectra.usable] = np.nan
    table = QTable()
    table["obs_id"] = [observation.obs_id for observation in spectra.observations]
    table["flags"], table["latent"] = spectra.flags, found
    table.meta["model"] = model.name
    return table
