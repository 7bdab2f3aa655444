# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Both counts of informative nodes and the map of labels, at a thousand and at all.

``python benchmarks/count_paper_scale.py FOLDER`` reads what ``run_paper_scale.py`` has
written and prints what it cost. Nodes are counted by dispersion and by mutual
information: of 1,000 stars and all stars, one spectrum each, and of all spectra.
Counts and the maps of the first and the last go to ``docs/experiments``.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable, Table
from matplotlib import pyplot as plt

from astro_latent.latent import (
    MutualInformation,
    find_gap,
    measure_dispersion,
    measure_mutual_information,
    prior_divergence,
)
from astro_latent.plotting import plot_mutual_information
from astro_latent.tables import read_table

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
LABELS = (
    "radial_velocity", "berv", "teff", "logg", "m_h", "alpha_m", "vsini", "vmacro",
    "airmass", "pwv", "snr", "tilt",
)  # fmt: skip
SEED = 270


def read_parts(folder: Path) -> tuple[dict[str, np.ndarray], Table]:
    """Columns of all spectra, and what each file of them cost."""
    parts: list[QTable] = []
    costs = []
    for path in sorted(folder.glob("part_*.parquet")):
        part = read_table(path)
        kept = ("simulate_seconds", "encode_seconds", "wall_seconds", "memory_mib")
        costs.append({"rows": len(part)} | {key: float(part.meta[key]) for key in kept})
        parts.append(part)
    columns = {
        name: np.concatenate(
            [np.asarray(getattr(p[name], "value", p[name])) for p in parts]
        )
        for name in ("star", *LABELS, "latent", "latent_error")
    }
    return columns, Table(costs)


def say_costs(costs: Table) -> None:
    """Print time and memory, of the first thousand and of all."""
    rows = costs["rows"].sum()
    for name in ("simulate_seconds", "encode_seconds"):
        each = 1e3 * costs[name] / costs["rows"]
        low, high = np.quantile(each, (0.1, 0.9))
        print(
            f"{name}: {each[0]:.2f} ms a spectrum in the first file, "
            f"{1e3 * costs[name].sum() / rows:.2f} in all ({low:.2f}-{high:.2f})"
        )
    hours = costs["wall_seconds"].sum() / 3600
    memory = costs["memory_mib"]
    print(
        f"{rows} spectra in {hours:.2f} h; peak {memory[0]:.0f} MiB after the first "
        f"file, {memory[-1]:.0f} after the last"
    )


def count(
    name: str, columns: dict[str, np.ndarray], rows: np.ndarray, n_permutations: int
) -> tuple[dict[str, Any], MutualInformation]:
    """Count the nodes of some spectra both ways."""
    begun = time.process_time()
    latents = columns["latent"][rows].astype(float)
    labels = {label: columns[label][rows] for label in LABELS}
    spread = {
        kind: measure_dispersion(latents, statistic=kind, n_bootstrap=200, rng=SEED)
        for kind in ("median", "mean")
    }
    nats = prior_divergence(latents, columns["latent_error"][rows].astype(float))
    found = measure_mutual_information(
        latents, labels, n_permutations=n_permutations, rng=SEED
    )
    told = found.significant(level=0.001)
    row = {
        "sample": name,
        "n": len(rows),
        "median": spread["median"].count,
        "median_interval": str(spread["median"].count_interval),
        "mean": spread["mean"].count,
        "mean_interval": str(spread["mean"].count_interval),
        "gap": float(find_gap(nats)[1]),
        "information": int(told.any(axis=0).sum()),
        "pairs": int(told.sum()),
        "of_pairs": int(told.size),
        "least_p": float(np.nanmin(found.p_tail)),
        "null_nats_160_bins": float(
            (found.information - found.corrected)[:, -1].mean()
        ),
        "seconds": time.process_time() - begun,
    }
    print(row, flush=True)
    return row, found


def main() -> None:
    """Count at each size, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n-permutations", type=int, default=199)
    options = parser.parse_args()
    columns, costs = read_parts(options.folder)
    say_costs(costs)
    n, rng = len(columns["star"]), np.random.default_rng(SEED)
    order = rng.permutation(n)
    _, first = np.unique(columns["star"][order], return_index=True)
    stars = order[rng.permutation(first)]  # one spectrum of each, any of its nights
    samples = {"1,000 stars": stars[:1000], "all stars": stars}
    samples["all spectra"] = order
    rows, found = [], {}
    for name, chosen in samples.items():
        row, found[name] = count(name, columns, chosen, options.n_permutations)
        rows.append(row)
    owners = {
        name: {label: one.owner(label) for label in LABELS}
        for name, one in found.items()
    }
    for label in LABELS:
        values = {
            name: one.corrected[one.labels.index(label)].mean(axis=0)
            for name, one in found.items()
        }
        for name, nats in values.items():
            best = np.argsort(nats)[::-1][:3]
            print(label, name, [(int(k), round(float(nats[k]), 3)) for k in best])
        print(label, *(f"{name}: {owner[label]}" for name, owner in owners.items()))
    OUTPUT.mkdir(exist_ok=True)
    Table(rows).write(OUTPUT / "paper_scale.ecsv", overwrite=True)
    for name, stem in (("1,000 stars", "few"), ("all spectra", "all")):
        _, axes = plt.subplots(figsize=(9, 4))
        plot_mutual_information(found[name], ax=axes)
        axes.set_title(f"{len(samples[name]):,} spectra")
        target = OUTPUT / f"paper_scale_{stem}.png"
        axes.figure.savefig(target, dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    main()
