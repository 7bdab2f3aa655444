# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulated APOGEE spectra that no training saw: tests, repeats, independent stars."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from astro_latent.simulation.emulators import QuadraticEmulator
from recipes.apogee.stars import (
    CALM,
    apogee_emulator,
    draw_apogee_stars,
    prepare_observed,
)

__all__ = [
    "drop_pixels",
    "observe_bovy_giants",
    "observe_twice",
    "simulate_test_set",
]


def simulate_test_set(
    data: str | Path,
    n_spectra: int,
    *,
    seed: int,
    snr: float | None = None,
    conditions: ApogeeConditions | None = None,
) -> tuple[PreparedSpectra, np.ndarray]:
    """Observe stars that no training saw.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many.
    seed : int
        Seed of stars and observations; trainings use others.
    snr : float, optional
        Fixed signal-to-noise per pixel.
    conditions : ApogeeConditions, optional
        Observing conditions.

    Returns
    -------
    prepared : PreparedSpectra
        The spectra.
    labels : ndarray, shape (n_spectra, 5)
        Their true labels.
    """
    labels = draw_apogee_stars(data, n_spectra, seed=seed)
    clean = apogee_emulator(data).flux(labels)
    rng = np.random.default_rng(seed + 1)
    observed = observe_apogee(
        clean, get_grid("apogee_7214"), rng=rng, conditions=conditions, snr=snr
    )
    return prepare_observed(*observed), labels


def observe_twice(
    data: str | Path, n_stars: int, *, seed: int
) -> tuple[PreparedSpectra, PreparedSpectra]:
    """Observe each star twice at the same signal-to-noise, 10 to 300.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_stars : int
        How many.
    seed : int
        Seed of stars and observations.

    Returns
    -------
    first, second : PreparedSpectra
        Noise, velocity error, sky, bad pixels and flux shape are drawn anew.
    """
    labels = draw_apogee_stars(data, n_stars, seed=seed)
    clean = apogee_emulator(data).flux(labels)
    rng = np.random.default_rng(seed + 1)
    snr = np.exp(rng.uniform(np.log(10.0), np.log(300.0), n_stars))
    grid = get_grid("apogee_7214")
    first, second = (
        prepare_observed(
            *observe_apogee(clean, grid, rng=rng, conditions=CALM, snr=snr)
        )
        for _ in range(2)
    )
    return first, second


def drop_pixels(
    prepared: PreparedSpectra, fraction: float, *, rng: np.random.Generator
) -> PreparedSpectra:
    """Lose a fraction of each spectrum, in stretches of 200 pixels at random places.

    Parameters
    ----------
    prepared : PreparedSpectra
        On the 7,214-pixel grid.
    fraction : float
        0 to 1.
    rng : `~numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    PreparedSpectra
        With fewer valid pixels.
    """
    valid = prepared.valid.copy()
    starts = np.arange(0, valid.shape[1], 200)
    for row in valid:
        for start in rng.choice(starts, round(fraction * len(starts)), replace=False):
            row[start : start + 200] = False
    return replace(prepared, valid=valid)


def observe_bovy_giants(
    data: str | Path, n_spectra: int, *, seed: int, snr: float = 100.0
) -> tuple[PreparedSpectra, np.ndarray]:
    """Observe giants of an independent model of real spectra, which no training saw.

    Parameters
    ----------
    data : path
        Folder with ``apogee/emulators/bovy_cannon``.
    n_spectra : int
        At most so many.
    seed : int
        Seed of stars and observations.
    snr : float, optional
        Signal-to-noise per pixel.

    Returns
    -------
    prepared : PreparedSpectra
        The spectra.
    labels : ndarray, shape (n_spectra, 4)
        T_eff, log g, [Fe/H], [alpha/Fe] on the scale of that model: SDSS DR10.
    """
    stars = draw_apogee_stars(data, 4 * n_spectra, seed=seed)[:, :4]
    low, high = np.array([4400.0, 1.3, -0.9, 0.0]), np.array([5050.0, 3.2, 0.25, 0.28])
    stars = stars[np.all((stars > low) & (stars < high), axis=1)][:n_spectra]
    emulator = QuadraticEmulator.read(
        Path(data, "apogee/emulators/bovy_cannon/trained_apokasc_gc_ind_feh_fix")
    )
    observed = observe_apogee(
        emulator.flux(stars), get_grid("apogee_7214"),
        rng=np.random.default_rng(seed), conditions=CALM, snr=snr,
    )  # fmt: skip
    return prepare_observed(*observed), stars
