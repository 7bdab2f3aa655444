# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Outputs of networks that give parameters of HARPS stars, and how they are judged."""

from typing import Any

import numpy as np
import torch

from astro_latent.models import SpectralModel
from astro_latent.simulation.harps_bank import HarpsBank, prepare_bank
from astro_latent.training.outputs import describe_outputs, label_ranges
from astro_latent.training.scores import coverage, score_residuals

__all__ = ["evaluate_bank", "list_outputs", "predict_bank"]


def list_outputs(recipe: dict[str, Any], truth: np.ndarray) -> list[dict[str, Any]]:
    """Describe the outputs; their domain ends where the recipe or the stars do.

    Parameters
    ----------
    recipe : dict
        With ``labels``, ``offset``, ``scale`` and, for some labels, ``domain``.
    truth : ndarray, shape (n_stars, n_labels)
        Labels of the stars.

    Returns
    -------
    list of dict
        For the configuration.
    """
    domain = label_ranges(truth)
    for name, limits in recipe.get("domain", {}).items():
        domain[recipe["labels"].index(name)] = limits
    return describe_outputs(recipe["labels"], recipe["offset"], recipe["scale"], domain)


def predict_bank(
    model: SpectralModel,
    bank: HarpsBank,
    rows: np.ndarray,
    *,
    seed: int,
    snr: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict labels of spectra of a bank, a few at a time.

    Parameters
    ----------
    model : SpectralModel
        A label model.
    bank : HarpsBank
        Of simulated spectra.
    rows : ndarray of int
        Which.
    seed : int
        Of the noise.
    snr : float, optional
        Fixed signal-to-noise.

    Returns
    -------
    values, error : ndarray, shape (n, n_labels)
        Labels and their total errors.
    features : ndarray, shape (n, n_features)
        Of the first member.
    """
    parts = []
    network: Any = model.members[0]
    for first in range(0, len(rows), 10):
        some = rows[first : first + 10]
        prepared = prepare_bank(bank, some, seed=seed + first, snr=snr)
        result = model.predict(prepared, flux_errors=False)
        with torch.inference_mode():
            features = [
                network.features(torch.from_numpy(row[None])).numpy()
                for row in prepared.flux
            ]
        parts.append((result.values, result.error, np.concatenate(features)))
    values, error, found = (np.concatenate(part) for part in zip(*parts, strict=True))
    return values, error, found


def evaluate_bank(
    model: SpectralModel,
    bank: HarpsBank,
    rows: np.ndarray,
    truth: np.ndarray,
    names: list[str],
) -> dict[str, Any]:
    """Return figures of merit on stars that neither training nor calibration saw.

    Parameters
    ----------
    model : SpectralModel
        A label model with a domain.
    bank : HarpsBank
        Of simulated spectra.
    rows : ndarray of int
        Which to test with.
    truth : ndarray, shape (n_spectra, n_labels)
        Labels of the whole bank.
    names : list of str
        Of the labels.

    Returns
    -------
    dict
        For the card: scores, coverage and false alarms of the domain at S/N 100, 30 and
        any.
    """
    truth = truth[rows]
    report: dict[str, Any] = {"n_spectra": len(rows)}
    for title, snr in (("snr_100", 100.0), ("snr_30", 30.0), ("any_snr", None)):
        values, error, features = predict_bank(model, bank, rows, seed=77, snr=snr)
        report[title] = score_residuals(values, truth, names)
        report[f"coverage_{title}"] = coverage(values - truth, error)
        distance = (features - model.domain_mean) @ np.asarray(model.domain_whitening).T
        limit = model.config.domain["feature_limit"]
        report[f"false_alarms_{title}"] = float(
            np.mean(np.linalg.norm(distance, axis=1) > limit)
        )
    return report
