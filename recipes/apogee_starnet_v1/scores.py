# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Figures of merit of an APOGEE StarNet, for its card and its page.

Run as a module it writes them for any weights with the five labels::

    python -m recipes.apogee_starnet_v1.scores NAME --data FOLDER --output FILE
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from astro_latent.models import SpectralModel, load_model
from astro_latent.models.results import Parameters
from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.spectra import decode_flags, iter_arrays
from astro_latent.training.scores import coverage, score_repeats, score_residuals
from astro_latent.utils.quality import QualityFlag
from recipes.apogee.giants_scale import judge_independent
from recipes.apogee.held_out import (
    drop_pixels,
    observe_twice,
    simulate_test_set,
)
from recipes.apogee.stars import CALM, as_model_says, network_values, with_recipe
from recipes.apogee_starnet_v1.out_of_domain import (
    KINDS,
    out_of_domain_files,
    simulate_out_of_domain,
)

__all__ = [
    "REFUSALS",
    "evaluate_starnet",
    "find_refused",
    "judge_flags",
    "judge_missing",
]

#: Bits that say not to trust the labels; those of masks and preparation do not count.
REFUSALS = (
    QualityFlag.UNLIKE_TRAINING
    | QualityFlag.LABEL_OUT_OF_DOMAIN
    | QualityFlag.LARGE_ERROR
    | QualityFlag.DOUBLE_LINED
    | QualityFlag.EMISSION_LINES
)

#: Visits of one star, for the test of repeats.
VISITS = ("5094-55874-088", "5094-56643-088", "5094-56651-082")


def find_refused(result: Parameters) -> np.ndarray:
    """Return which spectra a model says not to trust its labels for.

    Parameters
    ----------
    result : Parameters
        From `SpectralModel.predict`.

    Returns
    -------
    ndarray of bool, shape (n_spectra,)
        True where one of `REFUSALS` is set, or nothing could be predicted.
    """
    flagged = (result.flags & np.int64(REFUSALS)) != 0
    return flagged | ~np.isfinite(result.values).all(axis=1)


def evaluate_starnet(
    model: SpectralModel,
    data: str | Path,
    *,
    n_spectra: int = 1000,
    seed: int = 900_000,
) -> dict[str, Any]:
    """Measure how good the labels, the errors and the flags of a StarNet are.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Size of each set with one signal-to-noise; the others are smaller.
    seed : int, optional
        Seed of the first test set.

    Returns
    -------
    dict
        Bias and scatter at several signal-to-noise ratios, for giants and dwarfs;
        coverage of the errors by signal-to-noise, by missing fraction and for an
        independent model; repeats; what is flagged; two baselines.
    """
    data = Path(data)
    report: dict[str, Any] = {"n_spectra": n_spectra, "seed": seed}
    report |= _by_snr(model, data, n_spectra, seed)
    report["missing"] = judge_missing(model, data, n_spectra // 2, seed=seed)
    report |= _all_conditions(model, data, n_spectra // 2, seed - 50_000)
    report |= judge_independent(model, data, n_spectra // 2, seed + 3)
    report["repeats"] = _repeats(model, data, n_spectra // 2, seed + 30_000)
    report["visits_of_2M00005143"] = _visits(model, data)
    report["flagged"] = _count_flagged(
        model, data, max(n_spectra // 5, 1), seed + 40_000
    )
    report["flagged_files"] = _list_flagged_files(model, data)
    return report


def _names(model: SpectralModel) -> list[str]:
    return [output.name for output in model.outputs]


def _coverage(
    model: SpectralModel, result: Parameters, truth: np.ndarray
) -> dict[str, list[float]]:
    """Coverage of the statistical errors, of labels on the scale of the emulator."""
    error = result.error_statistical
    return coverage(result.values - as_model_says(model, truth), error)


def _by_snr(
    model: SpectralModel, data: Path, n_spectra: int, seed: int
) -> dict[str, Any]:
    report, names = {}, _names(model)
    for snr in (20.0, 50.0, 100.0, 200.0):
        prepared, truth = simulate_test_set(
            data, n_spectra, seed=seed, snr=snr, conditions=CALM
        )
        result = model.predict(with_recipe(prepared, model))
        raw, giants = network_values(result), truth[:, 1] < 3.8
        report[f"snr_{snr:.0f}"] = {
            "giants": score_residuals(raw[giants], truth[giants], names),
            "dwarfs": score_residuals(raw[~giants], truth[~giants], names),
            "coverage": _coverage(model, result, truth),
        }
        if snr == 100.0:
            report |= _baselines(model, data, (prepared, truth, result), seed + 7)
    return report


def _baselines(
    model: SpectralModel,
    data: Path,
    test: tuple[PreparedSpectra, np.ndarray, Parameters],
    seed: int,
) -> dict[str, Any]:
    """Score the mean label, and a linear map of components as wide as a last layer."""
    prepared, truth, result = test
    train, labels = simulate_test_set(
        data, 2 * len(truth), seed=seed, snr=100.0, conditions=CALM
    )

    def filled(some: PreparedSpectra) -> np.ndarray:
        return np.where(some.valid, some.flux, 1.0)

    width = min(128, len(labels) // 2)
    pca = PCA(width, random_state=0, svd_solver="randomized").fit(filled(train))
    ridge = Ridge(1e-3).fit(pca.transform(filled(train)), labels)
    linear = ridge.predict(pca.transform(filled(prepared)))
    mean, raw = np.broadcast_to(model.offsets, truth.shape), network_values(result)
    return {
        "mean_predictor_snr_100": score_residuals(mean, truth, _names(model)),
        "pca128_linear_snr_100": score_residuals(linear, truth, _names(model)),
        "starnet_all_snr_100": score_residuals(raw, truth, _names(model)),
    }


def judge_missing(
    model: SpectralModel, data: Path, n_spectra: int, *, seed: int = 900_000
) -> dict[str, Any]:
    """Measure what missing pixels cost, and whether errors say so.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    n_spectra : int
        Stars, at a signal-to-noise of 100.
    seed : int, optional
        Seed of the first test set of `evaluate_starnet`.

    Returns
    -------
    dict
        Scatter and coverage without 0 to 50 % of the pixels, or one chip.
    """
    prepared, truth = simulate_test_set(
        data, n_spectra, seed=seed + 11, snr=100.0, conditions=CALM
    )
    rng = np.random.default_rng(seed + 12)
    cases = {
        f"{percent}_percent": drop_pixels(prepared, percent / 100.0, rng=rng)
        for percent in (0, 10, 25, 50)
    }
    chip = prepared.valid.copy()
    for row, k in enumerate(rng.integers(len(prepared.grid.segments), size=n_spectra)):
        chip[row, slice(*prepared.grid.segments[k])] = False
    cases["one_chip"] = replace(prepared, valid=chip)
    report: dict[str, Any] = {"n_spectra": n_spectra, "snr": 100}
    for name, case in cases.items():
        result = model.predict(with_recipe(case, model))
        report[name] = {
            "all": score_residuals(network_values(result), truth, _names(model)),
            "coverage": _coverage(model, result, truth),
        }
    return report


def _all_conditions(
    model: SpectralModel, data: Path, n_spectra: int, seed: int
) -> dict[str, Any]:
    """Signal-to-noise 10 to 300, all defects: coverage, and how often it is refused."""
    prepared, truth = simulate_test_set(
        data, n_spectra, seed=seed, conditions=ApogeeConditions()
    )
    result = model.predict(with_recipe(prepared, model))
    return {
        "all_conditions_coverage": _coverage(model, result, truth),
        "false_alarms": _false_alarms(model, data, 6 * n_spectra, seed + 20_000),
    }


def _false_alarms(
    model: SpectralModel, data: Path, n_spectra: int, seed: int
) -> dict[str, Any]:
    """Count how often spectra of the training's kind are refused, and by which bit."""
    others, _ = simulate_test_set(
        data, n_spectra, seed=seed, conditions=ApogeeConditions()
    )
    judged = model.predict(with_recipe(others, model), flux_errors=False)
    bits = {
        str(bit.name): float(np.mean(judged.flags & np.int64(bit) != 0))
        for bit in QualityFlag
        if bit & REFUSALS
    }
    refused = float(np.mean(find_refused(judged)))
    return {"n_spectra": n_spectra, "seed": seed, "any": refused, **bits}


def judge_flags(
    model: SpectralModel, data: Path, *, n_spectra: int = 3000, seed: int = 900_000
) -> dict[str, Any]:
    """Measure the flags alone, as `evaluate_starnet` does.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Spectra of the training's kind; of others, a fifteenth of each kind.
    seed : int, optional
        Seed of the first test set of `evaluate_starnet`.

    Returns
    -------
    dict
        False alarms, and what is flagged of simulated and real strangers.
    """
    return {
        "false_alarms": _false_alarms(model, data, n_spectra, seed - 30_000),
        "flagged": _count_flagged(model, data, n_spectra // 15, seed + 40_000),
        "flagged_files": _list_flagged_files(model, data),
    }


def _repeats(
    model: SpectralModel, data: Path, n_stars: int, seed: int
) -> dict[str, Any]:
    first, second = (
        model.predict(with_recipe(prepared, model))
        for prepared in observe_twice(data, n_stars, seed=seed)
    )
    errors = first.error_flux, second.error_flux
    scores = score_repeats(first.values, second.values, errors)
    return {"n_stars": n_stars, "seed": seed, **scores}


def _visits(model: SpectralModel, data: Path) -> dict[str, Any]:
    folder = data / "apogee/spectra"
    paths = [folder / f"apVisit-r6-{visit}.fits" for visit in VISITS]
    if not all(path.exists() for path in paths):
        return {}
    spectra = list(iter_arrays([str(path) for path in paths]))
    result = model.predict(prepare_spectra(spectra, model.grid, model.recipe))
    weight = result.error_flux.astype(float) ** -2
    mean = np.sum(weight * result.values, axis=0) / np.sum(weight, axis=0)
    return {
        "values": result.values.round(4).tolist(),
        "error_flux": result.error_flux.round(4).tolist(),
        "chi2_of_2": np.sum(weight * (result.values - mean) ** 2, axis=0)
        .round(2)
        .tolist(),
    }


def _count_flagged(
    model: SpectralModel, data: Path, n_spectra: int, seed: int
) -> dict[str, Any]:
    report: dict[str, Any] = {"n_spectra": n_spectra, "seed": seed}
    for kind in KINDS:
        prepared = simulate_out_of_domain(kind, data, n_spectra, seed=seed)
        result = model.predict(with_recipe(prepared, model), flux_errors=False)
        unlike = result.flags & np.int64(QualityFlag.UNLIKE_TRAINING)
        report[kind] = {
            "any": round(float(np.mean(find_refused(result))), 4),
            "unlike_training": round(float(np.mean(unlike != 0)), 4),
        }
    return report


def _list_flagged_files(model: SpectralModel, data: Path) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for kind, paths in out_of_domain_files(data).items():
        present = [str(path) for path in paths if path.exists()]
        if not present:
            continue
        spectra = list(iter_arrays(present))
        result = model.predict(prepare_spectra(spectra, model.grid, model.recipe))
        report[kind] = {
            "n_files": len(present),
            "flagged": int(find_refused(result).sum()),
            "bits": sorted({bit for row in decode_flags(result.flags) for bit in row}),
        }
    return report


def main(arguments: list[str] | None = None) -> int:
    """Write the figures of a set of weights as JSON.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m recipes.apogee_starnet_v1.scores")
    parser.add_argument("model", help="name of a set of weights, or its folder")
    parser.add_argument("--data", type=Path, required=True, help="training ingredients")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--n-spectra", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=900_000)
    options = parser.parse_args(arguments)
    report = evaluate_starnet(
        load_model(options.model), options.data,
        n_spectra=options.n_spectra, seed=options.seed,
    )  # fmt: skip
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
