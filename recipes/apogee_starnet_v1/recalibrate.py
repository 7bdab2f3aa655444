# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors and limits of a StarNet again, against what a reduction gets wrong.

The network stays what it is, and so do its labels:
``python -m recipes.apogee_starnet_v1.recalibrate WEIGHTS --data FOLDER``.
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.domain import weigh_missing
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.training.domain import collect_features
from recipes.apogee.giants_scale import (
    fit_giants_shift,
    fit_systematic_shape,
    judge_independent,
)
from recipes.apogee.held_out import simulate_test_set
from recipes.apogee.missing import find_growth, lose_up_to_half
from recipes.apogee.stars import CALM, as_model_says, with_recipe
from recipes.apogee_starnet_v1.jitter import JITTERS, observe_jittered
from recipes.apogee_starnet_v1.scores import judge_flags, judge_missing

__all__ = ["recalibrate"]

#: [Fe/H] below which labels are not believed: giants poorer than any of the training,
#: which ends at -0.9, come out too rich.
POOREST = -0.83
#: Of the weights: the network is that of version 1, its scale, errors and limits not.
VERSION = "1.2"
RECIPE = Path(__file__).with_name("recipe.toml")  # with the texts of the card
_BEYOND = 0.025  # share of spectra with any one jitter beyond the limit of the domain


def fit_growth(model: SpectralModel, data: Path, n_spectra: int) -> np.ndarray:
    """Return the least factors with which errors cover what missing pixels do.

    Parameters
    ----------
    model : SpectralModel
        The network, with the factors that it has.
    data : path
        Folder with the training ingredients.
    n_spectra : int
        Stars, each with 0 to 50 % of its pixels missing.

    Returns
    -------
    ndarray, shape (n_labels,)
        ``missing`` of the calibration, see `~recipes.apogee.missing.find_growth`.
    """
    rng = np.random.default_rng(830_000)
    prepared, truth = simulate_test_set(data, n_spectra, seed=830_000, conditions=CALM)
    lost = lose_up_to_half(prepared, rng=rng)
    result = model.predict(with_recipe(lost, model), flux_errors=False)
    missing = 1.0 - lost.valid.mean(axis=1)
    stated = 1.0 + np.outer(weigh_missing(missing), model.config.calibration["missing"])
    off = result.values - as_model_says(model, truth)
    return find_growth(np.abs(off / result.error_statistical) * stated, missing)


def _broadening(model: SpectralModel, data: Path, n_spectra: int) -> float:
    """Half of what v_macro is off by where the resolution is a tenth too low."""
    values = []
    for jitter in ("none", "resolution -10 %"):
        prepared, _ = observe_jittered(
            jitter, data, n_spectra, seed=845_000, snr=100.0, conditions=CALM
        )
        result = model.predict(with_recipe(prepared, model), flux_errors=False)
        values.append(result.values[:, 4].astype(float))
    return 0.5 * float(np.sqrt(np.mean((values[1] - values[0]) ** 2)))


def _limit(model: SpectralModel, data: Path, n_spectra: int) -> dict[str, float]:
    """Distances that the same share of spectra with each of the jitters exceed."""
    found = {}
    for jitter in JITTERS:
        prepared, _ = observe_jittered(
            jitter, data, n_spectra, seed=850_000, conditions=ApogeeConditions()
        )
        features = collect_features(model, with_recipe(prepared, model))
        away = (features - model.domain_mean) @ np.asarray(model.domain_whitening).T
        distance = np.linalg.norm(away, axis=1)
        found[jitter] = float(np.quantile(distance, 1.0 - _BEYOND))
    return found


def _largest(
    model: SpectralModel, data: Path, n_spectra: int
) -> tuple[float, list[float]]:
    """Emission that 1 %, and errors that 0.1 % of spectra of the training exceed."""
    prepared, _ = simulate_test_set(
        data, n_spectra, seed=855_000, conditions=ApogeeConditions()
    )
    assert model.flux_basis is not None
    arrays = prepared.flux, prepared.valid, prepared.variance
    _, emission = model.flux_basis.search(*arrays)
    error = model.predict(with_recipe(prepared, model), flux_errors=False).error
    largest = np.nanquantile(error, 0.999, axis=0).astype(float)
    return float(np.nanquantile(emission, 0.99)), largest.tolist()


def recalibrate(folder: str | Path, data: str | Path, *, n_spectra: int = 900) -> Path:
    """Write weights anew with another scale of giants, other errors and limits.

    Parameters
    ----------
    folder : path
        Weights of a StarNet for APOGEE.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Size of most sets.

    Returns
    -------
    Path
        The folder.
    """
    data, model = Path(data), load_model(folder, device="cpu")
    config: dict[str, Any] = model.config.to_dict()
    calibration, evaluation = config["calibration"], config["evaluation"]
    before = {key: list(calibration[key]) for key in ("missing", "systematic")}
    before["feature_limit"] = config["domain"]["feature_limit"]
    # a second run starts where the first one did
    before = evaluation.get("recalibration", {}).get("before", before)
    for key in ("giants_shift", "systematic_shape"):
        calibration.pop(key, None)

    def save() -> SpectralModel:
        save_weights(
            folder, model.members[0], config, dtype=model.config.weights["dtype"],
            domain_mean=model.domain_mean, domain_whitening=model.domain_whitening,
            flux_basis=model.flux_basis, overwrite=True,
        )  # fmt: skip
        return load_model(folder, device="cpu")

    calibration["giants_shift"], giants = fit_giants_shift(save(), data)
    systematic, shape = fit_systematic_shape(save(), data, n_spectra=n_spectra // 3)
    broadening = _broadening(model, data, n_spectra // 4)
    vmacro = float(np.hypot(before["systematic"][4], broadening))
    calibration["systematic"] = [*systematic, vmacro]
    calibration["systematic_shape"] = shape
    calibration["missing"] = fit_growth(save(), data, n_spectra).tolist()
    limits = _limit(model, data, n_spectra // 3)
    config["domain"]["feature_limit"] = max(limits.values())
    iron = next(out for out in config["outputs"] if out["name"] == "fe_h")
    iron["domain"] = [POOREST, iron["domain"][1]]
    emission, largest = _largest(save(), data, 3 * n_spectra)
    config["domain"]["emission_limit"] = emission
    for output, error in zip(config["outputs"], largest, strict=True):
        output["max_error"] = error
    config["version"] = VERSION
    recipe = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    config["card"] = recipe["card_texts"]["card"]
    evaluation["recalibration"] = {
        "before": before,
        "distance that 2.5 % exceed": limits,
        "giants": giants,
    }
    evaluation |= judge_flags(again := save(), data, n_spectra=2 * n_spectra)
    evaluation["missing"] = judge_missing(again, data, n_spectra // 3)
    evaluation |= judge_independent(again, data, n_spectra // 3)
    save()
    return Path(folder)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="folder of weights")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    recalibrate(options.weights, options.data)


if __name__ == "__main__":
    _main()
