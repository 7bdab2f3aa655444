# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Are the same factors found again? Train the HARPS autoencoder with other seeds.

``python benchmarks/compare_seeds.py --data FOLDER --work FOLDER`` trains it twice more
as its recipe says, with another choice of spectra of the bank, other noise and other
first weights (trained networks are kept in the work folder), encodes the same 600
simulated stars with all three, pairs the nodes of two networks so that the sum of their
absolute rank correlations is largest, and writes ``docs/models/seeds_NAME.ecsv``. Which
node owns a label in each network goes to ``docs/models/seed_owners_NAME.ecsv``.
"""

import argparse
import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from analyse_harps import owners
from astropy.table import Table, vstack
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr

from astro_latent.models import load_model
from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from recipes.harps.stars import simulate_stars
from recipes.harps_dae_fast_v1.aligned import train_aligned
from recipes.options import Options

NAME = "harps_dae_fast_v1"
ROOT = Path(__file__).parents[1]
RECIPES, OUTPUT = ROOT / "recipes", ROOT / "docs/models"
N_PERMUTATIONS = 1999
SEED = 4242  # of the stars that are encoded


def trained(seed: int, data: Path, work: Path) -> AlignedAutoencoder:
    """Train with another seed, or read what was trained."""
    recipe = tomllib.loads((RECIPES / NAME / "recipe.toml").read_text())
    recipe["seed"] = recipe["fit"]["seed"] = seed
    path = work / f"seed_{seed}.pt"
    if not path.exists():
        options = Options(data=data, work=work / f"seed_{seed}", output=work)
        model = train_aligned({**recipe, "made_by": NAME}, options)
        torch.save(model.state_dict(), path)
    model = AlignedAutoencoder(**recipe["arguments"]).eval()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def main() -> None:
    """Train, encode, pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--n-spectra", type=int, default=600)
    options = parser.parse_args()
    networks: dict[str, Any] = {NAME: load_model(NAME, device="cpu").members[0]}
    for seed in options.seeds:
        networks[f"seed {seed}"] = trained(seed, options.data, options.work)
    make = simulate_stars(options.data, batch_size=8, seed=SEED)
    latents: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    truth = []
    for number in range(options.n_spectra // 8):
        batch = make(number)
        truth.append(
            np.c_[batch["conditions"].radial_velocity, batch["labels"][:, [0, 2]]]
        )
        with torch.inference_mode():
            for name, network in networks.items():
                latents[name].append(network.encode(batch["flux"])[0].numpy())
    labels = dict(
        zip(("radial_velocity", "teff", "m_h"), np.concatenate(truth).T, strict=True)
    )
    nodes = {name: np.concatenate(parts) for name, parts in latents.items()}
    rows = []
    for one, other in combinations(nodes, 2):
        size = nodes[one].shape[1]
        both = spearmanr(nodes[one], nodes[other]).statistic[:size, size:]
        pairs = zip(*linear_sum_assignment(-np.abs(both)), strict=True)
        for node, match in pairs:
            spread = nodes[one][:, node].std(), nodes[other][:, match].std()
            rows.append((one, other, node, match, both[node, match], *spread))
    table = Table(
        rows=rows,
        names=("one", "other", "node", "match", "spearman", "spread", "other_spread"),
    )
    table.meta = {"n": options.n_spectra, "seed": SEED}
    for name in ("spearman", "spread", "other_spread"):
        table[name].format = "%.3f"
    table.pprint_all()
    table.write(OUTPUT / f"seeds_{NAME}.ecsv", format="ascii.ecsv", overwrite=True)
    found = []
    for name, values in nodes.items():
        _, mine = owners(values, labels, N_PERMUTATIONS)
        mine["network"] = name
        found.append(mine)
    owned = vstack(found)
    owned.meta = table.meta
    owned.pprint_all()
    owned.write(OUTPUT / f"seed_owners_{NAME}.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
