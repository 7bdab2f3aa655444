# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tell an autoencoder of HARPS spectra how to see that a spectrum is not of its kind.

Stars poorer than any of the training, and two stars in one spectrum, are simulated
beside held-out ones of the training's kind. Logistic regression finds the direction in
which their latents lie, its limit is passed by 2 % of other held-out ones. The share of
the lines that the decoder leaves is limited by real spectra, which it knows less well
than simulated ones. Networks stay as they are:
``python -m recipes.harps.domain WEIGHTS --data FOLDER``.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.latents import unexplained_share
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
_PIXELS = (501, 3)  # 5 A, wider than lines; 0.03 A, wider than what noise shares
_BATCH = 10
_ALARMS = 0.02  # share of held-out spectra beyond the limit of a direction
_MARGIN = 1.5  # times what real spectra leave
_PENALTY = 0.1  # of the classifier: C of scikit-learn
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

    def half(self, which: int) -> "_Seen":
        return _Seen(self.latents[which::2], self.left[which::2])


def _look(model: SpectralModel, flux: np.ndarray, valid: np.ndarray) -> _Seen:
    """Encode and decode prepared spectra, one by one."""
    import torch

    network, latents, left = model.members[0], [], []
    with torch.inference_mode():
        for row, use in zip(flux, valid, strict=True):
            one = torch.from_numpy(row[None]), torch.from_numpy(use[None])
            mean = network.encode(*one)[0]  # type: ignore[operator]
            again = network.decode(mean)[0].numpy()[use]  # type: ignore[operator]
            width, lag = _PIXELS
            left.append(unexplained_share(row[use], again, width=width, lag=lag))
            latents.append(mean[0].numpy())
    return _Seen(np.array(latents, dtype=float), np.array(left))


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
        own.append(look(flux))
        pairs.append(look(_pair(flux, rng)))
    for number in range(task.n_poor):
        rng = np.random.default_rng([task.seed + 1, number])
        poor.append(look(_batch(simulator, catalogue, rng, poor=True)))
    return _join(own), {"metal-poor": _join(poor), "two stars": _join(pairs)}


def _join(parts: list[_Seen]) -> _Seen:
    return _Seen(
        np.concatenate([part.latents for part in parts]),
        np.concatenate([part.left for part in parts]),
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
    directions = np.stack([_find_direction(own, f, nodes) for f in foreign.values()])
    limit = max(_MARGIN * real.left.max(), np.quantile(own.left, 1.0 - _ALARMS))

    def flagged(seen: _Seen) -> list[float]:
        score = ((seen.latents - mean) @ directions.T).max(axis=1)
        left = np.nan_to_num(seen.left) / limit
        shares = [score > 1, left > 1, (score > 1) | (left > 1)]
        return [round(float(share.mean()), 3) for share in shares]

    kinds = {"training's kind": own.half(1)} | {
        k: f.half(1) for k, f in foreign.items()
    }
    kinds |= {"real single stars": real, "real M dwarfs": dwarfs}
    evaluation: dict[str, Any] = {
        "flagged by latents, by lines, by either": {
            kind: [len(seen.left), *flagged(seen)] for kind, seen in kinds.items()
        },
        "share of lines left, median and 98 %": {
            kind: [float(np.nanquantile(seen.left, q)) for q in (0.5, 0.98)]
            for kind, seen in kinds.items()
        },
        "seed": task.seed,
    }
    domain = {"unexplained_limit": float(limit), "unexplained_pixels": [*_PIXELS]}
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
    config["domain"] = {**config["domain"], **domain}
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
