# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Scatter and coverage on real spectra with more and more pixels missing.

``python benchmarks/bench_missing.py --data FOLDER --work FOLDER`` asks
``gaia_xp_starnet_v1`` about stars that calibrated its errors and taught it nothing
else, and networks that are trained here, as ``lamost_starnet_v1`` is but one for each
seed, about a quarter of the LAMOST stars that they never saw. Test stars have no part.
It writes ``docs/experiments/missing.ecsv`` and ``missing.png``; scores are kept in the
work folder, so a stopped run goes on.
"""

import argparse
from functools import partial
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _curves import write_out
from _rounded import write_rounded
from astropy.table import Table, vstack
from bench_architectures import read_gaia, read_lamost
from matplotlib import pyplot as plt

from astro_latent import train_model
from astro_latent.plotting.style import symbol
from astro_latent.preparation import SpectralGrid
from astro_latent.training import evaluate_missing
from recipes.reading import read_recipe
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75)
#: Wavelengths of the arms, Angstrom.
ARMS = {
    "gaia_xp": {"BP": (3300.0, 6400.0), "RP": (6400.0, 10300.0)},
    "lamost": {"the blue arm": (3600.0, 5900.0), "the red arm": (5900.0, 9200.0)},
}
_TITLES = {"gaia_xp": "Gaia BP/RP", "lamost": "LAMOST"}
_LINES = {"pixels": "-", "stretches": "--"}
_SCORES = {
    "scatter": "scatter / that of whole spectra",
    "coverage_68": "share within the error",
    "coverage_95": "share within the 95 % interval",
}


def ask_gaia(options: argparse.Namespace) -> Table:
    """Ask the bundled weights about held-out stars."""
    stars, labels, source, _ = read_gaia(options.data)
    divisor, rest = read_recipe("gaia_xp_starnet_v1")["parts"]["held_out"]
    rows = np.flatnonzero(source % divisor == rest)
    rows = np.random.default_rng(5).permutation(rows)[: options.n_stars]
    found = evaluate_missing(
        "gaia_xp_starnet_v1", select(stars, np.sort(rows)), labels,
        fractions=FRACTIONS, arms=ARMS["gaia_xp"], seeds=options.seeds,
        facts={"survey": "gaia_xp"}, device="cpu",
    )  # fmt: skip
    found["network"] = 0
    return found


def ask_lamost(options: argparse.Namespace, seed: int) -> Table:
    """Train without a quarter of the stars, and ask about these."""
    stars, labels, star, facts = read_lamost(options.data)
    names = np.unique(star)
    place = np.random.default_rng(seed).permutation(len(names))
    quarter = place[np.searchsorted(names, star)] * 4 // len(names)
    parts = np.array(["held_out", "train", "train", "asked"])[quarter]
    folder = options.work / f"lamost_{seed}"
    taught, velocity = parts != "asked", facts["radial_velocity"]
    if not (folder / "own_v1").exists():
        train_lamost(
            {**select(stars, taught), "part": parts[taught]}, labels, folder, seed,
            facts=facts["facts"], radial_velocity=velocity[taught],
        )  # fmt: skip
    asked = ~taught & (stars["teff"] <= 8000.0)
    found = evaluate_missing(
        folder / "own_v1", select(stars, asked), labels,
        fractions=FRACTIONS, arms=ARMS["lamost"], seeds=options.seeds[:1],
        facts=facts["facts"], radial_velocity=velocity[asked], device="cpu",
    )  # fmt: skip
    found["network"] = seed
    return found


def train_lamost(
    stars: dict, labels: list[str], folder: Path, seed: int, **given: object
) -> None:
    """Train one network by the recipe of ``lamost_starnet_v1``."""
    recipe = read_recipe("lamost_starnet_v1")
    settings = {
        k: v for k, v in recipe["train"].items() if k not in ("members", "folds")
    }
    train_model(
        stars, labels, split="part", seed=seed, output=folder / "own_v1",
        work=folder / "work", grid=SpectralGrid.from_dict(recipe["grid"]),
        recipe={"steps": recipe["steps"]}, augment=recipe["augment"],
        limits=recipe["limits"], arguments=recipe["arguments"], progress=False,
        **{**settings, **given},
    )  # fmt: skip


def draw(table: Table, path: Path) -> None:
    """Scatter over that of whole spectra, and coverage, against the share missing."""
    names = [name for name in _TITLES if name in table["set"]]
    labels = list(dict.fromkeys(table["label"]))
    figure, axes = plt.subplots(
        3, len(names), figsize=(4.3 * len(names), 9.5), sharex=True, sharey="row",
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for column, name in zip(axes.T, names, strict=True):
        mine = table[(table["set"] == name) & (table["rows"] == "all")]
        for k, label in enumerate(labels):
            for pattern, line in _LINES.items():
                chosen = np.isin(mine["pattern"], ["none", pattern])
                own = mine[chosen & (mine["label"] == label)]
                x = np.unique(own["fraction"])
                parts = [own[own["fraction"] == share] for share in x]
                style = {"color": f"C{k}", "ls": line, "marker": "o", "ms": 3, "lw": 1}
                for axis, score in zip(column, _SCORES, strict=True):
                    y = np.array([np.mean(part[score]) for part in parts])
                    base = y[:1] if score == "scatter" else 1.0
                    axis.plot(x, y / base, **style)
        column[0].set(title=_TITLES[name], yscale="log")
        write_out(column[0].yaxis)
        for axis, share in zip(column[1:], (0.683, 0.95), strict=True):
            axis.axhline(share, color="k", lw=0.6)
        column[-1].set_xlabel("share of pixels missing")
    for axis, score in zip(axes[:, 0], _SCORES, strict=True):
        axis.set_ylabel(_SCORES[score])
    handles = [
        *(plt.Line2D([], [], color=f"C{k}", label=symbol(label))
          for k, label in enumerate(labels)),
        *(plt.Line2D([], [], color="k", ls=line, label=f"{pattern} missing")
          for pattern, line in _LINES.items()),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    figure.savefig(path, dpi=80)


def main() -> None:
    """Ask what is not in the work folder, then write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n-stars", type=int, default=1000, help="of Gaia, at most")
    parser.add_argument("--sets", nargs="+", default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    lamost = {f"lamost_{k}": partial(ask_lamost, seed=k) for k in options.seeds}
    tasks = {"gaia_xp": {"gaia_xp": ask_gaia}, "lamost": lamost}
    for name in options.sets:
        for title, ask in tasks[name].items():
            path = options.work / f"{title}.ecsv"
            if not path.exists():
                found = ask(options)
                found.add_column([name] * len(found), name="set", index=0)
                found.write(path, format="ascii.ecsv")
    paths = sorted(options.work.glob("*.ecsv"))
    table = vstack([Table.read(p) for p in paths], metadata_conflicts="silent")
    write_rounded(table, OUTPUT / "missing.ecsv")
    draw(table, OUTPUT / "missing.png")


if __name__ == "__main__":
    main()
