# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the nodes of a HARPS autoencoder follow, on simulated and on real spectra.

``python benchmarks/analyse_harps.py --model NAME --data FOLDER`` writes
``docs/models/nodes_NAME.ecsv``, ``probes_NAME.ecsv``, ``repeats_NAME.ecsv``,
``real_NAME.ecsv`` and five pictures. FOLDER holds ``harps/synthetic``,
``harps/telluric``, ``harps/catalogue``, ``harps/alpha_cen_b`` and ``harps/s1d``. The
simulated stars are drawn anew (seed 91); of the real spectra the Sun on Ganymede told
which pixels to trust, the others took no part in any training.
"""

import argparse
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from matplotlib import pyplot as plt
from scipy.stats import spearmanr

from astro_latent.latent import (
    find_monotone_range,
    fit_probes,
    measure_dispersion,
    measure_mutual_information,
    prior_divergence,
    probe_table,
    score_velocity_node,
    traverse_node,
)
from astro_latent.models import SpectralModel, load_model
from astro_latent.plotting import (
    plot_latent_label,
    plot_mutual_information,
    plot_reconstruction,
    plot_traversal,
)
from astro_latent.preparation import prepare_spectra
from astro_latent.spectra import decode_flags
from recipes.harps.stars import simulate_stars

OUTPUT = Path(__file__).parents[1] / "docs/models"
SEED = 91
LABELS = (
    "radial_velocity", "berv", "teff", "logg", "m_h", "vsini", "airmass", "pwv", "snr",
)  # fmt: skip
#: Telluric bands, Angstrom in air.
TELLURIC = ((5880, 5990), (6270, 6330), (6460, 6610), (6860, 6920))


def simulated(
    model: SpectralModel, data: Path, n_spectra: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Latents, their spreads and true labels of simulated stars."""
    import torch

    network: Any = model.members[0]
    make = simulate_stars(data, batch_size=8, seed=SEED)
    means, spreads, labels = [], [], []
    for number in range(n_spectra // 8):
        batch = make(number)
        with torch.inference_mode():
            for row in batch["flux"].split(1):
                mean, log_variance = network.encode(row)
                means.append(mean[0].numpy())
                spreads.append(np.exp(0.5 * log_variance[0].numpy()))
        c, stars = batch["conditions"], batch["labels"]
        labels.append(
            np.column_stack(
                [c.radial_velocity, c.berv, *stars[:, :3].T, c.vsini, c.airmass, c.pwv,
                 c.snr]
            )
        )  # fmt: skip
    table = dict(zip(LABELS, np.concatenate(labels).T, strict=True))
    return np.array(means), np.array(spreads), table


def owners(
    latents: np.ndarray, labels: dict[str, np.ndarray], n_permutations: int
) -> tuple[Any, Table]:
    """For each label: the node that says most of it, and how."""
    found = measure_mutual_information(
        latents, labels, n_permutations=n_permutations, rng=SEED
    )
    rows = []
    for place, label in enumerate(found.labels):
        corrected = found.corrected[place]
        node = int(corrected.mean(axis=0).argmax())
        first = corrected.argmax(axis=1) == node
        rank = spearmanr(latents[:, node], labels[label]).statistic
        window = find_monotone_range(latents[:, node], labels[label])
        inside = (labels[label] >= window.low) & (labels[label] <= window.high)
        within = spearmanr(latents[inside, node], labels[label][inside]).statistic
        second = np.sort(corrected.mean(axis=0))[-2]
        rows.append(
            {
                "label": label,
                "node": int(found.nodes[node]),
                "first_in_binnings": f"{first.sum()} of {len(first)}",
                "information": float(corrected.mean(axis=0)[node]),
                "runner_up": float(second),
                "p_value": float(found.p_value[place, :, node].max()),
                "spearman": float(rank),
                "low": float(window.low),
                "high": float(window.high),
                "spearman_within": float(within),
                "n": int(inside.sum()),
            }
        )
    return found, Table(rows)


def probes(latents: np.ndarray, labels: dict[str, np.ndarray]) -> Table:
    """How well all nodes together give each label, for stars not fitted to."""
    stars = [str(row) for row in range(len(latents))]  # one spectrum of each
    tables = []
    for kind in ("ridge", "boosting"):
        found = fit_probes(
            latents, labels, latent_id=stars, label_id=stars, star=stars, kind=kind,
            n_bootstrap=200, rng=SEED,
        )  # fmt: skip
        table = probe_table(found)
        table["kind"] = kind
        tables.append(table)
    return vstack(tables)


def real_spectra(model: SpectralModel, paths: list[Path]) -> tuple[Table, np.ndarray]:
    """Residuals and latents of real files."""
    rows, latents = [], []
    wavelength = model.grid.wavelength
    telluric = np.zeros(len(wavelength), dtype=bool)
    for low, high in TELLURIC:
        telluric |= (wavelength > low) & (wavelength < high)
    for path in paths:
        prepared = prepare_spectra([path], model.grid, model.recipe)
        result = model.reconstruct(prepared)
        difference = np.abs(prepared.flux[0] - result.flux[0])
        header = fits.getheader(path)
        rows.append(
            {
                "file": path.name,
                "residual": float(difference[prepared.valid[0] & ~telluric].mean()),
                "berv": float(header.get("HIERARCH ESO DRS BERV", np.nan)),
                "flags": ", ".join(decode_flags(int(result.flags[0]))),
            }
        )
        latents.append(result.latents.mean[0])
    return Table(rows), np.array(latents)


def pictures(
    model: SpectralModel,
    latents: np.ndarray,
    labels: dict[str, np.ndarray],
    found: Any,
    table: Table,
    example: Path,
) -> None:
    """Nodes against labels, map of both, two traversals, one real spectrum."""
    name = model.name
    nodes = sorted({int(node) for node in table["node"]} | set(range(14)))
    _, pair = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for ax, node, label in zip(pair, (0, 4), ("radial_velocity", "teff"), strict=True):
        plot_latent_label(
            latents[:, node], labels[label], name=label, index=node,
            found=find_monotone_range(latents[:, node], labels[label]), ax=ax,
        )  # fmt: skip
    pair[0].figure.savefig(OUTPUT / f"labels_{name}.png", dpi=80)
    _, axes = plt.subplots(figsize=(9, 4))
    plot_mutual_information(found, ax=axes, nodes=nodes)
    axes.figure.savefig(OUTPUT / f"information_{name}.png", dpi=90, bbox_inches="tight")
    start = np.median(latents, axis=0)
    for node, window in ((0, (5182.0, 5190.0)), (4, (5160.0, 5190.0))):
        figure = plot_traversal(
            traverse_node(model, start, node=node, population=latents), window=window
        )
        figure.savefig(
            OUTPUT / f"traversal_{node}_{name}.png", dpi=64, bbox_inches="tight"
        )
    prepared = prepare_spectra([example], model.grid, model.recipe)
    rebuilt = model.reconstruct(prepared)
    figure = plot_reconstruction(
        model.grid.wavelength, prepared.flux[0], rebuilt.flux[0],
        valid=prepared.valid[0],
    )  # fmt: skip
    figure.savefig(OUTPUT / f"real_{name}.png", dpi=64, bbox_inches="tight")


def main() -> None:
    """Write tables and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="harps_dae_fast_v1")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n-spectra", type=int, default=1000)
    parser.add_argument("--n-permutations", type=int, default=1999)
    options = parser.parse_args()
    model = load_model(options.model, device="cpu")
    network: Any = model.members[0]
    latents, spreads, labels = simulated(model, options.data, options.n_spectra)
    print("informative nodes by dispersion:")
    for statistic in ("median", "mean"):
        count = measure_dispersion(
            latents, statistic=statistic, n_bootstrap=500, rng=SEED
        )
        print(" ", statistic, count.count, count.count_interval)
    nats = prior_divergence(latents, spreads)
    print("nats:", np.round(nats, 2).tolist())
    found, table = owners(latents, labels, options.n_permutations)
    table.meta = {"model": model.name, "n": len(latents), "seed": SEED}
    print(table)
    print("informative by information:", found.informative(level=0.001).tolist())
    table.write(OUTPUT / f"nodes_{model.name}.ecsv", overwrite=True)
    scores = probes(latents, labels)
    print(scores)
    scores.write(OUTPUT / f"probes_{model.name}.ecsv", overwrite=True)

    velocity_scale = float(getattr(network, "scale", np.ones(1))[0])

    def move(rows: np.ndarray, velocity: float) -> np.ndarray:
        moved = rows.copy()
        moved[:, 0] += velocity / velocity_scale
        return moved

    score = score_velocity_node(model, latents[:40], move=move)
    print(
        "RVIS:",
        np.mean(score.by_velocity),
        "ignored:",
        np.mean(score.ignored_by_velocity),
    )
    harps = options.data / "harps"
    nights, repeats = real_spectra(
        model, sorted((harps / "alpha_cen_b").glob("*.fits"))
    )
    nights["latent"] = repeats
    nights.write(OUTPUT / f"repeats_{model.name}.ecsv", overwrite=True)
    population = latents.std(axis=0)
    print("scatter of 12 nights over that of stars:")
    print(np.round(repeats.std(axis=0, ddof=1) / population, 4).tolist())
    drift = [spearmanr(node, nights["berv"]).statistic for node in repeats.T]
    print("their rank correlation with BERV:", np.round(drift, 2).tolist())
    others, _ = real_spectra(model, sorted((harps / "s1d").glob("*.fits")))
    print(nights["file", "residual", "berv", "flags"])
    print(others)
    others.write(OUTPUT / f"real_{model.name}.ecsv", overwrite=True)
    example = harps / "alpha_cen_b" / nights["file"][0]
    pictures(model, latents, labels, found, table, example)


if __name__ == "__main__":
    main()
