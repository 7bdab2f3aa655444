# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Calibrate a trained StarNet on stars it never saw, judge it, write its weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.domain import FluxBasis
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.training.calibration import (
    calibrate_errors,
    fit_growth_with_missing,
    scale_flux_errors,
)
from astro_latent.training.domain import collect_features, describe_domain
from astro_latent.training.outputs import describe_outputs, label_ranges
from recipes.apogee.held_out import drop_pixels, observe_twice, simulate_test_set
from recipes.apogee.label_scale import measure_label_scale
from recipes.apogee.stars import (
    CALM,
    draw_apogee_stars,
    preparation_recipe,
    training_conditions,
    with_recipe,
)
from recipes.apogee.training import TrainedStarNet
from recipes.apogee_starnet_v1.out_of_domain import describe_single_stars
from recipes.apogee_starnet_v1.scores import evaluate_starnet

__all__ = ["finish_starnet"]


def _calibrate(model: SpectralModel, data: str | Path) -> dict[str, list[float]]:
    """Fit the statistical errors to held-out stars, and the flux part to repeats."""
    held_out, truth = simulate_test_set(
        data, 4000, seed=800_000, conditions=ApogeeConditions()
    )
    result = model.predict(with_recipe(held_out, model), flux_errors=False)
    scale, floor = calibrate_errors(result.values - truth, result.error)
    first, second = (
        model.predict(with_recipe(prepared, model))
        for prepared in observe_twice(data, 500, seed=820_000)
    )
    errors = first.error_flux, second.error_flux
    flux_scale = scale_flux_errors(first.values, second.values, errors)
    systematic, _ = measure_label_scale(model, data)
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
    prepared, truth = simulate_test_set(data, 1000, seed=830_000, conditions=CALM)
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
    plain, _ = simulate_test_set(
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
        From `~recipes.apogee.training.train_starnet`.
    data, work, output : path
        Training ingredients, scratch space, and the folder of weights to write.
    n_spectra : int, optional
        Size of the largest test sets.

    Returns
    -------
    Path
        The folder of weights.
    """
    domain = label_ranges(draw_apogee_stars(data, 4000, seed=recipe["seed"]))
    # v_macro absorbs what the line-spread function does: no star is outside
    domain[recipe["labels"].index("vmacro")] = np.nan
    config = {
        **recipe["card_texts"],
        "architecture": "starnet",
        "arguments": recipe["arguments"],
        "grid": {"name": "apogee_7214"},
        "recipe": preparation_recipe(),
        "outputs": describe_outputs(
            recipe["labels"], trained.offset, trained.scale, domain
        ),
    }
    draft = save_weights(
        Path(work, "draft"), trained.model, config, dtype="float16", overwrite=True
    )
    loaded = load_model(draft, device="cpu")
    config["calibration"] = _calibrate(loaded, data)
    # All that real spectra may have: a domain must not end where the emulator does.
    conditions = training_conditions(recipe, recipe["fit"]["n_steps"])
    held_out, _ = simulate_test_set(data, 4000, seed=810_000, conditions=conditions)
    basis = describe_single_stars(data)
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
