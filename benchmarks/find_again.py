# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How often another spectrum of the same star is among the nearest: real repeats.

``python benchmarks/find_again.py --data FOLDER`` writes
``docs/experiments/found_again.ecsv``: twelve nights of alpha Cen B among the real HARPS
spectra, by the latents of all autoencoders; and LAMOST stars that were observed twice
among all LAMOST spectra that are not for tests, by the features of
``lamost_starnet_v1``, which has learned from both spectra, by its labels, and by
components of the pixels.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _rounded import write_rounded
from astropy.table import Table
from sklearn.decomposition import PCA

from astro_latent import encode_spectra, load_model
from astro_latent.latent import LatentIndex
from astro_latent.preparation import PreparedSpectra, prepare_spectra
from astro_latent.training import as_block, collect_features
from recipes.real import lamost
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments/found_again.ecsv"
_WITHIN = (1, 5)
_N_BOOTSTRAP = 1000


def score(index: LatentIndex, star: dict[str, str], how: str, space: str) -> list[dict]:
    """Share of spectra of repeated stars with a partner among the nearest."""
    names = [name for name in index.obs_id if star[name]]
    partners = {n: sum(star[m] == star[n] for m in names) - 1 for n in names}
    names = [name for name in names if partners[name]]
    rows = []
    for within in _WITHIN:
        hits, sigmas = [], []
        for name in names:
            near = index.query_id(name, n=within)
            same = np.array([star[other] == star[name] for other in near["obs_id"]])
            hits.append(same.any())
            sigmas += near["distance_sigma"][same].tolist()[:1]
        every = np.array([star[name] for name in names])
        rows.append(
            {
                "spectra": how, "space": space, "nodes": len(index.nodes),
                "n": len(index), "queries": len(names),
                "stars": len(set(every)), "within": within,
                "found": float(np.mean(hits)), "error": error(np.array(hits), every),
                "distance_sigma": float(np.median(sigmas)) if sigmas else np.nan,
            }
        )  # fmt: skip
    return rows


def error(hits: np.ndarray, star: np.ndarray) -> float:
    """Return the standard error of a share, by drawing stars."""
    rng = np.random.default_rng(1)
    each = np.array([hits[star == name].mean() for name in np.unique(star)])
    draws = rng.integers(len(each), size=(_N_BOOTSTRAP, len(each)))
    return float(each[draws].mean(axis=1).std())


def harps(data: Path) -> list[dict]:
    """Twelve nights among all real spectra of the telescope."""
    nights = sorted((data / "harps/alpha_cen_b").glob("*.fits"))
    others = sorted((data / "harps/s1d").glob("*.fits"))
    rows = []
    for name in ("harps_dae_fast_v1", "harps_dae128_v1", "harps_dae128_v2"):
        table = encode_spectra([*nights, *others], model=name, reconstruct=False)
        star = {
            str(row["obs_id"]): "alpha Cen B" if k < len(nights) else ""
            for k, row in enumerate(table)
        }
        index = LatentIndex(Table(table))
        space = f"{name}, star" if "latent_groups" in table.meta else f"{name}, all"
        rows += score(index, star, "HARPS", space)
    return rows


def prepare(stars: dict, model) -> PreparedSpectra:
    """LAMOST spectra at rest on the grid of a model."""
    block = as_block(stars)
    block = replace(block, observation=replace(block.observation, **lamost.FACTS))
    velocity = stars["radial_velocity"]
    return prepare_spectra(
        block, model.grid, model.recipe, radial_velocity=velocity, progress=False
    )


def lamost_repeats(data: Path) -> list[dict]:
    """Stars seen twice among all spectra that are not for tests."""
    model = load_model("lamost_starnet_v1", device="cpu")
    stars = lamost.read_stars(data)
    stars = select(stars, ~stars["test"])
    prepared = prepare(stars, model)
    usable = prepared.usable
    count = np.bincount(stars["star"])[stars["star"]]
    names = stars["obsid"].astype(str)
    star = {
        name: str(number) if n > 1 else ""
        for name, number, n in zip(names, stars["star"], count, strict=True)
    }
    result = model.predict(prepared, flux_errors=False)
    features = collect_features(model, prepared)
    flux = np.where(prepared.valid, prepared.flux, 1.0)
    spaces = [("labels over their errors' median", labels_in_sigmas(result), None)]
    for title, values in (("features", features), ("pixels", flux)):
        for n_components in (8, 16, 32, 64):
            white = PCA(n_components, whiten=True, random_state=1).fit(values[usable])
            spaces.append((f"{title}, whitened", white.transform(values), None))
    rows = []
    for title, values, _ in spaces:
        index = LatentIndex(np.where(usable[:, None], values, np.nan), names)
        rows += score(index, star, "LAMOST", title)
    return rows


def labels_in_sigmas(result) -> np.ndarray:
    """Labels in units of the median of their statistical errors."""
    return result.values / np.nanmedian(result.error_statistical, axis=0)


def main() -> None:
    """Search, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(harps(options.data) + lamost_repeats(options.data))
    write_rounded(table, OUTPUT)
    table.pprint_all()


if __name__ == "__main__":
    main()
