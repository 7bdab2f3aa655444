# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether an unfinished training of the published autoencoder is disentangled already.

``python benchmarks/judge_dae128.py --data FOLDER --work FOLDER`` takes the newest
checkpoint in the work folder of ``recipes/harps_dae128_v2``, and prints what
``harps_dae128_v1`` missed: how many nodes are informative, the nodes of velocity and
temperature, RVIS, and the residual. Stars are those of ``analyse_harps.py`` (seed 91);
residuals at S/N 100 of those of the cards (seed 77).
"""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from analyse_harps import SEED, owners, simulated

from astro_latent.latent import (
    measure_dispersion,
    prior_divergence,
    score_velocity_node,
)
from astro_latent.preparation.grid import get_grid
from recipes.harps.published import build_autoencoder
from recipes.harps.stars import simulate_stars
from recipes.reading import read_recipe

_CARD_SEED = 77
_FASTEST = 50.0  # km/s, of stars whose velocity is moved by 40 more


def newest(recipe: dict[str, Any], work: Path) -> tuple[Any, str]:
    """Network of the newest checkpoint, and where it is from."""
    reached = [work / name for name in ("stage_0/checkpoint.pt", "start.pt")]
    reached = [path for path in reached if path.exists()]
    if not reached:
        msg = f"there is neither stage_0/checkpoint.pt nor start.pt in {work}"
        raise SystemExit(msg)
    state = torch.load(reached[0], weights_only=True)
    network: Any = build_autoencoder(recipe)
    network.load_state_dict(state["model"])
    return network.eval(), f"{reached[0].name}, step {state.get('step', 0)}"


def residuals(network: Any, data: Path, n_spectra: int) -> np.ndarray:
    """Mean absolute residual of each star over the valid pixels."""
    make = simulate_stars(data, batch_size=8, seed=_CARD_SEED, snr=100.0)
    valid = torch.from_numpy(get_grid("harps_327680").valid.copy())
    found = []
    for number in range(n_spectra // 8):
        for row in make(number)["flux"].split(1):
            with torch.inference_mode():
                found.append(float((network(row)[0] - row)[:, valid].abs().mean()))
    return np.array(found)


def velocity_score(
    network: Any, latents: np.ndarray, velocity: np.ndarray, node: int, n_stars: int
) -> Any:
    """RVIS of the node of the velocity, moved along its slope."""
    slow = np.flatnonzero(np.abs(velocity) < _FASTEST)
    slope = np.polyfit(velocity[slow], latents[slow, node], 1)[0]

    def decode(rows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [network.decode(row) for row in torch.from_numpy(rows).split(1)]
        return torch.cat(parts).numpy()

    def move(rows: np.ndarray, change: float) -> np.ndarray:
        moved = rows.copy()
        moved[:, node] += slope * change
        return moved

    return score_velocity_node(
        decode, latents[slow[:n_stars]], move=move,
        wavelength=get_grid("harps_327680").wavelength,
    )  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recipe", default="harps_dae128_v2")
    parser.add_argument("--n-spectra", type=int, default=400)
    parser.add_argument("--n-moved", type=int, default=40)
    parser.add_argument("--n-permutations", type=int, default=1999)
    options = parser.parse_args()
    network, where = newest(read_recipe(options.recipe), options.work)
    print(where)
    found = residuals(network, options.data, options.n_spectra)
    error = found.std(ddof=1) / len(found) ** 0.5
    print(f"residual {found.mean():.4f} +- {error:.4f} of {len(found)}")
    model: Any = SimpleNamespace(members=[network])
    latents, spreads, labels = simulated(model, options.data, options.n_spectra)
    for statistic in ("median", "mean"):
        count = measure_dispersion(
            latents, statistic=statistic, n_bootstrap=200, rng=SEED
        )
        print("informative,", statistic, count.count, count.count_interval)
    nats = prior_divergence(latents, spreads)
    print("nats:", np.round(np.sort(nats)[::-1][:20], 2).tolist())
    kept = {name: labels[name] for name in ("radial_velocity", "teff", "m_h", "vsini")}
    _, table = owners(latents, kept, options.n_permutations)
    table.pprint_all()
    node = int(table["node"][0])
    score = velocity_score(
        network, latents, labels["radial_velocity"], node, options.n_moved
    )
    print(f"RVIS {score.score:.4f}, ignored {score.ignored:.4f}")


if __name__ == "__main__":
    main()
