# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tell an autoencoder of HARPS spectra how to see that a spectrum is not of its kind.

Stars poorer than any of the training are simulated beside held-out ones of the
training's kind, all with ripples and cosmic rays, half of them cut as other instruments
would. Logistic regression finds the direction in which their latents lie, its limit is
passed by 2 % of other held-out ones. The share of the lines that the decoder leaves is
limited by real spectra, which it knows less well than simulated ones. Where it renders
lines well enough, what is left to one side of them is a second star. Networks stay as
they are: ``python -m recipes.harps.domain WEIGHTS --data FOLDER``.
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.latents import unexplained_share
from astro_latent.models.left_lines import lopsided_share
from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.grid import get_grid
from astro_latent.simulation import HarpsConditions, HarpsSimulator
from astro_latent.simulation.harps_library import draw_harps_labels
from recipes.harps.stars import CATALOGUE, open_simulator

__all__ = ["DomainTask", "add_domain", "describe_foreign"]

#: Real spectra of single stars, which set the limit of what a decoder may leave, and
#: of M dwarfs, which are not like the training; below the data folder.
SINGLE = (
    "harps/alpha_cen_b/*.fits", "harps/s1d/sun*.fits", "harps/s1d/HD111998*.fits",
)  # fmt: skip
M_DWARFS = ("harps/s1d/GJ*.fits", "harps/s1d/Gl581*.fits")
_PIXELS = (251, 3)  # 2.5 A, wider than lines; 0.03 A, wider than what noise shares
_BAND = (4400.0, 5860.0)  # Angstrom: many lines, hardly any of the Earth's air
_SECOND = 0.01  # of the lines; singles leave 0.001 on one side at most
_LEAST_SECOND = 0.9  # of simulated pairs: a decoder that finds fewer, or that takes
# more than a share of _ALARMS of single stars for pairs, states no limit
_BATCH = 10
_ALARMS = 0.02  # share of held-out spectra beyond the limit of a direction
_MARGIN = 1.5  # times what real spectra leave
_PENALTY = 0.1  # of the classifier: C of scikit-learn
_RIPPLE, _PERIODS = 0.08, (5.0, 1000.0)  # of the flux, Angstrom
_HITS = 5e-4  # share of pixels with cosmic rays
_PART = (4800.0, 6800.0)  # Angstrom: what libraries at R = 47,000 keep
_POOREST = -3.0  # [M/H]; the training ends at -2.4


@dataclass(frozen=True)
class DomainTask:
    """What is simulated.

    Parameters
    ----------
    n_batches : int
        Batches of ten stars of the training's kind, and of as many pairs of them.
    n_poor : int
        Batches of ten metal-poor stars.
    seed : int
        Of all; no training used it.
    """

    n_batches: int = 16
    n_poor: int = 8
    seed: int = 91


@dataclass
class _Seen:
    """Latents and what the decoder leaves, of some spectra."""

    latents: np.ndarray
    left: np.ndarray
    second: np.ndarray

    def half(self, which: int) -> "_Seen":
        return _Seen(*(getattr(self, field.name)[which::2] for field in fields(self)))


def _look(model: SpectralModel, flux: np.ndarray, valid: np.ndarray) -> _Seen:
    """Encode and decode prepared spectra, one by one."""
    import torch

    network, latents, left, second = model.members[0], [], [], []
    wavelength, (width, lag) = model.grid.wavelength, _PIXELS
    band = (wavelength > _BAND[0]) & (wavelength < _BAND[1])
    with torch.inference_mode():
        for row, use in zip(flux, valid, strict=True):
            one = torch.from_numpy(row[None]), torch.from_numpy(use[None])
            mean = network.encode(*one)[0]  # type: ignore[operator]
            again = network.decode(mean)[0].numpy()  # type: ignore[operator]
            left.append(unexplained_share(row[use], again[use], width=width, lag=lag))
            part = use & band
            second.append(lopsided_share(wavelength[part], row[part], again[part]))
            latents.append(mean[0].numpy())
    return _Seen(np.array(latents, dtype=float), np.array(left), np.array(second))


def _disturb(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add ripples and cosmic rays, and leave a part of every second spectrum."""
    wavelength = get_grid("harps_327680").wavelength
    flux = flux.copy()
    for number, row in enumerate(flux):
        period = np.exp(rng.uniform(*np.log(_PERIODS)))
        phase = 2.0 * np.pi * (wavelength / period + rng.random())
        row *= 1.0 + _RIPPLE * rng.random() * np.sin(phase)
        hit = rng.random(len(row)) < _HITS
        row[hit] *= 1.0 + rng.exponential(1.0, hit.sum())
        if number % 2:
            row[(wavelength < _PART[0]) | (wavelength > _PART[1])] = 0.0
    inside = np.where(flux > 0, flux, np.nan)
    return (flux / np.nanmedian(inside, axis=1, keepdims=True)).astype("f4")


def _batch(
    simulator: HarpsSimulator, catalogue: Path, rng: np.random.Generator, *, poor: bool
) -> np.ndarray:
    labels = draw_harps_labels(_BATCH, catalogue, rng=rng)
    if poor:
        labels[:, 2], labels[:, 3] = _POOREST, 0.35
    conditions = HarpsConditions.draw(labels[:, 0], rng=rng)
    return simulator.simulate(labels, conditions, rng=rng)[0].numpy()


def _pair(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add to each spectrum that of its neighbour, 0.2 to 1 times as bright."""
    both = flux + rng.uniform(0.2, 1.0, (len(flux), 1)) * np.roll(flux, 1, axis=0)
    both[(flux == 0) | (np.roll(flux, 1, axis=0) == 0)] = 0.0
    inside = get_grid("harps_327680").valid
    return (both / np.median(both[:, inside], axis=1, keepdims=True)).astype("f4")


def _simulate(
    model: SpectralModel, data: Path, task: DomainTask
) -> tuple[_Seen, dict[str, _Seen]]:
    """Look at stars of the training's kind and at those that are not."""
    simulator, catalogue = open_simulator(data), data / CATALOGUE
    inside = get_grid("harps_327680").valid
    own, pairs, poor = [], [], []

    def look(flux: np.ndarray) -> _Seen:
        return _look(model, flux, (flux != 0) & inside)

    for number in range(task.n_batches):
        rng = np.random.default_rng([task.seed, number])
        flux = _batch(simulator, catalogue, rng, poor=False)
        own.append(look(_disturb(flux, rng)))
        pairs.append(look(_pair(flux, rng)))
    for number in range(task.n_poor):
        rng = np.random.default_rng([task.seed + 1, number])
        flux = _batch(simulator, catalogue, rng, poor=True)
        poor.append(look(_disturb(flux, rng)))
    return _join(own), {"metal-poor": _join(poor), "two stars": _join(pairs)}


def _join(parts: list[_Seen]) -> _Seen:
    return _Seen(
        *(
            np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(_Seen)
        )
    )


def _real(model: SpectralModel, data: Path, patterns: tuple[str, ...]) -> _Seen:
    files = sorted(path for pattern in patterns for path in data.glob(pattern))
    prepared = prepare_spectra(files, model.grid, model.recipe, progress=False)
    return _look(model, prepared.flux, prepared.valid)


def _star_nodes(model: SpectralModel) -> slice:
    """Latents of the star, where a network tells them from sky and instrument."""
    sizes = getattr(model.members[0], "sizes", None)
    if sizes is None:
        return slice(model.config.n_outputs)
    return slice(sum(sizes[:3]), sum(sizes[:4]))


def _find_direction(own: _Seen, foreign: _Seen, nodes: slice) -> np.ndarray:
    """Return the direction of foreign latents, one at its limit."""
    centre, spread = own.latents.mean(0), own.latents.std(0)
    spread[spread == 0.0] = 1.0  # idle nodes, which stay at the prior
    fit, judge = own.half(0), own.half(1)
    both = np.concatenate([fit.latents, foreign.half(0).latents])
    kinds = np.arange(len(both)) >= len(fit.latents)
    model = LogisticRegression(C=_PENALTY, max_iter=5000, class_weight="balanced")
    scaled = ((both - centre) / spread)[:, nodes]
    direction = np.zeros(len(centre))
    direction[nodes] = model.fit(scaled, kinds).coef_[0] / spread[nodes]
    along = (judge.latents - centre) @ direction
    return direction / np.quantile(along, 1.0 - _ALARMS)


def describe_foreign(
    model: SpectralModel, data: str | Path, task: DomainTask | None = None
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], dict[str, Any]]:
    """Find directions and limits of an autoencoder.

    Parameters
    ----------
    model : SpectralModel
        The autoencoder.
    data : path
        Folder with the training ingredients and real spectra.
    task : DomainTask, optional
        What to simulate.

    Returns
    -------
    mean, directions : ndarray
        Tensors for `~astro_latent.models.save_weights`.
    domain, evaluation : dict
        Additions to the configuration: limits, and shares of spectra beyond them, of
        those that took no part.
    """
    data, task = Path(data), task or DomainTask()
    own, foreign = _simulate(model, data, task)
    real, dwarfs = _real(model, data, SINGLE), _real(model, data, M_DWARFS)
    nodes, mean = _star_nodes(model), own.latents.mean(0)
    directions = _find_direction(own, foreign["metal-poor"], nodes)[None]
    limit = max(_MARGIN * real.left.max(), np.quantile(own.left, 1.0 - _ALARMS))
    resolves = (
        (foreign["two stars"].second > _SECOND).mean() > _LEAST_SECOND
        and (own.second > _SECOND).mean() <= _ALARMS
    )  # fmt: skip
    second_limit = _SECOND if resolves else np.inf

    def flagged(seen: _Seen) -> list[float]:
        score = (seen.latents - mean) @ directions[0] > 1
        left = np.nan_to_num(seen.left) > limit
        two = np.nan_to_num(seen.second) > second_limit
        shares = [score, left, two, score | left | two]
        return [round(float(share.mean()), 3) for share in shares]

    kinds = {"training's kind": own.half(1)} | {
        k: f.half(1) for k, f in foreign.items()
    }
    kinds |= {"real single stars": real, "real M dwarfs": dwarfs}
    evaluation: dict[str, Any] = {
        "flagged by latents, by lines, as double, by any": {
            kind: [len(seen.left), *flagged(seen)] for kind, seen in kinds.items()
        },
        "share of lines left, median and 98 %": {
            kind: [float(np.nanquantile(seen.left, q)) for q in (0.5, 0.98)]
            for kind, seen in kinds.items()
        },
        "seed": task.seed,
    }
    domain = {"unexplained_limit": float(limit), "unexplained_pixels": [*_PIXELS]}
    if resolves:
        domain |= {"second_limit": _SECOND, "second_band": [*_BAND]}
    return mean, directions, domain, {"domain": evaluation}


def add_domain(
    folder: str | Path, data: str | Path, task: DomainTask | None = None
) -> Path:
    """Write weights anew with a domain; the networks stay what they are.

    Parameters
    ----------
    folder : path
        Weights of an autoencoder.
    data : path
        Folder with the training ingredients and real spectra.
    task : DomainTask, optional
        What to simulate.

    Returns
    -------
    Path
        The folder.
    """
    model = load_model(folder, device="cpu")
    mean, directions, domain, evaluation = describe_foreign(model, data, task)
    config = model.config.to_dict()
    kept = {k: v for k, v in config["domain"].items() if not k.startswith("second")}
    config["domain"] = {**kept, **domain}
    config["evaluation"] = {**config["evaluation"], **evaluation}
    return save_weights(
        folder, model.members[0], config, dtype=model.config.weights["dtype"],
        domain_mean=mean, domain_whitening=directions, tolerance=1e-3, overwrite=True,
    )  # fmt: skip


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="folder of an autoencoder's weights")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    add_domain(options.weights, options.data)


if __name__ == "__main__":
    _main()
