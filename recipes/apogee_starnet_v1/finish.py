# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Calibrate a trained StarNet on stars it never saw, judge it, write its weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.domain import FluxBasis
from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.preparation.recipes import APOGEE_CHEBYSHEV_RECIPE
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.tables.columns import LABELS
from astro_latent.training.calibration import (
    calibrate_errors,
    fit_growth_with_missing,
    scale_flux_errors,
)
from astro_latent.training.domain import collect_features, describe_domain
from recipes.apogee_starnet_v1.held_out import (
    CALM,
    drop_pixels,
    repeated_observations,
    simulated_test_set,
    with_recipe,
)
from recipes.apogee_starnet_v1.label_scale import label_scale
from recipes.apogee_starnet_v1.starnet import (
    DEFECTS,
    TrainedStarNet,
    apogee_emulator,
    draw_apogee_stars,
    prepare_observed,
    training_conditions,
)
from recipes.apogee_starnet_v1.starnet_scores import evaluate_starnet
from recipes.apogee_starnet_v1.strangers import BRACKETT

__all__ = [
    "CALM",
    "evaluate_starnet",
    "finish_starnet",
    "flux_basis",
    "simulated_test_set",
    "starnet_recipe",
]

_features = collect_features  # the name under which other trainings know it


def starnet_recipe() -> dict[str, Any]:
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


def flux_basis(
    data: str | Path, *, n_components: int = 8, n_spectra: int = 4000, seed: int = 4242
) -> FluxBasis:
    """Describe the clean prepared spectra of single stars by a few components.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_components : int, optional
        More would describe a second star as well.
    n_spectra : int, optional
        Spectra that they are the principal components of.
    seed : int, optional
        Seed of the stars.

    Returns
    -------
    FluxBasis
        With the Brackett lines as the emission to look for.
    """
    flux = apogee_emulator(data).flux(draw_apogee_stars(data, n_spectra, seed=seed))
    prepared = prepare_observed(
        flux, np.full_like(flux, 0.01), np.zeros(flux.shape, dtype=bool)
    )
    clean = np.where(prepared.valid, prepared.flux, 1.0)
    pca = PCA(n_components, random_state=0, svd_solver="randomized").fit(clean)
    spread = np.sqrt(pca.explained_variance_)
    ratio = get_grid("apogee_7214").wavelength / BRACKETT[:, None]
    velocity = 299_792.458 * (ratio - 1.0)
    fading = 0.85 ** np.arange(len(BRACKETT))
    emission = fading @ np.exp(-0.5 * (velocity / 100.0) ** 2)
    return FluxBasis(pca.mean_, pca.components_, spread, emission)


def _outputs(
    recipe: dict[str, Any], offset: np.ndarray, scale: np.ndarray, box: list
) -> list:
    return [
        {
            "name": name,
            "unit": LABELS[name].unit,
            "ucd": LABELS[name].ucd,
            "description": LABELS[name].description,
            "scale": float(scale[k]),
            "offset": float(offset[k]),
            # v_macro absorbs what the line-spread function does: no star is outside
            **({"domain": box[k]} if name != "vmacro" else {}),
            **({"max_error": recipe["max_error"][k]} if "max_error" in recipe else {}),
        }
        for k, name in enumerate(recipe["labels"])
    ]


def _label_box(data: str | Path, seed: int) -> list[list[float]]:
    """Range of the training labels, and a fiftieth more at either end."""
    labels = draw_apogee_stars(data, 4000, seed=seed)
    low, high = labels.min(axis=0), labels.max(axis=0)
    margin = 0.02 * (high - low)
    return [
        [float(a), float(b)] for a, b in zip(low - margin, high + margin, strict=True)
    ]


def _calibrate(model: SpectralModel, data: str | Path) -> dict[str, list[float]]:
    """Fit the statistical errors to held-out stars, and the flux part to repeats."""
    held_out, truth = simulated_test_set(
        data, 4000, seed=800_000, conditions=ApogeeConditions()
    )
    result = model.predict(with_recipe(held_out, model), flux_errors=False)
    scale, floor = calibrate_errors(result.values - truth, result.error)
    first, second = (
        model.predict(with_recipe(prepared, model))
        for prepared in repeated_observations(data, 500, seed=820_000)
    )
    errors = first.error_flux, second.error_flux
    flux_scale = scale_flux_errors(first.values, second.values, errors)
    systematic, _ = label_scale(model, data)
    missing = _growth(model, data, np.array([scale, floor]))
    return {
        "scale": scale.tolist(),
        "floor": floor.tolist(),
        "flux_scale": flux_scale.tolist(),
        "missing": missing.tolist(),
        "systematic": systematic.tolist(),
    }


def _growth(
    model: SpectralModel, data: str | Path, calibration: np.ndarray
) -> np.ndarray:
    """Fit how errors grow with missing stretches, none to half of the pixels."""
    rng = np.random.default_rng(830_000)
    prepared, truth = simulated_test_set(data, 1000, seed=830_000, conditions=CALM)
    share = rng.uniform(0.0, 0.5, len(prepared))
    valid = np.concatenate(
        [
            drop_pixels(prepared[row : row + 1], share[row], rng=rng).valid
            for row in range(len(prepared))
        ]
    )
    result = model.predict(
        with_recipe(replace(prepared, valid=valid), model), flux_errors=False
    )
    scale, floor = calibration
    error = np.hypot(scale * result.error, floor)
    return fit_growth_with_missing(
        result.values - truth, error, 1.0 - valid.mean(axis=1)
    )


def _limits(
    model: SpectralModel, basis: FluxBasis, data: str | Path, held_out: PreparedSpectra
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Set the limits of the domain: 1.5, 0.1, 1 % of in-domain spectra are beyond."""
    mean, whitening, limit = describe_domain(
        collect_features(model, held_out), false_alarms=0.015
    )
    # Residuals as wide as lines widen the scatter that these are measured in.
    plain, _ = simulated_test_set(
        data, 4000, seed=815_000, conditions=ApogeeConditions()
    )
    second, emission = basis.search(plain.flux, plain.valid, plain.variance)
    limits = {
        "snr": [10.0, 300.0],
        "feature_limit": limit,
        "second_limit": float(np.nanquantile(second, 0.999)),
        "emission_limit": float(np.nanquantile(emission, 0.99)),
    }
    return limits, mean, whitening


def finish_starnet(
    recipe: dict[str, Any],
    trained: TrainedStarNet,
    *,
    data: str | Path,
    work: str | Path,
    output: str | Path,
    n_spectra: int = 1000,
) -> Path:
    """Calibrate, evaluate and write the weights of a trained StarNet.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card.
    trained : TrainedStarNet
        From `~recipes.apogee_starnet_v1.starnet.train_starnet`.
    data, work, output : path
        Training ingredients, scratch space, and the folder of weights to write.
    n_spectra : int, optional
        Size of the largest test sets.

    Returns
    -------
    Path
        The folder of weights.
    """
    config = {
        **recipe["card_texts"],
        "architecture": "starnet",
        "arguments": recipe["arguments"],
        "grid": {"name": "apogee_7214"},
        "recipe": starnet_recipe(),
        "outputs": _outputs(
            recipe, trained.offset, trained.scale, _label_box(data, recipe["seed"])
        ),
    }
    draft = save_weights(
        Path(work, "draft"), trained.model, config, dtype="float16", overwrite=True
    )
    loaded = load_model(draft, device="cpu")
    config["calibration"] = _calibrate(loaded, data)
    # All that real spectra may have: a domain must not end where the emulator does.
    conditions = training_conditions(recipe, recipe["fit"]["n_steps"])
    held_out, _ = simulated_test_set(data, 4000, seed=810_000, conditions=conditions)
    basis = flux_basis(data)
    config["domain"], mean, whitening = _limits(loaded, basis, data, held_out)

    def save(where: Path) -> Path:
        return save_weights(
            where, trained.model, config, dtype="float16", domain_mean=mean,
            domain_whitening=whitening, flux_basis=basis, overwrite=True,
        )  # fmt: skip

    calibrated = load_model(save(Path(work, "draft")), device="cpu")
    errors = calibrated.predict(
        with_recipe(held_out, calibrated), flux_errors=False
    ).error
    largest = np.quantile(errors, 0.999, axis=0)
    for record, limit in zip(config["outputs"], largest, strict=True):
        record["max_error"] = float(limit)
    final = load_model(save(Path(work, "draft")), device="cpu")
    config["evaluation"] = evaluate_starnet(final, data, n_spectra=n_spectra)
    return save(Path(output))
