# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels to train on: real distributions, flattened so that the edges are learned."""

from pathlib import Path

import numpy as np

from .ingredients import find_ingredient

__all__ = ["APOGEE_LABELS", "draw_apogee_labels", "flattening_weights"]

#: Labels of the APOGEE emulator, in its order.
APOGEE_LABELS = ("teff", "logg", "fe_h", "alpha_fe", "vmacro")

# Where two models of real spectra agree: see docs/models/starnet.rst.
_SAFE = {"teff": (4100.0, 6500.0), "logg": (1.24, 4.71), "fe_h": (-0.9, 0.387)}


def flattening_weights(
    labels: np.ndarray, bins: int = 24, power: float = 0.7
) -> np.ndarray:
    """Weights that thin out the crowded parts of a distribution.

    Parameters
    ----------
    labels : ndarray, shape (n_stars, n_labels)
        The distribution to flatten.
    bins : int, optional
        Bins per label.
    power : float, optional
        0 keeps the distribution, 1 flattens it as far as its stars allow.

    Returns
    -------
    ndarray, shape (n_stars,)
        Probabilities; they sum to 1.
    """
    counts, edges = np.histogramdd(labels, bins=bins)
    index = tuple(
        np.clip(np.searchsorted(edge, column, side="right") - 1, 0, bins - 1)
        for edge, column in zip(edges, labels.T, strict=True)
    )
    weights = counts[index] ** -power
    return weights / weights.sum()


def _draw_giants(n: int, table: Path, rng: np.random.Generator) -> np.ndarray:
    find_ingredient(table, "labels of real giants, SDSS DR17")
    stars = np.load(table, allow_pickle=False).astype(float)
    low = np.array([_SAFE["teff"][0], 1.24, -0.9, -0.24])
    high = np.array([5400.0, 3.9, 0.387, 0.426])
    stars = stars[np.all((stars > low) & (stars < high), axis=1)]
    chosen = rng.choice(len(stars), size=n, p=flattening_weights(stars[:, :3]))
    # Smear by about the errors of the labels, so that no star is seen twice.
    return stars[chosen] + rng.normal(size=(n, 4)) * [40.0, 0.12, 0.05, 0.04]


def _draw_dwarfs(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a main sequence with a turn-off, 4200 to 6500 K."""
    teff = rng.uniform(4200.0, 6500.0, n)
    fe_h = np.clip(rng.normal(-0.15, 0.35, n), -0.9, 0.387)
    zero_age = 4.66 - 1.1e-4 * np.maximum(teff - 4600.0, 0.0)
    evolved = rng.random(n) < 0.4 * (teff > 4900.0)
    depth = np.where(evolved, rng.uniform(0.0, 1.0, n), np.abs(rng.normal(0, 0.08, n)))
    alpha = np.clip(-0.2 * fe_h, 0.0, 0.25) + rng.normal(0.0, 0.08, n)
    return np.stack([teff, zero_age - depth, fe_h, alpha], axis=1)


def draw_apogee_labels(
    n_spectra: int,
    giants: str | Path,
    *,
    box: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw labels of giants (60 %) and dwarfs (40 %) inside an emulator's box.

    Parameters
    ----------
    n_spectra : int
        How many.
    giants : path
        ``.npy`` table of real giants: T_eff, log g, [Fe/H], [alpha/Fe].
    box : tuple of ndarray
        Lower and upper corner of the emulator's labels.
    rng : `~numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_spectra, 5)
        In the order of `APOGEE_LABELS`.
    """
    n_giants = round(0.6 * n_spectra)
    labels = np.concatenate(
        [
            _draw_giants(n_giants, Path(giants), rng),
            _draw_dwarfs(n_spectra - n_giants, rng),
        ]
    )
    # Broadening between the two data-driven extremes; fast rotators are rarer.
    vmacro = np.exp(rng.normal(np.log(5.0), 0.45, n_spectra))
    labels = np.column_stack([labels, vmacro])
    margin = 1e-3 * (box[1] - box[0])
    labels = np.clip(labels, box[0] + margin, box[1] - margin)
    return labels[rng.permutation(n_spectra)]
