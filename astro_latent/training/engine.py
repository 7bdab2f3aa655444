# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit one network with Lightning; a training that was stopped goes on where it was.

All randomness of a step follows from the seed and the number of the step, all order
from the seed and the number of the epoch: a training that went on after a stop has
done what one without a stop does.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset, Sampler

from ..utils.writing import write_bytes
from .augmentation import Augmenter
from .defaults import FitOptions
from .loop import one_cycle
from .optimisers import make_optimiser
from .prepared_file import Records
from .tasks import Task

__all__ = ["EpochReport", "FitData", "fit_network"]

_LAST = "last.ckpt"
#: What Lightning remarks and nobody can act on here.
_REMARKS = (
    ".*does not have many workers.*",
    ".*number of training batches.*",
    ".*Checkpoint directory .* exists.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*Experiment logs directory .* exists.*",
    ".*GPU available but not used.*",
    ".*`torch.jit.script` is deprecated.*",
    ".*lr_scheduler.step.*",
)


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


class _Rows(Dataset):
    """Spectra and labels of rows; the rows of a batch are one item."""

    def __init__(self, data: FitData) -> None:
        self.data = data

    def __getitem__(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        records = self.data.records[rows]
        return (
            torch.from_numpy(records["flux"].copy()),
            torch.from_numpy(records["valid"].copy()),
            torch.from_numpy(records["variance"].copy()),
            torch.from_numpy(self.data.targets[rows]),
            torch.from_numpy(self.data.target_variance[rows]),
        )


class _Batches(Sampler):
    """Rows of each batch of an epoch; several processes share a batch."""

    def __init__(
        self, rows: np.ndarray, size: int, *, seed: int | None, share: tuple[int, int]
    ) -> None:
        self.rows, self.size, self.seed, self.share = rows, size, seed, share
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take note of the epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        if self.seed is None:
            return -(-len(self.rows) // self.size)
        return max(1, len(self.rows) // self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        rows = self.rows
        if self.seed is not None:
            rows = np.random.default_rng([self.seed, 2, self.epoch]).permutation(rows)
        rank, world = self.share
        for index in range(len(self)):
            batch = rows[index * self.size : (index + 1) * self.size]
            # shares of one size, so that their mean is the mean of all
            mine = batch[rank : len(batch) // world * world : world]
            yield mine if len(mine) else batch[:1]  # all processes must take part


class EpochReport(Callback):
    """Tell somebody the number and the validation loss of each epoch."""

    def __init__(self, tell: Callable[[int, float], None]) -> None:
        self.tell = tell

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Tell; Lightning calls this."""
        loss = float(trainer.callback_metrics["validation_loss"])
        self.tell(trainer.current_epoch, loss)


class _WholeFiles(TorchCheckpointIO):
    """Checkpoints that are whole or not there, however a training ends."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: object = None,
    ) -> None:
        """Write a checkpoint; Lightning calls this."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content.getvalue())


def _mix(decay: float, kept: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
    """Return the running mean that forgets: the plain mean at first."""
    return kept.lerp(now, max(1.0 - decay, 1.0 / (float(count) + 1.0)))


class _Fit(lightning.LightningModule):
    """A network, the running mean of its weights, and how both change."""

    def __init__(
        self,
        network: nn.Module,
        data: FitData,
        options: FitOptions,
        task: Task,
        *,
        augmenter: Augmenter | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.network, self.options, self.seed = network, options, seed
        self.task = task
        self.augmenter = augmenter
        self.data = data

        mix = partial(_mix, options.average)
        self.average = AveragedModel(network, avg_fn=mix).requires_grad_(False)

    @property
    def share(self) -> tuple[int, int]:
        """Number of this process, and of all."""
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches."""
        size = min(self.options.batch_size, len(self.data.train))
        batches = _Batches(self.data.train, size, seed=self.seed, share=self.share)
        return DataLoader(_Rows(self.data), sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        """Return the validation stars in order."""
        size = self.options.batch_size
        batches = _Batches(self.data.validation, size, seed=None, share=self.share)
        return DataLoader(_Rows(self.data), sampler=batches, batch_size=None)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and how its rate changes."""
        optimiser = make_optimiser(self.network, self.options)
        rate = partial(
            one_cycle, n_steps=self.n_steps, end=1e-3, shape=self.options.schedule
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: rate(step + 1)
        )
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]

    @property
    def n_steps(self) -> int:
        """Steps of the whole training."""
        size = min(self.options.batch_size, len(self.data.train))
        return self.options.epochs * max(1, len(self.data.train) // size)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set all random numbers of the step."""
        torch.manual_seed(hash((self.seed, self.global_step, self.share[0])) % 2**31)

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:
        """Return the loss of a batch."""
        flux, valid, variance = batch[:3]
        if self.augmenter is not None:
            seed = int(torch.randint(2**31, (1,)).item())
            generator = torch.Generator().manual_seed(seed)
            changed = self.augmenter(flux.cpu(), valid.cpu(), variance.cpu(), generator)
            flux, valid, variance = (tensor.to(self.device) for tensor in changed)
        done = self.global_step / self.n_steps
        loss = self.task.loss(self.network, (flux, valid, variance), batch, done)
        self.log("training_loss", loss.detach(), on_step=False, on_epoch=True)
        return loss

    def on_train_batch_end(
        self, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Let the mean of the weights follow."""
        self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[Tensor, ...], index: int) -> None:
        """Note the loss that the mean weights have on stars that teach nothing."""
        network = self.average.module.eval()
        seen = (batch[0], batch[1], batch[2])
        loss = self.task.loss(network, seen, batch, 1.0)
        several = self.share[1] > 1
        self.log("validation_loss", loss, batch_size=len(batch[0]), sync_dist=several)


def fit_network(
    network: nn.Module,
    data: FitData,
    options: FitOptions,
    task: Task,
    folder: Path,
    *,
    augmenter: Augmenter | None = None,
    seed: int = 0,
    accelerator: str = "cpu",
    progress: bool = False,
    callbacks: Sequence[Callback] = (),
) -> nn.Module:
    """Fit a network, or go on fitting it.

    Parameters
    ----------
    network : Module
        Changed in place.
    data : FitData
        Spectra and labels.
    options : FitOptions
        How.
    task : LabelTask or LatentTask
        What it is asked for.
    folder : Path
        For checkpoints, one after each epoch, and the log ``metrics.csv``.
    augmenter : Augmenter, optional
        What is done to training spectra.
    seed : int, optional
        Of order, noise and dropout.
    accelerator : str, optional
        Of Lightning.
    progress : bool, optional
        Show a bar.
    callbacks : sequence, optional
        More callbacks of Lightning.

    Returns
    -------
    Module
        With the mean weights of the epoch that did best on the validation stars, or of
        the last if there are none; in evaluation mode.
    """
    torch.manual_seed(seed)
    module = _Fit(network, data, options, task, augmenter=augmenter, seed=seed)
    watched = bool(len(data.validation))
    keep = ModelCheckpoint(
        folder,
        filename="best",
        monitor="validation_loss" if watched else None,
        save_last=True,
        enable_version_counter=False,
    )
    last = folder / _LAST
    with _quiet():
        trainer = lightning.Trainer(
            accelerator=accelerator,
            devices=options.devices,
            strategy=options.strategy,
            precision=options.precision,  # type: ignore[arg-type]
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=[keep, *callbacks],
            plugins=[_WholeFiles()],
            logger=CSVLogger(folder, name="", version=""),
            enable_progress_bar=progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if watched else 0,
            use_distributed_sampler=False,
        )
        trainer.fit(module, ckpt_path=last if last.is_file() else None)
    best = Path(keep.best_model_path or last) if watched else last
    state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "average.module."
    kept = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    network.load_state_dict(kept)
    return network.cpu().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning from saying what nobody can act on."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in _REMARKS:
                warnings.filterwarnings("ignore", text)
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
