# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Judge a trained StarNet on stars it never saw, calibrate it, write its weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from ..models import SpectralModel, load_model, save_weights
from ..preparation import get_grid
from ..preparation.prepared import PreparedSpectra
from ..preparation.recipes import APOGEE_CHEBYSHEV_RECIPE
from ..tables.columns import LABELS
from ..utils.quality import QualityFlag
from .apogee_simulator import ApogeeConditions, observe_apogee
from .emulators import QuadraticEmulator
from .scores import calibrate_errors, coverage, feature_domain, residual_scores
from .starnet import (
    DEFECTS,
    TrainedStarNet,
    apogee_emulator,
    draw_apogee_stars,
    prepare_observed,
    training_conditions,
)

__all__ = ["evaluate_starnet", "finish_starnet", "simulated_test_set", "starnet_recipe"]

#: Spectra with every pixel but the noise: for figures at one signal-to-noise.
CALM = ApogeeConditions(
    bad_pixels=0.01, missing_probability=0.0, lost_chip_probability=0.0
)


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


def simulated_test_set(
    data: str | Path,
    n_spectra: int,
    *,
    seed: int,
    snr: float | None = None,
    conditions: ApogeeConditions | None = None,
) -> tuple[PreparedSpectra, np.ndarray]:
    """Observe stars that no training saw.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many.
    seed : int
        Seed of stars and observations; trainings use others.
    snr : float, optional
        Fixed signal-to-noise per pixel.
    conditions : ApogeeConditions, optional
        Observing conditions.

    Returns
    -------
    prepared : PreparedSpectra
        The spectra.
    labels : ndarray, shape (n_spectra, 5)
        Their true labels.
    """
    labels = draw_apogee_stars(data, n_spectra, seed=seed)
    clean = apogee_emulator(data).flux(labels)
    rng = np.random.default_rng(seed + 1)
    observed = observe_apogee(
        clean, get_grid("apogee_7214"), rng=rng, conditions=conditions, snr=snr
    )
    return prepare_observed(*observed), labels


def _classes(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"giants": labels[:, 1] < 3.8, "dwarfs": labels[:, 1] >= 3.8}


def _with_recipe(prepared: PreparedSpectra, model: SpectralModel) -> PreparedSpectra:
    """Put the arrays in the name of the model's recipe, which masks `DEFECTS`."""
    return replace(prepared, recipe=model.recipe)


def _bovy_giants(
    data: Path, n_spectra: int, seed: int
) -> tuple[PreparedSpectra, np.ndarray]:
    """Giants of an independent model of real spectra, which no training saw."""
    stars = draw_apogee_stars(data, 4 * n_spectra, seed=seed)[:, :4]
    low, high = np.array([4400.0, 1.3, -0.9, 0.0]), np.array([5050.0, 3.2, 0.25, 0.28])
    stars = stars[np.all((stars > low) & (stars < high), axis=1)][:n_spectra]
    emulator = QuadraticEmulator.read(
        data / "apogee/emulators/bovy_cannon/trained_apokasc_gc_ind_feh_fix"
    )
    observed = observe_apogee(
        emulator.flux(stars), get_grid("apogee_7214"),
        rng=np.random.default_rng(seed), conditions=CALM, snr=100.0,
    )  # fmt: skip
    return prepare_observed(*observed), stars


def _linear_baseline(
    data: Path, test: PreparedSpectra, truth: np.ndarray, names: list[str], seed: int
) -> dict[str, Any]:
    """128 principal components and a linear map: as wide as StarNet's last layer."""
    train, labels = simulated_test_set(
        data, 4000, seed=seed, snr=100.0, conditions=CALM
    )

    def filled(prepared: PreparedSpectra) -> np.ndarray:
        return np.where(prepared.valid, prepared.flux, 1.0)

    pca = PCA(128, random_state=0, svd_solver="randomized").fit(filled(train))
    ridge = Ridge(1e-3).fit(pca.transform(filled(train)), labels)
    return residual_scores(ridge.predict(pca.transform(filled(test))), truth, names)


def evaluate_starnet(
    model: SpectralModel,
    data: str | Path,
    *,
    n_spectra: int = 2000,
    seed: int = 900_000,
) -> dict[str, Any]:
    """Figures of merit of a StarNet, for its card.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Size of each test set.
    seed : int, optional
        Seed of the first test set.

    Returns
    -------
    dict
        Bias and scatter at several signal-to-noise ratios, for giants and dwarfs;
        coverage of the errors; the independent giants; two baselines.
    """
    data = Path(data)
    names = [output.name for output in model.outputs]
    report: dict[str, Any] = {"n_spectra": n_spectra, "seed": seed}
    for snr in (20.0, 50.0, 100.0, 200.0):
        prepared, truth = simulated_test_set(
            data, n_spectra, seed=seed, snr=snr, conditions=CALM
        )
        result = model.predict(_with_recipe(prepared, model))
        section: dict[str, Any] = {
            kind: residual_scores(result.values[rows], truth[rows], names)
            for kind, rows in _classes(truth).items()
        }
        section["coverage"] = coverage(result.values - truth, result.error)
        report[f"snr_{snr:.0f}"] = section
        if snr == 100.0:
            report["mean_predictor_snr_100"] = residual_scores(
                np.broadcast_to(model.offsets, truth.shape), truth, names
            )
            report["pca128_linear_snr_100"] = _linear_baseline(
                data, prepared, truth, names, seed + 7
            )
            report["starnet_all_snr_100"] = residual_scores(result.values, truth, names)
    prepared, truth = _bovy_giants(data, n_spectra // 2, seed + 3)
    result = model.predict(_with_recipe(prepared, model))
    report["bovy_cannon_giants_snr_100"] = residual_scores(
        result.values[:, :4], truth, names[:4]
    )
    report["bovy_cannon_coverage"] = coverage(
        (result.values[:, :4] - truth), result.error[:, :4]
    )
    return report


def _features(model: SpectralModel, prepared: PreparedSpectra) -> np.ndarray:
    parts = []
    with torch.inference_mode():
        for first in range(0, len(prepared), 64):
            rows = slice(first, first + 64)
            parts.append(
                model.members[0]
                .features(
                    torch.from_numpy(prepared.flux[rows]),
                    torch.from_numpy(prepared.valid[rows]),
                )
                .numpy()
            )
    return np.concatenate(parts)


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


def finish_starnet(
    recipe: dict[str, Any],
    trained: TrainedStarNet,
    *,
    data: str | Path,
    work: str | Path,
    output: str | Path,
) -> Path:
    """Calibrate, evaluate and write the weights of a trained StarNet.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card.
    trained : TrainedStarNet
        From `~astro_latent.training.starnet.train_starnet`.
    data, work, output : path
        Training ingredients, scratch space, and the folder of weights to write.

    Returns
    -------
    Path
        The folder of weights.
    """
    labels = draw_apogee_stars(data, 4000, seed=recipe["seed"])
    box = [
        [float(low), float(high)]
        for low, high in np.quantile(labels, [0.0, 1.0], axis=0).T
    ]
    config = {
        **recipe["card_texts"],
        "architecture": "starnet",
        "arguments": recipe["arguments"],
        "grid": {"name": "apogee_7214"},
        "recipe": starnet_recipe(),
        "outputs": _outputs(recipe, trained.offset, trained.scale, box),
    }
    draft = save_weights(
        Path(work, "draft"), trained.model, config, dtype="float16", overwrite=True
    )
    loaded = load_model(draft, device="cpu")
    # All that real spectra may have: the errors must allow for it.
    conditions = training_conditions(recipe, recipe["fit"]["n_steps"])
    held_out, truth = simulated_test_set(
        data, 4000, seed=800_000, conditions=conditions
    )
    held_out = _with_recipe(held_out, loaded)
    result = loaded.predict(held_out)
    factor, floor = calibrate_errors(result.values - truth, result.error)
    mean, whitening, limit = feature_domain(_features(loaded, held_out))
    config["calibration"] = {"scale": factor.tolist(), "floor": floor.tolist()}
    config["domain"] = {"snr": [10.0, 300.0], "feature_limit": limit}

    def save(config: dict[str, Any], where: Path) -> Path:
        return save_weights(
            where, trained.model, config, dtype="float16", domain_mean=mean,
            domain_whitening=whitening, overwrite=True,
        )  # fmt: skip

    final = load_model(save(config, Path(work, "draft")), device="cpu")
    config["evaluation"] = evaluate_starnet(final, data)
    fresh, truth = simulated_test_set(data, 2000, seed=850_000, conditions=conditions)
    result = final.predict(_with_recipe(fresh, final))
    config["evaluation"]["all_conditions_coverage"] = coverage(
        result.values - truth, result.error
    )
    flagged = result.flags & int(QualityFlag.UNLIKE_TRAINING)
    config["evaluation"]["all_conditions_false_alarms"] = float(np.mean(flagged != 0))
    return save(config, Path(output))
