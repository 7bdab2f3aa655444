# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights for the autoencoder: principal components of smoothed spectra.

A network that starts from random weights spends most of a short training on what
principal components give at once. The published layers can hold them, see
`recipes.harps.linear_start`. What is left to learn is what components cannot do.
"""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps.linear_start import LINEAR, set_linear

__all__ = ["start_from_components"]


@torch.no_grad()
def start_from_components(
    coarse: CoarseAutoencoder, flux: Tensor, *, noise: float = 4e-4
) -> None:
    """Set the weights of a coarse autoencoder to principal components, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        With random weights.
    flux : Tensor, shape (n_spectra, n_pixels)
        Coarse spectra, more than the network has nodes.
    noise : float, optional
        Noise that the spread of one node may add to a pixel, in units of the flux.
    """
    full = coarse.full
    n_samples = full.expand.out_features
    smooth = flux.unflatten(1, (n_samples, -1)).mean(2)
    mean = smooth.mean(0)
    _, values, components = torch.linalg.svd(smooth - mean, full_matrices=False)
    scale = values[: full.n_latent] / len(flux) ** 0.5
    scale = scale.clamp(min=1e-4 * float(scale[0]))  # fewer factors than nodes
    project = components[: full.n_latent] / scale[:, None]
    samples = _samples_to_interpolate(flux, n_samples)
    centre = samples.mean(0)
    decode = torch.linalg.lstsq((smooth - mean) @ project.T, samples - centre).solution

    spread = noise * decode.pow(2).mean(1).rsqrt()
    set_linear(
        coarse,
        mean=mean,
        project=project,
        centre=centre,
        decode=decode,
        log_variance=2.0 * spread.clamp(max=1.0).log(),
    )


def _samples_to_interpolate(flux: Tensor, n_samples: int) -> Tensor:
    """Return the samples whose linear interpolation comes closest to the flux."""
    length = n_samples
    total = sparse.identity(n_samples, format="csr")
    while length < flux.shape[1]:
        total = _doubling(length) @ total
        length *= 2
    normal = total.T @ total + 1e-4 * sparse.identity(n_samples)
    solved = splu(normal.tocsc()).solve(total.T @ flux.numpy().T.astype(np.float64))
    return torch.from_numpy(solved.T.astype(np.float32))


def _doubling(n: int) -> sparse.csr_matrix:
    """Return the transposed convolution with linear taps as a matrix."""
    taps = [
        sparse.coo_matrix(
            (np.full(n, tap), (2 * np.arange(n) + k, np.arange(n))), (2 * n + 2, n)
        )
        for k, tap in enumerate(LINEAR)
    ]
    return sparse.csr_matrix(sum(taps))[1:-1]
