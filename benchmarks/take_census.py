# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Informative nodes of every bundled autoencoder, and those that no label explains.

``python benchmarks/take_census.py --data FOLDER --work FOLDER`` simulates 1,000 stars
for each of three seeds, exposes each twice (the same light, other noise), encodes
both, and writes ``docs/experiments/census.ecsv`` and ``census_nodes.ecsv``. Encoded
blocks are kept in the work folder: a stopped run goes on.
"""

import argparse
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from _rounded import write_rounded
from analyse_harps import LABELS
from astropy.table import Table, vstack

from astro_latent.latent import take_census
from astro_latent.models import list_models, load_model
from astro_latent.simulation.harps import HarpsSimulator
from recipes.harps.stars import simulate_stars

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
_BATCH, _BLOCK = 8, 40  # stars at a time, and in a file


def autoencoders() -> list[str]:
    """Names of the bundled models that decode what they encode."""
    names = [str(name) for name in list_models()["name"]]
    return [n for n in names if "decode" in load_model(n, device="cpu").capabilities]


def encode_block(
    models: dict[str, Any], data: Path, seed: int, block: int
) -> dict[str, np.ndarray]:
    """Latents and spreads of both exposures of some stars, and their labels."""
    make = simulate_stars(data, batch_size=_BATCH, seed=seed)
    found: dict[str, list[np.ndarray]] = {}
    for number in range(block * _BLOCK // _BATCH, (block + 1) * _BLOCK // _BATCH):
        batch = make(number)
        c, rng = batch["conditions"], np.random.default_rng([seed, number, 2])
        valid = torch.from_numpy(next(iter(models.values())).grid.valid)
        again = torch.zeros_like(batch["flux"])
        again[:, valid], _ = HarpsSimulator.expose(
            batch["clean"][:, valid], c.snr, rng=rng
        )
        columns = (
            c.radial_velocity, c.berv, *batch["labels"][:, :3].T, c.vsini, c.airmass,
            c.pwv, c.snr,
        )  # fmt: skip
        found.setdefault("labels", []).append(np.column_stack(columns))
        for name, model in models.items():
            for exposure, flux in enumerate((batch["flux"], again)):
                with torch.inference_mode():
                    rows = [model.members[0].encode(row) for row in flux.split(1)]
                for kind, part in (("mean", 0), ("log_variance", 1)):
                    values = np.concatenate([row[part].numpy() for row in rows])
                    found.setdefault(f"{name}:{kind}:{exposure}", []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def read_stars(
    models: dict[str, Any], options: argparse.Namespace, seed: int
) -> dict[str, np.ndarray]:
    """Encode what is not in the work folder; all blocks together."""
    blocks = []
    for block in range(options.n_stars // _BLOCK):
        path = options.work / f"stars_{seed}_{block:03d}.npz"
        if not path.exists():
            part = path.with_suffix(".part.npz")
            np.savez(part, **encode_block(models, options.data, seed, block))
            part.rename(path)
        with np.load(path) as stored:
            blocks.append(dict(stored))
    return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}


def count_nodes(
    model: Any, stars: dict[str, np.ndarray], options: argparse.Namespace, seed: int
) -> tuple[Table, Table]:
    """Take the census of one model; kept in the work folder."""
    paths = [
        options.work / f"{k}_{model.name}_{seed}.ecsv" for k in ("groups", "nodes")
    ]
    if not all(path.exists() for path in paths):
        mean = [stars[f"{model.name}:mean:{exposure}"] for exposure in (0, 1)]
        labels = dict(zip(LABELS, stars["labels"].T, strict=True))
        census = take_census(
            np.concatenate(mean),
            {name: np.tile(values, 2) for name, values in labels.items()},
            star=np.tile(np.arange(len(mean[0])), 2).astype(str).tolist(),
            groups=model.latent_groups,
            n_permutations=options.n_permutations,
            n_bootstrap=options.n_bootstrap,
            rng=seed,
        )
        for path, table in zip(
            paths, (census.to_table(), census.node_table()), strict=True
        ):
            table.add_column(np.full(len(table), model.name), name="model", index=0)
            table.add_column(np.full(len(table), seed), name="seed", index=1)
            table.write(path, format="ascii.ecsv", overwrite=True)
    groups, nodes = (Table.read(path) for path in paths)
    return groups, nodes


def main() -> None:
    """Encode, count, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n-stars", type=int, default=1000)
    parser.add_argument("--n-permutations", type=int, default=199)
    parser.add_argument("--n-bootstrap", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[91, 92, 93])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    models = {name: load_model(name, device="cpu") for name in autoencoders()}
    found = []
    for seed in options.seeds:
        stars = read_stars(models, options, seed)
        found += [count_nodes(each, stars, options, seed) for each in models.values()]
    for name, tables in zip(
        ("census", "census_nodes"), zip(*found, strict=True), strict=True
    ):
        table = vstack(list(tables), metadata_conflicts="silent")
        write_rounded(table, OUTPUT / f"{name}.ecsv")
    table.pprint_all()


if __name__ == "__main__":
    main()
