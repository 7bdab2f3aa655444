# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""StarNet against The Cannon's quadratic model and against fits of the emulator itself.

``python benchmarks/compare_methods.py --data FOLDER --work FOLDER`` fits the quadratic
models to simulated spectra as StarNet is trained on, applies all methods to the same
stars block by block in one process and one thread, and writes
``docs/models/methods.ecsv``. The work folder is that of ``compare_architectures.py``.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _apogee_sets import CALM, TEST_SEED, draw_batch, training_set
from _label_fits import emulator_model, fit_labels, fit_quadratic, nuisance_basis
from astropy.table import Table

from astro_latent.models import load_model
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.priors import APOGEE_LABELS
from astro_latent.training.scores import score_residuals
from recipes.apogee.held_out import simulate_test_set
from recipes.apogee.stars import apogee_emulator

OUTPUT = Path(__file__).parents[1] / "docs/models/methods.ecsv"
#: Where fits start; the best of the results counts.
STARTS = {
    "giant": np.array([4700.0, 2.4, -0.2, 0.1, 5.0]),
    "dwarf": np.array([5300.0, 4.5, -0.15, 0.03, 5.0]),
}
_BLOCK = 20

Method = Callable[[PreparedSpectra], tuple[np.ndarray, np.ndarray]]


def fitting(model, box, *, basis=None, scatter=0.0) -> Method:
    """Make a method that fits each spectrum from every start: labels and errors."""

    def method(prepared: PreparedSpectra) -> tuple[np.ndarray, np.ndarray]:
        weight = np.where(prepared.valid, 1.0 / (prepared.variance + scatter), 0.0)
        labels, errors = [], []
        for flux, row in zip(prepared.flux, weight, strict=True):
            results = [
                fit_labels(model, flux, row, start=start, box=box, basis=basis)
                for start in STARTS.values()
            ]
            best = min(results, key=lambda result: result[2])
            labels.append(best[0])
            errors.append(np.sqrt(np.diag(best[1])))
        return np.array(labels), np.array(errors)

    return method


def network(model, *, flux_errors: bool) -> Method:
    """Make a method of the bundled network, with or without errors from the flux."""
    names = list(model.config.output_names)
    columns = [names.index(name) for name in APOGEE_LABELS]

    def method(prepared: PreparedSpectra) -> tuple[np.ndarray, np.ndarray]:
        prepared = replace(prepared, recipe=model.recipe)
        result = model.predict(prepared, flux_errors=flux_errors)
        # the systematic part is about other models of spectra, which are not here
        error = result.error_statistical
        return result.values[:, columns], error[:, columns]

    return method


def make_methods(options: argparse.Namespace) -> dict[str, Method]:
    """Load, train and name the methods."""
    model = load_model(options.model, device="cpu")
    networks = {
        "StarNet, labels": network(model, flux_errors=False),
        "StarNet, labels and errors": network(model, flux_errors=True),
    }
    if options.only_starnet:
        return networks
    emulator = apogee_emulator(options.data)
    box = (emulator.lower, emulator.upper)
    basis = nuisance_basis(model.grid)
    stars = training_set(options.data, options.work, options.n_spectra)
    rows = np.arange(options.n_train)
    spectra = draw_batch(stars, rows, np.random.default_rng(options.seed))
    labels = np.array(stars.labels[: options.n_train])
    start = time.process_time()
    both = fit_quadratic(*spectra, labels)
    print(f"quadratic model of {len(rows)}: {time.process_time() - start:.1f} s")
    giant = labels[:, 1] < 3.8
    giants = fit_quadratic(*(part[giant] for part in spectra), labels[giant])
    exact = emulator_model(emulator)
    return {
        **networks,
        "quadratic": fitting(both, box, scatter=both.scatter),
        "quadratic, continuum and velocity free": fitting(
            both, box, scatter=both.scatter, basis=basis
        ),
        "quadratic of giants": fitting(giants, box, scatter=giants.scatter),
        "quadratic of giants, continuum and velocity free": fitting(
            giants, box, scatter=giants.scatter, basis=basis
        ),
        "emulator": fitting(exact, box),
        "emulator, continuum and velocity free": fitting(exact, box, basis=basis),
    }


def run_blocks(
    methods: dict[str, Method], prepared: PreparedSpectra
) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Apply all methods to a block of stars, then to the next: values, errors, time."""
    values, errors, seconds = defaultdict(list), defaultdict(list), defaultdict(float)
    for first in range(0, len(prepared), _BLOCK):
        for name, method in methods.items():
            start = time.process_time()
            found, error = method(prepared[first : first + _BLOCK])
            seconds[name] += time.process_time() - start
            values[name].append(found)
            errors[name].append(error)
    return {
        name: (
            np.concatenate(values[name]),
            np.concatenate(errors[name]),
            seconds[name] / len(prepared),
        )
        for name in methods
    }


def judge(results, truth: np.ndarray, snr: float) -> list[dict]:
    """Rows of the table: method, class of star, label."""
    classes = {"giants": truth[:, 1] < 3.8, "dwarfs": truth[:, 1] >= 3.8}
    rows = []
    for method, (values, errors, seconds) in results.items():
        for kind, chosen in classes.items():
            if "giants" in method and kind == "dwarfs":
                continue
            scores = score_residuals(values[chosen], truth[chosen], APOGEE_LABELS)
            for column, label in enumerate(APOGEE_LABELS):
                residual = (values - truth)[chosen, column]
                rows.append(
                    {
                        "method": method,
                        "snr": snr,
                        "stars": kind,
                        "label": label,
                        **scores[label],
                        "rms": np.sqrt(np.mean(residual**2)),
                        "median_error": np.median(errors[chosen, column]),
                        "seconds_per_spectrum": seconds,
                    }
                )
    return rows


def main() -> None:
    """Compare and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--n-spectra", type=int, default=24_000)
    parser.add_argument("--n-train", type=int, default=8000)
    parser.add_argument("--n-test", type=int, default=300)
    parser.add_argument("--snr", type=float, nargs="+", default=[100.0, 20.0])
    parser.add_argument("--seed", type=int, default=TEST_SEED + 40)
    parser.add_argument(
        "--only-starnet", action="store_true",
        help="replace the network's rows of a table that is there, for new weights",
    )  # fmt: skip
    options = parser.parse_args()
    torch.set_num_threads(1)
    methods = make_methods(options)
    rows = []
    for snr in options.snr:
        prepared, truth = simulate_test_set(
            options.data, options.n_test, seed=options.seed, snr=snr, conditions=CALM
        )
        rows += judge(run_blocks(methods, prepared), truth, snr)
    if options.only_starnet:
        before = [dict(row) for row in Table.read(options.output)]
        kept = [row for row in before if row["method"] not in methods]
        # the order of the page: by signal-to-noise, the network first
        rows = sorted(rows + kept, key=lambda row: -row["snr"])
    table = Table(rows)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            table[name] = [float(f"{value:.4g}") for value in table[name]]
    table.meta = {
        "model": options.model,
        "n_train": options.n_train,
        "n_test": options.n_test,
        "seed": options.seed,
    }
    table.write(options.output, format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
