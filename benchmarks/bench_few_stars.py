# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A new instrument in 20 stars: networks that learned from MILES, asked about LAMOST.

``python benchmarks/bench_few_stars.py --data FOLDER --work FOLDER`` trains networks on
MILES spectra, hands them to `astro_latent.train_model` with 20, 50 and 200 LAMOST
stars, and compares with the same networks left alone and with a training from nothing.
500 other LAMOST stars judge, test stars have no part. Scores are kept in the work
folder, so a stopped run goes on. It writes ``docs/experiments/few_stars.ecsv`` and
``few_stars.png``.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _curves import draw_scatter, read_scores
from _rounded import write_rounded
from astropy.table import Table
from matplotlib import pyplot as plt

from astro_latent import load_model, predict_parameters, train_model
from astro_latent.plotting.style import axis_text
from astro_latent.preparation import SpectralGrid
from astro_latent.training import as_block
from recipes.reading import read_recipe
from recipes.real import lamost, miles
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
SIZES = (20, 50, 200)
WAYS = ("MILES alone", "MILES corrected", "from nothing")
_HOTTEST_MILES, _HOTTEST, _N_JUDGE = 10_000.0, 7500.0, 500
#: Of the networks that learn from MILES: lines only, and spectra as bad as LAMOST's.
_BASE = {
    "architecture": "residual_mlp",
    "arguments": {
        "n_hidden": 192, "n_blocks": 2, "dropout": 0.1, "n_noise": 0,
        "views": [{"kind": "flat", "n_components": 150, "width": 201, "shrink": 0.6}],
    },
    "augment": {
        "noise": 16.0, "velocity": 15.0, "continuum": 0.3, "resolution": 0.2,
        "missing": 0.3,
    },
    "members": 2, "epochs": 60, "batch_size": 64, "average": 0.99,
    "learning_rate": 1e-3, "held_out": 0.05, "validation": 0.0,
}  # fmt: skip


def learn_miles(options: argparse.Namespace) -> Path:
    """Weights from MILES alone, at the resolving power of LAMOST."""
    folder = options.work / "miles_v1"
    if not (folder / "held_out.ecsv").is_file():
        recipe = read_recipe("optical_r2000_starnet_v1")
        grid = {**recipe["grid"], "resolving_power": 1800.0}
        stars = miles.read_stars(options.data)
        stars = select(stars, ~stars["test"] & (stars["teff"] <= _HOTTEST_MILES))
        train_model(
            stars, list(miles.LABELS), output=folder, facts=miles.FACTS,
            star="miles_id", grid=SpectralGrid.from_dict(grid), overwrite=True,
            recipe={"steps": recipe["steps"]}, progress=False, **_BASE,
        )  # fmt: skip
    return folder


def read_lamost(data: Path, *, test: bool = False) -> tuple[dict, np.ndarray]:
    """Spectra below 7500 K, for tests or not, and a number for each star."""
    stars = lamost.read_stars(data)
    stars = select(stars, (stars["test"] == test) & (stars["teff"] <= _HOTTEST))
    return stars, np.unique(stars["star"], return_inverse=True)[1]


def teach(way: str, size: int, seed: int, few: dict, options: argparse.Namespace):
    """Return a model, and the processor seconds that it took."""
    base, start = learn_miles(options), time.process_time()
    if way == "MILES alone":
        return load_model(base, device="cpu"), 0.0
    begun = {"from_weights": base} if way == "MILES corrected" else {}
    folder = options.work / f"run-{way}-{size}-{seed}".replace(" ", "_")
    model = train_model(
        few, list(lamost.LABELS), facts=lamost.FACTS, star="star", seed=seed,
        radial_velocity=few["radial_velocity"], progress=False, work=folder, **begun,
    )  # fmt: skip
    seconds = time.process_time() - start
    shutil.rmtree(folder, ignore_errors=True)
    return model, seconds


def judge(model, stars: dict) -> list[dict]:
    """Scores of each label, of all rows that have a number."""
    found = predict_parameters(
        as_block(stars), model=model, facts=lamost.FACTS, flux_errors=False,
        radial_velocity=stars["radial_velocity"], progress=False,
    )  # fmt: skip
    rows = []
    for label in lamost.LABELS:
        residual = np.asarray(found[label], float) - stars[label]
        known = np.isfinite(residual)
        middle = np.median(residual[known])
        scores = {
            "n": int(known.sum()),
            "bias": middle,
            "scatter": 1.4826 * np.median(np.abs(residual[known] - middle)),
            "rms": np.sqrt(np.mean(residual[known] ** 2)),
        }
        for share, name in ((68, f"{label}_error"), (95, f"{label}_interval_95")):
            width = np.asarray(found[name], float)[known]
            scores[f"within_{share}"] = np.mean(np.abs(residual[known]) < width)
        rows.append({"label": label} | {k: float(v) for k, v in scores.items()})
    return [row | {"usable": float(np.mean(found["usable"]))} for row in rows]


def run(way: str, size: int, seed: int, options: argparse.Namespace) -> None:
    """Teach, judge, and keep the scores in a file."""
    last = "-test" if options.test_stars else ""
    path = options.work / f"{way}-{size}-{seed}{last}.json".replace(" ", "_")
    if path.exists():
        return
    stars, star = read_lamost(options.data)
    place = np.random.default_rng(seed).permutation(star.max() + 1)[star]
    model, seconds = teach(way, size, seed, select(stars, place < size), options)
    others = select(stars, place > star.max() - _N_JUDGE)
    if options.test_stars:
        others, _ = read_lamost(options.data, test=True)
    about = {"way": way, "n_train": size, "seed": seed, "seconds": seconds}
    scores = judge(model, others)
    path.write_text(json.dumps([about | row for row in scores], indent=1))


def draw(table: Table, path: Path) -> None:
    """Scatter of each label against the number of stars."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="tight")
    for axis, label in zip(axes, lamost.LABELS, strict=True):
        for k, way in enumerate(WAYS):
            mine = table[(table["way"] == way) & (table["label"] == label)]
            style = {"marker": "os^"[k], "ls": ("--", "-", ":")[k], "label": way}
            draw_scatter(axis, mine, shift=1.03 ** (k - 1), **style)
        axis.set(
            xscale="log", xlabel="LAMOST stars that teach", ylim=(0, None),
            ylabel=f"scatter of {axis_text(label)}", xticks=SIZES, xticklabels=SIZES,
        )  # fmt: skip
        axis.minorticks_off()
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Teach what is not in the work folder, then write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--test-stars", action="store_true", help="let these judge, in the end"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for way in options.ways:
        for size in options.sizes:
            for seed in options.seeds:
                run(way, size, seed, options)
    last = "-test" if options.test_stars else ""
    table = read_scores(options.work, f"[0-9]{last}.json")
    table.sort(["way", "n_train", "seed"])
    write_rounded(table, OUTPUT / f"few_stars{last.replace('-', '_')}.ecsv")
    if not options.test_stars:
        draw(table, OUTPUT / "few_stars.png")


if __name__ == "__main__":
    main()
