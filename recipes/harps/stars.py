# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files below the data folder that simulated HARPS spectra are made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from astro_latent.preparation.grid import SpectralGrid
from astro_latent.simulation.harps import HarpsSimulator
from astro_latent.simulation.harps_bank import (
    HarpsBank,
    make_harps_bank,
    simulate_batches,
)
from astro_latent.simulation.harps_library import HarpsLibrary

__all__ = ["CATALOGUE", "make_star_bank", "open_simulator", "simulate_stars"]

#: Files and folders below the data folder.
CATALOGUE = "harps/catalogue/HARPScat_param.csv"
LIBRARY = "harps/synthetic/harps_like_pca160_gp.npz"
TELLURICS = "harps/telluric"


def open_simulator(
    data: str | Path,
    device: str | torch.device = "cpu",
    grid: SpectralGrid | None = None,
) -> HarpsSimulator:
    """Open the synthetic library and the tellurics below a data folder.

    Parameters
    ----------
    data : path
        Folder with ``harps/synthetic`` and ``harps/telluric``.
    device : str or torch.device, optional
        Where to simulate.
    grid : SpectralGrid, optional
        Where to sample the spectra; by default every pixel of HARPS.

    Returns
    -------
    HarpsSimulator
        Ready to use.
    """
    library = HarpsLibrary(Path(data, LIBRARY), device)
    return HarpsSimulator(library, Path(data, TELLURICS), grid)


def make_star_bank(
    data: str | Path, folder: str | Path, *, n_spectra: int, seed: int
) -> HarpsBank:
    """Simulate the spectra of a bank, going on where an earlier call stopped.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    folder : path
        Where the files are kept; 309 MB for 500 spectra.
    n_spectra : int
        How many; rounded up to 500.
    seed : int
        Another seed gives other stars.

    Returns
    -------
    HarpsBank
        With exactly ``n_spectra``.
    """
    return make_harps_bank(
        open_simulator(data), Path(data, CATALOGUE), folder,
        n_spectra=n_spectra, seed=seed,
    )  # fmt: skip


def simulate_stars(
    data: str | Path, *, batch_size: int, seed: int, snr: float | None = None
) -> Callable[[int], dict[str, Any]]:
    """Make batches of new stars; each is a function of its number alone.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    batch_size : int
        Spectra per batch.
    seed : int
        Another seed gives other stars.
    snr : float, optional
        Fixed signal-to-noise.

    Returns
    -------
    callable
        See `~astro_latent.simulation.harps_bank.simulate_batches`.
    """
    return simulate_batches(
        open_simulator(data), Path(data, CATALOGUE),
        batch_size=batch_size, seed=seed, snr=snr,
    )  # fmt: skip
