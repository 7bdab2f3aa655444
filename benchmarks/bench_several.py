# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One network for four surveys against a network for each.

``python benchmarks/bench_several.py --data FOLDER --work FOLDER`` trains, on BP/RP,
LAMOST and MILES spectra and emulated APOGEE spectra of the BP/RP stars, one network
with a stem for each, and for each survey a network of the same size by itself, on the
same stars for as many passes. A training is kept in the work folder, so a stopped run
goes on. Held-out stars judge: labels, labels of stars that two surveys share, and how
often a star is found again by the spectrum of another survey. It writes
``docs/experiments/several.ecsv``, ``several_pairs.ecsv``, ``several_found.ecsv`` and
``several.png``. Test stars have no part.
"""

import argparse
import time
from functools import cache
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _curves import write_out
from _rounded import write_rounded
from _survey_sets import find_common, read_all
from astropy.table import Table
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA

from astro_latent import load_model, train_model
from astro_latent.models import hidden_vectors
from astro_latent.plotting.style import axis_text
from astro_latent.preparation import prepare_spectra
from astro_latent.training import as_block, train_several
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
TITLES = {
    "xp": "Gaia BP/RP", "lamost": "LAMOST", "miles": "MILES",
    "apogee": "APOGEE, emulated",
}  # fmt: skip
#: One network for all, or one for each survey.
KINDS = ("together", "alone")
TRUNK = {"n_hidden": 192, "n_blocks": 3, "dropout": 0.1}
FIT = {"batch_size": 64, "average": 0.99, "learning_rate": 2e-3, "weight_decay": 0.1}
COMMON = ("teff", "logg", "fe_h", "alpha_m")
#: Stars that are held out, that choose the pass, and that teach, at most.
SIZES = {
    "xp": (800, 200, 3000), "lamost": (400, 150, 1500), "miles": (150, 60, 700),
}  # fmt: skip
_DRAWS = 1000  # of a bootstrap
_PIXELS = ("flux", "error", "mask", "bad", "radial_velocity")


@cache
def read(data: Path, sizes: tuple):
    """Return what each survey is told; the same for all trainings."""
    return read_all(data, dict(sizes))


def train(kind: str, seed: int, options: argparse.Namespace) -> None:
    """Train all surveys together, or each alone, if that is not done."""
    output = options.work / f"{kind}-{seed}"
    done = output / "done.txt"
    if done.exists():
        return
    sets, start = read(options.data, options.sizes), time.process_time()
    rest = {
        "seed": seed, "work": options.work / "prepared", "overwrite": True,
        "progress": False, **FIT, "epochs": options.epochs,
        "precision": options.precision,
    }  # fmt: skip
    if kind == "together":
        train_several(sets, trunk=TRUNK, output=output, **rest)
    else:
        for name, own in sets.items():
            arguments = {**TRUNK, **own["arguments"]}
            told = {**own, "arguments": arguments}
            train_model(**told, output=output / name, **rest)
    done.write_text(f"{time.process_time() - start:.0f} CPU seconds\n")


def scatter(residual: np.ndarray) -> np.ndarray:
    """1.4826 times the median absolute deviation, along the first axis."""
    middle = np.nanmedian(residual, axis=0)
    return 1.4826 * np.nanmedian(np.abs(residual - middle), axis=0)


def read_residuals(survey: str, label: str, options: argparse.Namespace) -> dict:
    """Found less given of the held-out stars, shape (n_seeds, n_stars), by kind."""
    found = {}
    for kind in KINDS:
        tables = [
            Table.read(options.work / f"{kind}-{seed}" / survey / "held_out.ecsv")
            for seed in options.seeds
        ]
        if label not in tables[0].colnames:
            return {}
        found[kind] = np.stack([t[label] - t[f"{label}_given"] for t in tables])
    return found


def judge_labels(options: argparse.Namespace) -> Table:
    """Scatter of each label of each survey, and together over alone."""
    rows = []
    for survey in TITLES:
        for label in (*COMMON, "a_k"):
            found = read_residuals(survey, label, options)
            if not found:
                continue
            known = np.isfinite(found["alone"][0])
            found = {kind: values[:, known] for kind, values in found.items()}
            rng, n = np.random.default_rng(1), int(known.sum())
            draws = rng.integers(n, size=(_DRAWS, n))
            mean = {k: np.mean([scatter(r) for r in v]) for k, v in found.items()}
            drawn = {
                k: np.mean([scatter(r[draws].T) for r in v], axis=0)
                for k, v in found.items()
            }
            row = {"survey": survey, "label": label, "n": n}
            for kind in KINDS:
                of_seeds = [scatter(r) for r in found[kind]]
                row[f"{kind}_bias"] = np.mean(np.median(found[kind], axis=1))
                row[kind] = mean[kind]
                row[f"{kind}_spread"] = np.std(of_seeds, ddof=len(of_seeds) > 1)
            row["ratio"] = mean["together"] / mean["alone"]
            row["ratio_error"] = np.std(drawn["together"] / drawn["alone"])
            rows.append(row)
    return Table(rows)


class Shown:
    """Held-out spectra of a survey, one of each star, prepared once."""

    def __init__(self, name, own, options, *, stars=None):
        spectra = own["spectra"]
        rows = np.flatnonzero(spectra["part"] == "held_out")
        if stars is not None:
            rows = rows[np.isin(spectra[own["star"]][rows], stars)]
        _, first = np.unique(spectra[own["star"]][rows], return_index=True)
        self.given = select(spectra, rows[first])
        self.star = self.given[own["star"]]
        self.name = name
        model = load_model(options.work / f"together-{options.seeds[0]}" / name)
        self.prepared = prepare(self.given, model, own.get("facts"))

    def ask(self, kind: str, seed: int, options: argparse.Namespace):
        """Labels, in the order of ``COMMON`` as far as there are, and latents."""
        model = load_model(options.work / f"{kind}-{seed}" / self.name, device="cpu")
        found = model.predict(self.prepared, flux_errors=False)
        names = [name for name in COMMON if name in model.config.output_names]
        at = [model.config.output_names.index(name) for name in names]
        latent = hidden_vectors(self.prepared, model)["latent"]
        return found.values[:, at].astype(float), np.asarray(latent)


def prepare(spectra: dict, model, facts: dict | None):
    """Arrays on the grid of a model."""
    pixels = {
        name: values for name, values in spectra.items()
        if name in _PIXELS or name.startswith("wavelength")
    }  # fmt: skip
    velocity = pixels.pop("radial_velocity", None)
    return prepare_spectra(
        as_block(pixels), model.grid, model.recipe, radial_velocity=velocity,
        facts=facts, progress=False,
    )  # fmt: skip


def judge_pairs(options: argparse.Namespace) -> Table:
    """Labels that two surveys give to one star: one less the other."""
    sets, rows = read(options.data, options.sizes), []
    source, star = find_common(options.data)
    for one, other, ids in (("xp", "apogee", None), ("xp", "lamost", (source, star))):
        kept = (None, None) if ids is None else ids
        pair = [
            Shown(name, sets[name], options, stars=of)
            for name, of in zip((one, other), kept, strict=True)
        ]
        if ids is None:
            _, *at = np.intersect1d(pair[0].star, pair[1].star, return_indices=True)
        else:
            where = [np.searchsorted(s.star, i) for s, i in zip(pair, ids, strict=True)]
            at = where
        for kind in KINDS:
            for seed in options.seeds:
                first, second = (s.ask(kind, seed, options)[0] for s in pair)
                width = min(first.shape[1], second.shape[1])
                off = first[at[0], :width] - second[at[1], :width]
                rows += _describe(one, other, kind, seed, off)
        given = [np.stack([s.given[n] for n in COMMON[:width]], 1) for s in pair]
        off = given[0][at[0]] - given[1][at[1]]
        rows += _describe(one, other, "given", 0, off)
    return Table(rows)


def _describe(one, other, kind, seed, off) -> list[dict]:
    about = {"one": one, "other": other, "kind": kind, "seed": seed}
    return [
        {
            **about, "label": label, "n": int(np.isfinite(column).sum()),
            "median": float(np.nanmedian(column)), "scatter": float(scatter(column)),
            "rms": float(np.sqrt(np.nanmean(column**2))),
        }
        for label, column in zip(COMMON, off.T, strict=False)
    ]  # fmt: skip


def rank(asked: np.ndarray, there: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How many lie nearer to each query than what is sought."""
    distance = np.linalg.norm(asked[:, None] - there[None], axis=2)
    own = distance[np.arange(len(asked)), right]
    return (distance < own[:, None]).sum(axis=1)


def find_again(options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Ranks of the emulated APOGEE spectrum of each star by its BP/RP spectrum."""
    sets = read(options.data, options.sizes)
    xp, apogee = (Shown(name, sets[name], options) for name in ("xp", "apogee"))
    _, asked, there = np.intersect1d(xp.star, apogee.star, return_indices=True)
    order = np.argsort(there)
    asked, right = asked[order], np.arange(len(there))
    found: dict[str, list] = {}
    for seed in options.seeds:
        for kind in KINDS:
            (labels, latent), (others, far) = (
                shown.ask(kind, seed, options) for shown in (xp, apogee)
            )
            labels, latent = labels[asked], latent[asked]
            width = scatter(labels - others)
            found.setdefault(f"labels, {kind}", []).append(
                rank(labels / width, others / width, right)
            )
            if kind == "together":
                found.setdefault("latents", []).append(rank(latent, far, right))
    return {name: np.array(ranks) for name, ranks in found.items()}


def tabulate(found: dict[str, np.ndarray], options: argparse.Namespace) -> Table:
    """Shares that are found first, and among the first five."""
    rows = []
    for way, ranks in found.items():
        for seed, mine in zip(options.seeds, ranks, strict=True):
            one, five = np.mean(mine < 1), np.mean(mine < 5)
            rows.append((way, seed, len(mine), one, five, np.median(mine) + 1))
    return Table(rows=rows, names=("by", "seed", "n", "top_1", "top_5", "median_rank"))


def collect_latents(options: argparse.Namespace) -> dict:
    """Temperatures and latents of the held-out spectra of the first seed."""
    sets, found = read(options.data, options.sizes), {}
    for name in TITLES:
        shown = Shown(name, sets[name], options)
        latent = shown.ask("together", options.seeds[0], options)[1]
        found[name] = shown.given["teff"], latent
    return found


def draw(scores: Table, ranks: dict, latents: dict, path: Path) -> None:
    """Draw the ratios, how soon a star is found, and the common space."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    ax = axes[0]
    ax.axhspan(0.9, 1.1, color="0.9")
    ax.axhline(1.0, color="0.5", lw=0.8)
    ticks: list[int] = []
    for k, (survey, title) in enumerate(TITLES.items()):
        mine = scores[scores["survey"] == survey]
        x = len(ticks) + k + np.arange(len(mine))
        ticks.extend(x)
        ax.errorbar(x, mine["ratio"], mine["ratio_error"], fmt="o", color=f"C{k}",
                    capsize=2, label=title)  # fmt: skip
    names = [axis_text(name).split(" [")[0] for name in scores["label"]]
    ax.set_xticks(ticks, names, rotation=90)
    ax.set_ylabel("scatter together / alone")
    ax.legend(fontsize="small")
    ax = axes[1]
    for k, (way, found) in enumerate(ranks.items()):
        first = np.arange(1, 51)
        share = np.mean([[np.mean(r < n) for n in first] for r in found], axis=0)
        ax.plot(first, share, color=f"C{k}", label=way)
    count = next(iter(ranks.values())).shape[1]
    ax.plot(first, first / count, color="0.5", ls=":", label="chance")
    ax.set(xscale="log", xlabel=f"nearest of {count} emulated APOGEE spectra",
           ylabel="share of stars found by BP/RP", ylim=(0, 1))  # fmt: skip
    write_out(ax.xaxis, (1, 2, 5))
    ax.legend(fontsize="small")
    ax = axes[2]
    both = np.concatenate([latent for _, latent in latents.values()])
    places = PCA(2, random_state=1).fit(both)
    for (name, (teff, latent)), mark in zip(latents.items(), "o^s+", strict=True):
        shown = ax.scatter(*places.transform(latent).T, c=teff, marker=mark, s=9,
                           vmin=3800, vmax=7500, cmap="RdYlBu", lw=0.6,
                           label=TITLES[name])  # fmt: skip
    figure.colorbar(shown, ax=ax, label=axis_text("teff"))
    ax.set(xlabel="first component of the latents", ylabel="second")
    legend = ax.legend(
        fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2
    )
    for handle in legend.legend_handles:
        handle.set(array=None, color="0.3")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Train what is missing, then write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--precision", default="bf16-mixed", help="of Lightning")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the stars that teach and judge"
    )
    options = parser.parse_args()
    options.sizes = tuple(
        (name, tuple(int(count * options.share) for count in counts))
        for name, counts in SIZES.items()
    )
    options.work.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed in options.seeds:
        for kind in KINDS:
            train(kind, seed, options)
    scores, ranks = judge_labels(options), find_again(options)
    draw(scores, ranks, collect_latents(options), options.output / "several.png")
    write_rounded(scores, options.output / "several.ecsv")
    write_rounded(judge_pairs(options), options.output / "several_pairs.ecsv")
    write_rounded(tabulate(ranks, options), options.output / "several_found.ecsv")


if __name__ == "__main__":
    main()
