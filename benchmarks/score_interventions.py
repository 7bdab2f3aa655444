# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether moving the latents of HARPS autoencoders moves lines as labels do.

``python benchmarks/score_interventions.py --data FOLDER --work FOLDER`` fits handles on
``--n-fit`` simulated stars (seed 91) for each bundled autoencoder, writes them into its
folder of weights, and scores them on ``--n-score`` others (seed 93) by RVIS and GIS of
Cvrček et al. (2025): ``docs/models/interventions_harps.ecsv``. The first 300 stars are
the table that a tutorial explores. Simulated latents are
kept in the work folder, so that a stopped run goes on. FOLDER of data holds
``harps/synthetic``, ``harps/telluric`` and ``harps/catalogue``.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from astropy.table import Table

from astro_latent.latent import (
    LabelHandle,
    fit_handles,
    intervene,
    score_label_handle,
    score_velocity_node,
    write_handles,
)
from astro_latent.models import list_models, load_model
from astro_latent.models.locate import find_weights
from astro_latent.simulation.harps import HarpsConditions
from astro_latent.simulation.harps_library import HARPS_LABELS, draw_harps_labels
from recipes.harps.stars import CATALOGUE, open_simulator, simulate_stars

OUTPUT = Path(__file__).parents[1] / "docs/models/interventions_harps.ecsv"
EXAMPLES = Path(__file__).parents[1] / "docs/tutorials/harps_latents.ecsv"
FIT_SEED, SCORE_SEED = 91, 93
CONDITIONS = ("radial_velocity", "berv", "vsini", "airmass", "pwv")
UNITS = {
    "radial_velocity": "km/s", "berv": "km/s", "vsini": "km/s", "vmicro": "km/s",
    "teff": "K", "logg": "dex", "m_h": "dex", "alpha_m": "dex",
}  # fmt: skip
#: Labels whose handles come with the models; the others are held by the regression.
KEPT = (
    "radial_velocity", "teff", "logg", "m_h", "vsini", "berv", "airmass", "pwv",
)  # fmt: skip
#: Changes that GIS imposes, about as large as bins of a grid of synthetic spectra.
CHANGES = {
    "teff": (-400.0, -200.0, 200.0, 400.0),
    "logg": (-0.4, -0.2, 0.2, 0.4),
    "m_h": (-0.4, -0.2, 0.2, 0.4),
}
#: The library's range, within which a star has to stay; velocities of RVIS do so too.
FASTEST = 50.0
RANGE = {"teff": (4100.0, 7600.0), "logg": (0.9, 4.9), "m_h": (-2.0, 0.5)}
BLOCK = 8


def autoencoders() -> list[str]:
    """Names of the bundled autoencoders of HARPS."""
    names = [str(name) for name in list_models()["name"]]
    return [name for name in names if name.startswith("harps_dae")]


def encode(networks: dict[str, Any], flux: torch.Tensor) -> dict[str, np.ndarray]:
    """Posterior means of some spectra by every network."""
    with torch.inference_mode():
        return {
            name: np.concatenate([network.encode(row)[0] for row in flux.split(1)])
            for name, network in networks.items()
        }


def label_columns(stars: np.ndarray, conditions: Any) -> dict[str, np.ndarray]:
    """Labels of simulated stars by name."""
    columns = dict(zip(HARPS_LABELS, stars.T, strict=True))
    return columns | {name: getattr(conditions, name) for name in CONDITIONS}


def sample(
    networks: dict[str, Any], data: Path, work: Path, n_spectra: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Latents by every network, and labels, of stars of any S/N."""
    make = simulate_stars(data, batch_size=BLOCK, seed=FIT_SEED)
    parts = []
    for number in range(n_spectra // BLOCK):
        path = work / f"fit_{number}.npz"
        if not path.exists():
            batch = make(number)
            found = encode(networks, batch["flux"])
            found |= label_columns(batch["labels"], batch["conditions"])
            np.savez(work / "part.npz", **found)
            (work / "part.npz").rename(path)
        parts.append(dict(np.load(path)))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    labels = {name: v for name, v in whole.items() if name not in networks}
    return {name: whole[name] for name in networks}, labels


def keep_examples(latents: np.ndarray, labels: dict[str, np.ndarray]) -> None:
    """Write the first stars as the table that the tutorials explore."""
    rows = slice(0, 300)
    table = Table({"obs_id": [f"simulated-{row}" for row in range(300)]})
    table["latent"] = latents[rows].round(4)
    for name in ("radial_velocity", "teff", "logg", "m_h"):
        table[name] = labels[name][rows].round(3)
        table[name].unit = UNITS[name]
    model = load_model("harps_dae_fast_v1", device="cpu")
    table.meta = {"model": model.name, "latent_groups": model.latent_groups}
    table.meta["description"] = f"Latents of simulated stars, seed {FIT_SEED}"
    table.write(EXAMPLES, overwrite=True)


def twins(
    networks: dict[str, Any], data: Path, work: Path, n_stars: int
) -> dict[str, np.ndarray]:
    """Latents of stars without noise, and of the same with one label changed.

    Shape (n_stars, 1 + n_labels * n_changes, n_latent): first the star itself, then
    each change of each label.
    """
    simulator = open_simulator(data)
    parts = []
    for number in range(n_stars):
        path = work / f"twins_{number}.npz"
        if not path.exists():
            labels, conditions = draw_star(data, number)
            rows = np.tile(labels, (1 + sum(map(len, CHANGES.values())), 1))
            row = 1
            for name, changes in CHANGES.items():
                stop = row + len(changes)
                rows[row:stop, HARPS_LABELS.index(name)] += changes
                row = stop
            # the same generator for each, so that flux shapes are the same as well
            clean = [
                simulator.simulate(
                    one[None], conditions, rng=np.random.default_rng(number)
                )[1]
                for one in rows
            ]
            np.savez(work / "part.npz", **encode(networks, torch.cat(clean)))
            (work / "part.npz").rename(path)
        parts.append(dict(np.load(path)))
    return {name: np.stack([part[name] for part in parts]) for name in networks}


def draw_star(data: Path, number: int) -> tuple[np.ndarray, HarpsConditions]:
    """Labels and circumstances of a star that stays in the library when changed."""
    rng = np.random.default_rng([SCORE_SEED, number])
    margin = np.array([max(changes) for changes in CHANGES.values()])
    low, high = np.array(list(RANGE.values())).T
    while True:
        labels = draw_harps_labels(1, data / CATALOGUE, rng=rng)
        conditions = HarpsConditions.draw(labels[:, 0], rng=rng, snr=500.0)
        inside = (low + margin <= labels[0, :3]) & (labels[0, :3] <= high - margin)
        if inside.all() and abs(conditions.radial_velocity[0]) < FASTEST:
            return labels[0], conditions


def score(
    name: str, handles: dict[str, LabelHandle], found: np.ndarray
) -> Iterator[dict[str, Any]]:
    """One row for each label and way to move it."""
    model = load_model(name, device="cpu")
    start, row = found[:, 0], 1
    yield {"model": name, "label": "radial_velocity"} | velocity(model, start, handles)
    for label, changes in CHANGES.items():
        truth = found[:, row : row + len(changes)].swapaxes(0, 1)
        row += len(changes)
        ways = {"direction": replace(handles[label], node=None)}
        if handles[label].node is not None:
            ways = {f"node {handles[label].node}": handles[label]} | ways
        for way, handle in ways.items():
            scored = score_label_handle(
                model, start, handle, changes=changes, truth=truth
            )
            yield {
                "model": name, "label": label, "way": way, "score": scored.score,
                "error": scored.error, "ignored": scored.ignored, "n": scored.count,
            }  # fmt: skip


def velocity(
    model: Any, start: np.ndarray, handles: dict[str, LabelHandle]
) -> dict[str, Any]:
    """RVIS of one model."""
    node = handles["radial_velocity"].node
    scored = score_velocity_node(
        model, start, move=lambda z, v: intervene(handles, z, radial_velocity=v)
    )
    return {
        "way": "direction" if node is None else f"node {node}", "score": scored.score,
        "error": np.nan, "ignored": scored.ignored, "n": scored.n_spectra,
    }  # fmt: skip


def with_scores(
    handles: dict[str, LabelHandle], rows: list[dict[str, Any]]
) -> dict[str, LabelHandle]:
    """Note how well handles move; the first row of a label is its own way."""
    ratios = {row["label"]: row["score"] / row["ignored"] for row in rows[::-1]}
    return {
        label: replace(handle, score=round(ratios[label], 3))
        if label in ratios
        else handle
        for label, handle in handles.items()
    }


def main() -> None:
    """Fit, write and score the handles of every bundled autoencoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n-fit", type=int, default=504)
    parser.add_argument("--n-score", type=int, default=40)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    networks = {n: load_model(n, device="cpu").members[0] for n in autoencoders()}
    latents, labels = sample(networks, options.data, options.work, options.n_fit)
    keep_examples(latents["harps_dae_fast_v1"], labels)
    found = twins(networks, options.data, options.work, options.n_score)
    rows = []
    for name in networks:
        found_handles = fit_handles(latents[name], labels, units=UNITS)
        handles = {label: found_handles[label] for label in KEPT}
        print(name, {label: handle.node for label, handle in handles.items()})
        scored = list(score(name, handles, found[name]))
        write_handles(with_scores(handles, scored), find_weights(name))
        rows += scored
    table = Table(rows)
    table.meta = {
        "n_fit": len(labels["teff"]), "fit_seed": FIT_SEED,
        "n_score": options.n_score, "score_seed": SCORE_SEED,
    }  # fmt: skip
    table.write(OUTPUT, overwrite=True)
    print(table)


if __name__ == "__main__":
    main()
