# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Read nodes from logarithms of spectra by a ridge that knows what is uncertain.

Two things differ between real and simulated spectra and say nothing of what is read:
strengths of lines, and smooth flux shapes. The first make a coefficient the dearer the
deeper the lines that it sees; the second are rows that are regressed like stars.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Reader", "Whitening", "fit_reader", "whiten_lines"]

_RIDGE = 1e-3  # of the mean square norm of a spectrum
_BLOCK = 4  # samples of 0.32 Angstrom whose lines are wrong together
_WIDTH = 31  # samples: over a mean of so many, lines are lines


@dataclass(frozen=True)
class Whitening:
    """What coefficients cost, as a change of the basis in which all cost the same.

    Parameters
    ----------
    mean : Tensor, shape (n_samples,)
        Taken off first.
    factor : Tensor, shape (n_samples / 4, 4, 4)
        Lower triangles, whose square is the price.
    """

    mean: Tensor
    factor: Tensor

    def apply(self, apart: Tensor) -> Tensor:
        """Change the basis of spectra.

        Parameters
        ----------
        apart : Tensor, shape (n, n_samples)
            Less the mean.

        Returns
        -------
        Tensor, shape (n, n_samples)
            Whitened.
        """
        blocks = apart.unflatten(1, (-1, _BLOCK)).permute(1, 2, 0)
        found = torch.linalg.solve_triangular(self.factor, blocks, upper=False)
        return found.permute(2, 0, 1).flatten(1)

    def pull_back(self, weights: Tensor) -> Tensor:
        """Change the basis of coefficients.

        Parameters
        ----------
        weights : Tensor, shape (n, n_samples)
            For whitened spectra.

        Returns
        -------
        Tensor, shape (n, n_samples)
            For spectra.
        """
        blocks = weights.unflatten(1, (-1, _BLOCK)).permute(1, 2, 0)
        found = torch.linalg.solve_triangular(
            self.factor.transpose(1, 2), blocks, upper=True
        )
        return found.permute(2, 0, 1).flatten(1)


@dataclass(frozen=True)
class Reader:
    """A linear map from logarithms to nodes.

    Parameters
    ----------
    weights : Tensor, shape (n_nodes, n_samples)
        Its matrix.
    offset : Tensor, shape (n_nodes,)
        What is read from zeros.
    """

    weights: Tensor
    offset: Tensor

    def read(self, logarithms: Tensor) -> Tensor:
        """Return nodes.

        Parameters
        ----------
        logarithms : Tensor, shape (n, n_samples)
            Of spectra.

        Returns
        -------
        Tensor, shape (n, n_nodes)
            What is read.
        """
        return logarithms @ self.weights.T + self.offset


def whiten_lines(logarithms: Tensor, *, line_error: float) -> Whitening:
    """Find what coefficients cost.

    Parameters
    ----------
    logarithms : Tensor, shape (n, n_samples)
        Of spectra to learn from.
    line_error : float
        By which part of its depth a line may be wrong.

    Returns
    -------
    Whitening
        Such that regressions with a unit price of coefficients take it into account.
    """
    mean = logarithms.mean(0)
    padded = functional.pad(
        logarithms[:, None], (_WIDTH // 2, _WIDTH // 2), mode="replicate"
    )
    lines = logarithms - functional.avg_pool1d(padded, _WIDTH, 1)[:, 0]
    blocks = lines.unflatten(1, (-1, _BLOCK)).transpose(0, 1)
    price = line_error**2 * blocks.transpose(1, 2) @ blocks
    norm = (logarithms - mean).square().sum(1).mean()
    price.diagonal(dim1=1, dim2=2).add_(_RIDGE * norm)
    return Whitening(mean, torch.linalg.cholesky(price))


def fit_reader(
    whitening: Whitening, logarithms: Tensor, nodes: Tensor,
    rows: Tensor | None = None, row_nodes: Tensor | None = None,
) -> Reader:  # fmt: skip
    """Regress nodes on logarithms.

    Parameters
    ----------
    whitening : Whitening
        From `whiten_lines`.
    logarithms : Tensor, shape (n, n_samples)
        Of spectra.
    nodes : Tensor, shape (n, n_nodes)
        What they are to be read as.
    rows : Tensor, shape (n_rows, n_samples), optional
        Changes of logarithms, times the square root of ``n``.
    row_nodes : Tensor, shape (n_rows, n_nodes), optional
        By how much these change nodes.

    Returns
    -------
    Reader
        The map.
    """
    apart, centre = whitening.apply(logarithms - whitening.mean), nodes.mean(0)
    wanted = nodes - centre
    if rows is not None and row_nodes is not None:
        apart = torch.cat([apart, whitening.apply(rows)])
        wanted = torch.cat([wanted, row_nodes])
    kernel = apart @ apart.T
    kernel.diagonal().add_(1.0)
    weights = whitening.pull_back(torch.linalg.solve(kernel, wanted).T @ apart)
    return Reader(weights, centre - weights @ whitening.mean)
