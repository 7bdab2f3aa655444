# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How much of each label's gradient falls into the ASPCAP windows of its elements.

``python benchmarks/compare_saliency.py --model NAME --data FOLDER`` writes
``docs/models/saliency_NAME.ecsv`` and two pictures. Compared with: the windows moved
along the spectrum, random combinations of the model's other labels, the same network
with random weights, the best linear estimator of the emulator's labels, and integrated
gradients. FOLDER holds ``apogee/emulators``,
``apogee/labels`` and ``apogee/windows``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _apogee_sets import CALM, TEST_SEED
from _label_fits import emulator_model
from astropy.table import Table
from matplotlib import pyplot as plt

from astro_latent.latent import read_windows, window_share
from astro_latent.models import SpectralModel, load_model
from astro_latent.plotting import plot_saliency
from astro_latent.simulation.priors import APOGEE_LABELS
from recipes.apogee.held_out import simulate_test_set
from recipes.apogee.stars import apogee_emulator

OUTPUT = Path(__file__).parents[1] / "docs/models"
#: Elements behind the labels that are not one element over hydrogen.
ELEMENTS = {"alpha_fe": ("O", "Mg", "Si", "S", "Ca", "Ti")}
#: Wavelengths of the picture, Ångström.
PANELS = {
    "Fe": (15205.0, 15225.0), "Mg": (15735.0, 15775.0),
    "Al": (16715.0, 16770.0), "Brackett 11": (16770.0, 16850.0),
}  # fmt: skip


def element_windows(label: str, windows: dict[str, np.ndarray]) -> np.ndarray | None:
    """Pixels in the windows of a label's elements; None if it is of no element."""
    symbol = label.removesuffix("_h").removesuffix("_fe").capitalize()
    names = ELEMENTS.get(label, (symbol,))
    known = [windows[name] > 0.0 for name in names if name in windows]
    return np.any(known, axis=0) if known else None


def share(jacobian: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Share of the gradient's magnitude in a window; the last axis is pixels."""
    magnitude = np.abs(jacobian)
    return magnitude[..., window].sum(-1) / magnitude.sum(-1)


def untrained(model: SpectralModel) -> SpectralModel:
    """Return the same network with random weights."""
    torch.manual_seed(1)
    member = model.members[0]
    network = type(member)(**model.config.arguments)
    network.load_state_dict(dict(member.named_buffers()), strict=False)
    return SpectralModel(model.config, [network], runner=model.runner)


def integrated_gradients(model, prepared, *, n_steps: int = 16) -> np.ndarray:
    """Attribute the difference to a spectrum without lines to its pixels.

    Sundararajan et al. (2017): the mean gradient along the straight way from flux 1,
    times the depth of the pixel.
    """
    depth = np.where(prepared.valid, prepared.flux - 1.0, 0.0)
    total = 0.0
    for step in range(n_steps):
        flux = (1.0 + depth * (step + 0.5) / n_steps).astype(np.float32)
        total += model.jacobian(replace(prepared, flux=flux))
    return total / n_steps * depth[:, None]


def random_mixtures(jacobian, scales, window, *, leave_out: int, rng, n: int = 100):
    """Shares of random combinations of all labels but one."""
    weights = rng.standard_normal((n, len(scales))) / scales
    weights[:, leave_out] = 0.0
    few = jacobian[:40]
    return np.array(
        [share(np.einsum("l,nlp->np", w, few), window).mean() for w in weights]
    )


def best_estimator(prepared, labels: np.ndarray, data: Path) -> np.ndarray:
    """Gradient of the linear estimator of least variance: (A W A^T)^-1 A W.

    A holds the derivatives of the emulator that the spectra come from: no unbiased
    estimator of all its labels can do with less noise.
    """
    slope = emulator_model(apogee_emulator(data))(labels)[1]
    weighted = slope * np.where(prepared.valid, 1.0 / prepared.variance, 0.0)[:, None]
    return np.linalg.solve(weighted @ slope.transpose(0, 2, 1), weighted)


def half_pixels(magnitude: np.ndarray) -> float:
    """Share of the pixels that holds half of a magnitude, the largest first."""
    ordered = np.sort(magnitude[np.isfinite(magnitude)])[::-1]
    return float((np.cumsum(ordered) < 0.5 * ordered.sum()).mean())


def absolute_correlation(one: np.ndarray, other: np.ndarray, valid: np.ndarray):
    """Mean over spectra of the correlation of magnitudes."""
    return np.mean(
        [
            np.corrcoef(np.abs(a[v]), np.abs(b[v]))[0, 1]
            for a, b, v in zip(one, other, valid, strict=True)
        ]
    )


def compare(model, prepared, jacobian, truth, windows, options) -> Table:
    """One row per label with windows."""
    rng = np.random.default_rng(options.seed)
    few = prepared[:40]
    depth = np.where(few.valid, few.flux - 1.0, 0.0)
    chance = untrained(model).jacobian(few)
    integrated = integrated_gradients(model, few)
    best = best_estimator(prepared, truth, options.data)
    valid = prepared.valid.any(0)
    magnitude = np.where(valid, np.abs(jacobian).mean(0), np.nan)
    # the variance depends on what else is to be found
    same_labels = set(APOGEE_LABELS) <= set(model.config.output_names)
    rows = []
    for i, label in enumerate(model.config.output_names):
        window = element_windows(label, windows)
        if window is None:
            continue
        mine = jacobian[:40, i]
        shares = share(jacobian, window).mean(0)
        others = np.delete(np.arange(jacobian.shape[1]), i)
        mixtures = random_mixtures(jacobian, model.scales, window, leave_out=i, rng=rng)
        result = window_share(magnitude[i], window, rng=rng)
        row = {
            "label": label,
            "pixels": int(window[valid].sum()),
            "coverage": result.coverage,
            "share": result.share,
            "share_std": share(jacobian[:, i], window).std(),
            "share_of_mean": share(jacobian[:, i].mean(0), window),
            "shifted": result.null.mean(),
            "shifted_99": np.quantile(result.null, 0.99),
            "p_value": result.p_value,
            "other_labels": shares[others].mean(),
            "rank": 1 + int(np.sum(shares[others] > shares[i])),
            "n_labels": len(shares),
            "mixtures": mixtures.mean(),
            "mixtures_99": np.quantile(mixtures, 0.99),
            "untrained": share(chance[:, i], window).mean(),
            "best": np.nan,
            "correlation_best": np.nan,
            "half_pixels": half_pixels(magnitude[i]),
            "best_half_pixels": np.nan,
            "integrated": share(integrated[:, i], window).mean(),
            "gradient_x_depth": share(mine * depth, window).mean(),
            "untrained_x_depth": share(chance[:, i] * depth, window).mean(),
            "correlation_integrated": absolute_correlation(
                integrated[:, i], mine * depth, few.valid
            ),
        }
        if label in APOGEE_LABELS and same_labels:
            ideal = best[:, APOGEE_LABELS.index(label)]
            row["best"] = share(ideal, window).mean()
            row["correlation_best"] = np.corrcoef(
                ideal.mean(0)[valid], jacobian[:, i].mean(0)[valid]
            )[0, 1]
            row["best_half_pixels"] = half_pixels(np.abs(ideal).mean(0)[valid])
        rows.append(row)
    return Table(rows)


def enrichment_matrix(jacobian, valid, windows) -> tuple[np.ndarray, list[str]]:
    """Share over coverage, labels by elements."""
    names = [name for name, weight in windows.items() if (weight > 0).sum() >= 5]
    magnitude = np.abs(jacobian).mean(0)
    return np.array(
        [
            [
                share(row[valid], windows[name][valid] > 0)
                / (windows[name][valid] > 0).mean()
                for name in names
            ]
            for row in magnitude
        ]
    ), names


def draw(model, prepared, jacobian, windows, stem: Path) -> None:
    """Write the two pictures."""
    mean = jacobian.mean(0)
    marked = {
        label: element_windows(label, windows) for label in model.config.output_names
    }
    marked = {label: window for label, window in marked.items() if window is not None}
    names = list(model.config.output_names)
    wanted = [
        n for n in ("teff", "logg", "fe_h", "alpha_fe", "mg_h", "al_h") if n in names
    ]
    marked = {label: window for label, window in marked.items() if label in wanted}
    figure = plot_saliency(
        model.grid.wavelength,
        mean[[names.index(name) for name in wanted]],
        labels=wanted,
        windows=PANELS,
        flux=np.ma.masked_array(prepared.flux, ~prepared.valid).mean(0).filled(np.nan),
        element_windows=marked,
    )
    figure.savefig(stem.with_name(stem.name + "_spectrum.png"), dpi=62)
    matrix, names = enrichment_matrix(jacobian, prepared.valid.any(0), windows)
    labels = model.config.output_names
    figure, ax = plt.subplots(
        figsize=(8.0, 1.6 + 0.3 * len(labels)), layout="constrained"
    )
    ratio = np.log2(matrix)
    limit = max(3.0, np.ceil(np.abs(ratio).max()))
    image = ax.imshow(ratio, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_xlabel("ASPCAP windows of")
    figure.colorbar(image, label=r"log$_2$(share of gradient / share of pixels)")
    figure.savefig(stem.with_name(stem.name + "_windows.png"), dpi=80)


def main() -> None:
    """Compare, write the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--n-spectra", type=int, default=200)
    parser.add_argument("--seed", type=int, default=TEST_SEED + 20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(options.model, device="cpu")
    windows = read_windows(options.data / "apogee/windows/masks.dat", model.grid)
    prepared, truth = simulate_test_set(
        options.data, options.n_spectra, seed=options.seed, snr=100.0, conditions=CALM
    )
    prepared = replace(prepared, recipe=model.recipe)
    jacobian = model.jacobian(prepared)
    table = compare(model, prepared, jacobian, truth, windows, options)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            table[name] = [float(f"{value:.4g}") for value in table[name]]
    table.meta = {"n_spectra": options.n_spectra, "seed": options.seed, "snr": 100}
    stem = options.output / f"saliency_{model.name}"
    table.write(stem.with_suffix(".ecsv"), format="ascii.ecsv", overwrite=True)
    draw(model, prepared, jacobian, windows, stem)


if __name__ == "__main__":
    main()
