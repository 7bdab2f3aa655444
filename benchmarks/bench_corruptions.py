# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How many corrupted spectra still give labels that are wrong and not flagged.

Each spectrum is corrupted in its arrays, as a broken pipeline or a torn file would do,
and read and judged again. A label is wrong if it moved by more than three of its errors
(the larger of both); a corruption is noticed if a flag is set that the good spectrum
does not have, notices aside. Thresholds of the checks were chosen on half A; half B has
other spectra and other corruptions.

python benchmarks/bench_corruptions.py --model apogee_starnet_v1 --half B --data FOLDER
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from _corruptions import Corruption, draw_corruptions, fixed_corruptions
from astropy.table import QTable

from astro_latent.exceptions import SpectrumReadError
from astro_latent.models import SpectralModel, load_model
from astro_latent.pipeline import predict_parameters
from astro_latent.preparation import get_grid
from astro_latent.simulation import (
    HarpsConditions,
    HarpsLibrary,
    HarpsSimulator,
    draw_harps_labels,
    observe_apogee,
)
from astro_latent.simulation.emulators import SigmoidEmulator
from astro_latent.spectra import Observation, SpectrumArrays, iter_arrays
from astro_latent.spectra.checks import finish_arrays
from astro_latent.spectra.observation import placeholder
from astro_latent.surveys import get_survey
from astro_latent.utils.quality import NOTICE_FLAGS as NOTICE

FILES = {
    "apogee A": ["apogee/spectra/apStar*"],
    "apogee B": ["apogee/spectra/apVisit*"],
    "harps A": ["harps/alpha_cen_b/HARPS.2012-0[34]*", "harps/s1d/sun_*"],
    "harps B": ["harps/alpha_cen_b/HARPS.2012-05*", "harps/s1d/sun0*", "harps/s1d/HD*"],
}
SIMULATED = 12  # stars of half B


def corrupt(arrays: SpectrumArrays, change: Corruption, seed: int) -> SpectrumArrays:
    """Change the pixels of a spectrum and send it through the reader's checks again."""
    assert arrays.sigma is not None
    pixels = arrays.wavelength, np.asarray(arrays.flux, float), arrays.sigma
    wave, flux, sigma = change.do(pixels, np.random.default_rng(seed))
    try:
        return finish_arrays(
            wave, flux, sigma=sigma, mask=arrays.mask, flux_unit=arrays.flux_unit,
            observation=arrays.observation,
        )  # fmt: skip
    except SpectrumReadError as error:
        return placeholder(str(error))


def noisy(arrays: SpectrumArrays, seed: int) -> SpectrumArrays:
    """Return the same star with a fifth more noise, correctly stated."""
    rng = np.random.default_rng(seed)
    sigma = np.asarray(arrays.sigma, float)
    more = (
        0.65 * np.where(np.isfinite(sigma), sigma, 0) * rng.standard_normal(len(sigma))
    )
    return replace(arrays, flux=arrays.flux + more, sigma=sigma * 1.2)


def good_spectra(
    survey: str, half: str, data: Path | None, seed: int = 1
) -> list[SpectrumArrays]:
    """Return spectra of a survey: real ones, and the sample (A) or simulated (B)."""
    found: list[SpectrumArrays] = []
    if half == "A":
        sample = get_survey("sample")
        found += iter_arrays(sample.fetch(sample.table()))
        found = [arrays for arrays in found if arrays.observation.survey == survey]
    elif data is not None:
        simulate = simulate_apogee if survey == "apogee" else simulate_harps
        found += simulate(data, seed=20 + seed)
    for pattern in FILES[f"{survey} {half}"] if data is not None else []:
        found += iter_arrays(str(data / pattern))
    return [arrays for arrays in found if arrays.sigma is not None]


def simulate_apogee(
    data: Path, *, seed: int, count: int = SIMULATED
) -> Iterator[SpectrumArrays]:
    """Simulate giants and dwarfs as an apStar file holds them."""
    rng = np.random.default_rng(seed)
    path = data / "apogee/emulators/binspec_plus/NN_normalized_spectra.npz"
    emulator, grid = SigmoidEmulator.read(path), get_grid("apogee_7214")
    giant = rng.random(count) < 0.5
    teff = np.where(giant, rng.uniform(4200, 5100, count), 0)
    teff = np.where(giant, teff, rng.uniform(4400, 6400, count))
    logg = np.where(giant, (teff - 4200) / 450 + 1.3, 4.65 - (teff - 4400) / 6000)
    fe_h, mg_fe = rng.uniform(-0.7, 0.3, count), rng.uniform(0, 0.25, count)
    labels = np.stack([teff, logg, fe_h, mg_fe, rng.uniform(3, 9, count)], axis=1)
    snr = np.exp(rng.uniform(np.log(40), np.log(250), count))
    seen = observe_apogee(emulator.flux(labels), grid, rng=rng, snr=snr)
    for k, (flux, sigma, mask) in enumerate(zip(*seen, strict=True)):
        yield finish_arrays(
            grid.wavelength, flux, sigma=sigma, mask=mask,
            observation=Observation(
                obs_id=f"simulated {k}", survey="apogee", medium="vacuum", frame="rest",
                resolving_power=grid.resolving_power, radial_velocity=0.0,
            ),
        )  # fmt: skip


def simulate_harps(
    data: Path, *, seed: int, count: int = SIMULATED
) -> Iterator[SpectrumArrays]:
    """Simulate FGK stars as an s1d file holds them."""
    rng = np.random.default_rng(seed)
    library = HarpsLibrary(data / "harps/synthetic/harps_like_pca160_gp.npz")
    simulator = HarpsSimulator(library, data / "harps/telluric")
    labels = draw_harps_labels(
        count, data / "harps/catalogue/HARPScat_param.csv", rng=rng
    )
    conditions = HarpsConditions.draw(labels[:, 0], rng=rng)
    fluxes, _ = simulator.simulate(labels, conditions, rng=rng)
    for k, flux in enumerate(fluxes.numpy()):
        yield finish_arrays(
            simulator.grid.wavelength, flux, estimate=True, mask=flux == 0,
            observation=Observation(
                obs_id=f"simulated {k}", survey="harps", medium="air",
                frame="barycentric", barycentric_correction=float(conditions.berv[k]),
                resolving_power=115_000.0,
            ),
        )  # fmt: skip


def make_tasks(
    count: int, half: str, limit: int, seed: int
) -> list[tuple[int, Corruption]]:
    """Pair spectra with corruptions; at most so many, spread over all."""
    tasks = []
    for n in range(count):
        fixed = half == "A"
        rng = np.random.default_rng([seed, n])
        tasks += [
            (n, c) for c in (fixed_corruptions() if fixed else draw_corruptions(rng))
        ]
    if len(tasks) > limit:
        chosen = np.random.default_rng(seed).choice(len(tasks), limit, replace=False)
        tasks = [tasks[k] for k in np.sort(chosen)]
    return tasks


def moved_labels(row: QTable.Row, good: QTable.Row, names: list[str]) -> list[str]:
    """Name the labels that moved by more than three errors."""
    return [
        name
        for name in names
        if abs(_value(row[name]) - _value(good[name]))
        > 3 * max(_value(row[f"{name}_error"]), _value(good[f"{name}_error"]))
    ]


def judge(
    model: SpectralModel,
    good: list[SpectrumArrays],
    tasks: list[tuple[int, Corruption]],
) -> Iterator[tuple[str, str, list[str], int, int]]:
    """Yield name, spectrum, labels that moved, new flags and all reservations."""
    before = predict_parameters(good, model=model)
    names = list(before.meta["labels"])
    for first in range(0, len(tasks), 32):
        part = tasks[first : first + 32]
        spectra = [
            corrupt(good[n], change, first + k) for k, (n, change) in enumerate(part)
        ]
        rows = predict_parameters(spectra, model=model)
        for (n, change), row in zip(part, rows, strict=True):
            flags = int(row["flags"])
            yield (
                change.name, good[n].observation.obs_id,
                moved_labels(row, before[n], names),
                flags & ~int(before["flags"][n]) & ~NOTICE, flags & ~NOTICE,
            )  # fmt: skip


def report(found: list[tuple[str, str, list[str], int, int]], text: str) -> None:
    """Print the shares of what nobody notices."""
    counts: Counter[str] = Counter()
    for _, _, labels, new, reservations in found:
        counts["moved"] += bool(labels)
        counts["noticed"] += bool(new)
        counts["silent"] += bool(labels) and not new
        others = [name for name in labels if name != "rv"]
        counts["silent but for rv"] += bool(others) and not new
        counts["wrong without any reservation"] += bool(labels) and not reservations
    print(f"{text}: n = {len(found)}")
    for name, count in counts.items():
        print(f"  {name}: {count} = {count / max(len(found), 1):.2%}")


def false_flags(model: SpectralModel, good: list[SpectrumArrays], rounds: int) -> None:
    """Print how many good spectra gain a flag by a little more noise."""
    before = predict_parameters(good, model=model)
    new = 0
    for seed in range(rounds):
        again = predict_parameters([noisy(a, seed) for a in good], model=model)
        new += np.count_nonzero(
            np.asarray(again["flags"]) & ~np.asarray(before["flags"])
        )
    print(f"good: {rounds * len(good)} noisier spectra, {new} with a new flag")


def main() -> None:
    """Corrupt, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--half", choices=("A", "B"), default="B")
    parser.add_argument("--data", type=Path, help="folder of real files")
    parser.add_argument("--limit", type=int, default=10_000, help="corruptions at most")
    parser.add_argument("--seed", type=int, default=2, help="of half B")
    parser.add_argument("--rounds", type=int, default=3, help="of noisier spectra")
    options = parser.parse_args()
    model = load_model(options.model)
    survey = "harps" if "harps" in options.model else "apogee"
    good = good_spectra(survey, options.half, options.data, options.seed)
    false_flags(model, good, options.rounds)
    tasks = make_tasks(len(good), options.half, options.limit, options.seed)
    found = list(judge(model, good, tasks))
    silent: dict[str, list[str]] = defaultdict(list)
    for name, star, labels, new, _ in found:
        if labels and not new:
            silent[name].append(f"{star} ({' '.join(labels)})")
    for name, stars in sorted(silent.items(), key=lambda item: -len(item[1])):
        print(f"{len(stars):4d}  {name}: {', '.join(stars[:3])}")
    report(found, f"half {options.half}, {options.model}, all")
    if options.half == "B":
        groups = {
            word: [f for f in found if word in f[0]] for word in (" new ", " unseen ")
        }
        rest = [f for f in found if not any(f in group for group in groups.values())]
        report(rest, "kinds of half A")
        report(groups[" new "], "new kinds, seen with seed 1")
        report(groups[" unseen "], "new kinds, never seen")


def _value(cell: object) -> float:
    return float(getattr(cell, "value", cell))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
