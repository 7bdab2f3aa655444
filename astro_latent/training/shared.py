# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Layers that networks of several surveys have in common, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .batches import FitData
from .beginning import HEADS
from .carry_over import copy_rows

__all__ = ["TRUNK", "Shared", "narrow_network", "order_labels", "share_trunk", "widen"]

#: Layers of a ``residual_mlp`` that are the same for all surveys.
TRUNK = ("blocks", "norm", "posterior")
#: What is left to each survey of the layer beside the trunk: a constant.
_BESIDE = "linear"
#: Heads whose rows belong to single labels.
_SPLIT = ("covariance", "gaussian")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a training has in common with those of other surveys.

    Parameters
    ----------
    labels : tuple of str
        Of all surveys, as of `order_labels`.
    offset, scale : tuple of float
        Units of the network for each label.
    described : str
        What the card says.
    key : str
        Another for anything that changes the result.
    """

    labels: tuple[str, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    described: str
    key: str

    def units(self, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return offset and scale of some labels."""
        at = [self.labels.index(name) for name in labels]
        return np.array(self.offset)[at], np.array(self.scale)[at]


def order_labels(labels: Mapping[str, Sequence[str]], posterior: str) -> list[str]:
    """Put the labels of all surveys in one order: what most have comes first.

    Parameters
    ----------
    labels : mapping
        Of each survey.
    posterior : str
        The head.

    Returns
    -------
    list of str
        Those of each survey are the first of it, or may be any for independent errors.

    Raises
    ------
    ValueError
        If they are not, and the covariance of a survey's labels would not be a part of
        that of all; if the head cannot be divided.

    Examples
    --------
    >>> from astro_latent.training.shared import order_labels
    >>> order_labels({"a": ["logg", "fe_h", "teff"], "b": ["teff", "logg"]}, "gaussian")
    ['logg', 'teff', 'fe_h']
    """
    every = list(dict.fromkeys(name for names in labels.values() for name in names))
    every.sort(key=lambda name: -sum(name in names for names in labels.values()))
    if posterior not in _SPLIT:
        msg = f"surveys can share a posterior of {' or '.join(_SPLIT)}, not {posterior}"
        raise ValueError(msg)
    for survey, names in labels.items():
        if posterior != "gaussian" and set(every[: len(names)]) != set(names):
            msg = (
                f"{survey!r} lacks {', '.join(set(every[: len(names)]) - set(names))} "
                f"and has others than most, so that it cannot share a {posterior}: "
                "give trunk={'posterior': 'gaussian'}, or fewer labels"
            )
            raise ValueError(msg)
    return every


def share_trunk(networks: Sequence[nn.Module]) -> None:
    """Give networks the trunk of the first, and nothing beside it but a constant.

    Parameters
    ----------
    networks : sequence of Module
        Of ``residual_mlp``; changed in place.
    """
    for network in networks:
        for name in TRUNK:
            setattr(network, name, getattr(networks[0], name))
        beside = network.get_submodule(_BESIDE)
        with torch.no_grad():
            for parameter in beside.parameters():
                parameter.zero_()
        beside.get_parameter("weight").requires_grad_(False)


def widen(data: FitData, columns: Sequence[int], n_labels: int) -> FitData:
    """Give labels of one survey the columns of all, NaN where it has none.

    Parameters
    ----------
    data : FitData
        Of one survey.
    columns : sequence of int
        Where its labels go.
    n_labels : int
        Of all surveys.

    Returns
    -------
    FitData
        The same spectra.
    """
    shape = (len(data.targets), n_labels)
    targets, variance = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
    targets[:, columns], variance[:, columns] = data.targets, data.target_variance
    return FitData(
        records=data.records, targets=targets, target_variance=variance,
        train=data.train, validation=data.validation,
    )  # fmt: skip


@torch.no_grad()
def narrow_network(
    network: nn.Module, smaller: nn.Module, columns: Sequence[int], n_labels: int
) -> None:
    """Give the weights of a network to one that has the labels of one survey.

    Parameters
    ----------
    network : Module
        With the labels of all.
    smaller : Module
        The same but for its labels, and a process that is not filled; changed in place.
    columns : sequence of int
        Its labels among all.
    n_labels : int
        How many there are.
    """
    source = network.state_dict()
    for name, tensor in smaller.state_dict().items():
        if name.startswith(HEADS):
            copy_rows(source[name], tensor, columns, n_labels)
        elif name in source:
            tensor.copy_(source[name])
