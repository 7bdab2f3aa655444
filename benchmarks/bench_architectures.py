# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""StarNet, its rivals, a residual MLP and a ridge on the same real spectra.

``python benchmarks/bench_architectures.py --data FOLDER --work FOLDER`` trains what is
not yet in the work folder (one file for each set, method and seed, so a stopped run
goes on) through `astro_latent.train_model`, with the weights of the pass that did best
on validation stars, and judges by others. Writes
``docs/experiments/architectures_real.ecsv``. Test stars have no part in it.
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
from _curves import read_scores
from _rounded import write_rounded
from astropy.table import Table
from sklearn.linear_model import RidgeCV

from astro_latent import train_model
from astro_latent.models.layers.views import View
from astro_latent.preparation import SpectralGrid
from recipes.gaia_xp_starnet_v1 import spectra as gaia
from recipes.reading import read_recipe
from recipes.real import lamost
from recipes.real.stars import is_test, select

OUTPUT = Path(__file__).parents[1] / "docs/experiments/architectures_real.ecsv"
#: Architectures with arguments; None is no network.
METHODS = {
    "quadratic ridge": None,
    "residual MLP": ("residual_mlp", {}),
    "shallow NN": ("shallow_nn", {}),
    "deep NN": ("deep_nn", {}),
    "shallow CNN": ("shallow_cnn", {}),
    "StarNet": ("starnet", {}),
    "deep CNN": ("deep_cnn", {"pool_length": 16}),
}
_COMPONENTS = 40  # of the ridge, with all their products
_LIGHT = 299_792.458  # km/s


def read_gaia(data: Path):
    """Spectra up to 8000 K without test stars; labels; what a training has to know."""
    stars = gaia.read_stars(data)
    stars = select(stars, ~is_test(stars["source_id"]) & (stars["teff"] <= 8000))
    return stars, list(gaia.LABELS), stars["source_id"], {}


def read_lamost(data: Path):
    """Spectra up to 8500 K without test stars; labels; what a training has to know."""
    stars = lamost.read_stars(data)
    stars = select(stars, ~stars["test"] & (stars["teff"] <= 8500))
    facts = {"facts": lamost.FACTS, "radial_velocity": stars["radial_velocity"]}
    return stars, list(lamost.LABELS), stars["star"], facts


@cache
def collect(name, data, n_held_out, n_validation, n_train):
    """Stars, labels, the part of each, and facts; the same for all methods."""
    stars, labels, star, facts = SETS[name][0](data)
    names = np.unique(star)
    order = np.random.default_rng(7).permutation(len(names))
    place = order[np.searchsorted(names, star)]
    edges = np.cumsum([n_held_out, n_validation, n_train])
    parts = np.array(["held_out", "validation", "train", ""])
    parts = parts[np.searchsorted(edges, place, side="right")]
    rows, facts = parts != "", dict(facts)
    if "radial_velocity" in facts:
        facts["radial_velocity"] = facts["radial_velocity"][rows]
    return select(stars, rows), labels, parts[rows], facts


def train_network(
    method, seed, stars, labels, parts, facts, recipe, folder, fit, work=None
):
    """Labels given and found for held-out stars, parameters, processor seconds."""
    architecture, arguments = METHODS[method]
    start = time.process_time()
    model = train_model(
        {**stars, "part": parts}, labels, split="part", seed=seed,
        architecture=architecture, arguments=arguments, output=folder / "own_v1",
        work=work or folder / "work", grid=SpectralGrid.from_dict(recipe["grid"]),
        recipe={"steps": recipe["steps"]}, augment=recipe["augment"], overwrite=True,
        progress=False, **facts, **fit,
    )  # fmt: skip
    seconds = time.process_time() - start
    found = Table.read(folder / "own_v1/held_out.ecsv")
    given, values = (
        np.stack([np.asarray(found[f"{label}{end}"], float) for label in labels], 1)
        for end in ("_given", "")
    )
    size = sum(parameter.numel() for parameter in model.members[0].parameters())
    return given, values, size, seconds


def gaia_pixels(stars, grid):
    """Flux and errors over the median; the spectra lie on the grid."""
    middle = np.median(stars["flux"], axis=1, keepdims=True)
    return stars["flux"] / middle, stars["error"] / middle


def lamost_pixels(stars, grid):
    """Flux and errors over the median, at rest on the grid."""
    found = np.empty((2, len(stars["flux"]), grid.n_pixels), dtype=np.float32)
    for row, velocity in enumerate(stars["radial_velocity"]):
        wavelength = stars["wavelength_vacuum"] / (1.0 + velocity / _LIGHT)
        good = ~stars["bad"][row]
        for k, name in enumerate(("flux", "error")):
            found[k, row] = np.interp(
                grid.wavelength, wavelength[good], stars[name][row][good]
            )
    middle = np.median(found[0], axis=1, keepdims=True)
    return found[0] / middle, found[1] / middle


def fit_quadratic(pixels, view, stars, labels, parts):
    """Do as `train_network` with a ridge on components and their products."""
    start = time.process_time()
    train, other = parts == "train", parts == "held_out"
    flux, sigma = map(torch.from_numpy, pixels)
    valid = torch.ones_like(flux, dtype=torch.bool)
    look = View(flux.shape[1], n_components=_COMPONENTS, **view)
    look.adapt(flux[train], sigma[train], valid[train])
    scores = look(flux, sigma, valid).numpy().astype(float)
    scores = 3.0 * np.arcsinh(scores / 3.0)  # squares of outliers rule otherwise
    first, second = np.triu_indices(_COMPONENTS)
    terms = np.concatenate([scores, scores[:, first] * scores[:, second]], axis=1)
    given = np.stack([stars[label] for label in labels], axis=1)
    values = np.empty((np.count_nonzero(other), len(labels)))
    for column in range(len(labels)):
        rows = train & np.isfinite(given[:, column])
        centre, scale = given[rows, column].mean(), given[rows, column].std()
        fit = RidgeCV(alphas=np.logspace(-1, 5, 13))
        fit.fit(terms[rows], (given[rows, column] - centre) / scale)
        values[:, column] = centre + scale * fit.predict(terms[other])
    size = len(labels) * (terms.shape[1] + 1)
    return given[other], values, size, time.process_time() - start


def judge(given, values, labels):
    """One row for each label."""
    rows = []
    for column, label in enumerate(labels):
        known = np.isfinite(given[:, column])
        truth, residual = given[known, column], (values - given)[known, column]
        middle = np.median(residual)
        rows.append(
            {
                "label": label,
                "n": int(known.sum()),
                "r2": float(1.0 - np.mean(residual**2) / truth.var()),
                "bias": float(middle),
                "scatter": float(1.4826 * np.median(np.abs(residual - middle))),
            }
        )
    return rows


#: Readers of spectra and of pixels, the view of the ridge, and whose recipe it is.
SETS = {
    "gaia_xp": (read_gaia, gaia_pixels, {"kind": "log"}, "gaia_xp_starnet_v1"),
    "lamost": (
        read_lamost, lamost_pixels, {"kind": "flat", "width": 301}, "lamost_starnet_v1",
    ),
}  # fmt: skip


def run(name, method, seed, options):
    """Train, judge, and keep the result in a file."""
    path = options.work / f"{name}-{method}-{seed}.json".replace(" ", "_")
    if path.exists():
        return
    _, pixels, view, recipe = SETS[name]
    recipe = read_recipe(recipe)
    counts = (options.n_held_out, options.n_validation, options.n_train)
    stars, labels, parts, facts = collect(name, options.data, *counts)
    passes = {"epochs": 0, "best_epoch": 0}
    if METHODS[method] is None:
        flux = pixels(stars, SpectralGrid.from_dict(recipe["grid"]))
        given, values, size, seconds = fit_quadratic(flux, view, stars, labels, parts)
    else:
        folder = options.work / path.stem
        given, values, size, seconds = train_network(
            method, seed, stars, labels, parts, facts, recipe, folder, options.fit,
            work=options.work / "prepared",
        )  # fmt: skip
        losses = Table.read(folder / "own_v1/training_log.ecsv")["validation_loss"]
        passes = {"epochs": len(losses), "best_epoch": 1 + int(np.argmin(losses))}
        shutil.rmtree(folder)
    about = {
        "set": name, "method": method, "seed": seed, "parameters": size, **passes,
        "n_train": int(np.count_nonzero(parts == "train")), "seconds": seconds,
    }  # fmt: skip
    found = [about | row for row in judge(given, values, labels)]
    path.write_text(json.dumps(found, indent=1))


def main() -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--n-train", type=int, default=40_000, help="stars at most")
    parser.add_argument("--n-validation", type=int, default=300)
    parser.add_argument("--n-held-out", type=int, default=800)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, help="of the networks")
    parser.add_argument("--precision", help="of Lightning")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin nothing afterwards"
    )
    options = parser.parse_args()
    given = {"epochs": options.epochs, "precision": options.precision}
    options.fit = {name: value for name, value in given.items() if value}
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    end = time.monotonic() + 60.0 * options.minutes
    for seed in options.seeds:
        for name in options.sets:
            for method in options.methods:
                if METHODS[method] is None and seed != options.seeds[0]:
                    continue  # a ridge has no seed
                if time.monotonic() < end:
                    run(name, method, seed, options)
    options.output.parent.mkdir(exist_ok=True)
    write_rounded(read_scores(options.work), options.output)


if __name__ == "__main__":
    main()
