# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The mean of a Gaussian process: what stars like a spectrum had as labels.

A few hundred stars teach a process more than they teach a network. Its covariance of
two stars depends on components of their spectra: a Matern function of their distance,
with a length for each view, and a linear part for each. What it needs to predict are
the components of the stars that taught it, and a number for each star and label.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ProcessMean", "compare", "covariance"]

_LEAST = 1e-12  # squared distance below which two stars are the same


def compare(
    one: Tensor, other: Tensor, sizes: Sequence[int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return squared distances and products of the components of stars.

    Parameters
    ----------
    one, other : Tensor, shape (n, n_components) and (n_other, n_components)
        Components of all views, one view after the other.
    sizes : sequence of int
        Components of each view.

    Returns
    -------
    squares, products : list of Tensor, shape (n, n_other)
        Of each view.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.layers.process import compare
    >>> squares, products = compare(torch.ones(1, 3), torch.zeros(2, 3), [2, 1])
    >>> [square.tolist() for square in squares]
    [[[2.0, 2.0]], [[1.0, 1.0]]]
    """
    squares, products = [], []
    for a, b in zip(one.split([*sizes], 1), other.split([*sizes], 1), strict=True):
        product = a @ b.T
        products.append(product)
        squares.append(a.square().sum(1)[:, None] + b.square().sum(1) - 2.0 * product)
    return squares, products


def covariance(
    squares: Sequence[Tensor], products: Sequence[Tensor], numbers: Tensor
) -> Tensor:
    """Return the covariance that a process gives to a label of two sets of stars.

    Parameters
    ----------
    squares, products : sequence of Tensor, shape (n, n_other)
        From `compare`.
    numbers : Tensor, shape (2 n_views + 2,)
        Logarithms: the length of each view, the amplitude of the Matern part, that of
        the linear part of each view; the last, the noise of labels, is not used here.

    Returns
    -------
    Tensor, shape (n, n_other)
        In squares of the units of labels; a constant of one unit is in it.
    """
    n_views = len(squares)
    length, linear = numbers[:n_views], numbers[n_views + 1 : -1]
    square = torch.zeros_like(squares[0])
    for part, number in zip(squares, length, strict=True):
        square = square + part * torch.exp(-2.0 * number)
    square = square.clamp_min(_LEAST)
    distance = (5.0 * square).sqrt()
    shape = (1.0 + distance + 5.0 / 3.0 * square) * torch.exp(-distance)
    total = 1.0 + torch.exp(2.0 * numbers[n_views]) * shape
    for part, number in zip(products, linear, strict=True):
        total = total + part * torch.exp(2.0 * number)
    return total


class ProcessMean(nn.Module):
    """Labels by a Gaussian process, as a part of each label of a network.

    Nothing here learns by steps: `~astro_latent.training.process.fit_process` fills the
    buffers. Until then the part is 0.

    Parameters
    ----------
    n_centres : int
        Stars that are remembered.
    sizes : sequence of int
        Components of each view.
    n_labels : int
        Number of labels.

    Attributes
    ----------
    centres : Tensor, shape (n_centres, n_components)
        Components of the stars.
    dual : Tensor, shape (n_labels * n_centres,)
        Weights of the stars, label by label.
    numbers : Tensor, shape (n_labels * (2 n_views + 2),)
        Of each label, see `covariance`.
    share : Tensor, shape (1,)
        Part of each label that is the process's.
    """

    centres: Tensor
    dual: Tensor
    numbers: Tensor
    share: Tensor

    def __init__(self, n_centres: int, sizes: Sequence[int], n_labels: int) -> None:
        super().__init__()
        self.sizes, self.n_labels = tuple(sizes), n_labels
        self.register_buffer("centres", torch.zeros(n_centres, sum(sizes)))
        # vectors, as these are not stored in half precision
        self.register_buffer("dual", torch.zeros(n_labels * n_centres))
        self.register_buffer("numbers", torch.zeros(n_labels * (2 * len(sizes) + 2)))
        self.register_buffer("share", torch.zeros(1))

    @property
    def is_filled(self) -> bool:
        """Whether it has a part in the labels."""
        return bool(self.share > 0)

    def forward(self, components: Tensor) -> Tensor:
        """Return the labels of stars.

        Parameters
        ----------
        components : Tensor, shape (n, n_components)
            Of their spectra.

        Returns
        -------
        Tensor, shape (n, n_labels)
            In the network's units.
        """
        parts = compare(components, self.centres, self.sizes)
        rows = zip(
            self.numbers.reshape(self.n_labels, -1),
            self.dual.reshape(self.n_labels, -1),
            strict=True,
        )
        found = [covariance(*parts, numbers) @ dual for numbers, dual in rows]
        return torch.stack(found, dim=1)
