# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Coefficients of spectra with gaps, by equations that are solved for each spectrum.

Principal components are orthonormal over all pixels, not over those of one spectrum.
Its coefficients, with their spread as a prior, take as many equations as there are
components, or, by Woodbury's identity, as there are pixels lost; these are few, and
their matrix is a part of one that all spectra share.

Single precision is enough: it changes a solution by less than that of the right side
does, which has the flux in it. Where a matrix is nearly singular, the equations of the
components are solved in double precision.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["GapEquations", "Overlaps", "Solved"]

#: What solves the equations of one spectrum.
Solver = Callable[[Tensor], Tensor]

_TILE = 64  # pixels a side of what is computed at once
_FEW = 100  # lost pixels up to which products take no longer than to look them up
_LONG = 4500  # pixels beyond which nothing is kept; below it is 40 MiB at most
_LEAST_PIVOT = 0.2  # of factors in single precision that are good enough


class Overlaps:
    """Products of rows of a matrix, each pair computed when it is first asked for.

    They are kept in tiles below the diagonal, the memory of which is taken as they are
    written.

    Parameters
    ----------
    rows : Tensor, shape (n_pixels, n_components)
        The matrix.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.layers.gaps import Overlaps
    >>> overlaps = Overlaps(torch.tensor([[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]]))
    >>> overlaps.below(torch.tensor([1, 2])).tril().tolist()
    [[13.0, 0.0], [3.0, 1.0]]
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        pixels = torch.arange(len(rows), dtype=torch.int32, device=rows.device)
        tile, place = pixels // _TILE, pixels % _TILE
        # where the numbers of a pixel begin, and how far along that of another is
        self._begin = tile * (tile + 1) // 2 * _TILE**2 + place * _TILE
        self._along = tile * _TILE**2 + place
        self._tiles: Tensor | None = None
        self._lock = Lock()  # threads of a Dask worker may share a network

    def below(self, pixels: Tensor) -> Tensor:
        """Return the products of some rows.

        Parameters
        ----------
        pixels : Tensor of int, shape (n,)
            Which rows, in order.

        Returns
        -------
        Tensor, shape (n, n)
            Symmetric; what stands above the diagonal means nothing.
        """
        if len(pixels) < _FEW or len(self.rows) > _LONG:
            rows = self.rows.index_select(0, pixels)
            return rows @ rows.T
        with self._lock:
            tiles = self._fill(torch.unique_consecutive(pixels // _TILE))
        at = self._begin[pixels, None] + self._along[pixels]
        return tiles.view(-1).index_select(0, at.view(-1)).view_as(at)

    @torch.inference_mode(False)  # tensors of that mode could be written in no other
    @torch.no_grad()
    def _fill(self, wanted: Tensor) -> Tensor:
        """Compute what is missing of the pairs of some tiles, and return all tiles."""
        if self._tiles is None:
            count = -(-len(self.rows) // _TILE)
            number = count * (count + 1) // 2
            self._tiles = self.rows.new_empty((number, _TILE, _TILE))
            self._missing = torch.ones(count, count, dtype=torch.bool).tril()
        wanted = wanted.cpu()
        missing = wanted[self._missing[wanted][:, wanted].nonzero()]
        parts = self.rows.split(_TILE) if len(missing) else ()
        for one, other in missing.tolist():
            product = parts[one] @ parts[other].T
            tile = self._tiles[one * (one + 1) // 2 + other]
            tile[: len(product), : product.shape[1]] = product
            self._missing[one, other] = False
        return self._tiles


class GapEquations:
    """The equations ``(diag(own) - lost.T @ lost) x = right`` for any lost rows.

    With ``R = lost / sqrt(own)`` their matrix is, but for scales, ``1 - R.T @ R``, the
    inverse of which is ``1 + R.T @ inverse(1 - R @ R.T) @ R``.

    Parameters
    ----------
    basis : Tensor, shape (n_pixels, n_components)
        What ``lost`` are rows of.
    own : Tensor, shape (n_components,)
        In double precision.
    """

    def __init__(self, basis: Tensor, own: Tensor) -> None:
        self.basis, self.own = basis, own
        # nothing solves equations in half precision
        precision = torch.promote_types(basis.dtype, torch.float32)
        self.root = own.rsqrt().to(precision)
        self.rows = basis * self.root
        self.overlaps = Overlaps(self.rows)

    def factorise(self, lost: Tensor) -> Solver:
        """Return what solves the equations of one spectrum, factorised once.

        Parameters
        ----------
        lost : Tensor of int, shape (n_lost,)
            Which rows are lost, in order.

        Returns
        -------
        callable
            Takes ``right``, and gives ``x``.
        """
        with torch.autocast(lost.device.type, enabled=False):
            if len(lost) < 2 * self.rows.shape[1]:
                matrix = self.overlaps.below(lost).neg_()
                matrix.diagonal().add_(1.0)
                factors, failed = torch.linalg.cholesky_ex(matrix)
                if not failed and factors.diagonal().min() > _LEAST_PIVOT:
                    return partial(self._solve, lost, factors)
            rows = self.basis.index_select(0, lost).double()
            matrix = rows.T @ -rows
            matrix.diagonal().add_(self.own)
            return partial(_solve_all, torch.linalg.lu_factor(matrix))

    def _solve(self, lost: Tensor, factors: Tensor, right: Tensor) -> Tensor:
        """Solve for the lost pixels."""
        right, rows = right * self.root, self.rows.index_select(0, lost)
        inner = torch.cholesky_solve((rows @ right)[:, None], factors)[:, 0]
        return (right + inner @ rows) * self.root


def _solve_all(factors: tuple[Tensor, Tensor], right: Tensor) -> Tensor:
    """Solve for the components."""
    return torch.linalg.lu_solve(*factors, right.double()[:, None])[:, 0]


class _Context(FunctionCtx):
    solvers: list[Solver]


class Solved(torch.autograd.Function):
    """Rows of coefficients, each solved by its own symmetric equations.

    Their gradient solves the same equations, of which the factors are there already.
    """

    @staticmethod
    def forward(ctx: _Context, right: Tensor, solvers: list[Solver]) -> Tensor:
        """Solve each row."""
        ctx.solvers = solvers
        with torch.autocast(right.device.type, enabled=False):
            rows = [solve(row) for solve, row in zip(solvers, right, strict=True)]
        return torch.stack(rows).to(right.dtype)

    @staticmethod
    def backward(ctx: _Context, *gradient: Tensor) -> tuple[Tensor, None]:
        """Solve each row of the gradient."""
        return Solved.apply(*gradient, ctx.solvers), None
