# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Running networks over any number of spectra, and differentiating them.

A spectrum gives the same numbers alone and in a batch: matrix products see row counts
that are a multiple of `ROW_MULTIPLE` (rows of zeros are added), because their order of
summation depends on nothing else, and long spectra go through one by one. Blocks are
small, so memory does not grow with the batch and freed temporaries are used again.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .backward import Seen, differentiate, differentiate_seen
from .layers.joined_slope import JoinedSlope
from .layers.pooled_slope import ROWS_CONVOLVED, PooledSlope
from .networks import (
    JoinedNetwork,
    LabelNetwork,
    SeeingNetwork,
    SlopedNetwork,
    SplitNetwork,
    inputs_of,
)

__all__ = [
    "ROW_MULTIPLE",
    "Runner",
    "Slope",
    "iter_jacobians",
    "pad_rows",
]

#: What the first part of a network gives for one spectrum, with its derivatives.
Slope = PooledSlope | JoinedSlope

#: Rows of every matrix product come in multiples of this.
ROW_MULTIPLE = 8
#: Spectra whose hidden layers are computed together.
ROWS_DENSE = 64
#: Pixels from which spectra go through a network one by one on a CPU.
LONG_SPECTRUM = 65_536
#: Numbers of a block of Jacobians, 32 MiB; one spectrum may have more.
_JACOBIANS_SIZE = 2**23
#: Spectra in such a block at most: the sparse matrices of each are used at once.
_JACOBIANS_ROWS = 32


class Runner:
    """Runs networks on one device in blocks.

    Parameters
    ----------
    device : torch.device
        Where the networks are.
    mixed_precision : bool
        Let CUDA compute in bfloat16 where torch holds that safe.

    Raises
    ------
    ValueError
        If mixed precision is asked for where it is not supported: on a CPU it would
        be slower by an order of magnitude.
    """

    def __init__(self, device: torch.device, *, mixed_precision: bool = False) -> None:
        if mixed_precision and not (
            device.type == "cuda" and torch.cuda.is_bf16_supported()
        ):
            msg = f"mixed precision needs CUDA with bfloat16, not {device}"
            raise ValueError(msg)
        self.device = device
        self.mixed_precision = mixed_precision

    @contextmanager
    def numerics(self) -> Iterator[None]:
        """Switch to full precision and repeatable algorithms, for the time being."""
        with ExitStack() as stack:
            if self.device.type == "cuda":
                stack.enter_context(
                    torch.backends.cudnn.flags(
                        enabled=True,
                        benchmark=False,
                        deterministic=True,
                        allow_tf32=self.mixed_precision,
                    )
                )
            if self.mixed_precision:
                stack.enter_context(torch.autocast("cuda", dtype=torch.bfloat16))
            yield

    def tensor(self, array: np.ndarray) -> Tensor:
        """Copy an array to the device.

        Parameters
        ----------
        array : ndarray
            Any numbers, or bool.

        Returns
        -------
        Tensor
            float32, or bool.
        """
        dtype = torch.bool if array.dtype == bool else torch.float32
        return torch.tensor(array, dtype=dtype, device=self.device)

    def row_multiple(self, n_pixels: int) -> int:
        """Return the multiple of rows that go through a network.

        Parameters
        ----------
        n_pixels : int
            Length of a spectrum.

        Returns
        -------
        int
            1 for long spectra on a CPU, which go alone.
        """
        alone = self.device.type == "cpu" and n_pixels >= LONG_SPECTRUM
        return 1 if alone else ROW_MULTIPLE

    def slopes(
        self, network: LabelNetwork, flux: Tensor, valid: Tensor
    ) -> list[Slope] | None:
        """Run the first part of a network with its derivatives.

        Parameters
        ----------
        network : LabelNetwork
            On the device.
        flux, valid : Tensor, shape (n, n_pixels)
            Prepared flux, and which of it was measured.

        Returns
        -------
        list of PooledSlope or of JoinedSlope, or None
            What `labels` and `iter_jacobians` need not to run that part again; None
            where backward passes are the way.
        """
        if isinstance(network, JoinedNetwork) and self.row_multiple(flux.shape[1]) == 1:
            return list(network.join_slopes(flux, valid))
        if self.device.type != "cpu" or not isinstance(network, SlopedNetwork):
            return None
        if not network.slopes_pay:
            return None
        with torch.inference_mode():
            slopes = list(network.convolve_slopes(flux, valid))
            hidden = network.enter(_stack([s.pooled.flatten() for s in slopes]))
        rows = zip(slopes, hidden, strict=False)  # without what fills up the rows
        return [replace(slope, hidden=row) for slope, row in rows]

    def see(
        self,
        networks: Sequence[LabelNetwork],
        *inputs: Tensor,
        derivatives: bool = False,
    ) -> Seen | None:
        """Run the first part that networks have in common; None if they have none.

        With ``derivatives`` it does for `labels` and for `iter_jacobians`.
        """
        if not _see_alike(networks):
            return None
        first, rows = cast(SeeingNetwork, networks[0]), _round_up(len(inputs[0]))
        with (
            torch.inference_mode(not derivatives),
            torch.set_grad_enabled(derivatives),
            self.numerics(),
        ):
            # copies, as what was made in inference mode has no gradient
            flux, *others = (pad_rows(each, rows).clone() for each in inputs)
            flux.requires_grad_(derivatives)
            return Seen(flux, first.see(*inputs_of(first, flux, *others)))

    def labels(
        self,
        network: LabelNetwork,
        flux: Tensor,
        valid: Tensor,
        variance: Tensor | None = None,
        slopes: list[Slope] | None = None,
        seen: Seen | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Run a label network on up to `ROWS_DENSE` spectra.

        Parameters
        ----------
        network : LabelNetwork
            On the device.
        flux, valid : Tensor, shape (n, n_pixels)
            Prepared flux, and which of it was measured.
        variance : Tensor, shape (n, n_pixels), optional
            Of the flux, for networks that take it.
        slopes : list of PooledSlope or of JoinedSlope, optional
            From `slopes`.
        seen : Seen, optional
            From `see`.

        Returns
        -------
        mean : ndarray, shape (n, n_labels)
            Labels in the network's units.
        variance : ndarray, shape (n, n_labels) or (n, n_labels, n_labels), or None
            Predicted variances, or covariance, in the square of these units.
        features : ndarray, shape (n, n_features)
            Output of the last hidden layer.
        """
        count = len(flux)
        with torch.inference_mode(), self.numerics():
            if slopes is not None and isinstance(network, JoinedNetwork):
                known = cast(list[JoinedSlope], slopes)
                features = torch.stack([slope.features for slope in known])
            elif slopes is not None and isinstance(network, SlopedNetwork):
                features = network.leave(_stack_hidden(slopes))
            elif seen is not None:
                features = cast(SeeingNetwork, network).think(seen.values)
            else:
                inputs = inputs_of(network, flux, valid, variance)
                features = self.features(network, *inputs)
            result = network.head(features)
        mean, spread = result if isinstance(result, tuple) else (result, None)
        return (
            _to_numpy(mean[:count]),
            _variances(spread, count),
            (_to_numpy(features[:count])),
        )

    def features(self, network: LabelNetwork, *inputs: Tensor) -> Tensor:
        """Compute features of a number of rows that is a multiple of `ROW_MULTIPLE`."""
        flux, valid = inputs[:2]
        if self.row_multiple(flux.shape[1]) == 1:
            rows = zip(*(tensor.split(1) for tensor in inputs), strict=True)
            return torch.cat([network.features(*row) for row in rows])
        total = -(-len(flux) // ROW_MULTIPLE) * ROW_MULTIPLE
        if self.device.type != "cpu" or not isinstance(network, SplitNetwork):
            return network.features(*(pad_rows(tensor, total) for tensor in inputs))
        # Convolutions do not mix rows: few at a time stay in the cache, none is padding
        pooled = torch.cat([network.convolve(*pair) for pair in _few(flux, valid)])
        return network.project(pad_rows(pooled, total))


def _variances(spread: Tensor | None, count: int) -> np.ndarray | None:
    """Variances from their logarithm, or a covariance from its Cholesky factor."""
    if spread is None:
        return None
    values = _to_numpy(spread[:count]).astype(float)
    return np.exp(values) if values.ndim == 2 else values @ values.transpose(0, 2, 1)


def _few(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(tensor.split(ROWS_CONVOLVED) for tensor in tensors), strict=True)


def _stack(rows: Sequence[Tensor]) -> Tensor:
    """Stack rows, and zeros to a multiple of `ROW_MULTIPLE`."""
    return pad_rows(torch.stack(list(rows)), _round_up(len(rows)))


def _stack_hidden(slopes: Sequence[Slope]) -> Tensor:
    """Stack what `SlopedNetwork.enter` gave."""
    pooled = cast(Sequence[PooledSlope], slopes)
    return _stack([slope.hidden for slope in pooled if slope.hidden is not None])


def pad_rows(tensor: Tensor, total: int) -> Tensor:
    """Add rows of zeros.

    Parameters
    ----------
    tensor : Tensor, shape (n, ...)
        Any.
    total : int
        Rows that there shall be.

    Returns
    -------
    Tensor, shape (total, ...)
        The tensor itself if it has as many.
    """
    missing = total - len(tensor)
    if missing <= 0:
        return tensor
    return functional.pad(tensor, (0, 0) * (tensor.ndim - 1) + (0, missing))


def iter_jacobians(
    runner: Runner,
    networks: Sequence[LabelNetwork],
    *inputs: Tensor,
    slopes: Sequence[list[Slope] | None],
    seen: Seen | None = None,
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
    slopes : sequence of list or None
        From `Runner.slopes`, of each network.
    seen : Seen, optional
        From `Runner.see`, with derivatives.

    Yields
    ------
    rows : slice
        Which spectra.
    jacobian : Tensor, shape (n_rows, n_labels, n_pixels)
        In the network's units; 0 where not valid.
    """
    n_spectra, n_pixels = inputs[0].shape
    if seen is not None:
        with runner.numerics():
            jacobian = differentiate_seen(networks, seen)[:n_spectra]
        yield slice(n_spectra), jacobian
        return
    rows = _JACOBIANS_SIZE // (networks[0].n_outputs * n_pixels)
    size = max(1, min(rows, _JACOBIANS_ROWS))
    if runner.row_multiple(n_pixels) == 1:
        size = 1  # long spectra go alone
    for start in range(0, n_spectra, size):
        block = slice(start, start + size)
        part = [tensor[block] for tensor in inputs]
        total = torch.zeros(())
        for network, each in zip(networks, slopes, strict=True):
            if each is not None and isinstance(network, JoinedNetwork):
                known = cast(list[JoinedSlope], each[block])
                jacobian = torch.stack([slope.jacobian() for slope in known])
            elif each is not None and isinstance(network, SlopedNetwork):
                jacobian = _chain(
                    network, cast(list[PooledSlope], each[block]), part[1]
                )
            else:
                jacobian = _backward(runner, network, *part)
            total = jacobian if network is networks[0] else total + jacobian
        yield block, total / len(networks) if len(networks) > 1 else total


def _chain(
    network: SlopedNetwork, slopes: Sequence[PooledSlope], valid: Tensor
) -> Tensor:
    """Multiply the derivatives of a network's two parts."""
    with torch.inference_mode(False), torch.enable_grad():
        outer, weight = network.project_slope(_stack_hidden(slopes).clone())
    n_labels, n_pixels = outer.shape[1], valid.shape[1]
    result = torch.empty(len(slopes), n_labels, n_pixels)
    for row, slope in enumerate(slopes):
        by_pixel = slope.chain(outer[row], weight, n_pixels)
        result[row] = torch.from_numpy(by_pixel).T
    return result.mul_(network.flux_slope(valid)[:, None])


def _round_up(rows: int) -> int:
    return -(-rows // ROW_MULTIPLE) * ROW_MULTIPLE


def _see_alike(networks: Sequence[LabelNetwork]) -> bool:
    first = networks[0]
    # the first as well: one that wraps another may see nothing of its own
    return isinstance(first, SeeingNetwork) and all(map(first.sees_like, networks))


def _backward(runner: Runner, network: LabelNetwork, *inputs: Tensor) -> Tensor:
    """Pass backwards over all rows at once: none depends on another."""
    count, multiple = len(inputs[0]), runner.row_multiple(inputs[0].shape[1])
    total = -(-count // multiple) * multiple
    with runner.numerics():
        return differentiate(network, *(pad_rows(i, total) for i in inputs))[:count]


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
