# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stars that both APOGEE networks learn from, and how their spectra are observed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models.base import SpectralModel
from astro_latent.models.domain import move_giants
from astro_latent.models.results import Parameters
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.preparation.recipe import APOGEE_CHEBYSHEV_RECIPE
from astro_latent.simulation.apogee import ApogeeConditions, prepare_apogee
from astro_latent.simulation.emulators import SigmoidEmulator
from astro_latent.simulation.priors import draw_apogee_labels

__all__ = [
    "CALM",
    "DEFECTS",
    "apogee_emulator",
    "as_model_says",
    "draw_apogee_stars",
    "network_values",
    "preparation_recipe",
    "prepare_observed",
    "training_conditions",
    "with_recipe",
]

#: Spectra with every pixel but the noise: for figures at one signal-to-noise.
CALM = ApogeeConditions(
    bad_pixels=0.01, missing_probability=0.0, lost_chip_probability=0.0
)

#: Pixels of the 7,214-pixel grid where the emulator leaves 0..1.1.
DEFECTS = ((771, 780), (2912, 2928))


def apogee_emulator(data: str | Path) -> SigmoidEmulator:
    """Open the emulator that the bundled APOGEE weights are trained on.

    Parameters
    ----------
    data : path
        Folder with ``apogee/emulators/binspec_plus``.

    Returns
    -------
    SigmoidEmulator
        Five labels to 7,214 pixels.
    """
    return SigmoidEmulator.read(
        Path(data, "apogee/emulators/binspec_plus/NN_normalized_spectra.npz")
    )


def draw_apogee_stars(data: str | Path, n_spectra: int, *, seed: int) -> np.ndarray:
    """Draw labels for the emulator.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many stars.
    seed : int
        Another seed gives other stars.

    Returns
    -------
    ndarray, shape (n_spectra, 5)
        T_eff, log g, [Fe/H], [alpha/Fe], v_macro.
    """
    emulator = apogee_emulator(data)
    return draw_apogee_labels(
        n_spectra,
        Path(data, "apogee/labels/dr17_rgb_joined_teff_logg_feh_alpha.npy"),
        box=(emulator.lower, emulator.upper),
        rng=np.random.default_rng(seed),
    )


def prepare_observed(
    flux: np.ndarray, sigma: np.ndarray, mask: np.ndarray
) -> PreparedSpectra:
    """Prepare simulated observations as real spectra are, without the `DEFECTS`.

    Parameters
    ----------
    flux, sigma, mask : ndarray, shape (n_spectra, 7214)
        From `~astro_latent.simulation.apogee.observe_apogee`.

    Returns
    -------
    PreparedSpectra
        With the pixels of `DEFECTS` not valid.
    """
    return prepare_apogee(flux, sigma, mask, defects=DEFECTS)


def training_conditions(recipe: dict[str, Any], step: int) -> ApogeeConditions:
    """Return the observing conditions of a step of the training.

    Parameters
    ----------
    recipe : dict
        With ``fit.systematics`` and the step from which they are added, if any, and
        ``fit.early``, conditions for the steps before ``fit.early_until``.
    step : int
        Step of the training.

    Returns
    -------
    ApogeeConditions
        Ranges of what is varied.
    """
    options = recipe["fit"]
    late = step >= options.get("systematics_from", 0)
    early = options.get("early", {}) if step < options.get("early_until", 0) else {}
    conditions = {
        "systematics": options.get("systematics", 0.0) * late,
        "systematics_power": options.get("systematics_power", 1.0),
        **early,
    }
    return ApogeeConditions(**conditions)


def with_recipe(prepared: PreparedSpectra, model: SpectralModel) -> PreparedSpectra:
    """Put the arrays in the name of the model's recipe, which masks the defects.

    Parameters
    ----------
    prepared : PreparedSpectra
        From `~recipes.apogee.stars.prepare_observed`.
    model : SpectralModel
        An APOGEE model.

    Returns
    -------
    PreparedSpectra
        That the model accepts.
    """
    return replace(prepared, recipe=model.recipe)


def as_model_says(model: SpectralModel, labels: np.ndarray) -> np.ndarray:
    """Bring labels of emulated stars to the scale of what a model predicts.

    Parameters
    ----------
    model : SpectralModel
        A label network, whose configuration may move giants.
    labels : ndarray, shape (n_spectra, n_labels)
        On the scale of the emulator.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        What the model should say.
    """
    if "giants_shift" not in model.config.calibration:
        return labels
    return move_giants(model.config, labels, model.offsets, model.scales)[0]


def network_values(result: Parameters) -> np.ndarray:
    """Return labels on the scale of the emulator, for giants as for dwarfs.

    Parameters
    ----------
    result : Parameters
        From `SpectralModel.predict`.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        As the network gives them.
    """
    found = result.values if result.network_values is None else result.network_values
    return found.astype(float)


def preparation_recipe() -> dict[str, Any]:
    """Return the preparation recipe of the bundled APOGEE weights.

    Returns
    -------
    dict
        The Chebyshev recipe, with the pixels masked where the emulator is at fault.
    """
    record = APOGEE_CHEBYSHEV_RECIPE.to_dict()
    record["steps"].append(
        {"step": "mask_pixels", "ranges": [list(d) for d in DEFECTS]}
    )
    return record
