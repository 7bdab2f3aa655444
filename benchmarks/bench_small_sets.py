# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Learning curves of giants' Gaia BP/RP spectra: 50 to 10,000 training stars.

``python benchmarks/bench_small_sets.py --data FOLDER --work FOLDER`` trains StarNet and
the residual network, each from nothing and from weights that learned from LAMOST
spectra at the resolution of BP/RP, and fits a quadratic Cannon and a ridge on
components and their products. The stars that judge are the same for all, those that
teach are drawn by the seed; test stars have no part. Scores are kept in the work
folder, so a stopped run goes on. It writes ``docs/experiments/small_sets.ecsv`` and
``small_sets.png``.
"""

import argparse
import json
import shutil
import time
from functools import cache
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _curves import draw_scatter, read_scores, write_out
from _rounded import write_rounded
from astropy.table import Table
from bench_architectures import (
    SETS,
    fit_quadratic,
    judge,
    read_gaia,
    read_lamost,
    train_network,
)
from compare_pipelines import quadratic
from matplotlib import pyplot as plt

from astro_latent.plotting.style import axis_text
from recipes.reading import read_recipe
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
SIZES = (50, 150, 542, 2000, 10_000)
#: Method to its architecture in `bench_architectures`, and whether LAMOST came first.
NETWORKS = {
    "StarNet": ("StarNet", False),
    "StarNet, LAMOST first": ("StarNet", True),
    "residual MLP": ("residual MLP", False),
    "residual MLP, LAMOST first": ("residual MLP", True),
}
METHODS = (*NETWORKS, "quadratic Cannon", "ridge on components")
LABELS = ("teff", "logg", "fe_h", "alpha_m")
_COOLEST, _WARMEST, _DWARF = 3800.0, 5700.0, 3.8  # what a quadratic model can follow
_POWER = 50.0  # resolving power of BP/RP, about
_LIGHT = 299_792.458  # km/s
_FAINT = 0.02  # of the median flux


@cache
def read_giants(data: Path):
    """Giants with all labels but for the extinction, which may be missing."""
    stars, labels, source, _ = read_gaia(data)
    giant = (stars["logg"] < _DWARF) & (stars["teff"] > _COOLEST)
    giant &= stars["teff"] < _WARMEST
    for label in LABELS:
        giant &= np.isfinite(stars[label])
    return select(stars, giant), labels, source[giant]


def draw(source: np.ndarray, size: int, n_judge: int, seed: int) -> np.ndarray:
    """Say what each spectrum is for; one spectrum of each star."""
    _, first = np.unique(source, return_index=True)
    order = np.random.default_rng(7).permutation(first)
    parts = np.full(len(source), "", dtype="U10")
    parts[order[:n_judge]] = "held_out"
    rest = np.random.default_rng([7, seed]).permutation(order[n_judge:])
    parts[rest[:size]] = "train"
    return parts


def lamost_as_gaia(data: Path) -> tuple[dict, list[str]]:
    """LAMOST spectra at the pixels and resolution of BP/RP, NaN where none are."""
    stars, labels, star, _ = read_lamost(data)
    wavelength, good = stars["wavelength_vacuum"], ~stars["bad"]
    pixels = 10.0 * (336.0 + 2.0 * np.arange(343))
    width = pixels[:, None] / (_POWER * 2.3548)
    kernel = np.exp(-0.5 * ((wavelength - pixels[:, None]) / width) ** 2)
    there = good @ kernel.T / kernel.sum(axis=1)
    total = there * kernel.sum(axis=1) + 1e-9
    flux = np.where(good, stars["flux"], 0.0) @ kernel.T / total
    variance = np.where(good, stars["error"] ** 2, 0.0) @ (kernel**2).T / total**2
    inside = (pixels > wavelength[0]) & (pixels < wavelength[-1]) & (there > 0.5)
    found = {
        "wavelength_nm": pixels / 10.0,
        "flux": np.where(inside, flux, np.nan).astype(np.float32),
        "error": np.hypot(np.sqrt(variance), 0.01 * np.abs(flux)).astype(np.float32),
        "mask": ~inside,
        "source_id": star,
        **{label: stars[label] for label in labels},
    }
    return found, labels


def learn_first(architecture: str, seed: int, options: argparse.Namespace) -> Path:
    """Weights from LAMOST spectra, one set for each architecture and seed."""
    folder = options.work / f"lamost-{architecture.replace(' ', '_')}-{seed}"
    if not (folder / "own_v1/held_out.ecsv").is_file():
        stars, labels = lamost_as_gaia(options.data)
        parts = np.where(stars["source_id"] % 10 == 0, "held_out", "train")
        recipe = {**read_recipe("gaia_xp_starnet_v1")}
        recipe["augment"] = {"noise": 1.0, "continuum": 0.1}
        train_network(architecture, seed, stars, labels, parts, {}, recipe, folder, {})
    return folder / "own_v1"


def cannon(stars, labels, parts):
    """Labels given and found, parameters, seconds, as of `train_network`."""
    start = time.process_time()
    flux = np.maximum(stars["flux"], _FAINT)  # in the logarithm dust adds
    pixels = np.log(flux), stars["error"] / flux
    train, other = (np.flatnonzero(parts == p) for p in ("train", "held_out"))
    found = quadratic(pixels, stars, labels, train, other)
    given, values = (
        np.stack([np.asarray(table[label], float) for label in labels], axis=1)
        for table in (select(stars, other), found)
    )
    terms = (len(labels) + 1) * (len(labels) + 2) // 2
    return given, values, terms * flux.shape[1], time.process_time() - start


def ask(method, size, seed, options):
    """Do as `bench_architectures.train_network` by any method."""
    stars, labels, source = read_giants(options.data)
    parts = draw(source, size, options.n_judge, seed)
    stars, parts = select(stars, parts != ""), parts[parts != ""]
    if method == "quadratic Cannon":
        return cannon(stars, labels, parts)
    if method == "ridge on components":
        middle = np.median(stars["flux"], axis=1, keepdims=True)
        pixels = stars["flux"] / middle, stars["error"] / middle
        return fit_quadratic(pixels, SETS["gaia_xp"][2], stars, labels, parts)
    architecture, first = NETWORKS[method]
    facts = {"from_weights": learn_first(architecture, seed, options)} if first else {}
    folder = options.work / f"run-{method}-{size}-{seed}".replace(" ", "_")
    recipe = read_recipe("gaia_xp_starnet_v1")
    found = train_network(
        architecture, seed, stars, labels, parts, facts, recipe, folder, options.fit
    )
    shutil.rmtree(folder)
    return found


def run(method: str, size: int, seed: int, options: argparse.Namespace) -> None:
    """Train, judge, and keep the scores in a file."""
    path = options.work / f"{method}-{size}-{seed}.json".replace(" ", "_")
    if path.exists():
        return
    given, values, parameters, seconds = ask(method, size, seed, options)
    about = {
        "method": method, "n_train": size, "seed": seed, "parameters": parameters,
        "seconds": seconds,
    }  # fmt: skip
    scores = judge(given[:, : len(LABELS)], values[:, : len(LABELS)], LABELS)
    path.write_text(json.dumps([about | row for row in scores], indent=1))


def draw_curves(table: Table, path: Path) -> None:
    """Scatter of each label against the number of training stars."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
    for axis, label in zip(axes.ravel(), LABELS, strict=True):
        for k, method in enumerate(METHODS):
            first = method in NETWORKS and NETWORKS[method][1]
            colour = f"C{k // 2 if method in NETWORKS else k}"
            mine = table[(table["method"] == method) & (table["label"] == label)]
            if not len(mine):
                continue
            draw_scatter(
                axis, mine, shift=1.02 ** (k - 2), marker="oosD^v"[k], color=colour,
                ls="--" if first else "-", label=method,
            )  # fmt: skip
        axis.axvline(542, color="k", lw=0.5, ls=":")
        axis.set(
            xscale="log", yscale="log", xlabel="stars that teach",
            ylabel=f"scatter of {axis_text(label)}",
        )  # fmt: skip
        axis.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axis.minorticks_off()
        write_out(axis.yaxis)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center",
                  ncols=3)  # fmt: skip
    figure.savefig(path, dpi=80)


def main() -> None:
    """Train what is missing, then write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--n-judge", type=int, default=400, help="stars that judge")
    parser.add_argument("--epochs", type=int, help="of the networks")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin nothing afterwards"
    )
    options = parser.parse_args()
    options.fit = {"epochs": options.epochs} if options.epochs else {}
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    end = time.monotonic() + 60.0 * options.minutes
    for seed in options.seeds:
        for size in options.sizes:
            for method in options.methods:
                if time.monotonic() < end:
                    run(method, size, seed, options)
    table = read_scores(options.work)
    table.sort(["method", "n_train", "seed"])
    write_rounded(table, OUTPUT / "small_sets.ecsv")
    draw_curves(table, OUTPUT / "small_sets.png")


if __name__ == "__main__":
    main()
