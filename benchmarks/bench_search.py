# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""StarNet's defaults against what a search finds, by TPE and at random.

``python benchmarks/bench_search.py --data FOLDER --work FOLDER`` searches for each set
of real spectra with both samplers and the same number of trials, then trains the
defaults and both results with three seeds each, for as many passes as a trial and for
as many as `train_model` takes by itself, and judges all on stars that neither taught
nor chose. TPE draws its first ten trials at random, so that both share these. What is
in the work folder is not done again. Writes ``docs/experiments/search.ecsv``,
``search_trials.ecsv`` and the pictures. Test stars have no part.
"""

import argparse
import json
import shutil
import sys
import time
from itertools import product
from pathlib import Path

import _paths  # noqa: F401
import matplotlib as mpl
import numpy as np
import torch
from _rounded import write_rounded
from astropy.table import Table, vstack
from bench_architectures import judge, read_gaia, read_lamost

from astro_latent import search_hyperparameters, train_model
from astro_latent.plotting import plot_importances, plot_search
from astro_latent.preparation import SpectralGrid
from recipes.reading import read_recipe
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
#: Reader and recipe.
SETS = {
    "gaia_xp": (read_gaia, "gaia_xp_starnet_v1"),
    "lamost": (read_lamost, "lamost_starnet_v1"),
}
#: Stars that teach, choose and judge.
STARS = {
    "gaia_xp": {"train": 2000, "validation": 500, "held_out": 1500},
    "lamost": {"train": 800, "validation": 250, "held_out": 600},
}
SAMPLERS = {"tpe": "TPE", "random": "at random"}
SHARED = 10  # trials; what TPE draws at random before it has an opinion
SEEDS = 3
FULL = 60  # passes, the default for so few stars
_PRECISION = "bf16-mixed"


def collect(name, data, counts):
    """Return spectra with a part for each, labels, and what all trainings share."""
    read, recipe = SETS[name]
    stars, labels, star, facts = read(data)
    recipe, names = read_recipe(recipe), np.unique(star)
    order = np.random.default_rng(11).permutation(len(names))
    place = order[np.searchsorted(names, star)]
    edges = np.cumsum(list(counts.values()))
    parts = np.array([*counts, ""])[np.searchsorted(edges, place, side="right")]
    rows = parts != ""
    facts = dict(facts)
    if "radial_velocity" in facts:
        facts["radial_velocity"] = facts["radial_velocity"][rows]
    common = {
        "split": "part", "grid": SpectralGrid.from_dict(recipe["grid"]),
        "recipe": {"steps": recipe["steps"]}, "augment": recipe["augment"],
        "progress": False, **facts,
    }  # fmt: skip
    return {**select(stars, rows), "part": parts[rows]}, labels, common


def search(name, sampler, given, options):
    """Return what a search found; what both share is done once."""
    stars, labels, common = given
    folder, first = (options.work / f"{name}-{end}" for end in (sampler, "first"))
    tasks = [(folder, sampler, options.trials)]
    if not folder.exists():
        tasks.insert(0, (first, "random", min(SHARED, options.trials)))
    for place, how, count in tasks:
        if place == folder and not folder.exists():
            shutil.copytree(first, folder)
        found = search_hyperparameters(
            stars, labels, output=place, sampler=how, n_trials=count,
            epochs=options.epochs, precision=_PRECISION,
            timeout=max(1.0, options.end - time.monotonic()), **common,
        )  # fmt: skip
        ended = np.isin(found.trials["state"], ("complete", "pruned"))
        if np.count_nonzero(ended) < count:
            sys.exit("time is over: call again to go on")
    return found


def train(name, method, seed, epochs, settings, given, options):
    """Train once; one row for each label."""
    path = options.work / f"{name}-{method}-{epochs}-{seed}.json"
    if not path.exists():
        if time.monotonic() > options.end:
            sys.exit("time is over: call again to go on")
        stars, labels, common = given
        folder = options.work / path.stem
        settings = {"architecture": "starnet", **settings, "epochs": epochs}
        start = time.process_time()
        model = train_model(
            stars, labels, output=folder / "own_v1", seed=seed, overwrite=True,
            work=options.work / f"{name}-prepared", precision=_PRECISION, **settings,
            **common,
        )  # fmt: skip
        about = {
            "set": name, "method": method, "epochs": epochs, "seed": seed,
            "parameters": sum(p.numel() for p in model.members[0].parameters()),
            "seconds": time.process_time() - start,
        }  # fmt: skip
        found = Table.read(folder / "own_v1/held_out.ecsv")
        residuals = (
            np.stack([np.asarray(found[f"{label}{end}"], float) for label in labels], 1)
            for end in ("_given", "")
        )
        rows = [about | row for row in judge(*residuals, labels)]
        path.write_text(json.dumps(rows, indent=1))
        shutil.rmtree(folder)
    return json.loads(path.read_text())


def draw(name, found):
    """Draw the history of both samplers, and what mattered to the first."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    for ax, sampler in zip(axes, SAMPLERS, strict=False):
        plot_search(found[sampler].trials, ax=ax)
        ax.set_title(f"{SAMPLERS[sampler]}: {ax.get_title()}")
    low = min(ax.get_ylim()[0] for ax in axes[:2])
    high = max(ax.get_ylim()[1] for ax in axes[:2])
    for ax in axes[:2]:
        ax.set_ylim(low, high)
    if len(found["tpe"].importances):
        plot_importances(found["tpe"].importances, ax=axes[2])
        axes[2].set_title("What the loss depends on, by TPE's trials")
    figure.savefig(OUTPUT / f"search_{name}.png", dpi=70)
    plt.close(figure)


def tabulate(name, sampler, found):
    """One row for each trial of a search."""
    table = found.trials.copy()
    for column, value in (("sampler", sampler), ("set", name)):
        table.add_column([value] * len(table), name=column, index=0)
    return table


def main() -> None:
    """Search and train what is missing, then write table and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="begin nothing afterwards"
    )
    options = parser.parse_args()
    options.end = time.monotonic() + 60.0 * options.minutes
    options.work.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    torch.set_num_threads(1)
    rows, trials = [], []
    for name in options.sets:
        given = collect(name, options.data, STARS[name])
        found = {sampler: search(name, sampler, given, options) for sampler in SAMPLERS}
        draw(name, found)
        settings = {"defaults": {}} | {s: found[s].settings for s in SAMPLERS}
        for epochs, seed in product((options.epochs, FULL), range(SEEDS)):
            for method, changes in settings.items():
                rows += train(name, method, seed, epochs, changes, given, options)
        trials += [tabulate(name, sampler, found[sampler]) for sampler in SAMPLERS]
    write_rounded(Table(rows), OUTPUT / "search.ecsv")
    write_rounded(vstack(trials), OUTPUT / "search_trials.ecsv")


if __name__ == "__main__":
    main()
