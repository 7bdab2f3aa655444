# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Heads of a network on the same real spectra: Gaussian, covariance, mixture, flow.

``python benchmarks/bench_heads.py --data FOLDER --work FOLDER`` trains a residual MLP
with each head and three seeds on Gaia BP/RP spectra with the labels of APOGEE, and
judges what it says of stars that neither taught, chose nor calibrated: log score,
coverage, correlations of the errors, seconds. What is in the work folder is not done
again. Writes ``docs/experiments/heads.ecsv`` and corner plots of three stars. Test
stars have no part.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import _paths  # noqa: F401
import matplotlib as mpl
import numpy as np
import torch
from _rounded import write_rounded
from astropy.table import Table
from bench_search import collect

from astro_latent import load_model, train_model
from astro_latent.plotting import plot_posterior
from astro_latent.preparation import prepare_spectra
from astro_latent.training.arrays import as_block
from astro_latent.training.likelihood import log_prob
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
HEADS = ("gaussian", "covariance", "mixture", "flow")
STARS = {"train": 4000, "validation": 500, "held_out": 1000, "asked": 2000}
SEEDS = 3
DOF = 5.0  # of the Student t that all heads but the flow were fitted as
N_SAMPLES = 100
_BLOCK = 64  # spectra
N_DRAWN = 4000  # for the corner plots
PAIRS = ((0, 1), (0, 2), (1, 2), (0, 4))
#: Labels near which a star is looked for: T_eff, log g.
SHOWN = {"giant": (4200.0, 1.5), "dwarf": (5800.0, 4.4), "f_star": (6700.0, 4.0)}
_ARGUMENTS = {
    "views": [{"kind": kind, "n_components": 110} for kind in ("flux", "log")],
    "n_blocks": 4,
}  # fmt: skip


def prepare(model, stars):
    """Spectra on the model's grid."""
    return prepare_spectra(
        list(as_block(stars)), model.grid, model.recipe, progress=False
    )


def judge(model, stars, labels):
    """Score what a model says of spectra whose labels are known."""
    network, prepared = model.members[0], prepare(model, stars)
    given = np.stack([stars[label] for label in labels], axis=1)
    error = [stars.get(f"{label}_error", np.zeros(len(given))) for label in labels]
    error = np.nan_to_num(np.stack(error, axis=1))
    scale, offset = (
        np.array([getattr(output, name) for output in model.outputs])
        for name in ("scale", "offset")
    )
    truth, variance = (
        torch.from_numpy(array.astype(np.float32))
        for array in ((given - offset) / scale, (error / scale) ** 2)
    )
    arrays = (prepared.flux, prepared.valid, prepared.variance)
    start = time.process_time()
    with torch.inference_mode():
        features = network.features(*map(torch.from_numpy, arrays))
        generator = torch.Generator().manual_seed(0)
        drawn = torch.cat(  # all at once a flow takes gigabytes
            [network.sample(part, N_SAMPLES, generator=generator)
             for part in features.split(_BLOCK)]
        )  # fmt: skip
        seconds = time.process_time() - start
        score = log_prob(network, features, truth, variance, dof=DOF).numpy()
    draws = {
        "own": offset + scale * drawn.numpy(),
        "calibrated": model.sample(prepared, N_SAMPLES, seed=0),
    }
    known = np.isfinite(given).all(1) & prepared.usable
    about = {
        "n": int(known.sum()),
        "log_score": float(score[known].mean()),
        "log_score_error": float(score[known].std() / np.sqrt(known.sum())),
        "microseconds": 1e6 * seconds / len(given) / N_SAMPLES,
    }
    noise = error[:, None] * np.random.default_rng(1).normal(size=drawn.shape)
    for kind, values in draws.items():
        rank = np.mean((values + noise)[known] < given[known][:, None], axis=1)
        for k, label in enumerate(labels):
            for share in (68.3, 95.0):
                inside = np.abs(rank[:, k] - 0.5) < share / 200.0
                about[f"{label}_{kind}_{share:.0f}"] = float(inside.mean())
    residual = given - draws["own"].mean(axis=1)
    for k, label in enumerate(labels):
        middle = np.median(residual[known, k])
        about[f"{label}_scatter"] = float(
            1.4826 * np.median(np.abs(residual[known, k] - middle))
        )
    return about | compare_correlations(draws["own"][known], residual[known], labels)


def compare_correlations(draws, residual, labels):
    """Correlations of errors as a head states them, and as they are."""
    about = {}
    pull = residual / draws.std(axis=1)
    for pair in map(list, PAIRS):
        names = "_".join(labels[k] for k in pair)
        stated = [np.corrcoef(each[:, pair].T)[0, 1] for each in draws]
        about[f"{names}_stated"] = float(np.median(stated))
        small = (np.abs(pull[:, pair]) < 4).all(1)  # outliers rule otherwise
        about[f"{names}_found"] = float(np.corrcoef(pull[small][:, pair].T)[0, 1])
    return about


def score_file(head, seed, options):
    """Where the scores of one training lie."""
    return options.work / f"{head}-{seed}.json"


def run(head, seed, given, options):
    """Train and judge once, and keep the weights of the first seed."""
    path = score_file(head, seed, options)
    if path.exists():
        return json.loads(path.read_text())
    stars, labels, common = given
    folder, taught = options.work / f"own_{head}_{seed}_v1", stars["part"] != "asked"
    start = time.process_time()
    model = train_model(
        select(stars, taught), labels, output=folder, seed=seed, overwrite=True,
        work=options.work / "prepared", epochs=options.epochs, batch_size=128,
        arguments={**_ARGUMENTS, "posterior": head}, **common,
    )  # fmt: skip
    seconds = time.process_time() - start
    about = {
        "head": head, "seed": seed, "train_seconds": seconds,
        "parameters": sum(p.numel() for p in model.members[0].parameters()),
        **judge(model, select(stars, ~taught), labels),
    }  # fmt: skip
    path.write_text(json.dumps(about))
    if seed:
        shutil.rmtree(folder)
    return about


def draw(given, options):
    """Draw what two heads believe of three stars."""
    stars, labels, _ = given
    asked = select(stars, stars["part"] == "asked")
    known = np.isfinite([asked[label] for label in labels]).all(0)
    asked = select(asked, known)
    distance = [
        np.hypot((asked["teff"] - teff) / 300.0, asked["logg"] - logg)
        for teff, logg in SHOWN.values()
    ]
    some, draws = select(asked, np.argmin(distance, axis=1)), {}
    for head in ("covariance", "flow"):
        model = load_model(options.work / f"own_{head}_0_v1", device="cpu")
        draws[head] = model.sample(prepare(model, some), N_DRAWN, seed=1)
    for k, name in enumerate(SHOWN):
        figure = plot_posterior(
            {head: found[k] for head, found in draws.items()}, labels,
            given=[some[label][k] for label in labels], given_name="ASPCAP",
        )  # fmt: skip
        figure.savefig(OUTPUT / f"heads_{name}.png", dpi=60)


def main() -> None:
    """Train what is missing, then write the table and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin nothing afterwards"
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    torch.set_num_threads(1)
    given = collect("gaia_xp", options.data, STARS)
    end, rows = time.monotonic() + 60.0 * options.minutes, []
    tasks = [(head, seed) for head in HEADS for seed in range(SEEDS)]
    for head, seed in tasks:
        if time.monotonic() < end or score_file(head, seed, options).exists():
            rows.append(run(head, seed, given, options))
    write_rounded(Table(rows), OUTPUT / "heads.ecsv")
    if len(rows) < len(tasks):
        sys.exit(f"{len(rows)} of {len(tasks)} are done: call again to go on")
    draw(given, options)


if __name__ == "__main__":
    main()
