# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""By how much models of stellar spectra disagree about the labels of one spectrum.

A network trained on one emulator inherits its label scale, and no ensemble of such
networks can know: they all agree. What can be measured is what the network says about
spectra of other models at known labels. The Bovy Cannon is not among those, so that it
remains a test.
"""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

from astro_latent.models import SpectralModel
from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import observe_apogee
from astro_latent.simulation.apogee_synthesis import ALPHA_ELEMENTS
from astro_latent.simulation.emulators import SigmoidEmulator
from astro_latent.simulation.priors import APOGEE_LABELS
from astro_latent.training.scores import score_residuals
from recipes.apogee.stars import (
    CALM,
    draw_apogee_stars,
    network_values,
    prepare_observed,
    with_recipe,
)

__all__ = [
    "OTHER_MODELS",
    "compare_catalogues",
    "measure_label_scale",
    "observe_other_model",
    "state_labels",
]

#: Models that the training did not use: name -> (file, giants or dwarfs).
OTHER_MODELS = {
    "kurucz_giants": ("binspec_plus/NN_unnormalized_spectra.npz", "giants"),
    "kurucz_dwarfs": ("binspec_plus/NN_unnormalized_spectra.npz", "dwarfs"),
    "kurucz2_giants": ("binspec_dwarfs/NN_unnormalized_spectra.npz", "giants"),
    "kurucz2_dwarfs": ("binspec_dwarfs/NN_unnormalized_spectra.npz", "dwarfs"),
    "data_driven_dwarfs": ("binspec_dwarfs/NN_normalized_spectra.npz", "dwarfs"),
}

_BROADENING = 3.0  # km/s, standard deviation: the theoretical spectra have none


def observe_other_model(
    name: str,
    data: str | Path,
    n_spectra: int,
    *,
    seed: int,
    fe_h: tuple[float, float] | None = None,
) -> tuple[PreparedSpectra, np.ndarray]:
    """Observe stars of one of `OTHER_MODELS` at signal-to-noise 100.

    Parameters
    ----------
    name : str
        One of `OTHER_MODELS`.
    data : path
        Folder with ``apogee/emulators``.
    n_spectra : int
        At most so many.
    seed : int
        Seed of stars and observations.
    fe_h : tuple of float, optional
        Range of [Fe/H], drawn uniformly, in place of that of the training's stars.

    Returns
    -------
    prepared : PreparedSpectra
        The spectra.
    labels : ndarray, shape (n_spectra, 5)
        At which the model was evaluated; v_macro is NaN for theoretical spectra.
    """
    file, kind = OTHER_MODELS[name]
    emulator = SigmoidEmulator.read(Path(data, "apogee/emulators", file))
    width = emulator.weights_in.shape[2]
    labels = draw_apogee_stars(data, 6 * n_spectra, seed=seed)
    if fe_h is not None:
        labels[:, 2] = np.random.default_rng(seed + 1).uniform(*fe_h, len(labels))
    giants = labels[:, 1] < 3.8
    wanted = (giants if kind == "giants" else ~giants) & (labels[:, 0] > 4300.0)
    inside = (labels[:, :width] > emulator.lower) & (labels[:, :width] < emulator.upper)
    labels = labels[wanted & inside.all(axis=1)][:n_spectra]
    with np.errstate(over="ignore"):
        flux = emulator.flux(labels[:, :width])
    if width < 5:
        labels[:, 4] = np.nan
        for first, last in get_grid("apogee_7214").segments:
            chip = flux[:, first:last]
            chip = chip / np.median(chip, axis=1, keepdims=True)
            flux[:, first:last] = gaussian_filter1d(chip, _BROADENING / 4.145, axis=1)
    observed = observe_apogee(
        flux, get_grid("apogee_7214"), rng=np.random.default_rng(seed),
        conditions=CALM, snr=100.0,
    )  # fmt: skip
    return prepare_observed(*observed), labels


def state_labels(labels: np.ndarray, names: list[str]) -> np.ndarray:
    """Say what labels the stars of `OTHER_MODELS` have, abundances included.

    Parameters
    ----------
    labels : ndarray, shape (n_spectra, 5)
        From `observe_other_model`.
    names : list of str
        Labels of a network.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels)
        The theoretical spectra were computed for scaled solar abundances plus
        [alpha/Fe]. Spectra of real stars, which have a v_macro, follow other patterns:
        NaN there, as for a microturbulence that is not published.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.apogee.label_scale import state_labels
    >>> star = np.array([[4800.0, 2.5, -0.5, 0.25, np.nan]])
    >>> state_labels(star, ["teff", "fe_h", "mg_h", "ni_h"])[0]
    array([ 4.80e+03, -5.00e-01, -2.50e-01, -5.00e-01])
    """
    theory = np.where(np.isnan(labels[:, 4]), 0.0, np.nan)
    known = dict(zip(APOGEE_LABELS, labels.T, strict=True))
    columns = []
    for name in names:
        if name in known:
            columns.append(known[name])
            continue
        element, _, over = name.partition("_")
        excess = labels[:, 3] if element in ALPHA_ELEMENTS else 0.0
        pattern = labels[:, 2] + excess + theory
        columns.append(pattern if over == "h" else np.full(len(labels), np.nan))
    return np.stack(columns, axis=1)


def measure_label_scale(
    model: SpectralModel, data: str | Path, *, n_spectra: int = 300, seed: int = 910_000
) -> tuple[np.ndarray, dict[str, Any]]:
    """Measure the disagreement of a network with `OTHER_MODELS`.

    Parameters
    ----------
    model : SpectralModel
        A label network.
    data : path
        Folder with ``apogee/emulators``.
    n_spectra : int, optional
        Stars of each model.
    seed : int, optional
        Seed of stars and observations.

    Returns
    -------
    systematic : ndarray, shape (n_labels,)
        Root mean square, over the models, of the differences less the noise, or of
        the mean difference if that is larger.
    report : dict
        Bias, scatter and rms for each model.
    """
    names = [output.name for output in model.outputs]
    squares = []
    report: dict[str, Any] = {"n_spectra": n_spectra, "seed": seed}
    for name in OTHER_MODELS:
        prepared, stars = observe_other_model(name, data, n_spectra, seed=seed)
        labels = state_labels(stars, names)
        result = model.predict(with_recipe(prepared, model), flux_errors=False)
        values = network_values(result)
        difference = values - labels
        square = np.mean(difference**2, axis=0)
        noise = result.error_statistical
        # what all stars share is no noise, however large that is
        shared = np.mean(difference, axis=0) ** 2
        squares.append(np.maximum(square - np.mean(noise**2, axis=0), shared))
        some = np.flatnonzero(np.isfinite(square))
        report[name] = score_residuals(
            values[:, some], labels[:, some], [names[k] for k in some]
        )
        report[name]["rms"] = np.sqrt(square[some]).tolist()
        if result.network_values is not None:  # what is left where giants are moved
            moved = result.values - labels
            report[name]["moved"] = {
                "shift_mean": moved[:, some].mean(axis=0).tolist(),
                "before": difference[:, some].std(axis=0).tolist(),
                "after": moved[:, some].std(axis=0).tolist(),
            }
    known = np.isfinite(squares)
    total = np.sum(np.where(known, squares, 0.0), axis=0)
    mean = total / np.maximum(known.sum(axis=0), 1)  # nothing known: none declared
    return np.sqrt(np.maximum(mean, 0.0)), report


def compare_catalogues(data: str | Path) -> dict[str, Any]:
    """Compare the labels that releases of SDSS give to the same giants.

    Parameters
    ----------
    data : path
        Folder with ``apogee/labels``.

    Returns
    -------
    dict
        For the scale of DR12, on which the Bovy Cannon was trained to 1 K in T_eff:
        what the later spectroscopic (fit) and calibrated labels of the same stars of
        4400-5050 K and log g < 3.3 differ by.
    """
    folder = Path(data, "apogee/labels")
    later = Table.read(folder / "apokasc_logg_cal.fits")
    row_of = {str(name).strip(): row for row, name in enumerate(later["2MASS_ID"])}
    old = Table.read(folder / "apogee_dr12_labels.csv", format="ascii.csv")
    both = [row for row, name in enumerate(old["APOGEE_ID"]) if str(name) in row_of]
    rows = [row_of[str(name)] for name in old["APOGEE_ID"][both]]
    names = ("teff", "logg", "fe_h", "alpha_fe")
    before = _columns(old[both], ("TEFF", "LOGG", "FE_H", "PARAM_ALPHA_M"))
    report = {}
    for kind in ("FIT", "COR"):
        columns = (f"{x}_{kind}" for x in ("TEFF", "LOGG", "FE_H_ADOP", "ALP_FE_ADOP"))
        after = _columns(later[rows], tuple(columns))
        good = np.all((np.abs(before) < 9000) & (np.abs(after) < 9000), axis=1)
        teff, logg, fe_h = before[:, :3].T
        good &= (teff > 4400) & (teff < 5050) & (logg < 3.3) & (fe_h > -0.9)
        report[f"later_{kind.lower()}_minus_dr12"] = score_residuals(
            after[good], before[good], names
        )
    return report


def _columns(table: Table, names: tuple[str, ...]) -> np.ndarray:
    filled: list[np.ndarray] = []
    for name in names:
        column: Any = table[name]
        filled.append(np.asarray(np.ma.filled(column, np.nan), dtype=float))
    return np.stack(filled, axis=1)
