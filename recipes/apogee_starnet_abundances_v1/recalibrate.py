# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors of the abundances again, for spectra without some of their pixels.

The network stays what it is, and so do its labels: ``python -m
recipes.apogee_starnet_abundances_v1.recalibrate WEIGHTS --data FOLDER``.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.training.scores import coverage
from recipes.apogee.held_out import drop_pixels
from recipes.apogee.missing import find_growth, lose_up_to_half
from recipes.apogee.stars import CALM
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    clean_spectra,
    draw_abundance_stars,
    synthesis_emulator,
)
from recipes.apogee_starnet_abundances_v1.scores import observe_stars

__all__ = ["recalibrate"]

#: Of the weights: labels are those of version 1, errors are not.
VERSION = "1.1"


def _observe(model: SpectralModel, data: Path, n_spectra: int, seed: int) -> tuple:
    """Observe stars with every pixel at S/N 100; return them and their labels."""
    stars = draw_abundance_stars(data, n_spectra, seed=seed)
    clean = clean_spectra(stars, data, synthesis=synthesis_emulator(data))
    prepared = observe_stars(clean, model, seed=seed + 1, snr=100.0, conditions=CALM)
    columns = [ABUNDANCE_LABELS.index(output.name) for output in model.outputs]
    return prepared, stars.labels[:, columns]


def _judge(model: SpectralModel, data: Path, n_spectra: int) -> dict[str, Any]:
    """Coverage of the statistical errors without 0 to 50 % of the pixels."""
    prepared, truth = _observe(model, data, n_spectra, 960_000)
    report: dict[str, Any] = {"n_spectra": n_spectra, "snr": 100, "seed": 960_000}
    for percent in (0, 10, 25, 50):
        rng = np.random.default_rng(960_002)
        lost = drop_pixels(prepared, percent / 100.0, rng=rng)
        result = model.predict(lost, flux_errors=False)
        shares = coverage(result.values - truth, result.error_statistical)
        report[f"{percent}_percent"] = shares
    return report


def recalibrate(folder: str | Path, data: str | Path, *, n_spectra: int = 600) -> Path:
    """Write weights anew with errors that grow with missing pixels.

    Parameters
    ----------
    folder : path
        Weights of the abundances.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Stars to fit to; half as many judge.

    Returns
    -------
    Path
        The folder.
    """
    data, model = Path(data), load_model(folder, device="cpu")
    config: dict[str, Any] = model.config.to_dict()
    config["calibration"].pop("missing", None)

    def save() -> SpectralModel:
        save_weights(
            folder, model.members[0], config, dtype=model.config.weights["dtype"],
            domain_mean=model.domain_mean, domain_whitening=model.domain_whitening,
            overwrite=True,
        )  # fmt: skip
        return load_model(folder, device="cpu")

    plain = save()
    prepared, truth = _observe(plain, data, n_spectra, 950_000)
    lost = lose_up_to_half(prepared, rng=np.random.default_rng(950_002))
    result = plain.predict(lost, flux_errors=False)
    pull = np.abs(result.values - truth) / result.error_statistical
    missing = 1.0 - lost.valid.mean(axis=1)
    before = _judge(plain, data, n_spectra // 2)
    config["calibration"]["missing"] = find_growth(pull, missing).tolist()
    config["version"] = VERSION
    after = _judge(save(), data, n_spectra // 2)
    config["evaluation"]["missing"] = {"before": before, "now": after}
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
