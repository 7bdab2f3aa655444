# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The fitting of an ensemble, member by member."""

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from astropy.table import Table
from torch import Tensor, nn

from ..models import ARCHITECTURES
from ..models.architectures import CorrectedNetwork
from ..utils.writing import write_bytes
from .augmentation import Augmentation, Augmenter
from .batches import FitData, FitPart
from .beginning import CORRECTED, Beginning
from .defaults import FitOptions
from .few_stars import LeftOut, correct_network
from .plan import Plan
from .shared import Shared
from .stars import PARTS
from .tasks import Task

__all__ = ["Job"]

_ADAPT_ROWS = 8000  # spectra that components and means are found from
_ADAPT_PIXELS = 30_000_000  # and pixels in all, which bounds the memory


@dataclass(frozen=True, kw_only=True)
class Job:
    """Networks to be fitted.

    Parameters
    ----------
    plan : Plan
        To what.
    architecture : str
        Name of the architecture.
    arguments : dict
        Its arguments.
    members : int
        How many networks.
    fit : FitOptions
        How.
    augment : Augmentation or None
        What is done to training spectra.
    seed : int
        Of everything.
    work : Path
        For checkpoints.
    device : str
        Accelerator of Lightning.
    progress : bool
        Show bars.
    task : LabelTask or LatentTask
        What networks are asked for.
    beginning : Beginning or None
        Weights to begin with.
    shared : Shared or None
        What the training has in common with those of other surveys.
    """

    plan: Plan
    architecture: str
    arguments: dict[str, Any]
    members: int
    fit: FitOptions
    augment: Augmentation | None
    seed: int
    work: Path
    device: str
    progress: bool
    task: Task
    beginning: Beginning | None = None
    shared: Shared | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.plan.targets.names

    @property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scatter of the labels: of the training stars, or of others too."""
        targets = self.plan.targets[self.plan.rows(PARTS[0])]
        targets.check(" that teach")  # of all, some may have it and be held out
        if self.shared is not None:
            return self.shared.units(targets.names)
        mean, scatter = np.nanmean(targets.values, 0), np.nanstd(targets.values, 0)
        if self.beginning is None:
            return mean, scatter
        return self.beginning.units(self.plan.targets.names, mean, scatter)

    @property
    def begun_with(self) -> str:
        """What the training begins with, for the card; "" if with nothing."""
        if self.beginning is None:
            return ""
        n_stars = len(self.plan.rows(PARTS[0]))
        names = self.plan.targets.names
        return self.beginning.describe(
            self.plan.file.grid, names, n_stars, corrected=self.is_corrected
        )

    @property
    def folder(self) -> Path:
        """Where checkpoints lie: another for anything that changes the result."""
        facts = [
            self.plan.file.path.name, self.plan.targets.names, self.architecture,
            self.arguments, asdict(self.fit), self.seed, self.begun_with,
            asdict(self.augment) if self.augment else None, asdict(self.task),
        ]  # fmt: skip
        if self.shared is not None:
            facts.append(self.shared.key)
        found = hashlib.blake2b(json.dumps(facts, default=str).encode(), digest_size=8)
        for array in (self.plan.parts, self.plan.targets.values):
            found.update(array.tobytes())
        return self.work / f"run-{found.hexdigest()}"

    def run(
        self, *, report: Callable[[int, float], None] | None = None
    ) -> list[nn.Module]:
        """Fit all members; those that an earlier call has finished are read.

        Parameters
        ----------
        report : callable, optional
            Told the number and the validation loss of each epoch; may raise.

        Returns
        -------
        list of Module
            In evaluation mode.
        """
        if self.is_corrected:
            return [network for network, _ in self.correct()]
        from .engine import EpochReport, fit_networks
        from .process import fit_process

        callbacks = [] if report is None else [EpochReport(report)]
        networks: list[nn.Module] = []
        for member in range(self.members):
            seed = 1000 * self.seed + member
            folder, network = self.folder / f"member-{member}", self.make(seed, member)
            finished = folder.with_suffix(".safetensors")
            if finished.is_file():
                network.load_state_dict(safetensors.torch.load_file(finished))
            else:
                part = self.part(network)
                log = fit_networks(
                    [part], self.fit, self.task, folder, seed=seed,
                    accelerator=self.device, progress=self.progress,
                    callbacks=callbacks,
                )  # fmt: skip
                fit_process(network, part.data, seed=self.seed, others=networks)
                self.keep(network, member, log)
            networks.append(network.eval())
        return networks

    def part(self, network: nn.Module) -> FitPart:
        """Return a network with what it learns from.

        Parameters
        ----------
        network : Module
            From `make`.

        Returns
        -------
        FitPart
            Labels are in the units of the network.
        """
        mean, scatter = self.units
        targets = self.plan.targets
        data = FitData(
            records=self.plan.file.records,
            targets=((targets.values - mean) / scatter).astype(np.float32),
            target_variance=((targets.errors / scatter) ** 2).astype(np.float32),
            train=self.plan.rows(PARTS[0]),
            validation=self.plan.rows(PARTS[1]),
        )
        augmenter = None
        if self.augment is not None:
            augmenter = Augmenter(self.augment, self.plan.file.grid)
        return FitPart(network=network, data=data, augmenter=augmenter)

    def keep(self, network: nn.Module, member: int, log: bytes) -> None:
        """Write a member that is fitted, for `run` to find.

        Parameters
        ----------
        network : Module
            The member.
        member : int
            Its number.
        log : bytes
            Of `~astro_latent.training.engine.fit_networks`.
        """
        finished = self.folder / f"member-{member}.safetensors"
        state = {n: t.contiguous() for n, t in network.state_dict().items()}
        finished.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(finished.with_suffix(".csv"), log)
        write_bytes(finished, safetensors.torch.save(state))

    @property
    def is_corrected(self) -> bool:
        """Whether stars are few, and only correct what weights say."""
        if self.architecture != CORRECTED or self.beginning is None:
            return False
        # weights that are a correction already may also be trained on as they are
        return bool(self.beginning.corrects(self.arguments))

    def correct(self) -> list[tuple[nn.Module, LeftOut]]:
        """Correct the members of weights, for `is_corrected`.

        Returns
        -------
        list of tuple of Module and LeftOut
            The networks, and what each says of stars that did not teach it.
        """
        plan, found = self.plan, []
        for member in range(self.members):
            network = cast(CorrectedNetwork, self.make(self.seed, member)).eval()
            left = correct_network(
                network, plan.file, plan.targets, plan.rows(PARTS[0]),
                stars=plan.stars, units=self.units,
            )  # fmt: skip
            found.append((network, left))
        return found

    def folds(self, count: int) -> list["Job"]:
        """Return trainings that each leave out other stars, and together all.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        list of Job
            What each left out is its held-out part.
        """
        plan = self.plan
        rows = plan.rows(PARTS[0])
        stars, numbers = np.unique(plan.stars[rows], return_inverse=True)
        order = np.random.default_rng([self.seed, 3]).permutation(len(stars))
        jobs = []
        for fold in range(count):
            parts = plan.parts.copy()
            parts[rows[order[numbers] % count == fold]] = PARTS[2]
            jobs.append(replace(self, plan=replace(plan, parts=parts)))
        return jobs

    def logs(self) -> Table:
        """Return the losses of all epochs of all members.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``member``, ``epoch``, ``training_loss`` and ``validation_loss``.
        """
        names = ("training_loss", "validation_loss")
        found: dict[tuple[int, int], dict[str, float]] = {}
        for member in range(0 if self.is_corrected else self.members):
            path = self.folder / f"member-{member}.csv"
            with path.open(newline="") as file:
                for line in csv.DictReader(file):
                    figures = {n: float(line[n]) for n in names if line.get(n)}
                    found.setdefault((member, int(line["epoch"])), {}).update(figures)
        rows = [
            (*at, *(figures.get(name, np.nan) for name in names))
            for at, figures in found.items()
        ]
        return Table(rows=rows, names=("member", "epoch", *names))

    def make(self, seed: int, member: int) -> nn.Module:
        """Make a network and let it see the training set.

        Parameters
        ----------
        seed : int
            Of its first weights.
        member : int
            Its number.

        Returns
        -------
        Module
            Not fitted.
        """
        torch.manual_seed(seed)
        try:
            network = ARCHITECTURES[self.architecture](**self.arguments)
        except (KeyError, TypeError, ValueError) as error:
            shown = ", ".join(f"{k}={v!r}" for k, v in self.arguments.items())
            msg = f"no {self.architecture} can be made with {shown}: {error!r}"
            raise ValueError(msg) from error
        file, beginning = self.plan.file, self.beginning
        kept = beginning is not None and beginning.keeps_grid(file.grid)
        if hasattr(network, "adapt") and not kept:
            network.adapt(*self._some_spectra())
        if beginning is not None:
            beginning.fill(network, member, file.grid, self.plan.targets.names)
            if hasattr(network, "adapt_errors"):
                network.adapt_errors(*self._some_spectra()[1:])
        return network

    def _some_spectra(self) -> list[Tensor]:
        """Flux, valid and variance of some of the training set, for all members."""
        # the same for all, so that what these give is stored once
        rows = np.random.default_rng(self.seed).permutation(self.plan.rows(PARTS[0]))
        count = _ADAPT_PIXELS // self.plan.file.grid.n_pixels
        count = min(_ADAPT_ROWS, max(64, count))
        prepared = self.plan.file.prepared(np.sort(rows[:count]))
        arrays = (prepared.flux, prepared.valid, prepared.variance)
        return [torch.from_numpy(array) for array in arrays]
