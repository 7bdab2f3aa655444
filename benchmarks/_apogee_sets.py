# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulated APOGEE spectra that several methods are trained and judged on."""

from pathlib import Path
from typing import NamedTuple

import _paths  # noqa: F401
import numpy as np

from astro_latent.preparation import get_grid
from astro_latent.simulation.apogee import observe_apogee
from recipes.apogee.held_out import simulate_test_set
from recipes.apogee.stars import (
    CALM,
    apogee_emulator,
    draw_apogee_stars,
    prepare_observed,
)

#: Seeds of the stars; trainings of bundled weights use others.
TRAIN_SEED, TEST_SEED = 31_415_926, 27_182_818
#: Signal-to-noise at which the training set is stored; noise is added when drawn.
_CLEAN = 1e4
_BLOCK = 400


class StarSet(NamedTuple):
    """Normalised spectra without white noise, and what the noise would be."""

    flux: np.ndarray  # (n, 7214), float16
    level: np.ndarray  # its standard deviation at S/N 1, float16
    valid: np.ndarray  # bool
    labels: np.ndarray  # (n, 5)


def training_set(data: Path, work: Path, n_spectra: int) -> StarSet:
    """Make the training set, or open the one that is there.

    Masks, flux shapes and velocity errors are drawn once for each star and go through
    the normalisation of real spectra; white noise is added by `draw_batch`.
    """
    folder = work / f"train_{n_spectra}"
    if not (folder / "labels.npy").exists():
        _make_training_set(data, folder, n_spectra)
    return StarSet(
        *(
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in StarSet._fields
        )
    )


def _make_training_set(data: Path, folder: Path, n_spectra: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grid, emulator = get_grid("apogee_7214"), apogee_emulator(data)
    labels = draw_apogee_stars(data, n_spectra, seed=TRAIN_SEED)
    shape = (n_spectra, grid.n_pixels)
    flux, level, valid = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        for name, dtype in (
            ("flux", np.float16),
            ("level", np.float16),
            ("valid", bool),
        )
    )
    for first in range(0, n_spectra, _BLOCK):
        rows = slice(first, first + _BLOCK)
        prepared = prepare_observed(
            *observe_apogee(
                emulator.flux(labels[rows]),
                grid,
                rng=np.random.default_rng([TRAIN_SEED, first]),
                snr=_CLEAN,
            )
        )
        flux[rows], valid[rows] = prepared.flux, prepared.valid
        deviation = np.where(prepared.valid, np.sqrt(prepared.variance) * _CLEAN, 0.0)
        level[rows] = np.minimum(deviation, 1000.0)
    np.save(folder / "labels.npy", labels)  # last: its presence says all is there


def draw_batch(
    stars: StarSet, rows: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return flux, sigma and valid of some stars with noise of S/N 10 to 300."""
    snr = np.exp(rng.uniform(np.log(10.0), np.log(300.0), (len(rows), 1)))
    sigma = stars.level[rows].astype(np.float32) / snr.astype(np.float32)
    noise = sigma * rng.standard_normal(sigma.shape, dtype=np.float32)
    flux = stars.flux[rows].astype(np.float32) + noise
    valid = stars.valid[rows] & (flux >= 0.0) & (flux <= 1.5)  # the recipe's "clip"
    return np.where(valid, flux, 0.0), sigma, valid


def test_sets(data: Path, n_spectra: int) -> dict[str, tuple]:
    """Stars of another seed, noise included, all through `prepare_observed`."""
    return {
        "S/N 100": simulate_test_set(
            data, n_spectra, seed=TEST_SEED, snr=100.0, conditions=CALM
        ),
        "S/N 10-300": simulate_test_set(data, n_spectra, seed=TEST_SEED + 10),
    }
