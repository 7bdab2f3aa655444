# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the steps of a training learn from: batches of spectra, of one kind each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler

from .augmentation import Augmenter
from .prepared_file import Records

__all__ = ["Batch", "Batches", "FitData", "FitPart", "Rows"]

#: Number of the network, and flux, valid, variance, labels and their variance.
Batch = tuple[int, tuple[Tensor, ...]]


@dataclass(frozen=True, kw_only=True)
class FitData:
    """Spectra and labels of a training, in the network's units.

    Parameters
    ----------
    records : Records
        With the fields flux, variance and valid; memory-mapped.
    targets, target_variance : ndarray, shape (n_spectra, n_labels), float32
        NaN where a label is missing; variance of the labels themselves.
    train, validation : ndarray of int
        Rows of the records.
    """

    records: Records
    targets: np.ndarray
    target_variance: np.ndarray
    train: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True, kw_only=True)
class FitPart:
    """A network and what it learns from.

    Parameters
    ----------
    network : Module
        Layers may be those of other parts, too.
    data : FitData
        Spectra and labels.
    augmenter : Augmenter or None
        What is done to training spectra.
    """

    network: nn.Module
    data: FitData
    augmenter: Augmenter | None = None


class Rows(Dataset):
    """Spectra and labels of rows; the rows of a batch are one item.

    Parameters
    ----------
    data : sequence of FitData
        Of each network.
    """

    def __init__(self, data: Sequence[FitData]) -> None:
        self.data = data

    def __getitem__(self, item: tuple[int, np.ndarray]) -> Batch:
        number, rows = item
        data = self.data[number]
        records = data.records[rows]
        return number, (
            torch.from_numpy(records["flux"].copy()),
            torch.from_numpy(records["valid"].copy()),
            torch.from_numpy(records["variance"].copy()),
            torch.from_numpy(data.targets[rows]),
            torch.from_numpy(data.target_variance[rows]),
        )


class Batches(Sampler):
    """Rows of each batch of an epoch; several processes share a batch.

    Each part has as many batches as its rows make, in a random order of the parts.

    Parameters
    ----------
    rows : sequence of ndarray of int
        Of each part.
    size : int
        Rows of a batch at most.
    seed : int or None
        Of the order, which is another in each epoch; None for that of the rows, all of
        which come.
    share : tuple of int
        Number of this process, and of all.
    """

    def __init__(
        self,
        rows: Sequence[np.ndarray],
        size: int,
        *,
        seed: int | None,
        share: tuple[int, int],
    ) -> None:
        self.rows, self.size, self.seed, self.share = rows, size, seed, share
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take note of the epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(self._count(rows) for rows in self.rows)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        counts = [self._count(rows) for rows in self.rows]
        order = np.repeat(np.arange(len(counts)), counts)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, 5, self.epoch]).permutation(order)
        waiting = [self._deal(rows) for rows in self.rows]
        for number in order.tolist():
            yield number, next(waiting[number])

    def _count(self, rows: np.ndarray) -> int:
        if self.seed is None:
            return -(-len(rows) // self.size)
        return max(1, len(rows) // self.size)

    def _deal(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the batches of one part."""
        if self.seed is not None:
            rows = np.random.default_rng([self.seed, 2, self.epoch]).permutation(rows)
        rank, world = self.share
        for index in range(self._count(rows)):
            batch = rows[index * self.size : (index + 1) * self.size]
            # shares of one size, so that their mean is the mean of all
            mine = batch[rank : len(batch) // world * world : world]
            yield mine if len(mine) else batch[:1]  # all processes must take part
