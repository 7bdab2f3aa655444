# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Linear algebra of long spectra: more pixels than rows."""

import torch
from torch import Tensor

__all__ = ["find_components", "fit_ridge"]


def fit_ridge(
    inputs: Tensor, targets: Tensor, *, penalties: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    """Fit a linear regression with more inputs than rows.

    Parameters
    ----------
    inputs : Tensor, shape (n_rows, n_inputs)
        Centred in place.
    targets : Tensor, shape (n_rows, n_labels)
        What to regress to.
    penalties : tuple of float
        Tried on the last tenth of the rows, in units of the mean squared row.

    Returns
    -------
    weights : Tensor, shape (n_labels, n_inputs)
        With the best penalty, on average over the labels.
    bias : Tensor, shape (n_labels,)
        Constant.
    """
    centre, middle = inputs.mean(0), targets.mean(0)
    inputs -= centre
    residual = (targets - middle).double()
    gram = (inputs @ inputs.T).double()
    size = gram.diagonal().mean()
    kept = len(inputs) - len(inputs) // 10

    def solve(penalty: float, rows: int) -> Tensor:
        matrix = gram[:rows, :rows].clone()
        matrix.diagonal().add_(penalty * size)
        factor = torch.linalg.cholesky(matrix)
        return torch.cholesky_solve(residual[:rows], factor)

    def left(penalty: float) -> float:
        guess = gram[kept:, :kept] @ solve(penalty, kept)
        return float((residual[kept:] - guess).square().mean())

    best = min(penalties, key=left)
    weights = solve(best, len(inputs)).float().T @ inputs
    return weights, middle - weights @ centre


def find_components(flux: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """Mean and leading principal components of long spectra, by the Gram matrix.

    Parameters
    ----------
    flux : Tensor, shape (n_spectra, n_pixels)
        Spectra, fewer than pixels.
    n_components : int
        How many components.

    Returns
    -------
    mean : Tensor, shape (n_pixels,)
        Mean spectrum.
    components : Tensor, shape (n_components, n_pixels)
        Orthonormal rows.
    """
    mean = flux.mean(0)
    centred = flux - mean
    values, vectors = torch.linalg.eigh((centred @ centred.T).double())
    leading = vectors[:, -n_components:].float().T
    length = values[-n_components:].clamp(min=1e-12).sqrt().float()
    return mean, (leading @ centred) / length[:, None]
