# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Growing a network must not change what it does."""

import pytest
import torch
from torch.nn.functional import interpolate

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from recipes.harps.coarse import CoarseAutoencoder, grow

LEVELS = 3


@pytest.mark.parametrize("between", [(), (1,), (2, 1)])
def test_the_grown_network_does_what_the_coarse_one_did(between):
    torch.manual_seed(1)
    full = DisentangledAutoencoder(n_pixels=20 * 2**6, n_latent=6)
    coarse = CoarseAutoencoder(full, LEVELS).eval()
    coarse.leave.bias.data.fill_(5.0)  # positive flux, as spectra have
    flux = 1 + 0.3 * torch.rand(4, 20 * 2**3)
    with torch.no_grad():
        before, mean_before, _ = coarse(flux)
        assert (before > 0).all()
        for levels in between:
            coarse = grow(coarse, levels).eval()
        grown = grow(coarse).eval()
        assert grown is full
        fine = flux.repeat_interleave(2**LEVELS, dim=1)
        after, mean_after, _ = grown(fine)
    torch.testing.assert_close(mean_after, mean_before, rtol=1e-4, atol=1e-4)
    expected = before[:, None]
    for _ in range(LEVELS):
        expected = interpolate(expected, scale_factor=2, mode="linear")
    inner = slice(16, -16)  # outside, one sees zeros and the other repeats the end
    torch.testing.assert_close(
        after[:, inner], expected[:, 0, inner], rtol=1e-5, atol=1e-5
    )
