# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Running networks over any number of spectra: device and blocks.

A spectrum gives the same numbers alone and in a batch: matrix products see row counts
that are a multiple of `ROW_MULTIPLE` (rows of zeros are added), because their order of
summation depends on nothing else, and long spectra go through one by one. Blocks are
small, so memory does not grow with the batch and freed temporaries are used again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .._config import conf
from .layers.pooled_slope import PooledSlope
from .networks import LabelNetwork, SlopedNetwork, SplitNetwork, inputs_of

__all__ = ["ROW_MULTIPLE", "Runner", "choose_device", "pad_rows", "stack_pooled"]

#: Rows of every matrix product come in multiples of this.
ROW_MULTIPLE = 8
#: Spectra whose convolutions are computed together: what stays in the cache.
ROWS_CONVOLVED = 4
#: Spectra whose hidden layers are computed together.
ROWS_DENSE = 64
#: Pixels from which spectra go through a network one by one on a CPU.
LONG_SPECTRUM = 65_536


def choose_device(name: str | None = None) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    name : str, optional
        ``"auto"`` or a torch device; by default ``conf.device``. ``"auto"`` takes CUDA,
        else MPS, else the CPU.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If there is no such device here.

    Examples
    --------
    >>> from astro_latent.models.inference import choose_device
    >>> choose_device("cpu")
    device(type='cpu')
    """
    text = conf.device if name is None else str(name)
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if text == "auto":
        return torch.device(next(kind for kind, here in available.items() if here))
    kind, _, index = text.partition(":")
    here = available.get(kind, False)
    if here and index:
        count = torch.cuda.device_count() if kind == "cuda" else 1
        here = index.isdigit() and int(index) < count
    if not here:
        present = [kind for kind, here in available.items() if here]
        msg = f"device {text!r} is not available here; there is {', '.join(present)}"
        raise ValueError(msg)
    return torch.device(text)


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

    def blocks(
        self,
        function: Callable[..., tuple[Tensor, ...]],
        *arrays: np.ndarray,
        rows: np.ndarray,
        n_pixels: int,
    ) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
        """Apply a function of whole spectra, block by block.

        Parameters
        ----------
        function : callable
            Takes tensors with the rows of a block, returns tensors with as many rows.
        *arrays : ndarray
            Of equal length.
        rows : ndarray of int
            Rows of the arrays to use.
        n_pixels : int
            Length of a spectrum.

        Yields
        ------
        ndarray of int, tuple of ndarray
            Rows of the block, and what the function returned for them.
        """
        size = self.row_multiple(n_pixels)
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            tensors = [pad_rows(self.tensor(array[block]), size) for array in arrays]
            with torch.inference_mode(), self.numerics():
                results = function(*tensors)
            yield block, tuple(_to_numpy(result[: len(block)]) for result in results)

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
    ) -> list[PooledSlope] | None:
        """Run the convolutions of a network with their derivatives.

        Parameters
        ----------
        network : LabelNetwork
            On the device.
        flux, valid : Tensor, shape (n, n_pixels)
            Prepared flux, and which of it was measured.

        Returns
        -------
        list of PooledSlope, or None
            What `labels` and `jacobian` need to do no convolution again; None where
            backward passes are the way.
        """
        if self.device.type != "cpu" or not isinstance(network, SlopedNetwork):
            return None
        if not network.slopes_pay:
            return None
        with torch.inference_mode():
            return [
                slope
                for pair in _few(flux, valid)
                for slope in network.convolve_slopes(*pair)
            ]

    def labels(
        self,
        network: LabelNetwork,
        flux: Tensor,
        valid: Tensor,
        variance: Tensor | None = None,
        slopes: list[PooledSlope] | None = None,
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
        slopes : list of PooledSlope, optional
            From `slopes`.

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
            if slopes is not None and isinstance(network, SlopedNetwork):
                features = network.project(stack_pooled(slopes))
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


def stack_pooled(slopes: Sequence[PooledSlope]) -> Tensor:
    """Stack the pooled values of spectra, and zeros to a multiple of `ROW_MULTIPLE`.

    Parameters
    ----------
    slopes : sequence of PooledSlope
        Of each spectrum.

    Returns
    -------
    Tensor, shape (n or more, n_pooled)
        What goes into the dense layers.
    """
    pooled = torch.stack([slope.pooled.flatten() for slope in slopes])
    return pad_rows(pooled, -(-len(pooled) // ROW_MULTIPLE) * ROW_MULTIPLE)


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


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
