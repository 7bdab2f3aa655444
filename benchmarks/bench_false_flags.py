# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How many good spectra the checks of preparation flag.

Real files of all surveys, the libraries of spectra at survey scale, and simulated stars
of APOGEE (S/N 40-250, missing stretches and chips, velocities 0.6 km/s off) and HARPS.

python benchmarks/bench_false_flags.py --data FOLDER
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from bench_corruptions import simulate_apogee, simulate_harps

from astro_latent.preparation import (
    APOGEE_CHEBYSHEV_RECIPE,
    HARPS_RECIPE,
    Recipe,
    iter_prepared,
)
from astro_latent.spectra import Observation, SpectrumArrays, decode_flags, iter_arrays
from astro_latent.spectra.checks import finish_arrays
from astro_latent.utils.quality import QualityFlag

CHECKS = (
    QualityFlag.INCONSISTENT_PARTS
    | QualityFlag.WAVELENGTHS_SUSPECT
    | QualityFlag.ERRORS_SUSPECT
)
APOGEE = "apogee_7214", APOGEE_CHEBYSHEV_RECIPE
HARPS = "harps_327680", HARPS_RECIPE
# any grid: only what is checked on a spectrum's own pixels
OWN = "apogee_7214", Recipe.from_dict({"steps": [{"step": "resample"}]})
FILES = {
    "apogee": (APOGEE, ["apogee/spectra/*.fits", "apogee/mdwarfs/*.fits"]),
    "harps": (HARPS, ["harps/alpha_cen_b/*.fits", "harps/s1d/*.fits"]),
    "benchmark stars, R = 47,000": (HARPS, ["harps/benchmark_stars/*.fits"]),
    "other surveys": (
        OWN,
        ["lamost/*.fits", "real/galah_dr3/*.gz", "real/gaia_rvs/*.gz", "formats/*.gz"],
    ),
}
STORED = {
    "LAMOST LRS": "real/lamost_lrs/lamost_dr10_afg.npz",
    "Gaia XP": "real/gaia_xp_apogee/gaia_xp_apogee_14500.npz",
}


def read(data: Path, patterns: list[str]) -> Iterator[SpectrumArrays]:
    """Read all files of some patterns; what cannot be read is a flagged row."""
    for pattern in patterns:
        for path in sorted(data.glob(pattern)):
            yield from iter_arrays(str(path), on_error="flag")


def stored(path: Path) -> Iterator[SpectrumArrays]:
    """Yield the spectra of a library, on wavelengths of no matter."""
    with np.load(path, allow_pickle=False) as file:
        errors, bad = file["err"], file["bad"] > 0 if "bad" in file else None
        fluxes = file["flux_over_err_x10"] / 10.0 * errors
    wavelength = np.linspace(15_200.0, 16_900.0, fluxes.shape[1])
    for k, (flux, sigma) in enumerate(zip(fluxes, errors, strict=True)):
        yield finish_arrays(
            wavelength, flux, sigma=sigma, mask=None if bad is None else bad[k],
            observation=Observation(obs_id=str(k), medium="vacuum", frame="rest"),
        )  # fmt: skip


def count(name: str, spectra: Iterable[SpectrumArrays], way: tuple) -> None:
    """Print how many are flagged, and which."""
    total, flagged = 0, []
    for prepared in iter_prepared(list(spectra), *way, chunk_size=64, progress=False):
        total += len(prepared.flags)
        for flags, seen in zip(prepared.flags, prepared.observations, strict=True):
            if flags & CHECKS:
                names = " ".join(decode_flags(int(flags & CHECKS)))
                flagged.append(f"    {seen.obs_id}: {names}; {seen.message}")
    print(f"{name}: {len(flagged)} of {total}")
    print("\n".join(flagged[:12]))


def main() -> None:
    """Prepare and count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--apogee", type=int, default=600, help="simulated stars")
    parser.add_argument("--harps", type=int, default=60, help="simulated stars")
    options = parser.parse_args()
    for name, (way, patterns) in FILES.items():
        count(name, read(options.data, patterns), way)
    for name, path in STORED.items():
        count(name, stored(options.data / path), OWN)
    for seed in (40, 41):
        stars = simulate_apogee(options.data, seed=seed, count=options.apogee // 2)
        count(f"simulated apogee, seed {seed}", stars, APOGEE)
    stars = simulate_harps(options.data, seed=42, count=options.harps)
    count("simulated harps", stars, HARPS)


if __name__ == "__main__":
    main()
