# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pixels count less where the synthetic Sun differs from the real one."""

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from recipes.harps_dae_fast_v1.pixel_weights import weigh_by_flux, weigh_by_likeness

SUN = {
    "file": "harps/s1d/sun_harps_ganymede.fits",
    "labels": [5772.0, 4.44, 0.0, 0.0, 1.0, 0.0, 0.0],
    "vsini": 1.8,
    "vmacro": 3.2,
    "softening": 0.005,
    "share": 0.1,
}


@pytest.fixture
def model():
    """Return a network without components."""
    return AlignedAutoencoder(n_components=2, n_star=2).eval()


def test_weights_are_those_of_photon_noise(model):
    points = torch.arange(model.grid.n_points)
    smooth = (0.2 * points / len(points)).expand(3, -1).clone()
    known = torch.ones(len(points), dtype=torch.bool)
    known[1000:1100] = False
    smooth[:, 1000:1100] = -5.0  # without data, and not to be believed
    weight = weigh_by_flux(model, smooth, known)
    share = (torch.arange(model.grid.n_blue) + 0.5) / model.grid.n
    expected = torch.exp(0.1 * share)
    torch.testing.assert_close(weight, expected, atol=1e-3, rtol=0.0)


def test_weights_fall_with_the_difference_and_grows_with_what_is_allowed(
    real_data, model
):
    with torch.no_grad():
        strict = weigh_by_likeness(model, real_data, SUN)
        lenient = weigh_by_likeness(model, real_data, {**SUN, "softening": 0.5})
    assert strict.shape == (model.grid.n_blue,)
    assert float(strict.min()) > 0.0
    assert float(strict.max()) <= 1.0
    assert bool((lenient >= strict - 1e-6).all())
    assert float(lenient.mean()) > 0.98
    wavelength = 3785.0 * np.exp(1.5 / 299_792.458 * np.arange(model.grid.n_blue))
    blue, green = (
        float(strict[(wavelength > low) & (wavelength < high)].mean())
        for low, high in ((3800, 4200), (5400, 5800))
    )
    assert blue < green  # the violet is crowded with lines that are less well known
