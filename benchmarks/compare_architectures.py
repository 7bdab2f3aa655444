# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Five networks on the same spectra with the same budget, several seeds each.

``python benchmarks/compare_architectures.py --data FOLDER --work FOLDER`` trains what
is not yet in the work folder (one file per network and seed, so a stopped run goes on)
and writes ``docs/models/architectures.ecsv``. FOLDER of ``--data`` holds
``apogee/emulators/binspec_plus`` and ``apogee/labels``.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _apogee_sets import StarSet, draw_batch, test_sets, training_set
from _five_networks import NETWORKS, make_network
from astropy.table import Table

from astro_latent.simulation.priors import APOGEE_LABELS
from astro_latent.training.loop import fit
from astro_latent.training.scores import score_residuals

OUTPUT = Path(__file__).parents[1] / "docs/models/architectures.ecsv"


def make_batches(stars: StarSet, targets: np.ndarray, *, batch_size: int, seed: int):
    """Batches as functions of the step: the same ones for every network."""

    def make(step: int) -> tuple[torch.Tensor, ...]:
        rng = np.random.default_rng([seed, step])
        rows = np.sort(rng.choice(len(targets), batch_size, replace=False))
        flux, _, valid = draw_batch(stars, rows, rng)
        return tuple(map(torch.from_numpy, (flux, valid, targets[rows])))

    return make


def squared_error(model, batch, step):
    """Mean squared error in units of the labels' spread."""
    flux, valid, truth = batch
    return (model(flux, valid) - truth).square().mean(), {}


def train(name: str, seed: int, stars: StarSet, options: argparse.Namespace):
    """Train one network; return it, the units of its labels, and CPU seconds."""
    labels = np.asarray(stars.labels)
    offset, scale = labels.mean(0), labels.std(0)
    torch.manual_seed(seed)
    model = make_network(name, n_pixels=stars.flux.shape[1], n_labels=labels.shape[1])
    sample = np.ma.masked_array(stars.flux[:1000], ~stars.valid[:1000], np.float32)
    model.pixel_mean.copy_(torch.from_numpy(sample.mean(0).filled(1.0)))
    model.pixel_scale.fill_(float(sample.std()))
    folder = options.work / f"{name}_{seed}".replace(" ", "_")
    targets = ((labels - offset) / scale).astype(np.float32)
    start = time.process_time()
    fit(
        model,
        squared_error,
        make_batches(stars, targets, batch_size=options.batch_size, seed=seed),
        n_steps=options.n_steps,
        learning_rate=options.learning_rate,
        weight_decay=1e-4,
        work=folder,
        log_every=50,
        checkpoint_every=options.n_steps,
    )
    seconds = time.process_time() - start
    shutil.rmtree(folder)  # the checkpoint is large and of no further use
    return model.eval(), offset, scale, seconds


@torch.inference_mode()
def predict(model, prepared, offset: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Predict labels in blocks."""
    flux, valid = torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
    parts = [
        model(flux[i : i + 64], valid[i : i + 64]).numpy()
        for i in range(0, len(flux), 64)
    ]
    return offset + scale * np.concatenate(parts)


def judge(model, sets, offset: np.ndarray, scale: np.ndarray) -> list[dict]:
    """One row per test set and label."""
    rows = []
    for conditions, (prepared, truth) in sets.items():
        start = time.process_time()
        values = predict(model, prepared, offset, scale)
        seconds = (time.process_time() - start) / len(values)
        scores = score_residuals(values, truth, APOGEE_LABELS)
        for column, label in enumerate(APOGEE_LABELS):
            squares = np.mean((values[:, column] - truth[:, column]) ** 2)
            rows.append(
                {
                    "test": conditions,
                    "label": label,
                    "r2": float(1.0 - squares / truth[:, column].var()),
                    "bias": scores[label]["bias"],
                    "scatter": scores[label]["scatter"],
                    "n": scores[label]["n"],
                    "seconds_per_spectrum": seconds,
                }
            )
    return rows


def main() -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--n-spectra", type=int, default=24_000)
    parser.add_argument("--n-test", type=int, default=2000)
    parser.add_argument("--n-steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    stars = training_set(options.data, options.work, options.n_spectra)
    sets = test_sets(options.data, options.n_test)
    for seed in options.seeds:
        for name in options.networks:
            path = options.work / f"{name}_{seed}.json".replace(" ", "_")
            if path.exists():
                continue
            model, offset, scale, seconds = train(name, seed, stars, options)
            facts = {
                "network": name,
                "seed": seed,
                "parameters": sum(p.numel() for p in model.parameters()),
                "training_seconds": seconds,
            }
            rows = [facts | row for row in judge(model, sets, offset, scale)]
            path.write_text(json.dumps(rows, indent=1))
    write_table(options)


def write_table(options: argparse.Namespace) -> None:
    """Join the results of all trainings that are done."""
    paths = [
        options.work / f"{name}_{seed}.json".replace(" ", "_")
        for seed in options.seeds
        for name in NETWORKS
    ]
    rows = [
        row for path in paths if path.exists() for row in json.loads(path.read_text())
    ]
    table = Table(rows)
    for name in ("r2", "bias", "scatter", "seconds_per_spectrum", "training_seconds"):
        table[name].info.format = ".5g"
        table[name] = [float(f"{value:.5g}") for value in table[name]]
    table.meta = {
        name: getattr(options, name)
        for name in ("n_spectra", "n_test", "n_steps", "batch_size", "learning_rate")
    }
    table.write(options.output, format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
