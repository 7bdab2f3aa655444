# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Outputs of a label network: what a folder of weights says of them, fewer of them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..tables.columns import LABELS

__all__ = [
    "describe_outputs",
    "keep_outputs",
    "label_ranges",
    "limit_outputs",
    "round_network",
]

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)
_OUTPUT_LAYERS = ("output.", "log_variance.")


def label_ranges(labels: np.ndarray, *, margin: float = 0.02) -> np.ndarray:
    """Return the range of each label of a training, and a little more at either end.

    Parameters
    ----------
    labels : ndarray, shape (n_spectra, n_labels)
        Of the training; NaN where one is missing.
    margin : float, optional
        What is added at either end, as a share of the range.

    Returns
    -------
    ndarray, shape (n_labels, 2)
        Lowest and highest.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.outputs import label_ranges
    >>> label_ranges(np.array([[4000.0], [6000.0]]))
    array([[3960., 6040.]])
    """
    low, high = np.nanmin(labels, axis=0), np.nanmax(labels, axis=0)
    more = margin * (high - low)
    return np.stack([low - more, high + more], axis=1)


def describe_outputs(
    names: Sequence[str],
    offset: Sequence[float] | np.ndarray,
    scale: Sequence[float] | np.ndarray,
    domain: np.ndarray,
) -> list[dict[str, Any]]:
    """Describe the outputs of a label network for its configuration.

    Parameters
    ----------
    names : sequence of str
        Labels, of `~astro_latent.tables.columns.LABELS`.
    offset, scale : sequence of float, shape (n_labels,)
        Units of the network: label = offset + scale * output.
    domain : ndarray, shape (n_labels, 2)
        Lowest and highest label that can be believed; NaN where there is no limit.

    Returns
    -------
    list of dict
        One for each label, in the order of the outputs.
    """
    return [
        {
            "name": name,
            "unit": LABELS[name].unit,
            "ucd": LABELS[name].ucd,
            "description": LABELS[name].description,
            "scale": float(scale[k]),
            "offset": float(offset[k]),
            **({"domain": domain[k].tolist()} if np.isfinite(domain[k]).all() else {}),
        }
        for k, name in enumerate(names)
    ]


def keep_outputs(
    network: nn.Module, smaller: AnyNetwork, columns: Sequence[int]
) -> AnyNetwork:
    """Give the weights of a label network to one that has fewer outputs.

    Parameters
    ----------
    network : `torch.nn.Module`
        With the layers ``output`` and, if it predicts a variance, ``log_variance``.
    smaller : `torch.nn.Module`
        The same architecture with ``len(columns)`` outputs; changed in place.
    columns : sequence of int
        Outputs to keep.

    Returns
    -------
    `torch.nn.Module`
        ``smaller``, in evaluation mode.
    """

    def part(name: str, tensor: Tensor) -> Tensor:
        return tensor[list(columns)] if name.startswith(_OUTPUT_LAYERS) else tensor

    state = {name: part(name, tensor) for name, tensor in network.state_dict().items()}
    smaller.load_state_dict(state)
    return smaller.eval()


def limit_outputs(
    outputs: list[dict[str, Any]], limits: Mapping[str, Sequence[float | None]]
) -> list[dict[str, Any]]:
    """Narrow the ranges of labels that may be believed.

    Parameters
    ----------
    outputs : list of dict
        Of a configuration.
    limits : mapping
        Label to lowest and highest value; None leaves an end where the training set
        ends.

    Returns
    -------
    list of dict
        With other ``domain``.
    """
    found = []
    for output in outputs:
        low, high = output["domain"]
        least, most = limits.get(output["name"], (None, None))
        domain = [low if least is None else least, high if most is None else most]
        found.append({**output, "domain": domain})
    return found


def round_network(network: AnyNetwork, dtype: str) -> AnyNetwork:
    """Round a network to what is stored of it, so that this is what is judged.

    Parameters
    ----------
    network : Module
        Changed in place.
    dtype : {"float32", "float16"}
        How matrices are stored; vectors are not rounded.

    Returns
    -------
    Module
        The same network.

    Examples
    --------
    >>> from torch import nn
    >>> from astro_latent.training.outputs import round_network
    >>> layer = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(layer.weight, 0.1)
    >>> round(round_network(layer, "float16").weight.item(), 6)
    0.099976
    """
    if dtype == "float16":
        with torch.no_grad():
            for tensor in network.state_dict().values():
                if tensor.ndim > 1:
                    tensor.copy_(tensor.half().float())
    return network
