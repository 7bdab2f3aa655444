# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""StarNet's defaults against what a search finds, by TPE and at random.

``python benchmarks/bench_search.py --data FOLDER --work FOLDER`` searches for each set
of real spectra with both samplers and the same number of trials, then trains the
defaults and both results with three seeds each, and judges all on stars that neither
taught nor chose. What is in the work folder is not done again. Writes
``docs/experiments/search.ecsv`` and the pictures. Test stars have no part.
"""

import argparse
import json
import shutil
from pathlib import Path

import _paths  # noqa: F401
import matplotlib as mpl
import numpy as np
from astropy.table import Table
from bench_architectures import judge, read_gaia, read_lamost

from astro_latent import search_hyperparameters, train_model
from astro_latent.plotting import plot_importances, plot_search
from astro_latent.preparation import SpectralGrid
from recipes.reading import read_recipe
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
#: Reader, recipe, and stars that teach, choose and judge.
SETS = {
    "gaia_xp": (read_gaia, "gaia_xp_starnet_v1", (3000, 1000, 4000)),
    "lamost": (read_lamost, "lamost_starnet_v1", (1500, 300, 500)),
}
SAMPLERS = ("tpe", "random")
SEEDS = 3


def collect(name, data):
    """Return spectra, labels, and what all trainings of a set share."""
    read, recipe, counts = SETS[name]
    stars, labels, star, facts = read(data)
    recipe, names = read_recipe(recipe), np.unique(star)
    order = np.random.default_rng(11).permutation(len(names))
    place = order[np.searchsorted(names, star)]
    edges = np.cumsum(counts)
    parts = np.array(["train", "validation", "held_out", ""])
    parts = parts[np.searchsorted(edges, place, side="right")]
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
    """Return what a search found."""
    stars, labels, common = given
    found = search_hyperparameters(
        stars, labels, output=options.work / f"{name}-{sampler}", sampler=sampler,
        n_trials=options.trials, epochs=options.epochs, **common,
    )  # fmt: skip
    found.trials.write(OUTPUT / f"search_{name}_{sampler}.ecsv", overwrite=True)
    return found


def train(name, method, seed, settings, given, options):
    """Train once; one row for each label."""
    path = options.work / f"{name}-{method}-{seed}.json"
    if not path.exists():
        stars, labels, common = given
        folder = options.work / path.stem
        settings = {"architecture": "starnet", "epochs": options.epochs, **settings}
        train_model(
            stars, labels, output=folder / "own_v1", seed=seed, overwrite=True,
            work=options.work / f"{name}-prepared", **settings, **common,
        )  # fmt: skip
        found = Table.read(folder / "own_v1/held_out.ecsv")
        residuals = (
            np.stack([np.asarray(found[f"{label}{end}"], float) for label in labels], 1)
            for end in ("_given", "")
        )
        about = {"set": name, "method": method, "seed": seed}
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
        ax.set_title(f"{sampler}: {ax.get_title()}")
    low = min(ax.get_ylim()[0] for ax in axes[:2])
    high = max(ax.get_ylim()[1] for ax in axes[:2])
    for ax in axes[:2]:
        ax.set_ylim(low, high)
    if len(found["tpe"].importances):
        plot_importances(found["tpe"].importances, ax=axes[2])
    figure.savefig(OUTPUT / f"search_{name}.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Search and train what is missing, then write table and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    rows = []
    for name in options.sets:
        given = collect(name, options.data)
        found = {sampler: search(name, sampler, given, options) for sampler in SAMPLERS}
        draw(name, found)
        settings = {"defaults": {}} | {s: found[s].settings for s in SAMPLERS}
        for seed in range(SEEDS):
            for method, changes in settings.items():
                rows += train(name, method, seed, changes, given, options)
        for sampler in SAMPLERS:
            print(name, sampler, found[sampler].loss, found[sampler].settings)
    Table(rows).write(OUTPUT / "search.ecsv", overwrite=True)
    Table(rows).pprint(max_lines=-1, max_width=-1)


if __name__ == "__main__":
    main()
