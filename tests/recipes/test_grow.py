# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Growing a network must not change what it does."""

import torch
from torch.nn.functional import interpolate

from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
)
from recipes.harps_dae128_v1.grow import CoarseAutoencoder, grow


def test_the_grown_network_does_what_the_coarse_one_did():
    torch.manual_seed(1)
    full = DisentangledAutoencoder(n_pixels=20 * 2**6, n_latent=6)
    coarse = CoarseAutoencoder(full).eval()
    coarse.leave.bias.data.fill_(5.0)  # positive flux, as spectra have
    flux = 1 + 0.3 * torch.rand(4, 20 * 2**3)
    with torch.no_grad():
        before, mean_before, _ = coarse(flux)
        assert (before > 0).all()
        grown = grow(coarse).eval()
        fine = flux.repeat_interleave(8, dim=1)
        after, mean_after, _ = grown(fine)
    torch.testing.assert_close(mean_after, mean_before, rtol=1e-4, atol=1e-4)
    expected = before[:, None]
    for _ in range(3):
        expected = interpolate(expected, scale_factor=2, mode="linear")
    inner = slice(16, -16)  # outside, one sees zeros and the other repeats the end
    torch.testing.assert_close(
        after[:, inner], expected[:, 0, inner], rtol=1e-5, atol=1e-5
    )
