# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How many corrupted spectra still give labels that are wrong and not flagged.

Each spectrum is corrupted in its arrays, as a broken pipeline or a torn file would do,
and read and judged again. A label is wrong if it moved by more than three of its errors
(the larger of both); a corruption is noticed if a flag is set that the good spectrum
does not have.

python benchmarks/bench_corruptions.py --model apogee_starnet_v1 [--data FOLDER]
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from astro_latent.models import load_model
from astro_latent.pipeline import predict_parameters
from astro_latent.spectra import SpectrumArrays, iter_arrays
from astro_latent.spectra.checks import finish_arrays
from astro_latent.surveys import get_survey
from astro_latent.utils.quality import NOTICE_FLAGS as NOTICE

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]  # wavelength, flux, sigma
PARTS = {
    "first half": (0.0, 0.5), "second half": (0.5, 1.0), "middle tenth": (0.45, 0.55),
    "third": (0.33, 0.67), "last fifth": (0.8, 1.0),
}  # fmt: skip


def _part(name: str, size: int) -> slice:
    first, last = PARTS[name]
    return slice(int(first * size), int(last * size))


def _on_flux(
    change: Callable[[np.ndarray, np.random.Generator], np.ndarray], part: str
) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def corrupt(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        wave, flux, sigma = pixels
        flux, where = flux.copy(), _part(part, len(flux))
        flux[where] = change(flux[where], rng)
        return wave, flux, sigma

    return corrupt


def _on_sigma(factor: float) -> Callable[[Pixels, np.random.Generator], Pixels]:
    return lambda pixels, rng: (pixels[0], pixels[1], pixels[2] * factor)


def _on_wave(
    change: Callable[[np.ndarray], np.ndarray],
) -> Callable[[Pixels, np.random.Generator], Pixels]:
    return lambda pixels, rng: (change(pixels[0]), pixels[1], pixels[2])


def _repeat(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    block = flux[: max(len(flux) // 4, 1)]
    return np.resize(block, len(flux))


def _spikes(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hit = rng.random(len(flux)) < 0.02
    return np.where(hit, flux * rng.uniform(1.5, 4, len(flux)), flux)


def _smooth(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    window = np.ones(15) / 15
    return np.convolve(np.nan_to_num(flux), window, mode="same")


_FLUX: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "constant": lambda f, rng: np.full_like(f, np.nanmedian(f)),
    "held every 4 pixels": lambda f, rng: np.repeat(f[::4], 4)[: len(f)],
    "shift by 5 pixels": lambda f, rng: np.roll(f, 5),
    "shift by 2 pixels": lambda f, rng: np.roll(f, 2),
    "shift by -20 pixels": lambda f, rng: np.roll(f, -20),
    "reversed": lambda f, rng: f[::-1],
    "block repeated": _repeat,
    "times 2": lambda f, rng: f * 2,
    "times 0.8": lambda f, rng: f * 0.8,
    "offset": lambda f, rng: f + 0.3 * np.nanmedian(f),
    "offset down": lambda f, rng: f - 0.3 * np.nanmedian(f),
    "slope": lambda f, rng: f * np.linspace(0.7, 1.3, len(f)),
    "clipped": lambda f, rng: np.minimum(f, np.nanpercentile(f, 60)),
    "noise": lambda f, rng: f + 0.1 * np.nanmedian(f) * rng.standard_normal(len(f)),
    "shuffled": lambda f, rng: rng.permutation(f),
    "spikes": _spikes,
    "smoothed": _smooth,
    "zeros at every second": lambda f, rng: np.where(np.arange(len(f)) % 2, f, 0),
    "inverted": lambda f, rng: 2 * np.nanmedian(f) - f,
    "squared": lambda f, rng: f**2 / np.nanmedian(f),
}
_WAVE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    f"times 1{sign}{size:g}": lambda w, f=(1 + size * (1 if sign == "+" else -1)): w * f
    for sign in "+-"
    for size in (1e-5, 2.3e-5, 1e-4, 1e-3)
} | {
    "step 1e-3 larger": lambda w: w[0] + (w - w[0]) * 1.001,
    "step 1e-4 smaller": lambda w: w[0] + (w - w[0]) * 0.9999,
    "linear for log": lambda w: np.linspace(w[0], w[-1], len(w)),
}


def corruptions() -> Iterator[tuple[str, Callable]]:
    """Yield the name of each corruption and what does it."""
    for name, change in _FLUX.items():
        for part in PARTS:
            yield f"flux {name}, {part}", _on_flux(change, part)
    for name, move in _WAVE.items():
        yield f"wavelength {name}", _on_wave(move)
    for factor in (0.1, 0.3, 3.0, 10.0):
        yield f"errors times {factor:g}", _on_sigma(factor)


def corrupt(arrays: SpectrumArrays, change: Callable, seed: int) -> SpectrumArrays:
    """Change the pixels of a spectrum and send it through the reader's checks again."""
    sigma = arrays.sigma
    assert sigma is not None
    pixels = arrays.wavelength, np.asarray(arrays.flux, float), np.asarray(sigma, float)
    wave, flux, sigma = change(pixels, np.random.default_rng(seed))
    return finish_arrays(
        wave, flux, sigma=sigma, mask=arrays.mask, flux_unit=arrays.flux_unit,
        observation=replace(arrays.observation, snr=arrays.observation.snr),
    )  # fmt: skip


def noisy(arrays: SpectrumArrays, seed: int) -> SpectrumArrays:
    """Return the same star with a fifth more noise, correctly stated."""
    rng = np.random.default_rng(seed)
    sigma = np.asarray(arrays.sigma, float)
    more = (
        0.65 * np.where(np.isfinite(sigma), sigma, 0) * rng.standard_normal(len(sigma))
    )
    return replace(arrays, flux=arrays.flux + more, sigma=sigma * 1.2)


def good_spectra(survey: str, data: Path | None) -> list[SpectrumArrays]:
    """Return the bundled sample and real files of the survey."""
    folders = {
        "apogee": ["apogee/spectra/apStar*"],
        "harps": ["harps/alpha_cen_b/*.fits", "harps/s1d/sun_*"],
    }
    sample = get_survey("sample")
    found = list(iter_arrays(sample.fetch(sample.table())))
    found = [arrays for arrays in found if arrays.observation.survey == survey]
    for pattern in folders[survey] if data is not None else []:
        found += iter_arrays(str(data / pattern))
    return [arrays for arrays in found if arrays.sigma is not None]


def main() -> None:
    """Corrupt, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--data", type=Path, help="folder of real files")
    parser.add_argument("--limit", type=int, default=10_000, help="corruptions at most")
    options = parser.parse_args()
    model = load_model(options.model)
    survey = "harps" if "harps" in options.model else "apogee"
    good = good_spectra(survey, options.data)
    before = predict_parameters(good, model=model)
    names = list(before.meta["labels"])
    again = predict_parameters(
        [noisy(arrays, seed) for seed in range(10) for arrays in good], model=model
    )
    new = np.asarray(again["flags"]) & ~np.tile(np.asarray(before["flags"]), 10)
    print(f"good: {len(again)} spectra, {np.count_nonzero(new)} with a new flag")
    tasks = [(n, name, do) for n in range(len(good)) for name, do in corruptions()]
    step = max(1, len(tasks) // options.limit)
    tasks = tasks[::step]
    moved: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for first in range(0, len(tasks), 64):
        part = tasks[first : first + 64]
        spectra = [corrupt(good[n], do, n) for n, _, do in part]
        rows = predict_parameters(spectra, model=model)
        for (n, name, _), row in zip(part, rows, strict=True):
            noticed = int(row["flags"]) & ~int(before["flags"][n])
            wrong = any(
                abs(_value(row[k]) - _value(before[k][n]))
                > 3 * max(_value(row[f"{k}_error"]), _value(before[f"{k}_error"][n]))
                for k in names
            )
            counts["all"] += 1
            counts["moved"] += wrong
            counts["noticed"] += bool(noticed)
            counts["wrong without any flag"] += (
                wrong and not int(row["flags"]) & ~NOTICE
            )
            if wrong and not noticed:
                counts["silent"] += 1
                moved[name].append(good[n].observation.obs_id)
    for name, stars in sorted(moved.items(), key=lambda item: -len(item[1])):
        print(f"{len(stars):4d}  {name}: {', '.join(stars[:4])}")
    print(dict(counts))
    for name in ("silent", "wrong without any flag"):
        print(f"{name}: {counts[name] / max(counts['all'], 1):.2%}")


def _value(cell: object) -> float:
    return float(getattr(cell, "value", cell))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
