# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit one network with Lightning; a training that was stopped goes on where it was.

All randomness of a step follows from the seed and the number of the step, all order
from the seed and the number of the epoch: a training that went on after a stop has
done what one without a stop does.
"""

import csv
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from ..utils.writing import write_bytes
from .batches import Batch, Batches, FitPart, Rows
from .defaults import FitOptions
from .loop import one_cycle
from .optimisers import make_optimiser
from .tasks import Task

__all__ = ["EpochReport", "fit_networks"]

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
    """Networks, the running means of their weights, and how both change.

    A step is of one of the networks; layers that several have learn by all.
    """

    def __init__(
        self, parts: Sequence[FitPart], options: FitOptions, task: Task, *, seed: int
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(part.network for part in parts)
        self.parts, self.options, self.task, self.seed = parts, options, task, seed

        mix = partial(_mix, options.average)
        self.average = AveragedModel(self.networks, avg_fn=mix).requires_grad_(False)

    @property
    def share(self) -> tuple[int, int]:
        """Number of this process, and of all."""
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches."""
        rows, size = [part.data.train for part in self.parts], self.options.batch_size
        return self._load(Batches(rows, size, seed=self.seed, share=self.share))

    def val_dataloader(self) -> DataLoader:
        """Return the validation stars in order."""
        rows = [part.data.validation for part in self.parts]
        size = self.options.batch_size
        return self._load(Batches(rows, size, seed=None, share=self.share))

    def _load(self, batches: Batches) -> DataLoader:
        rows = Rows([part.data for part in self.parts])
        return DataLoader(rows, sampler=batches, batch_size=None)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and how its rate changes."""
        optimiser = make_optimiser(self.networks, self.options)
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
        rows = [part.data.train for part in self.parts]
        batches = Batches(rows, self.options.batch_size, seed=self.seed, share=(0, 1))
        return self.options.epochs * len(batches)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set all random numbers of the step."""
        torch.manual_seed(hash((self.seed, self.global_step, self.share[0])) % 2**31)

    def training_step(self, found: Batch, index: int) -> Tensor:
        """Return the loss of a batch."""
        number, batch = found
        flux, valid, variance = batch[:3]
        augmenter = self.parts[number].augmenter
        if augmenter is not None:
            seed = int(torch.randint(2**31, (1,)).item())
            generator = torch.Generator().manual_seed(seed)
            changed = augmenter(flux.cpu(), valid.cpu(), variance.cpu(), generator)
            flux, valid, variance = (tensor.to(self.device) for tensor in changed)
        done = self.global_step / self.n_steps
        network = self.networks[number]
        loss = self.task.loss(network, (flux, valid, variance), batch, done)
        self.log(
            "training_loss", loss.detach(), on_step=False, on_epoch=True,
            batch_size=len(flux),
        )  # fmt: skip
        return loss

    def on_train_batch_end(
        self, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Let the mean of the weights follow."""
        self.average.update_parameters(self.networks)

    def validation_step(self, found: Batch, index: int) -> None:
        """Note the loss that the mean weights have on stars that teach nothing."""
        number, batch = found
        network = cast(nn.ModuleList, self.average.module.eval())[number]
        seen = (batch[0], batch[1], batch[2])
        loss = self.task.loss(network, seen, batch, 1.0)
        several = self.share[1] > 1
        self.log("validation_loss", loss, batch_size=len(batch[0]), sync_dist=several)


def fit_networks(
    parts: Sequence[FitPart],
    options: FitOptions,
    task: Task,
    folder: Path,
    *,
    seed: int = 0,
    accelerator: str = "cpu",
    progress: bool = False,
    callbacks: Sequence[Callback] = (),
) -> bytes:
    """Fit a network, or several that have layers in common, or go on fitting.

    They are left in evaluation mode, with the mean weights of the epoch that did best
    on the validation stars of all, or of the last if there are none.

    Parameters
    ----------
    parts : sequence of FitPart
        Networks, which are changed in place, and what each learns from.
    options : FitOptions
        How.
    task : LabelTask or LatentTask
        What they are asked for.
    folder : Path
        For checkpoints, one after each epoch, and a log of each start.
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
    bytes
        The log as CSV: ``epoch``, ``training_loss`` and ``validation_loss`` of all
        epochs, however often the training was stopped.
    """
    torch.manual_seed(seed)
    module = _Fit(parts, options, task, seed=seed)
    watched = any(len(part.data.validation) for part in parts)
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
            logger=_begin_log(folder),
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
    module.networks.load_state_dict(kept)
    module.networks.cpu().eval()
    return _join_logs(folder)


def _begin_log(folder: Path) -> CSVLogger:
    """Begin a log for this start, since Lightning would replace that of the last."""
    name = f"log-{len(list(folder.glob('log-*'))):04d}"
    return CSVLogger(folder, name="", version=name, flush_logs_every_n_steps=1)


def _join_logs(folder: Path) -> bytes:
    """Join the logs of all starts; the later is right where they overlap."""
    names = ("epoch", "training_loss", "validation_loss")
    found: dict[int, dict[str, str]] = {}
    for path in sorted(folder.glob("log-*/metrics.csv")):
        with path.open(newline="") as file:
            for line in csv.DictReader(file):
                figures = {name: line[name] for name in names if line.get(name)}
                found.setdefault(int(line["epoch"]), {}).update(figures)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(found[epoch] for epoch in sorted(found))
    return text.getvalue().encode()


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
