# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Two stars in one spectrum: how many are flagged, and how many single stars are.

``python benchmarks/judge_two_stars.py --data FOLDER`` adds real spectra of two stars,
one of them shifted and fainter, looks for a second star, and prints what it finds. The
limit is chosen on stars of the first part: half-way, in its logarithm, between the
highest single star and the lowest twentieth of the composites. It is reported on stars
of the second. With ``--output FILE`` the composites are written as a table. Networks of
labels look for a broadening function, autoencoders at the lines that they leave
(``--model harps_dae_fast_v1``); the composites are the same, brought together by the
velocities of ``harps_parameters_v2``.
"""

import argparse
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table, vstack

from astro_latent.models import load_model
from astro_latent.models.left_lines import lopsided_share
from astro_latent.preparation import PreparedSpectra, prepare_spectra
from astro_latent.spectra import iter_arrays
from astro_latent.utils.quality import QualityFlag

LIGHT = 299_792.458
LABELS = "harps_parameters_v2"
#: What speaks against a star itself, not against how its file was written.
AGAINST = int(
    QualityFlag.DOUBLE_LINED
    | QualityFlag.UNLIKE_TRAINING
    | QualityFlag.LABEL_OUT_OF_DOMAIN
)
#: Stars of the first and of the second part; of alpha Cen B one night in composites.
CHOOSE = {
    "Sun (day sky)": "s1d/sun01_harps_daysky.fits",
    "38 Vir": "s1d/HD111998*.fits",
    "bet Hyi": "benchmark_stars/UVES_betHyi*.fits",
    "HD 175305": "benchmark_stars/*HD175305*.fits",
    "GJ 163": "s1d/GJ163*.fits",
}
REPORT = {
    "alpha Cen B": "alpha_cen_b/HARPS.*.fits",
    "Sun (atlas)": "benchmark_stars/ATLAS.Sun*.fits",
    "HD 106038": "benchmark_stars/*HD106038*.fits",
    "HD 140283": "metal_poor/*hd140283.fits",
    "HD 122563": "metal_poor/*hd122563.fits",
    "61 Cyg B": "benchmark_stars/*61CygB*.fits",
    "GJ 3470": "s1d/GJ3470*.fits",
}
RATIOS = (0.25, 0.5, 1.0)
SEPARATIONS = (16.0, -25.0, 45.0, -90.0)
CLOSE = (0.0, 5.0, 10.0)  # km/s: lines that no test resolves
NOISE = (10.0, 25.0, 60.0)  # signal-to-noise of single stars with noise added


def read(data: Path, stars: dict[str, str]) -> dict[str, list]:
    """Read the spectra of each star."""
    found: dict[str, list] = {}
    for name, pattern in stars.items():
        paths = sorted((data / "harps").glob(pattern))
        found[name] = [each for path in paths for each in iter_arrays(str(path))]
    return found


class Judge:
    """A model, and what it says of spectra; labels are those of one model always."""

    def __init__(self, name: str) -> None:
        self.model = load_model(name, device="cpu")
        self.network: Any = self.model.members[0]
        self.labels = load_model(LABELS, device="cpu")

    def share(self, spectra: list) -> np.ndarray:
        """Return the shares of second stars."""
        prepared = prepare_spectra(
            spectra, self.model.grid, self.model.recipe, progress=False
        )
        if self.model.name != LABELS:
            return self._left(prepared)
        arrays = torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
        with torch.inference_mode():
            features = [
                self.network.features(flux[None], valid[None])[0].numpy()
                for flux, valid in zip(*arrays, strict=True)
            ]
        return np.array(features)[:, self.network.second_feature]

    def _left(self, prepared: PreparedSpectra) -> np.ndarray:
        """Return what an autoencoder leaves to one side of the lines."""
        found, wavelength = self.model.reconstruct(prepared), prepared.grid.wavelength
        low, high = self.model.config.domain["second_band"]
        band = prepared.valid & (wavelength > low) & (wavelength < high)
        assert found.flux is not None
        return np.array(
            [
                lopsided_share(wavelength[use], seen[use], rebuilt[use])
                for use, seen, rebuilt in zip(
                    band, prepared.flux, found.flux, strict=True
                )
            ]
        )

    def predict(self, spectrum: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return labels and errors, and whether any flag speaks against them."""
        prepared = prepare_spectra(
            [spectrum], self.labels.grid, self.labels.recipe, progress=False
        )
        found = self.labels.predict(prepared, flux_errors=False)
        return found.values[0], found.error[0], bool(found.flags[0] & AGAINST)


def add(one: Any, other: Any, ratio: float, shift: float) -> Any:
    """Add a second spectrum, shifted by a velocity and scaled by its median."""
    moved = np.interp(
        one.wavelength, other.wavelength * (1.0 + shift / LIGHT), other.flux,
        left=np.nan, right=np.nan,
    )  # fmt: skip
    both = (one.flux > 0) & (moved > 0)
    parts = [flux / np.median(flux[both]) for flux in (one.flux, moved)]
    flux = np.where(both, parts[0] + ratio * parts[1], 0.0)
    return replace(one, flux=flux, sigma=None, mask=~both)


def composites(judge: Judge, stars: dict[str, list]) -> Table:
    """Ask about all pairs of stars at all ratios and separations."""
    speeds = {name: judge.predict(each[0])[0][0] for name, each in stars.items()}
    rows = []
    for a, b in product(stars, repeat=2):
        settings = list(product(RATIOS, SEPARATIONS))
        both = [
            add(stars[a][0], stars[b][0], ratio, v + speeds[a] - speeds[b])
            for ratio, v in settings
        ]
        shares = judge.share(both)
        rows += [(a, b, *at, s) for at, s in zip(settings, shares, strict=True)]
    return Table(rows=rows, names=("star", "second", "ratio", "separation", "share"))


def unresolved(judge: Judge, stars: dict[str, list]) -> tuple[int, int, int]:
    """Count unresolved pairs of equal light, those with wrong labels, and unflagged."""
    alone = {name: judge.predict(each[0]) for name, each in stars.items()}
    count = wrong = missed = 0
    for (a, b), v in product(combinations(stars, 2), CLOSE):
        shift = v + alone[a][0][0] - alone[b][0][0]
        values, error, flagged = judge.predict(
            add(stars[a][0], stars[b][0], 1.0, shift)
        )
        ends = np.sort([alone[a][0], alone[b][0]], axis=0)
        # between the two stars is the best that can be said of both
        off = np.maximum(ends[0] - values, values - ends[1])[1:4] > 2 * error[1:4]
        count, wrong = count + 1, wrong + bool(off.any())
        missed += bool(off.any()) and not flagged
    return count, wrong, missed


def singles(judge: Judge, stars: dict[str, list]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of real single stars, as they are, and with noise added."""
    rng = np.random.default_rng(15)
    noisy = []
    for spectra in stars.values():
        for snr in NOISE:
            level = np.median(spectra[0].flux[spectra[0].flux > 0]) / snr
            noise = level * rng.normal(size=len(spectra[0].flux))
            flux = np.where(spectra[0].flux > 0, spectra[0].flux + noise, 0.0)
            noisy.append(replace(spectra[0], flux=flux, sigma=None))
    every = [spectrum for spectra in stars.values() for spectrum in spectra]
    return judge.share(every), judge.share(noisy)


def main() -> None:
    """Choose a limit on one part of the stars, and report on the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=LABELS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    judge = Judge(options.model)
    chosen, limit = [], None
    for title, stars in (("choose", CHOOSE), ("report", REPORT)):
        spectra = read(options.data, stars)
        real, noisy = singles(judge, spectra)
        table = composites(judge, spectra)
        if limit is None:
            low = max(float(real.max()), float(noisy.max()), 1e-3)
            high = max(float(np.quantile(table["share"], 0.05)), low)
            limit = float(np.sqrt(low * high))
            print(f"limit {limit:.4f}: singles up to {low:.4f}, composites {high:.4f}")
        used = float(judge.model.config.domain.get("second_limit", limit))
        flagged = table["share"] > used
        print(
            f"{title}, limit {used:.4f}: {flagged.sum()} of {len(table)} composites "
            f"flagged ({100 * flagged.mean():.1f} %); of single spectra "
            f"{(real > used).sum()} of {len(real)} (highest {real.max():.4f}), with "
            f"noise {(noisy > used).sum()} of {len(noisy)} (highest {noisy.max():.4f})"
        )
        for key in ("ratio", "separation", "star", "second"):
            values = dict.fromkeys(table[key])
            shares = {k: f"{flagged[table[key] == k].mean():.2f}" for k in values}
            print("  by", key, shares)
        if judge.model.name == LABELS:
            count, wrong, missed = unresolved(judge, spectra)
            print(
                f"  within 10 km/s, equal light: of {count}, {wrong} have labels off "
                f"by over two total errors, {missed} of them unflagged"
            )
        table["part"] = title
        chosen.append(table)
    if options.output:
        vstack(chosen).write(options.output, format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
