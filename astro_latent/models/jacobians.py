# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Derivatives of labels by the flux: by the chain rule, else by backward passes."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .inference import ROW_MULTIPLE, Runner, pad_rows, stack_pooled
from .layers.pooled_slope import PooledSlope
from .networks import LabelNetwork, SlopedNetwork, inputs_of

__all__ = ["iter_jacobians"]

#: Numbers of a block of Jacobians, 32 MiB; one spectrum may have more.
_BLOCK_SIZE = 2**23
#: Spectra in a block at most: the sparse matrices of each are used at once.
_MOST_ROWS = 16


def iter_jacobians(
    runner: Runner,
    networks: Sequence[LabelNetwork],
    *inputs: Tensor,
    slopes: Sequence[list[PooledSlope] | None],
) -> Iterator[tuple[slice, Tensor]]:
    """Differentiate the labels with respect to the flux, some spectra at a time.

    Parameters
    ----------
    runner : Runner
        Where and how the networks run.
    networks : sequence of LabelNetwork
        Members of an ensemble; their Jacobians are averaged.
    *inputs : Tensor, shape (n, n_pixels)
        Prepared flux, which of it was measured, and its variance.
    slopes : sequence of list of PooledSlope or of None
        From `Runner.slopes`, of each network.

    Yields
    ------
    rows : slice
        Which spectra.
    jacobian : Tensor, shape (n_rows, n_labels, n_pixels)
        In the network's units; 0 where not valid.
    """
    n_spectra, n_pixels = inputs[0].shape
    rows = _BLOCK_SIZE // (networks[0].n_outputs * n_pixels)
    size = max(1, min(rows, _MOST_ROWS))
    if runner.row_multiple(n_pixels) == 1:
        size = 1  # long spectra go alone
    for start in range(0, n_spectra, size):
        block = slice(start, start + size)
        part = [tensor[block] for tensor in inputs]
        total = torch.zeros(())
        for network, each in zip(networks, slopes, strict=True):
            if each is not None and isinstance(network, SlopedNetwork):
                jacobian = _chain(network, each[block], part[1])
            else:
                jacobian = _backward(runner, network, *part)
            total = jacobian if network is networks[0] else total + jacobian
        yield block, total / len(networks) if len(networks) > 1 else total


def _chain(
    network: SlopedNetwork, slopes: Sequence[PooledSlope], valid: Tensor
) -> Tensor:
    """Multiply the derivatives of a network's two parts.

    The dense layers are differentiated only by those of their inputs that change at
    all in one of the spectra.
    """
    pooled = stack_pooled(slopes)
    with torch.inference_mode(False), torch.enable_grad():
        outer, weight = network.project_slope(pooled.clone())
    n_labels, n_pixels = outer.shape[1], valid.shape[1]
    used = (pooled > 0).any(0)
    for slope in slopes:  # exact zeros count, too: all of them in a dead network
        used[slope.active] = True
    rows = outer[: len(slopes)].flatten(0, 1)
    rows = pad_rows(rows, max(2 * ROW_MULTIPLE, _round_up(len(rows))))
    by_pooled = (rows @ weight.index_select(1, used.nonzero()[:, 0])).numpy()
    column = (used.cumsum(0) - 1).numpy()
    result = torch.empty(len(slopes), n_labels, n_pixels)
    for row, slope in enumerate(slopes):
        mine = by_pooled[row * n_labels : (row + 1) * n_labels]
        active = mine.take(column[slope.active.numpy()], axis=1)
        result[row] = torch.from_numpy(slope.times(active.T.copy(), n_pixels)).T
    return result.mul_(network.flux_slope(valid)[:, None])


def _round_up(rows: int) -> int:
    return -(-rows // ROW_MULTIPLE) * ROW_MULTIPLE


def _backward(
    runner: Runner,
    network: LabelNetwork,
    flux: Tensor,
    valid: Tensor,
    variance: Tensor,
) -> Tensor:
    """One backward pass for each label over all rows: rows do not depend on another."""
    count, multiple = len(flux), runner.row_multiple(flux.shape[1])
    total = -(-count // multiple) * multiple
    with torch.inference_mode(False), torch.enable_grad(), runner.numerics():
        # copies, as what was made in inference mode has no gradient
        inputs = [pad_rows(tensor, total).clone() for tensor in (flux, valid, variance)]
        inputs[0].requires_grad_()
        result = network(*inputs_of(network, *inputs))
        mean = result[0] if isinstance(result, tuple) else result
        gradients = [
            torch.autograd.grad(label.sum(), inputs[0], retain_graph=True)[0][:count]
            for label in mean.unbind(1)
        ]
        return torch.stack(gradients, dim=1)
