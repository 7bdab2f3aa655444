# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Find whether the network is off on an independent model, or its emulator.

Noiseless giants of Bovy's Cannon, at known labels, are fitted by least squares with the
emulator that the bundled StarNet was trained on: no network is involved. What is left
is the disagreement of two models of real spectra about the labels.

    python benchmarks/fit_independent_giants.py --data FOLDER --output FILE
"""

import argparse
import json
from pathlib import Path

import _paths  # noqa: F401
import numpy as np

from astro_latent.simulation.emulators import QuadraticEmulator
from astro_latent.training.scores import score_residuals
from recipes.apogee.stars import apogee_emulator, draw_apogee_stars, prepare_observed

START = np.array([4750.0, 2.4, -0.2, 0.1, 4.0])
STEP = 5e-3  # of the emulator's box, for the derivatives


def _prepared(flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Send noiseless spectra through the preparation of the network."""
    sigma, mask = np.full_like(flux, 0.01), np.zeros(flux.shape, dtype=bool)
    prepared = prepare_observed(flux, sigma, mask)
    return prepared.flux.astype(float), prepared.valid


def fit_labels(flux: np.ndarray, data: Path, *, n_iterations: int = 12) -> np.ndarray:
    """Fit the five labels of the emulator, damped Gauss-Newton, all stars at once."""
    emulator = apogee_emulator(data)
    low, box = emulator.lower, emulator.upper - emulator.lower

    def model(unit: np.ndarray) -> np.ndarray:
        return _prepared(emulator.flux(low + box * unit).astype(np.float32))[0]

    target, valid = _prepared(flux)
    unit = np.tile((START - low) / box, (len(flux), 1))
    damping = np.full(len(flux), 1e-3)
    best = model(unit)
    cost = np.sum((best - target) ** 2 * valid, axis=1)
    for _ in range(n_iterations):
        slopes = np.stack(
            [(model(unit + STEP * shift) - best) / STEP for shift in np.eye(5)], axis=1
        )
        normal = np.einsum("nkp,nlp,np->nkl", slopes, slopes, valid, optimize=True)
        right = np.einsum("nkp,np->nk", slopes, (target - best) * valid)
        diagonal = np.einsum("nkk->nk", normal)
        normal += (damping[:, None] * diagonal)[:, :, None] * np.eye(5)
        move = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        trial = np.clip(unit + np.clip(move, -0.15, 0.15), 1e-3, 1.0 - 1e-3)
        found = model(trial)
        new = np.sum((found - target) ** 2 * valid, axis=1)
        better = new < cost
        unit[better], best[better], cost[better] = (
            trial[better], found[better], new[better],
        )  # fmt: skip
        damping = np.where(better, damping / 3.0, damping * 5.0)
    return low + box * unit


def main() -> None:
    """Fit, and write bias and scatter."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--n-stars", type=int, default=150)
    parser.add_argument("--seed", type=int, default=900_003)
    options = parser.parse_args()
    stars = draw_apogee_stars(options.data, 8 * options.n_stars, seed=options.seed)
    low, high = np.array([4400.0, 1.3, -0.9, 0.0]), np.array([5050.0, 3.2, 0.25, 0.28])
    inside = np.all((stars[:, :4] > low) & (stars[:, :4] < high), axis=1)
    stars = stars[inside][: options.n_stars, :4]
    cannon = QuadraticEmulator.read(
        options.data / "apogee/emulators/bovy_cannon/trained_apokasc_gc_ind_feh_fix"
    )
    fitted = fit_labels(cannon.flux(stars).astype(np.float32), options.data)
    names = ("teff", "logg", "fe_h", "alpha_fe")
    report = {
        "seed": options.seed,
        "least_squares": score_residuals(fitted[:, :4], stars, names),
    }
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
