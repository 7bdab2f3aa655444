# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How far synthetic optical spectra are from LAMOST's, before and after each remedy.

``python benchmarks/bench_gap.py --data FOLDER --work FOLDER`` computes spectra with the
synthetic library of HARPS at the labels that LASP gives LAMOST stars that are not for
tests, 3800 to 6900 Angstrom, and makes both alike step by step. Pixels are compared,
and features: of ``lamost_starnet_v1``, which learned from real spectra, and of networks
that learn here from synthetic ones and are then fine-tuned with real ones. It writes
``docs/experiments/gap.ecsv``, ``gap_labels.ecsv`` and ``gap.png``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _rounded import write_rounded
from astropy.table import Table, vstack
from bench_architectures import read_lamost
from find_again import prepare
from matplotlib import pyplot as plt
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from astro_latent import load_model, train_model
from astro_latent.preparation import PreparedSpectra, air_to_vacuum
from astro_latent.simulation.harps_library import HarpsLibrary
from astro_latent.training import (
    collect_features,
    compare_labels,
    drop_pixels,
    measure_gap,
)
from recipes.harps.stars import LIBRARY
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments"
_RANGE = (3800.0, 6900.0)
_RESOLVING_POWER, _SMOOTH = 1800.0, 301  # of LAMOST; pixels of its continuum
_BLOCK = 40


def synthesise(data: Path, labels: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Flux of the library at labels of stars: sharp, and convolved, with continuum."""
    library = HarpsLibrary(data / LIBRARY)
    with np.load(data / LIBRARY) as stored:
        log_air = float(stored["log_lambda0"]) + float(stored["dlog"]) * np.arange(
            library.n_pixels
        )
    vacuum = air_to_vacuum(np.exp(log_air))
    step = np.median(np.diff(np.log(vacuum)))
    width = 1.0 / (_RESOLVING_POWER * 2.3548 * step)
    found = np.empty((2, len(labels), len(wavelength)), dtype=np.float32)
    for first in range(0, len(labels), _BLOCK):
        rows = torch.from_numpy(labels[first : first + _BLOCK])
        lines = library.flux(rows).numpy()
        continuum = np.exp(library.log_continuum(rows).numpy())
        at = np.linspace(0.0, 1.0, continuum.shape[1])
        for k, (line, shape) in enumerate(zip(lines, continuum, strict=True)):
            flux = line * np.interp(np.linspace(0.0, 1.0, len(line)), at, shape)
            blurred = gaussian_filter1d(flux, width)
            for sharpness, values in enumerate((flux, blurred)):
                found[sharpness, first + k] = np.interp(wavelength, vacuum, values)
    return found / np.median(found, axis=2, keepdims=True)


def draw_stars(options: argparse.Namespace, seed: int) -> tuple[dict, np.ndarray]:
    """Stars within the library, and all labels of their synthetic twins."""
    stars, _, _, _ = read_lamost(options.data)
    inside = (stars["teff"] > 4200) & (stars["teff"] < 7700) & (stars["snrg"] > 20)
    inside &= (stars["logg"] > 1.0) & (stars["fe_h"] > -2.3) & (stars["fe_h"] < 0.5)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(inside))
    stars = select(stars, np.sort(rows[: options.n_stars]))
    teff, logg, m_h = (stars[name].astype(float) for name in ("teff", "logg", "fe_h"))
    vmicro = np.clip(1.05 + 2.5e-4 * (teff - 5600) + 0.2 * (4.4 - logg), 0.6, 2.7)
    alpha, zero = np.clip(-0.25 * m_h, 0.0, 0.3), np.zeros(len(teff))
    return stars, np.column_stack([teff, logg, m_h, alpha, vmicro, zero, zero])


def interpolate(flux: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Fill what is not valid from its neighbours."""
    at = np.arange(flux.shape[1])
    return np.array(
        [np.interp(at, at[v], f[v]) for f, v in zip(flux, valid, strict=True)]
    )


def flatten(flux: np.ndarray) -> np.ndarray:
    """Divide by a running mean."""
    return flux / np.maximum(uniform_filter1d(flux, _SMOOTH, axis=1), 0.05)


def steps(
    prepared: PreparedSpectra, made: np.ndarray, inside: np.ndarray, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Synthetic and real pixels after each remedy, in turn."""
    valid = prepared.valid[:, inside]
    sigma = np.sqrt(np.where(valid, prepared.variance[:, inside], 0.0))
    sharp, blurred = made
    real = prepared.flux[:, inside]
    filled = interpolate(real, valid)
    noise = np.random.default_rng(seed).normal(size=sigma.shape) * np.nan_to_num(sigma)
    noisy = interpolate(blurred + noise, valid)
    zeroed = np.where(valid, sharp, 0.0)
    return {
        "none: bad pixels are 0 in real spectra": (sharp, real),
        "bad pixels 0 in both": (zeroed, real),
        "bad pixels interpolated": (interpolate(sharp, valid), filled),
        "and resolution": (interpolate(blurred, valid), filled),
        "and continuum": (flatten(interpolate(blurred, valid)), flatten(filled)),
        "and noise": (flatten(noisy), flatten(filled)),
    }


def as_prepared(
    prepared: PreparedSpectra, made: np.ndarray, inside: np.ndarray, seed: int
) -> tuple[PreparedSpectra, PreparedSpectra]:
    """Synthetic and real spectra, as a network of the LAMOST grid is given them."""
    rng = np.random.default_rng(seed)
    kept = np.broadcast_to(inside, prepared.valid.shape)
    real = drop_pixels(prepared, kept)
    flux = np.zeros_like(prepared.flux)
    sigma = np.sqrt(np.nan_to_num(prepared.variance[:, inside]))
    middle = np.median(prepared.flux[:, inside], axis=1, keepdims=True)
    flux[:, inside] = made[1] * middle + rng.normal(size=sigma.shape) * sigma
    flux = np.where(real.valid, flux, 0.0).astype(np.float32)
    return replace(real, flux=flux), real


def tune(
    synthetic: PreparedSpectra, real: PreparedSpectra, stars: dict, seed: int,
    options: argparse.Namespace,
) -> tuple[list[dict], list[dict]]:  # fmt: skip
    """Train on synthetic spectra, then on real ones; gap and labels after each."""
    train = np.random.default_rng(seed).random(len(real)) < 0.5
    labels = ["teff", "logg", "fe_h"]
    gaps, scores, model = [], [], None
    for title, spectra in (("synthetic only", synthetic), ("fine-tuned", real)):
        rows = np.flatnonzero(train)
        taught = {
            "wavelength_vacuum": real.grid.wavelength,
            "flux": spectra.flux[rows],
            "error": np.sqrt(np.nan_to_num(spectra.variance[rows], nan=1.0)),
            "mask": ~spectra.valid[rows],
            **{name: stars[name][rows].astype(float) for name in labels},
        }
        model = train_model(
            taught, labels, grid=real.grid, from_weights=model, seed=seed,
            recipe={"steps": [{"step": "resample"}, {"step": "divide_by_median"}]},
            facts={"frame": "rest", "resolving_power": _RESOLVING_POWER},
            epochs=options.epochs, progress=False,
        )  # fmt: skip
        others = np.flatnonzero(~train)
        sides = [
            replace(take(each, others), recipe=model.recipe)
            for each in (synthetic, real)
        ]
        gap = measure_gap(*(collect_features(model, s) for s in sides), rng=seed)
        gaps.append(
            {"compared": "features", "remedy": f"network, {title}", **vars(gap)}
        )
        found = model.predict(sides[1], flux_errors=False)
        predicted = Table(found.values, names=labels)
        given = Table({name: stars[name][others].astype(float) for name in labels})
        for row in compare_labels(predicted, given, labels, matched=True).scores:
            if row["by"] == "all":
                names = ("label", "n", "bias", "scatter", "scatter_error")
                scores.append({"network": title, "seed": seed,
                               **{n: row[n] for n in names}})  # fmt: skip
    return gaps, scores


def take(prepared: PreparedSpectra, rows: np.ndarray) -> PreparedSpectra:
    """Return some of the spectra."""
    arrays = ("flux", "variance", "valid", "scale", "radial_velocity", "flags")
    lists = ("radial_velocity_source", "observations")
    return replace(
        prepared,
        **{name: getattr(prepared, name)[rows] for name in arrays},
        **{name: [getattr(prepared, name)[k] for k in rows] for name in lists},
    )


def draw(pictures: dict[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Draw t-SNE of both kinds, for some of the steps."""
    figure, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
    for ax, (title, (synthetic, real)) in zip(axes.flat, pictures.items(), strict=True):
        scores = PCA(20, random_state=1).fit_transform(np.r_[synthetic, real])
        places = TSNE(perplexity=30, random_state=1).fit_transform(scores)
        for name, rows in (("synthetic", slice(None, len(synthetic))),
                           ("real", slice(len(synthetic), None))):  # fmt: skip
            ax.plot(*places[rows].T, ".", ms=3, label=name)
        ax.set(title=title, xticks=[], yticks=[])
    axes[0, 0].legend()
    figure.savefig(path, dpi=80)


def run(options: argparse.Namespace, seed: int) -> tuple[Table, Table]:
    """Measure one draw of stars; kept in the work folder."""
    paths = [options.work / f"{name}_{seed}.ecsv" for name in ("gap", "labels")]
    if all(path.exists() for path in paths):
        return Table.read(paths[0]), Table.read(paths[1])
    stars, labels = draw_stars(options, seed)
    bundled = load_model("lamost_starnet_v1", device="cpu")
    prepared = prepare(stars, bundled)
    wavelength = np.asarray(bundled.grid.wavelength)
    inside = (wavelength > _RANGE[0]) & (wavelength < _RANGE[1])
    made = synthesise(options.data, labels, wavelength[inside])
    pixels = steps(prepared, made, inside, seed)
    rows = [
        {"compared": "pixels", "remedy": title, **vars(measure_gap(*pair, rng=seed))}
        for title, pair in pixels.items()
    ]
    synthetic, real = as_prepared(prepared, made, inside, seed)
    features = [collect_features(bundled, each) for each in (synthetic, real)]
    gap = measure_gap(*features, rng=seed)
    rows.append({"compared": "features", "remedy": bundled.name, **vars(gap)})
    gaps, scores = tune(synthetic, real, stars, seed, options)
    tables = Table(rows + gaps), Table(scores)
    tables[0].add_column([seed] * len(tables[0]), name="seed", index=0)
    for table, path in zip(tables, paths, strict=True):
        table.write(path, format="ascii.ecsv")
    if seed == options.seeds[0]:
        titles = list(pixels)
        shown = {f"pixels, {t}": pixels[t] for t in (titles[0], titles[3], titles[5])}
        shown[f"features of {bundled.name}"] = (features[0], features[1])
        draw(shown, OUTPUT / "gap.png")
    return tables


def main() -> None:
    """Measure what is not in the work folder, then write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n-stars", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    found = [run(options, seed) for seed in options.seeds]
    for name, tables in zip(
        ("gap", "gap_labels"), zip(*found, strict=True), strict=True
    ):
        table = vstack(list(tables), metadata_conflicts="silent")
        write_rounded(table, OUTPUT / f"{name}.ecsv")
        table.pprint_all()


if __name__ == "__main__":
    main()
