# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights: the maps to the teacher's nodes and back that are linear.

What is linear in nodes needs no training: a ridge regression reads them from spectra,
least squares makes spectra of them. All other nodes are at the prior: nothing enters
and nothing leaves.
"""

import torch
from torch import Tensor

from recipes.harps.coarse import CoarseAutoencoder
from recipes.harps.linear_start import set_linear

__all__ = ["start_from_nodes"]

_RIDGE = 1e-3  # of the mean square norm of a spectrum
_LOG_VARIANCE = -3.0


def start_from_nodes(coarse: CoarseAutoencoder, flux: Tensor, nodes: Tensor) -> None:
    """Set the weights of a coarse autoencoder to regressions, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        With random weights; its spectra have as many pixels as its innermost layer
        has values.
    flux : Tensor, shape (n_spectra, n_pixels)
        Coarse spectra, more than there are nodes.
    nodes : Tensor, shape (n_spectra, n_nodes)
        What the first nodes are to be.
    """
    design = torch.cat([torch.ones(len(nodes), 1), nodes], 1)
    decoded = torch.linalg.lstsq(design, flux).solution
    mean, centre = flux.mean(0), nodes.mean(0)
    apart = flux - mean
    kernel = apart @ apart.T
    kernel.diagonal().add_(_RIDGE * kernel.diagonal().mean())
    project = torch.linalg.solve(kernel, nodes - centre).T @ apart
    set_linear(
        coarse,
        mean=mean,
        project=project,
        centre=decoded[0],
        decode=decoded[1:],
        log_variance=torch.full_like(centre, _LOG_VARIANCE),
    )
    with torch.no_grad():
        coarse.full.mean.get_parameter("bias")[: len(centre)] += centre
