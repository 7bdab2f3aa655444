# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""As many simulated HARPS spectra as the archive has, through an encoder, once.

``python benchmarks/run_paper_scale.py --data FOLDER --output FOLDER`` simulates,
encodes and writes Parquet files of 1,024 spectra, 32 stars in 32 nights each; no
spectrum is ever on a disk. Each file is a function of its number and of the seed, is
written under another name and then moved, and says what it cost: the same command goes
on where it was stopped, and several may run at once with ``--first`` and ``--last``.
``benchmarks/count_paper_scale.py`` looks at the result.
"""

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from astropy import units as u
from astropy.table import QTable

from astro_latent.models import load_model
from astro_latent.simulation import (
    HarpsConditions,
    HarpsExposures,
    HarpsSimulator,
    draw_harps_labels,
)
from astro_latent.tables import write_table
from recipes.harps.stars import CATALOGUE, open_simulator

N_STARS, N_NIGHTS = 32, 32
N_ALONE = 8  # spectra that are in memory at a time
UNITS = {
    "radial_velocity": u.km / u.s, "berv": u.km / u.s, "vsini": u.km / u.s,
    "vmacro": u.km / u.s, "teff": u.K, "logg": u.dex, "m_h": u.dex, "pwv": u.mm,
}  # fmt: skip


def draw(data: Path, rng: np.random.Generator) -> tuple[np.ndarray, HarpsConditions]:
    """Draw stars, nights, and what each exposure has for itself."""
    labels = draw_harps_labels(N_STARS, data / CATALOGUE, rng=rng)
    stars = HarpsConditions.draw(labels[:, 0], rng=rng)
    nights = HarpsConditions.draw(np.zeros(N_NIGHTS), rng=rng)
    each = HarpsConditions.draw(np.zeros(N_STARS * N_NIGHTS), rng=rng)
    for name in ("radial_velocity", "vsini", "vmacro"):
        setattr(each, name, np.repeat(getattr(stars, name), N_NIGHTS))
    each.berv = np.tile(nights.berv, N_STARS)
    return np.repeat(labels, N_NIGHTS, axis=0), each


def make_part(
    simulator: HarpsSimulator, network: Any, data: Path, seed: int, number: int
) -> QTable:
    """Simulate and encode the spectra of one file."""
    rng = np.random.default_rng([seed, number])
    labels, each = draw(data, rng)
    spent, begun = {"simulate": 0.0, "encode": 0.0}, time.process_time()
    wall = time.monotonic()
    exposures = HarpsExposures(
        simulator, labels[::N_NIGHTS], each.select(slice(None, None, N_NIGHTS)),
        each.berv[:N_NIGHTS],
    )  # fmt: skip
    means, spreads = [], []
    valid = torch.from_numpy(simulator.grid.valid.copy()).expand(N_ALONE, -1)
    for first in range(0, len(labels), N_ALONE):
        rows = np.arange(first, first + N_ALONE)
        flux = exposures.observe(
            first // N_NIGHTS, rows % N_NIGHTS, each.select(rows), rng=rng
        )
        now = time.process_time()
        spent["simulate"] += now - begun
        mean, log_variance = network.encode(flux, valid)
        means.append(mean.numpy())
        spreads.append(torch.exp(0.5 * log_variance).numpy())
        begun = time.process_time()
        spent["encode"] += begun - now
    star = number * N_STARS + np.arange(len(labels)) // N_NIGHTS
    columns = {"star": star, "teff": labels[:, 0], "logg": labels[:, 1]}
    columns |= {"m_h": labels[:, 2], "alpha_m": labels[:, 3], **vars(each)}
    table = QTable(columns | {"latent": np.concatenate(means)}, units=UNITS)
    table["latent_error"] = np.concatenate(spreads)
    table.meta = {
        "seed": seed, "part": number,
        "simulate_seconds": spent["simulate"], "encode_seconds": spent["encode"],
        "wall_seconds": time.monotonic() - wall,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    return table


def main() -> None:
    """Make the files that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="harps_dae_fast_v1")
    parser.add_argument("--seed", type=int, default=270)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=263, help="264 x 1,024 = 270,336")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    options.output.mkdir(parents=True, exist_ok=True)
    simulator = open_simulator(options.data)
    model = load_model(options.model, device="cpu")
    with torch.inference_mode():
        for number in range(options.first, options.last + 1):
            path = options.output / f"part_{number:04d}.parquet"
            if path.exists():
                continue
            table = make_part(
                simulator, model.members[0], options.data, options.seed, number
            )
            table.meta["model"] = model.name
            write_table(table, path)
            spent = [f"{k} {v:.0f}" for k, v in table.meta.items() if "_" in k]
            print(path.name, *spent, flush=True)


if __name__ == "__main__":
    main()
