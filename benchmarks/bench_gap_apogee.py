# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How far emulated APOGEE spectra are from the few real ones that are at hand.

``python benchmarks/bench_gap_apogee.py --data FOLDER`` fits the emulator, which taught
``apogee_starnet_v1``, to each real spectrum and observes the fit as the star was: with
its noise, its bad pixels and its velocity. Compared are pixels, and features of the
network. With a handful of stars there is no classifier to train; there is a forced
choice, each star by what sets the others apart, and an energy distance with all swaps
of real and emulated. Writes ``docs/experiments/gap_apogee.ecsv``,
``gap_apogee_stars.ecsv`` and ``gap_apogee.png``.
"""

import argparse
from itertools import product
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _label_fits import emulator_model, fit_labels, nuisance_basis
from _rounded import write_rounded
from astropy.table import Table
from bench_gap import interpolate
from matplotlib import pyplot as plt
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from astro_latent import load_model
from astro_latent.preparation import PreparedSpectra, prepare_spectra
from astro_latent.simulation.apogee import shift_pixels
from astro_latent.spectra import iter_arrays
from astro_latent.training import collect_features
from recipes.apogee.held_out import simulate_test_set
from recipes.apogee.stars import apogee_emulator, prepare_observed

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
#: Star of each spectrum, by the beginning of its file name.
STARS = {
    "apStar-dr17-2M19485057": "2M19485057+5005279 (K dwarf)",
    "apStar-r6-2M00005143": "2M00005143+5615568 (giant)",
    "apVisit-r6-5094": "2M00005143+5615568 (giant)",
    "apVisit-r13-5095": "2M01183798+8403419 (F star)",
    "apVisit-r5-7125": "2M19282456+4215080 (F star)",
    "apStar-dr17-2M17335483": "2M17335483-2753043 (M giant)",
}
OUTSIDE = "2M17335483-2753043 (M giant)"  # cooler than the emulator's stars
#: Where a fit begins: a giant, a dwarf, a hot dwarf; the best of the three is kept.
_STARTS = ([4750, 2.4, -0.2, 0.1, 4.0], [4800, 4.5, 0, 0, 4.0], [6400, 4.2, -0.1, 0, 8])
_MODEL_ERROR = 0.01  # of the emulator, so that no few pixels decide a fit
_SEEDS = (1, 2, 3)  # of the noise
_N_SHOWN = 300  # emulated stars in the picture


def read(data: Path) -> tuple[PreparedSpectra, np.ndarray]:
    """All real spectra, prepared, and their stars."""
    paths = sorted((data / "apogee/spectra").glob("ap*.fits"))
    model = load_model("apogee_starnet_v1", device="cpu")
    prepared = prepare_spectra(
        list(iter_arrays([str(path) for path in paths])), model.grid, model.recipe
    )
    stars = [
        next(star for start, star in STARS.items() if path.name.startswith(start))
        for path in paths
    ]
    return prepared, np.array(stars)


def fit(data: Path, prepared: PreparedSpectra) -> tuple[np.ndarray, np.ndarray]:
    """Flux of the emulator that comes closest to each spectrum, and the labels."""
    emulator = apogee_emulator(data)
    model, basis = emulator_model(emulator), nuisance_basis(prepared.grid)
    box = (emulator.lower.astype(float), emulator.upper.astype(float))
    labels = []
    for flux, variance, valid in zip(
        prepared.flux, prepared.variance, prepared.valid, strict=True
    ):
        weight = np.where(valid, 1.0 / (variance + _MODEL_ERROR**2), 0.0)
        flux = np.where(valid, flux, 0.0).astype(float)
        fits = [
            fit_labels(model, flux, weight, start=start, box=box, basis=basis)
            for start in _STARTS
        ]
        labels.append(min(fits, key=lambda found: found[2])[0])
    return emulator.flux(np.array(labels, dtype=np.float32)), np.array(labels)


def move(clean: np.ndarray, prepared: PreparedSpectra) -> np.ndarray:
    """Shift emulated spectra by what is left of the stars' velocities."""
    slope = np.gradient(clean, axis=1)
    weight = np.where(prepared.valid, 1.0, 0.0)
    residual = np.where(prepared.valid, prepared.flux - clean, 0.0)
    shift = -(weight * residual * slope).sum(1) / (weight * slope**2).sum(1)
    return shift_pixels(clean, shift)


def observe(
    clean: np.ndarray, prepared: PreparedSpectra, seed: int | None
) -> PreparedSpectra:
    """Give emulated spectra the bad pixels of real ones, and noise like theirs."""
    known = prepared.valid & np.isfinite(prepared.variance)
    sigma = np.where(known, np.sqrt(np.where(known, prepared.variance, 0.0)), 1.0)
    flux = clean.astype(np.float32)
    if seed is not None:
        flux = flux + sigma * np.random.default_rng(seed).normal(size=sigma.shape)
    return prepare_observed(
        flux.astype(np.float32), sigma.astype(np.float32), ~prepared.valid
    )


def energy(both: np.ndarray, sign: np.ndarray) -> float:
    """Energy distance, from the distances of all pairs over their mean."""
    return float(-(sign @ both @ sign) / (len(sign) / 2) ** 2)


def compare(made: np.ndarray, real: np.ndarray, stars: np.ndarray) -> dict:
    """Energy distance with all swaps, and the forced choice."""
    n, names = len(real), np.unique(stars)
    both = squareform(pdist(np.concatenate([made, real])))
    both /= both.sum() / (2 * n * (2 * n - 1))
    swaps = {}
    for by, groups in (("star", stars), ("spectrum", np.arange(n))):
        units = np.unique(groups, return_inverse=True)[1]
        found = []
        for signs in product((1.0, -1.0), repeat=units.max() + 1):
            sign = np.array(signs)[units]
            found.append(energy(both, np.concatenate([sign, -sign])))
        swaps[by] = np.array(found)
    right = []
    for star in names:
        differences = [
            (real - made)[stars == other].mean(0) for other in names if other != star
        ]
        choice = (real - made)[stars == star] @ np.mean(differences, axis=0)
        right.append(np.mean(choice > 0))
    likely = (sum(right) + 1) / (len(names) + 2)  # Laplace: five of five may be luck
    return {
        "n": n, "n_stars": len(names), "distance": swaps["star"][0],
        "distance_swapped": float(np.median(swaps["spectrum"])),
        **{
            f"p_by_{by}": float(np.mean(found >= found[0] - 1e-9))
            for by, found in swaps.items()
        },
        "chosen": float(np.mean(right)),
        "chosen_error": float(np.sqrt(likely * (1 - likely) / (len(names) + 2))),
    }  # fmt: skip


def describe(
    prepared: PreparedSpectra, clean: np.ndarray, labels: np.ndarray, stars: np.ndarray
) -> Table:
    """For each spectrum: residuals from the best fit, noise, and what is left."""
    fitted = observe(clean, prepared, None)
    rows = []
    for k, star in enumerate(stars):
        good = prepared.valid[k] & fitted.valid[k]
        residual = (prepared.flux[k] - fitted.flux[k])[good]
        noise = float(np.sqrt(np.median(prepared.variance[k][good])))
        scatter = float(1.4826 * np.median(np.abs(residual - np.median(residual))))
        left = float(np.sqrt(max(scatter**2 - noise**2, 0.0)))
        rows.append((star, *labels[k][:3], int(good.sum()), scatter, noise, left))
    names = ("star", "teff", "logg", "fe_h", "pixels", "scatter", "noise", "left")
    return Table(rows=rows, names=names)


def draw(pictures: dict, stars: np.ndarray, path: Path) -> None:
    """Draw t-SNE: emulated stars, real ones, and the twin of each of these."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
    for ax, (title, (many, made, real)) in zip(axes, pictures.items(), strict=True):
        scores = PCA(20, random_state=1).fit_transform(np.r_[many, made, real])
        places = TSNE(perplexity=20, random_state=1).fit_transform(scores)
        others, twins, mine = np.split(places, [len(many), len(many) + len(made)])
        ax.plot(*others.T, ".", color="0.7", ms=3, label="emulated")
        for one, other in zip(twins, mine, strict=True):
            ax.plot(*np.c_[one, other], color="0.4", lw=0.6)
        ax.plot(*twins.T, "o", color="C0", ms=5, label="emulated twins")
        ax.plot(*mine.T, "*", color="C3", ms=9, label="real")
        kinds = np.array([star.split("(")[1][:-1] for star in stars])
        for kind in dict.fromkeys(kinds):
            low, high = mine[kinds == kind].min(axis=0), mine[kinds == kind].max(axis=0)
            ax.annotate(
                kind, ((low[0] + high[0]) / 2, low[1]), xytext=(0, -18),
                fontsize="small", ha="center", textcoords="offset points",
            )  # fmt: skip
        ax.set(title=title, xticks=[], yticks=[], xmargin=0.12, ymargin=0.12)
    axes[0].legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    """Fit, compare, and write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepared, stars = read(options.data)
    clean, labels = fit(options.data, prepared)
    table = describe(prepared, move(clean, prepared), labels, stars)
    model, rows = load_model("apogee_starnet_v1", device="cpu"), []
    flux = interpolate(prepared.flux, prepared.valid)
    features = collect_features(model, prepared)
    for seed in _SEEDS:
        steps = {
            "bad pixels": observe(clean, prepared, None),
            "and noise": observe(clean, prepared, seed),
            "and velocity": observe(move(clean, prepared), prepared, seed),
        }
        for title, made in steps.items():
            pixels = interpolate(made.flux, made.valid)
            seen = collect_features(model, made)
            for kind, pair in (
                ("pixels", (pixels, flux)),
                ("features", (seen, features)),
            ):
                about = {"compared": kind, "remedy": title, "seed": seed}
                for rows_of in (stars != OUTSIDE, stars != ""):
                    pair_of = (each[rows_of] for each in pair)
                    rows.append({**about, **compare(*pair_of, stars[rows_of])})
    many, _ = simulate_test_set(options.data, _N_SHOWN, seed=5)
    pictures = {
        "pixels": (interpolate(many.flux, many.valid), pixels, flux),
        f"features of {model.name}": (collect_features(model, many), seen, features),
    }
    draw(pictures, stars, OUTPUT / "gap_apogee.png")
    write_rounded(Table(rows), OUTPUT / "gap_apogee.ecsv")
    write_rounded(table, OUTPUT / "gap_apogee_stars.ecsv")


if __name__ == "__main__":
    main()
