# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What broken pipelines and torn files do to the arrays of a spectrum.

Half A are fixed changes of fixed parts, on which thresholds may be chosen. Half B are
drawn: the same kinds with parts and strengths of their own, and other kinds. Those
called ``new`` were seen once, with the first seed, before two thresholds were changed;
those called ``unseen`` were written after that, and nothing was chosen on them.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

__all__ = ["Corruption", "draw_corruptions", "fixed_corruptions"]

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]  # wavelength, flux, sigma
Change = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]
PARTS = {
    "first half": (0.0, 0.5), "second half": (0.5, 1.0), "middle tenth": (0.45, 0.55),
    "third": (0.33, 0.67), "last fifth": (0.8, 1.0),
}  # fmt: skip


class Corruption(NamedTuple):
    """One change of the arrays; ``do`` is called with them and a generator."""

    name: str
    do: Callable[[Pixels, np.random.Generator], Pixels]


def _hold(flux: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    count = max(2, round(4 * strength))
    return np.repeat(flux[::count], count)[: len(flux)]


def _repeat(flux: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    return np.resize(flux[: max(int(strength * len(flux)) // 4, 1)], len(flux))


def _spikes(flux: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    hit = rng.random(len(flux)) < 0.02 * strength
    return np.where(hit, flux * rng.uniform(1.5, 4, len(flux)), flux)


def _smooth(flux: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    size = 2 * round(7 * strength) + 1
    return np.convolve(np.nan_to_num(flux), np.ones(size) / size, mode="same")


#: Changes of the flux in a part; the strength is one in half A.
FLUX: dict[str, Change] = {
    "constant": lambda f, rng, s: np.full_like(f, np.nanmedian(f)),
    "held over 4 pixels": _hold,
    "shift by 5 pixels": lambda f, rng, s: np.roll(f, max(1, round(5 * s))),
    "shift by 2 pixels": lambda f, rng, s: np.roll(f, max(1, round(2 * s))),
    "shift by -20 pixels": lambda f, rng, s: np.roll(f, round(-20 * s)),
    "reversed": lambda f, rng, s: f[::-1],
    "block repeated": _repeat,
    "times 2": lambda f, rng, s: f * 2**s,
    "times 0.8": lambda f, rng, s: f * 0.8**s,
    "offset": lambda f, rng, s: f + 0.3 * s * np.nanmedian(f),
    "offset down": lambda f, rng, s: f - 0.3 * s * np.nanmedian(f),
    "slope": lambda f, rng, s: f * np.linspace(1 - 0.3 * s, 1 + 0.3 * s, len(f)),
    "clipped": lambda f, rng, s: np.minimum(f, np.nanpercentile(f, 100 - 40 * s)),
    "noise": lambda f, rng, s: (
        f + 0.1 * s * np.nanmedian(f) * rng.standard_normal(len(f))
    ),
    "shuffled": lambda f, rng, s: rng.permutation(f),
    "spikes": _spikes,
    "smoothed": _smooth,
    "zeros at every second": lambda f, rng, s: np.where(np.arange(len(f)) % 2, f, 0),
    "inverted": lambda f, rng, s: 2 * np.nanmedian(f) - f,
    "squared": lambda f, rng, s: (
        np.nanmedian(f) * np.abs(f / np.nanmedian(f)) ** (1 + s)
    ),
}

#: Kinds of half B alone.
NEW: dict[str, Change] = {
    "neighbours exchanged": lambda f, rng, s: (
        f[: len(f) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
        if len(f) % 2 == 0
        else np.append(f[:-1].reshape(-1, 2)[:, ::-1].ravel(), f[-1])
    ),
    "halves exchanged": lambda f, rng, s: np.roll(f, len(f) // 2),
    "pixels lost": lambda f, rng, s: np.concatenate(
        [f[round(4 * s) :], f[len(f) - round(4 * s) :]]
    ),
    "rippled": lambda f, rng, s: (
        f * (1 + 0.1 * s * np.sin(np.arange(len(f)) * 2 * np.pi / rng.uniform(20, 400)))
    ),
    "coarse levels": lambda f, rng, s: (
        np.round(f / np.nanmedian(f) * 12 / s) * np.nanmedian(f) * s / 12
    ),
    "mixed with its mirror": lambda f, rng, s: 0.5 * (f + f[::-1]),
    "ghost": lambda f, rng, s: 0.7 * f + 0.3 * np.roll(f, round(40 * s)),
    "saturated": lambda f, rng, s: (
        np.nanmedian(f) * np.abs(f / np.nanmedian(f)) ** (0.5 / s)
    ),
    "stretched": lambda f, rng, s: np.interp(
        np.arange(len(f)) * (1 + 4e-3 * s), np.arange(len(f)), f
    ),
}

#: Kinds of half B on which nothing was chosen.
UNSEEN: dict[str, Change] = {
    "blocks exchanged": lambda f, rng, s: np.concatenate(
        [f[k : k + 128] for k in rng.permutation(np.arange(0, len(f), 128))]
    ),
    "every tenth pixel kept": lambda f, rng, s: np.interp(
        np.arange(len(f)), np.arange(0, len(f), 10), f[::10]
    ),
    "logarithm taken": lambda f, rng, s: (
        np.nanmedian(f) * (1 + s * np.log(np.clip(f / np.nanmedian(f), 0.05, None)))
    ),
    "fading": lambda f, rng, s: f * np.exp(-s * np.linspace(0, 1, len(f))),
    "added from elsewhere": lambda f, rng, s: f + 0.3 * s * f[::-1],
    "dead columns": lambda f, rng, s: np.where(
        rng.random(len(f)) < 0.05 * s, 0.3 * np.nanmedian(f), f
    ),
}


#: Changes of the wavelengths.
WAVE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    f"times 1{sign}{size:g}": (
        lambda w, s, by=size if sign == "+" else -size: (1 + by * s) * w
    )
    for sign in "+-"
    for size in (1e-5, 2.3e-5, 1e-4, 1e-3)
} | {
    "step 1e-3 larger": lambda w, s: w[0] + (w - w[0]) * (1 + 1e-3 * s),
    "step 1e-4 smaller": lambda w, s: w[0] + (w - w[0]) * (1 - 1e-4 * s),
    "linear for log": lambda w, s: np.linspace(w[0], w[-1], len(w)),
}

#: The same of half B alone.
NEW_WAVE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "bent": lambda w, s: w * (1 + 1e-4 * s * np.linspace(-1, 1, len(w)) ** 2),
    "second half off": lambda w, s: (
        w * (1 + 3e-5 * s * (np.arange(len(w)) > len(w) / 2))
    ),
    "unseen wavy": lambda w, s: w * (1 + 2e-5 * s * np.sin(np.linspace(0, 12, len(w)))),
    "half a pixel off": lambda w, s: w + 0.5 * np.median(np.diff(w)),
}


def _on_flux(change: Change, first: float, last: float, strength: float) -> Callable:
    def do(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        wave, flux, sigma = pixels
        part = slice(int(first * len(flux)), int(last * len(flux)))
        flux = flux.copy()
        flux[part] = change(flux[part], rng, strength)
        return wave, flux, sigma

    return do


def _on_wave(change: Callable, strength: float) -> Callable:
    return lambda pixels, rng: (change(pixels[0], strength), pixels[1], pixels[2])


def _on_sigma(factor: float) -> Callable:
    return lambda pixels, rng: (pixels[0], pixels[1], pixels[2] * factor)


def fixed_corruptions() -> Iterator[Corruption]:
    """Yield the corruptions of half A, the same for each spectrum."""
    for name, change in FLUX.items():
        for part, (first, last) in PARTS.items():
            yield Corruption(f"flux {name}, {part}", _on_flux(change, first, last, 1.0))
    for name, move in WAVE.items():
        yield Corruption(f"wavelength {name}", _on_wave(move, 1.0))
    for factor in (0.1, 0.3, 3.0, 10.0):
        yield Corruption(f"errors times {factor:g}", _on_sigma(factor))


def draw_corruptions(rng: np.random.Generator) -> Iterator[Corruption]:
    """Yield corruptions of half B, others for each spectrum."""
    kinds = [*((name, FLUX[name], 3) for name in FLUX)]
    kinds += [(f"new {name}", NEW[name], 2) for name in NEW]
    kinds += [(f"unseen {name}", UNSEEN[name], 2) for name in UNSEEN]
    for name, change, count in kinds:
        for _ in range(count):
            first = rng.uniform(0.0, 0.9)
            last = min(1.0, first + rng.uniform(0.08, 0.6))
            strength = float(np.exp(rng.uniform(-0.7, 0.7)))
            text = f"flux {name}"
            yield Corruption(text, _on_flux(change, first, last, strength))
    for name, move in {
        **WAVE,
        **{n if n.startswith("unseen") else f"new {n}": NEW_WAVE[n] for n in NEW_WAVE},
    }.items():
        strength = float(np.exp(rng.uniform(-0.7, 0.7)))
        yield Corruption(f"wavelength {name}", _on_wave(move, strength))
    for factor in np.exp([rng.uniform(-2.3, -1.0), rng.uniform(1.0, 2.3)]):
        yield Corruption("errors", _on_sigma(float(factor)))
