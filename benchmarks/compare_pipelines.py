# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Networks, pipelines and The Cannon on the same real spectra, each against each.

``python benchmarks/compare_pipelines.py --data FOLDER`` compares for Gaia BP/RP spectra
of held-out stars the labels of ASPCAP, ``gaia_xp_starnet_v1`` (whose errors these stars
calibrated) and a quadratic model; for LAMOST spectra those of LASP,
``lamost_starnet_v1``, which has learned from these spectra, and a quadratic model that
has not. Test stars have no part. It writes
``docs/experiments/pipelines.ecsv``.
"""

import argparse
from itertools import combinations
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _label_fits import fit_labels, fit_quadratic
from _rounded import write_rounded
from astropy.table import Table
from bench_architectures import gaia_pixels, lamost_pixels, read_gaia, read_lamost
from scipy.ndimage import uniform_filter1d

from astro_latent import load_model, predict_parameters
from astro_latent.training import as_block, compare_labels
from recipes.reading import read_recipe
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments/pipelines.ecsv"
_DWARF = 3.8  # log g
_FAINT = 0.02  # of the median flux
_SMOOTH = 301  # pixels


def predict(name: str, stars: dict, labels: list[str], facts: dict) -> Table:
    """Labels of a bundled model, NaN where it does not stand by them."""
    found = predict_parameters(
        as_block(stars), model=load_model(name, device="cpu"), facts=facts,
        radial_velocity=stars.get("radial_velocity"), flux_errors=False, progress=False,
    )  # fmt: skip
    good = np.asarray(found["usable"])
    columns = [label for label in labels if label in found.colnames]
    return Table(
        {c: np.where(good, np.asarray(found[c], float), np.nan) for c in columns}
    )


def quadratic(
    pixels: tuple[np.ndarray, np.ndarray], stars: dict, labels: list[str],
    train: np.ndarray, asked: np.ndarray,
) -> Table:  # fmt: skip
    """Do as The Cannon in its plainest form: fit a model, then each spectrum."""
    flux, sigma = pixels
    values = np.stack([stars[label] for label in labels], axis=1).astype(float)
    train = train[np.isfinite(values[train]).all(axis=1)]
    valid = np.isfinite(sigma) & (sigma > 0)
    sigma = np.where(valid, sigma, 1.0).astype(np.float32)
    model = fit_quadratic(flux[train], sigma[train], valid[train], values[train])
    box = values[train].min(axis=0), values[train].max(axis=0)
    evolved = values[train, 1] < np.median(values[train, 1])
    starts = [np.median(values[train][rows], axis=0) for rows in (evolved, ~evolved)]
    found = []
    for row in asked:
        weight = valid[row] / (sigma[row] ** 2 + model.scatter)
        fits = [
            fit_labels(model, flux[row], weight, start=start, box=box)
            for start in starts
        ]
        found.append(min(fits, key=lambda fit: fit[2])[0])
    return Table(np.array(found), names=labels)


def compare(name: str, answers: dict[str, Table], seed: int) -> list[dict]:
    """Scores of each pair of answers."""
    rows = []
    for first, second in combinations(answers, 2):
        one, other = answers[second], answers[first]
        shared = [label for label in one.colnames if label in other.colnames]
        for row in compare_labels(one, other, shared, matched=True).scores:
            if row["by"] == "all":
                scores = {k: row[k] for k in ("n", "bias", "scatter", "scatter_error")}
                rows.append(
                    {"set": name, "seed": seed, "of": second, "against": first,
                     "label": row["label"], **scores}
                )  # fmt: skip
    return rows


def run_gaia(options: argparse.Namespace, seed: int) -> list[dict]:
    """Held-out giants; the quadratic model learns from others."""
    stars, labels, source, _ = read_gaia(options.data)
    labels = [label for label in labels if label != "a_k"]
    # dwarfs and giants of all temperatures are no quadratic function of anything
    giant = (stars["logg"] < _DWARF) & (stars["teff"] > 3800) & (stars["teff"] < 5700)
    stars, source = select(stars, giant), source[giant]
    divisor, rest = read_recipe("gaia_xp_starnet_v1")["parts"]["held_out"]
    held, rng = source % divisor == rest, np.random.default_rng(seed)
    asked = np.sort(rng.permutation(np.flatnonzero(held))[: options.n_asked])
    train = rng.permutation(np.flatnonzero(~held))[: options.n_train]
    flux, sigma = gaia_pixels(stars, None)
    flux = np.maximum(flux, _FAINT)  # in the logarithm dust adds
    pixels = np.log(flux), sigma / flux
    some = select(stars, asked)
    answers = {
        "ASPCAP": Table({label: some[label] for label in labels}),
        "gaia_xp_starnet_v1": predict(
            "gaia_xp_starnet_v1", some, labels, {"survey": "gaia_xp"}
        ),
        "quadratic model": quadratic(pixels, stars, [*labels, "a_k"], train, asked),
    }
    return compare("Gaia BP/RP, giants", answers, seed)


def run_lamost(options: argparse.Namespace, seed: int) -> list[dict]:
    """Three quarters teach the quadratic model, a quarter is asked about."""
    stars, labels, star, facts = read_lamost(options.data)
    stars, star = select(stars, stars["teff"] < 7500), star[stars["teff"] < 7500]
    names, rng = np.unique(star), np.random.default_rng(seed)
    quarter = (
        rng.permutation(len(names))[np.searchsorted(names, star)] * 4 // len(names)
    )
    asked = np.sort(rng.permutation(np.flatnonzero(quarter == 0))[: options.n_asked])
    model = load_model("lamost_starnet_v1", device="cpu")
    flux, sigma = lamost_pixels(stars, model.grid)
    smooth = np.maximum(uniform_filter1d(flux, _SMOOTH, axis=1), 0.05)
    flux, sigma = flux / smooth, sigma / smooth
    # four pixels in one: a fit of each spectrum takes a fourth of the time
    flux = flux.reshape(len(flux), -1, 4).mean(axis=2)
    sigma = np.sqrt((sigma.reshape(len(sigma), -1, 4) ** 2).sum(axis=2)) / 4
    some = select(stars, asked)
    answers = {"LASP": Table({label: some[label].astype(float) for label in labels})}
    answers["lamost_starnet_v1"] = predict(
        "lamost_starnet_v1", some, labels, facts["facts"]
    )
    answers["quadratic model"] = quadratic(
        (flux, sigma), stars, labels, np.flatnonzero(quarter != 0), asked
    )
    return compare("LAMOST below 7500 K", answers, seed)


def main() -> None:
    """Compare, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n-train", type=int, default=4000, help="Gaia spectra")
    parser.add_argument("--n-asked", type=int, default=400, help="spectra, at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in options.seeds:
        rows += run_gaia(options, seed) + run_lamost(options, seed)
    table = Table(rows)
    write_rounded(table, OUTPUT)
    table.pprint_all()


if __name__ == "__main__":
    main()
