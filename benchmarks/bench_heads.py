# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Heads of a network on the same real spectra: Gaussian, covariance, mixture, flow.

``python benchmarks/bench_heads.py --data FOLDER --work FOLDER`` trains a residual MLP
with each head and three seeds on Gaia BP/RP spectra with the labels of APOGEE, and
judges what it says of stars that taught nothing: log score, coverage, correlations of
the errors, seconds. What is in the work folder is not done again. Writes
``docs/experiments/heads.ecsv`` and a corner plot of three stars (package corner). Test
stars have no part.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import _paths  # noqa: F401
import matplotlib as mpl
import numpy as np
import torch
from astropy.table import Table
from bench_search import collect

from astro_latent import load_model, train_model
from astro_latent.preparation import prepare_spectra
from astro_latent.training.arrays import as_block
from astro_latent.training.likelihood import log_prob

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
HEADS = ("gaussian", "covariance", "mixture", "flow")
SEEDS = 3
N_SAMPLES = 400
N_DRAWN = 4000  # for the corner plots
PAIRS = ((0, 1), (0, 2), (1, 2))
_ARGUMENTS = {
    "views": [{"kind": kind, "n_components": 110} for kind in ("flux", "log")],
    "n_blocks": 4,
}  # fmt: skip


def hold_out(stars):
    """Spectra that taught nothing."""
    rows = stars["part"] == "held_out"
    return {
        name: values[rows] if len(values) == len(rows) else values
        for name, values in stars.items()
    }


def judge(model, prepared, given):
    """Score what a model says of spectra whose labels are known."""
    network, scale = model.members[0], np.array([o.scale for o in model.outputs])
    offset = np.array([o.offset for o in model.outputs])
    labels = torch.from_numpy(((given - offset) / scale).astype(np.float32))
    arrays = (prepared.flux, prepared.valid, prepared.variance)
    start = time.process_time()
    with torch.inference_mode():
        features = network.features(*map(torch.from_numpy, arrays))
        score = log_prob(network, features, labels, dof=5.0)
    seconds = time.process_time() - start
    draws = model.sample(prepared, N_SAMPLES, seed=0)
    known = np.isfinite(given).all(1) & np.isfinite(draws).all((1, 2))
    low, high = np.quantile(draws, [0.16, 0.84], axis=1)
    lowest, highest = np.quantile(draws, [0.025, 0.975], axis=1)
    residual = given - draws.mean(axis=1)
    about = {
        "n": int(known.sum()),
        "log_score": float(score[known].mean()),
        "milliseconds": 1000.0 * seconds / len(given),
    }
    for k, output in enumerate(model.outputs):
        inside = (given[:, k] > low[:, k]) & (given[:, k] < high[:, k])
        within = (given[:, k] > lowest[:, k]) & (given[:, k] < highest[:, k])
        about[f"{output.name}_68"] = float(inside[known].mean())
        about[f"{output.name}_95"] = float(within[known].mean())
        middle = np.median(residual[known, k])
        about[f"{output.name}_scatter"] = float(
            1.4826 * np.median(np.abs(residual[known, k] - middle))
        )
    pull = residual / draws.std(axis=1)
    for i, j in PAIRS:
        names = f"{model.outputs[i].name}_{model.outputs[j].name}"
        stated = [np.corrcoef(d[:, i], d[:, j])[0, 1] for d in draws[known][:500]]
        about[f"stated_{names}"] = float(np.median(stated))
        small = known & (np.abs(pull[:, [i, j]]) < 4).all(1)  # outliers rule otherwise
        about[f"found_{names}"] = float(np.corrcoef(pull[small][:, [i, j]].T)[0, 1])
    return about


def run(head, seed, given, options):
    """Train and judge once, and keep the weights of the first seed."""
    path = options.work / f"{head}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    stars, labels, common = given
    folder, start = options.work / f"own_{head}_{seed}_v1", time.process_time()
    model = train_model(
        stars, labels, output=folder, seed=seed, overwrite=True,
        work=options.work / f"prepared-{head}", epochs=options.epochs,
        arguments={**_ARGUMENTS, "posterior": head}, **common,
    )  # fmt: skip
    seconds = time.process_time() - start
    size = sum(parameter.numel() for parameter in model.members[0].parameters())
    held_out = hold_out(stars)
    prepared = prepare_spectra(list(as_block(held_out)), model.grid, model.recipe)
    truth = np.stack([held_out[label] for label in labels], axis=1)
    about = {
        "head": head, "seed": seed, "parameters": size, "train_seconds": seconds,
        **judge(model, prepared, truth),
    }  # fmt: skip
    path.write_text(json.dumps(about))
    if seed:
        shutil.rmtree(folder)
    return about


def draw(given, options):
    """Draw what two heads believe of three stars: a giant, a dwarf, a hot star."""
    import corner
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    stars, labels, _ = given
    held_out = hold_out(stars)
    wanted = ((4200.0, 1.5), (5800.0, 4.4), (7500.0, 4.0))
    rows = [
        int(np.argmin(np.hypot((held_out["teff"] - t) / 300, held_out["logg"] - g)))
        for t, g in wanted
    ]
    some = {n: v[rows] if len(v) == len(held_out["teff"]) else v
            for n, v in held_out.items()}  # fmt: skip
    truth = np.stack([some[label] for label in labels], axis=1)
    for k, name in enumerate(("giant", "dwarf", "hot_star")):
        figure = plt.figure(figsize=(8, 8))
        for head, colour in (("covariance", "#0072B2"), ("flow", "#D55E00")):
            model = load_model(options.work / f"own_{head}_0_v1", device="cpu")
            prepared = prepare_spectra(list(as_block(some)), model.grid, model.recipe)
            draws = model.sample(prepared, N_DRAWN, seed=1)[k]
            corner.corner(
                draws, fig=figure, labels=labels, truths=truth[k], color=colour,
                truth_color="#8C8C8C", plot_datapoints=False, plot_density=False,
                levels=(0.393, 0.865), smooth=1.0, max_n_ticks=3,
                weights=np.ones(len(draws)),
            )  # fmt: skip
        lines = [Line2D([], [], color=c) for c in ("#0072B2", "#D55E00", "#8C8C8C")]
        figure.legend(lines, ["covariance", "flow", "ASPCAP"], loc="upper right")
        figure.savefig(OUTPUT / f"heads_{name}.png", dpi=80)
        plt.close(figure)


def main() -> None:
    """Train what is missing, then write the table and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    given = collect("gaia_xp", options.data)
    rows = [run(head, seed, given, options) for seed in range(SEEDS) for head in HEADS]
    Table(rows).write(OUTPUT / "heads.ecsv", overwrite=True)
    Table(rows).pprint(max_lines=-1, max_width=-1)
    draw(given, options)


if __name__ == "__main__":
    main()
