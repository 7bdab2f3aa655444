# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Judge abundances: against the information limit and against scaled solar."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel
from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from astro_latent.simulation.apogee_synthesis import ALPHA_ELEMENTS, SynthesisEmulator
from astro_latent.training.scores import coverage, score_residuals
from recipes.apogee.stars import CALM, prepare_observed
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    AbundanceStars,
    abundance_labels,
    clean_spectra,
    draw_abundance_stars,
    reference_pattern,
    typical_vmicro,
)
from recipes.apogee_starnet_abundances_v1.limit import bound_labels

__all__ = [
    "INFORMATION_LIMIT",
    "POINTS",
    "evaluate_abundances",
    "guess_scaled_solar",
    "make_stars_at",
    "measure_skill",
    "observe_stars",
]

#: T_eff, log g and [Fe/H] at which the information limit is known.
POINTS = {
    "giant_4800": (4800.0, 2.5, -0.1),
    "giant_4200": (4200.0, 1.6, -0.3),
    "dwarf_5700": (5700.0, 4.4, 0.0),
}

#: Cramer-Rao bounds at a signal-to-noise of 100 per pixel from direct synthesis with
#: the same physics, all labels free, Brackett lines masked; one for each of `POINTS`.
INFORMATION_LIMIT = {
    "teff": (13.0, 11.0, 34.0), "logg": (0.027, 0.030, 0.019),
    "vmicro": (0.026, 0.019, 0.10), "fe_h": (0.006, 0.005, 0.012),
    "c_h": (0.012, 0.010, 0.021), "n_h": (0.018, 0.009, 0.060),
    "o_h": (0.020, 0.015, 0.095), "na_h": (0.047, 0.040, 0.071),
    "mg_h": (0.012, 0.012, 0.016), "al_h": (0.018, 0.020, 0.019),
    "si_h": (0.009, 0.010, 0.010), "p_h": (0.12, 0.16, 0.18),
    "s_h": (0.031, 0.044, 0.026), "k_h": (0.038, 0.037, 0.042),
    "ca_h": (0.018, 0.018, 0.021), "ti_h": (0.023, 0.017, 0.061),
    "v_h": (0.088, 0.034, 0.28), "cr_h": (0.031, 0.025, 0.050),
    "mn_h": (0.033, 0.030, 0.046), "co_h": (0.054, 0.042, 0.15),
    "ni_h": (0.017, 0.017, 0.024), "cu_h": (0.055, 0.051, 0.11),
}  # fmt: skip

_COLUMN = {name: column for column, name in enumerate(ABUNDANCE_LABELS)}


def observe_stars(
    clean: np.ndarray,
    model: SpectralModel,
    *,
    seed: int,
    snr: float | None = None,
    conditions: ApogeeConditions | None = None,
) -> PreparedSpectra:
    """Observe clean spectra and prepare them in the name of a model's recipe.

    Parameters
    ----------
    clean : ndarray, shape (n_spectra, 7214)
        From `~recipes.apogee_starnet_abundances_v1.abundances.clean_spectra`.
    model : SpectralModel
        Its recipe masks the pixels where the emulator is at fault.
    seed : int
        Of the observations.
    snr : float, optional
        Fixed signal-to-noise per pixel.
    conditions : ApogeeConditions, optional
        Observing conditions.

    Returns
    -------
    PreparedSpectra
        The spectra.
    """
    observed = observe_apogee(
        clean,
        get_grid("apogee_7214"),
        rng=np.random.default_rng(seed),
        snr=snr,
        conditions=conditions,
    )
    prepared = prepare_observed(*observed)
    return replace(prepared, recipe=model.recipe)


def make_stars_at(name: str, n_spectra: int, *, seed: int) -> AbundanceStars:
    """Make stars of one T_eff, log g and [Fe/H].

    Parameters
    ----------
    name : str
        One of `POINTS`.
    n_spectra : int
        How many.
    seed : int
        Of the abundances, which scatter by 0.1 dex about the reference pattern, so
        that a network that answers with the pattern has a scatter of 0.1 dex.

    Returns
    -------
    AbundanceStars
        With v_macro of 5 km/s and typical microturbulence.
    """
    base = np.tile([*POINTS[name], 0.0, 5.0], (n_spectra, 1))
    reference = reference_pattern(base)
    nodes = reference.copy()
    rng = np.random.default_rng(seed)
    nodes[:, 4:] += np.clip(rng.normal(0.0, 0.1, nodes[:, 4:].shape), -0.25, 0.25)
    return AbundanceStars(base, nodes, reference, abundance_labels(nodes))


def guess_scaled_solar(labels: np.ndarray) -> np.ndarray:
    """Return what true [Fe/H] and [alpha/Fe] alone say about the abundances.

    Parameters
    ----------
    labels : ndarray, shape (n_spectra, 22)
        True `ABUNDANCE_LABELS`.

    Returns
    -------
    ndarray, shape (n_spectra, 22)
        [X/H] = [Fe/H], plus the star's mean [alpha/Fe] for the six elements that it
        stands for; v_micro from log g; the rest as it is.
    """
    guess = labels.copy()
    columns = [_COLUMN[f"{element}_h"] for element in ALPHA_ELEMENTS]
    iron = labels[:, 3]
    guess[:, 2] = typical_vmicro(labels[:, 1])
    guess[:, 4:] = iron[:, None]
    guess[:, columns] = labels[:, columns].mean(1, keepdims=True)
    return guess


def measure_skill(values: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, Any]]:
    """Compare residuals with those of `guess_scaled_solar`, giants and dwarfs apart.

    Parameters
    ----------
    values : ndarray, shape (n_spectra, 22)
        Predicted `ABUNDANCE_LABELS`; columns that are not predicted are NaN.
    truth : ndarray, shape (n_spectra, 22)
        True ones.

    Returns
    -------
    dict
        For ``giants`` and ``dwarfs`` the number of stars, and for each label but T_eff,
        log g and [Fe/H] the standard deviations of the two residuals, and ``skill``,
        which is one minus their ratio.
    """
    report = {}
    kinds = {"giants": truth[:, 1] < 3.8, "dwarfs": truth[:, 1] >= 3.8}
    for kind, rows in kinds.items():
        ours = np.std(values[rows] - truth[rows], axis=0)
        guess = np.std(guess_scaled_solar(truth[rows]) - truth[rows], axis=0)
        told = [
            (name, k)
            for name, k in _COLUMN.items()
            if name not in ("teff", "logg", "fe_h") and np.isfinite(ours[k])
        ]
        report[kind] = {
            "n": int(rows.sum()),
            "network": {name: float(ours[k]) for name, k in told},
            "scaled_solar": {name: float(guess[k]) for name, k in told},
            "skill": {name: float(1.0 - ours[k] / guess[k]) for name, k in told},
        }
    return report


def _at_points(
    model: SpectralModel, data: Path, synthesis: SynthesisEmulator, n: int, seed: int
) -> dict[str, Any]:
    """Scatter at the points of the information limit, and its ratio to that."""
    names = [output.name for output in model.outputs]
    report: dict[str, Any] = {"n_spectra": n, "seed": seed}
    for index, point in enumerate(POINTS):
        stars = make_stars_at(point, n, seed=seed + index)
        clean = clean_spectra(stars, data, synthesis=synthesis)
        prepared = observe_stars(
            clean, model, seed=seed + 50 + index, snr=100.0, conditions=CALM
        )
        values = model.predict(prepared, flux_errors=False).values
        truth = stars.labels[:, [_COLUMN[name] for name in names]]
        report[point] = score_residuals(values, truth, names)
        report[f"{point}_over_limit"] = {
            name: report[point][name]["scatter"] / INFORMATION_LIMIT[name][index]
            for name in names
        }
        bound = bound_labels(POINTS[point], data, synthesis=synthesis)
        report[f"{point}_bound_of_these_spectra"] = {
            name: bound[name] for name in names
        }
    return report


def evaluate_abundances(
    model: SpectralModel,
    data: str | Path,
    *,
    synthesis: SynthesisEmulator,
    conditions: ApogeeConditions,
    n_spectra: int = 1500,
    seed: int = 900_000,
) -> dict[str, Any]:
    """Figures of merit of a network for abundances, for its card.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    synthesis : SynthesisEmulator
        Of `~recipes.apogee_starnet_abundances_v1.abundances.synthesis_emulator`.
    conditions : ApogeeConditions
        All that real spectra may have, for the coverage of the errors.
    n_spectra : int, optional
        Size of the test set.
    seed : int, optional
        Of the test set.

    Returns
    -------
    dict
        Bias and scatter at several signal-to-noise ratios, for giants and dwarfs; skill
        over scaled solar; ratio to the information limit; coverage of the errors.
    """
    data = Path(data)
    names = [output.name for output in model.outputs]
    columns = [_COLUMN[name] for name in names]
    stars = draw_abundance_stars(data, n_spectra, seed=seed)
    clean = clean_spectra(stars, data, synthesis=synthesis)
    truth = stars.labels
    giants = truth[:, 1] < 3.8
    report: dict[str, Any] = {"n_spectra": n_spectra, "seed": seed}
    for snr in (20.0, 50.0, 100.0, 200.0):
        prepared = observe_stars(clean, model, seed=seed + 1, snr=snr, conditions=CALM)
        values = model.predict(prepared, flux_errors=False).values
        report[f"snr_{snr:.0f}"] = {
            kind: score_residuals(values[rows], truth[rows][:, columns], names)
            for kind, rows in (("giants", giants), ("dwarfs", ~giants))
        }
        if snr == 100.0:
            every = np.full(truth.shape, np.nan)
            every[:, columns] = values
            report["skill_snr_100"] = measure_skill(every, truth)
    report["information_limit_snr_100"] = _at_points(
        model, data, synthesis, n_spectra // 4, seed + 10
    )
    some = slice(0, n_spectra // 2)
    prepared = observe_stars(clean[some], model, seed=seed + 2, conditions=conditions)
    result = model.predict(prepared)
    error = result.error_statistical
    report["all_conditions"] = {
        "n": len(prepared),
        "coverage": coverage(result.values - truth[some][:, columns], error),
        "unlike_training": float(np.mean(result.domain_score > 1.0)),
    }
    return report
