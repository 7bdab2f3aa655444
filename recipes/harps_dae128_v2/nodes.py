# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which nodes there are: the star's first, and components of what can be read.

Principal components of logarithms at rest would spend nodes on what no moved spectrum
tells. So the components are those of the part of the logarithms that a reader predicts
for stars that it has not learned from, less what the star's nodes say, and of smooth
flux shapes, of which real spectra have more kinds than simulated ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .reader import Whitening

__all__ = ["NodeChoice", "choose_components", "regress", "smooth_shapes"]

_N_FOLDS = 5
_RIDGE = 1e-4  # of the mean square of a column of a design


@dataclass(frozen=True)
class NodeChoice:
    """Nodes of some stars, and what the flux shapes add to them.

    Parameters
    ----------
    nodes : Tensor, shape (n, n_star + n_components)
        Of the stars, without the velocity.
    row_nodes : Tensor, shape (n_shapes, n_star + n_components)
        Of the flux shapes.
    """

    nodes: Tensor
    row_nodes: Tensor


def smooth_shapes(n_samples: int, n_shapes: int, *, size: float) -> Tensor:
    """Return cosines over the spectrum, finer ones smaller.

    Parameters
    ----------
    n_samples : int
        Of a spectrum.
    n_shapes : int
        How many, with the constant.
    size : float
        Of the constant; of the cosine with k half-waves it is over 1 + k / 2.

    Returns
    -------
    Tensor, shape (n_shapes, n_samples)
        Changes of the logarithm of the flux.
    """
    k = torch.arange(n_shapes)[:, None]
    x = torch.linspace(0.0, 1.0, n_samples)
    return torch.cos(torch.pi * k * x) * (size / (1 + k / 2))


def regress(inputs: Tensor, outputs: Tensor) -> Tensor:
    """Return the ridge regression of outputs on inputs.

    Parameters
    ----------
    inputs : Tensor, shape (n, n_inputs)
        With a column of ones.
    outputs : Tensor, shape (n, n_outputs)
        Any number.

    Returns
    -------
    Tensor, shape (n_inputs, n_outputs)
        Coefficients.
    """
    normal = inputs.T @ inputs
    normal.diagonal().add_(_RIDGE * normal.diagonal().mean())
    return torch.linalg.solve(normal, inputs.T @ outputs)


def _unseen(whitening: Whitening, seen: Tensor, wanted: Tensor) -> Tensor:
    """Predict for each star by a reader that has learned from other folds."""
    white = whitening.apply(seen - whitening.mean)
    kernel = white @ white.T
    fold = torch.arange(len(seen)) % _N_FOLDS
    centre = wanted.mean(0)
    found = torch.empty_like(wanted)
    for k in range(_N_FOLDS):
        own, other = fold == k, fold != k
        inner = kernel[other][:, other]
        inner.diagonal().add_(1.0)
        weights = torch.linalg.solve(inner, kernel[other][:, own])
        found[own] = weights.T @ (wanted[other] - centre) + centre
    return found


def choose_components(
    rest: Tensor, seen: Tensor, star: Tensor, shapes: Tensor, whitening: Whitening,
    learned: np.ndarray, *, weight: Tensor, n_components: int,
) -> NodeChoice:  # fmt: skip
    """Choose nodes.

    Parameters
    ----------
    rest : Tensor, shape (n, n_samples)
        Logarithms of flux and floor at rest.
    seen : Tensor, shape (n, n_seen)
        What the encoder sees of the moved, noisy spectra.
    star : Tensor, shape (n, n_star)
        Nodes that are given.
    shapes : Tensor, shape (n_shapes, n_samples)
        Changes of the logarithms that are to be nodes as well.
    whitening : Whitening
        Of what is seen.
    learned : ndarray of bool, shape (n,)
        Stars to learn from.
    weight : Tensor, shape (n_samples,)
        How much samples count.
    n_components : int
        Nodes besides those of the star.

    Returns
    -------
    NodeChoice
        Components have mean zero and variance one over these stars and as many flux
        shapes.
    """
    mine = torch.from_numpy(learned)
    one = torch.ones(len(rest), 1)
    readable = _unseen(
        whitening, seen[mine], torch.cat([star[mine], rest[mine]], 1)
    ).split([star.shape[1], rest.shape[1]], 1)
    known = torch.cat([one[mine], readable[0]], 1)
    coefficients = regress(known, rest[mine])
    scaled = shapes * weight * len(known) ** 0.5
    left = torch.cat([(readable[1] - known @ coefficients) * weight, scaled])
    _, vectors = torch.linalg.eigh(left @ left.T)
    components = (vectors[:, -n_components:].T @ left).flip(0)
    components /= components.norm(dim=1, keepdim=True)
    values = (rest - torch.cat([one, star], 1) @ coefficients) * weight @ components.T
    of_shapes = scaled @ components.T
    centre = values[mine].mean(0)
    spread = torch.sqrt(values[mine].var(0) + of_shapes.square().sum(0) / len(known))
    return NodeChoice(
        torch.cat([star, (values - centre) / spread], 1),
        torch.cat([torch.zeros(len(shapes), star.shape[1]), of_shapes / spread], 1),
    )
