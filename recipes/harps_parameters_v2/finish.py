# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Calibrate the errors of the ensemble, evaluate it, and write its weights."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.simulation.harps_bank import bank_labels
from astro_latent.training.calibration import calibrate_errors
from astro_latent.training.domain import describe_domain
from recipes.harps.parameters import evaluate_bank, list_outputs, predict_bank
from recipes.harps.stars import make_star_bank
from recipes.harps_parameters_v2.components import Sample
from recipes.harps_parameters_v2.heads import SeenErrors
from recipes.harps_parameters_v2.veil import add_veil
from recipes.options import Options

__all__ = ["describe_stars", "finish_ensemble"]

_N_DOMAIN = 4000


def finish_ensemble(
    recipe: dict[str, Any],
    model: AlignedEnsemble,
    sample: Sample,
    chosen: dict[str, Any],
    options: Options,
) -> Path:
    """Calibrate, evaluate and write the weights of a trained ensemble.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card.
    model : AlignedEnsemble
        Trained.
    sample : Sample
        That its heads were trained on.
    chosen : dict
        From `recipes.harps_parameters_v2.heads.train_heads`.
    options : Options
        Where.

    Returns
    -------
    Path
        The folder of weights.
    """
    bank = make_star_bank(options.data, options.work / "bank", **recipe["bank"])
    truth = bank_labels(bank)
    truth[:, 0] += recipe["offset"][0]  # velocities count from that of the Sun
    half = len(bank) // 2
    for_errors, for_test = np.arange(half), np.arange(half, len(bank))
    config = _config(recipe, truth)

    def save(where: Path, **domain: Any) -> Path:
        return save_weights(
            where, model, config, dtype="float16", tolerance=1e-3, overwrite=True,
            **domain,
        )  # fmt: skip

    draft = load_model(save(options.work / "draft"), device="cpu")
    values, error, _ = predict_bank(draft, bank, for_errors, seed=31)
    # labels of the Sun are right, so those of simulated stars are off by its zero
    zero = np.concatenate([[0.0], model.zero.numpy()]) * recipe["scale"]
    scale, floor = calibrate_errors(values - zero - truth[for_errors], error)
    config["calibration"] = {"scale": scale.tolist(), "floor": floor.tolist()}
    mean, whitening, limit = describe_stars(model, sample, recipe)
    config["domain"] = {
        "snr": recipe["snr"], "feature_limit": limit,
        "second_limit": recipe["second_limit"],
    }  # fmt: skip
    domain = {"domain_mean": mean, "domain_whitening": whitening}
    final = load_model(save(options.work / "draft", **domain), device="cpu")
    config["evaluation"] = evaluate_bank(
        final, bank, for_test, truth + zero, recipe["labels"]
    )
    config["evaluation"]["selection"] = chosen
    for key in ("systematic", "systematic_slopes"):
        config["calibration"][key] = recipe[key]
    return add_veil(save(options.output, **domain), options.data)


def describe_stars(
    model: AlignedEnsemble, sample: Sample, recipe: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Describe where spectra of single stars with errors lie; the velocity is free.

    Parameters
    ----------
    model : AlignedEnsemble
        With its components.
    sample : Sample
        Of synthetic stars.
    recipe : dict
        With ``errors``.

    Returns
    -------
    mean, whitening, limit
        As of `~astro_latent.training.domain.describe_domain`, for all features.
    """
    generator = torch.Generator().manual_seed(recipe["seed"] + 1)
    rows = torch.randint(len(sample.targets), (_N_DOMAIN,), generator=generator)
    seen = SeenErrors(model, sample, recipe["errors"]).draw(rows, generator).numpy()
    mean, whitening, limit = describe_domain(seen, n_components=24)
    free = np.zeros((3, 3))  # velocity, its variance, second star
    return (
        np.concatenate([mean, free[0]]),
        np.block(
            [
                [whitening, np.zeros((len(mean), 3))],
                [np.zeros_like(whitening[:3]), free],
            ]
        ),
        limit,
    )


def _config(recipe: dict[str, Any], truth: np.ndarray) -> dict[str, Any]:
    return {
        **recipe["card_texts"],
        "architecture": recipe["architecture"],
        "arguments": recipe["arguments"],
        "grid": {"name": "harps_327680"},
        "recipe": HARPS_RECIPE.to_dict(),
        "outputs": list_outputs(recipe, truth),
    }
