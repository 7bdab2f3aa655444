# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors and limits of a StarNet again, against what a reduction gets wrong.

The network stays what it is, and so do its labels:
``python -m recipes.apogee_starnet_v1.recalibrate WEIGHTS --data FOLDER``.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.training.domain import collect_features
from recipes.apogee.held_out import drop_pixels, simulate_test_set
from recipes.apogee.stars import CALM, with_recipe
from recipes.apogee_starnet_v1.jitter import JITTERS, observe_jittered
from recipes.apogee_starnet_v1.scores import judge_flags, judge_missing

__all__ = ["recalibrate"]

#: [Fe/H] below which labels are not believed: giants poorer than any of the training,
#: which ends at -0.9, come out 0.12 to 0.20 too rich.
POOREST = -0.8
#: Of the weights: labels are those of version 1, errors and limits are not.
VERSION = "1.1"
_BEYOND = 0.025  # share of spectra with any one jitter beyond the limit of the domain
_SHARE_68, _SHARE_95 = 0.683, 0.95
_MISSING = (0.02, 0.4)  # shares of missing pixels that errors must be right for


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
        ``missing`` of the calibration: 68 and 95 % of the stars with 2 to 40 % missing
        are within one and 1.96 errors.
    """
    rng = np.random.default_rng(830_000)
    prepared, truth = simulate_test_set(data, n_spectra, seed=830_000, conditions=CALM)
    shares = rng.uniform(0.0, 0.5, n_spectra)
    valid = np.concatenate(
        [
            drop_pixels(prepared[row : row + 1], share, rng=rng).valid
            for row, share in enumerate(shares)
        ]
    )
    result = model.predict(
        with_recipe(replace(prepared, valid=valid), model), flux_errors=False
    )
    missing = 1.0 - valid.mean(axis=1)
    stated = 1.0 + np.outer(missing, model.config.calibration["missing"])
    pull = np.abs((result.values - truth) / result.error_statistical) * stated
    some = (missing > _MISSING[0]) & (missing < _MISSING[1])
    factors = np.linspace(0.0, 6.0, 241)
    growth = 1.0 + factors[:, None] * missing[some]
    found = []
    for column in pull[some].T:
        enough = (np.mean(column < growth, axis=1) >= _SHARE_68) & (
            np.mean(column < 1.96 * growth, axis=1) >= _SHARE_95
        )
        found.append(factors[np.argmax(enough)])
    return np.array(found)


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


def recalibrate(folder: str | Path, data: str | Path, *, n_spectra: int = 900) -> Path:
    """Write weights anew with other errors and limits.

    Parameters
    ----------
    folder : path
        Weights of a StarNet for APOGEE.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Size of the largest set.

    Returns
    -------
    Path
        The folder.
    """
    data, model = Path(data), load_model(folder, device="cpu")
    config: dict[str, Any] = model.config.to_dict()
    calibration = config["calibration"]
    before = {key: list(calibration[key]) for key in ("missing", "systematic")}
    before["feature_limit"] = config["domain"]["feature_limit"]
    # a second run starts where the first one did
    before = config["evaluation"].get("recalibration", {}).get("before", before)
    limits = _limit(model, data, n_spectra // 3)
    calibration["missing"] = fit_growth(model, data, n_spectra).tolist()
    broadening = _broadening(model, data, n_spectra // 4)
    systematic = list(before["systematic"])
    systematic[4] = float(np.hypot(systematic[4], broadening))
    calibration["systematic"] = systematic
    config["evaluation"]["recalibration"] = {
        "before": before,
        "distance that 2.5 % exceed": limits,
    }
    config["version"] = VERSION
    config["domain"]["feature_limit"] = max(limits.values())
    iron = next(out for out in config["outputs"] if out["name"] == "fe_h")
    iron["domain"] = [POOREST, iron["domain"][1]]

    def save() -> Path:
        return save_weights(
            folder, model.members[0], config, dtype=model.config.weights["dtype"],
            domain_mean=model.domain_mean, domain_whitening=model.domain_whitening,
            flux_basis=model.flux_basis, overwrite=True,
        )  # fmt: skip

    again = load_model(save(), device="cpu")
    config["evaluation"] |= judge_flags(again, data, n_spectra=n_spectra)
    config["evaluation"]["missing"] = judge_missing(again, data, n_spectra // 3)
    return save()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="folder of weights")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    recalibrate(options.weights, options.data)


if __name__ == "__main__":
    _main()
