# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Toy stars whose two labels are the depths of two lines."""

import numpy as np
import pytest

N_PIXELS = 60
SMALL = {
    "views": [{"kind": "flux", "n_components": 6}], "n_hidden": 16, "n_blocks": 1,
    "n_noise": 2,
}  # fmt: skip
FAST = {"epochs": 8, "batch_size": 32, "learning_rate": 1e-2, "average": 0.9}


def make_stars(n_stars, *, seed=0, noise=None):
    """Arrays of a mapping that train_model takes."""
    rng = np.random.default_rng(seed)
    wavelength = np.linspace(5000.0, 5100.0, N_PIXELS)
    teff, logg = rng.uniform(4000, 6000, n_stars), rng.uniform(1, 5, n_stars)
    lines = [np.exp(-0.5 * ((wavelength - at) / 4.0) ** 2) for at in (5030, 5070)]
    depth = np.stack([(teff - 3500) / 5000, logg / 10], axis=1)
    flux = 1.0 - depth @ np.stack(lines)
    scale = rng.uniform(10, 20, n_stars)[:, None]
    level = rng.uniform(0.004, 0.02, n_stars) if noise is None else noise
    sigma = np.zeros_like(flux) + np.reshape(level, (-1, 1))
    flux = flux + sigma * rng.normal(size=flux.shape)
    return {
        "wavelength_vacuum": wavelength,
        "flux": flux * scale,
        "error": sigma * scale,
        "source_id": np.arange(n_stars),
        "teff": teff,
        "logg": logg,
    }


@pytest.fixture
def stars():
    return make_stars(150)


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are slower on many threads, and machines of tests are shared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
