# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The trials of a search: optuna, its database, and one network for each trial."""

import json
import math
import multiprocessing
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from astropy.table import Table
from optuna.trial import Trial, TrialState

from .job import Job
from .search_space import Space, change_job

__all__ = ["Study"]

_HEARTBEAT = 20  # seconds; a trial whose process is silent for three has failed
_STARTUP = 5  # complete trials without which none is pruned, and nothing weighed
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A search as its processes see it.

    Parameters
    ----------
    job : Job
        What is trained, but for what is searched.
    space : mapping
        What is searched.
    sampler : {"tpe", "random"}
        How.
    prune : bool
        End what is worse than the median.
    path : Path
        The database, SQLite.
    n_trials : int
        How many there shall be in all.
    timeout : float or None
        Seconds after which none begins.
    """

    job: Job
    space: Space
    sampler: str
    prune: bool
    path: Path
    n_trials: int
    timeout: float | None

    def open(self, seed: int = 0) -> optuna.Study:
        """Open the database, or begin it.

        Parameters
        ----------
        seed : int, optional
            Of the sampler.

        Returns
        -------
        optuna.Study
            Which writes into the database.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{self.path}",
                engine_kwargs={"connect_args": {"timeout": 60}},
                heartbeat_interval=_HEARTBEAT,
                grace_period=3 * _HEARTBEAT,
            )
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)
        if self.sampler == "tpe":
            sampler = optuna.samplers.TPESampler(seed=seed)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if self.prune:
            pruner = optuna.pruners.MedianPruner(
                n_startup_trials=_STARTUP, n_warmup_steps=self.job.fit.epochs // 4
            )
        return optuna.create_study(
            storage=storage, sampler=sampler, pruner=pruner, study_name="search",
            load_if_exists=True,
        )  # fmt: skip

    def claim(self) -> None:
        """Begin a database, or make sure that it answers the same question.

        Raises
        ------
        ValueError
            If it is of other spectra, labels or another space.
        """
        study, about = self.open(), json.loads(json.dumps(self._about(), default=str))
        known = study.user_attrs.get("about")
        if known is None:
            study.set_user_attr("about", about)
            return
        for name, value in about.items():
            if known.get(name) != value:
                msg = (
                    f"{self.path} is a search with other {name}: {known.get(name)} "
                    f"instead of {value}; give another output"
                )
                raise ValueError(msg)

    def _about(self) -> dict[str, Any]:
        """Return what must not change between two calls."""
        plan, job = self.job.plan, self.job
        return {
            "labels": plan.targets.names,
            "spectra": plan.file.path.name,
            "stars": [len(plan.rows(part)) for part in ("train", "validation")],
            "architecture": job.architecture,
            "arguments": job.arguments,
            "fit": asdict(job.fit),
            "augmentation": asdict(job.augment) if job.augment else None,
            "space": {
                name: dict(values) if isinstance(values, Mapping) else list(values)
                for name, values in self.space.items()
            },
        }

    def run(self, processes: int) -> None:
        """Run the trials that are missing.

        Parameters
        ----------
        processes : int
            How many at a time.

        Raises
        ------
        RuntimeError
            If a process fails.
        """
        if processes == 1:
            self.work(0)
            return
        context = multiprocessing.get_context("spawn")
        started = [
            context.Process(target=self.work, args=(number,))
            for number in range(processes)
        ]
        for process in started:
            process.start()
        try:
            for process in started:
                process.join()
        finally:
            for process in started:
                process.terminate()
        codes = [process.exitcode for process in started]
        if any(codes):
            msg = f"a process of the search failed ({codes}); call again to go on"
            raise RuntimeError(msg)

    def work(self, number: int) -> None:
        """Run trials until there are enough; each process does this.

        Parameters
        ----------
        number : int
            Of the process.
        """
        known = self.open().get_trials(deepcopy=False)
        if sum(trial.state in _ENDED for trial in known) >= self.n_trials:
            return
        sequence = np.random.SeedSequence([self.job.seed, number, len(known)])
        self.open(int(sequence.generate_state(1)[0])).optimize(
            self.attempt,
            # a network that cannot be built or fitted is a failed trial
            catch=(ValueError, RuntimeError),
            n_trials=4 * self.n_trials,
            timeout=self.timeout,
            callbacks=[optuna.study.MaxTrialsCallback(self.n_trials, states=_ENDED)],
            gc_after_trial=True,  # Python does not see how large networks are
        )

    def attempt(self, trial: Trial) -> float:
        """Train one network.

        Parameters
        ----------
        trial : optuna.Trial
            Which chooses the hyper-parameters.

        Returns
        -------
        float
            Its least loss on the validation stars.
        """
        values = {name: _suggest(trial, name, self.space[name]) for name in self.space}
        job = change_job(self.job, values)
        job = replace(job, members=1, work=job.work / f"trial-{trial.number}")
        start, losses = time.perf_counter(), [math.inf]

        def report(epoch: int, loss: float) -> None:
            losses.append(loss if math.isfinite(loss) else math.inf)
            trial.report(losses[-1], epoch)
            trial.set_user_attr("seconds", time.perf_counter() - start)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            (network,) = job.run(report=report)
        finally:
            shutil.rmtree(job.work, ignore_errors=True)
        size = sum(parameter.numel() for parameter in network.parameters())
        trial.set_user_attr("n_parameters", size)
        if math.isinf(min(losses)):
            msg = "the loss was never finite"
            raise ValueError(msg)
        return min(losses)

    def best(self) -> tuple[float, dict[str, Any]]:
        """Return the least loss of a complete trial, and its hyper-parameters.

        Returns
        -------
        tuple of float and dict
            There must be one.
        """
        study = self.open()
        return study.best_value, study.best_params

    def trials(self) -> Table:
        """Return all trials.

        Returns
        -------
        `~astropy.table.Table`
            One row for each; see `~astro_latent.training.Search`.
        """
        rows = [
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                "loss": np.nan if trial.value is None else trial.value,
                "epochs": len(trial.intermediate_values),
                "seconds": trial.user_attrs.get("seconds", np.nan),
                "n_parameters": trial.user_attrs.get("n_parameters", 0),
                **{name: trial.params.get(name) for name in self.space},
            }
            for trial in self.open().get_trials(deepcopy=False)
        ]
        return Table(rows)

    def weigh(self) -> Table:
        """Return which hyper-parameters the loss depends on.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``name`` and ``importance``.
        """
        study, found = self.open(), {}
        complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if len(complete) >= _STARTUP:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        names, values = np.array(list(found), dtype="U40"), list(found.values())
        return Table([names, np.array(values, float)], names=("name", "importance"))


def _suggest(trial: Trial, name: str, values: Sequence[Any] | Mapping[str, Any]) -> Any:
    """Let the sampler choose a value."""
    if not isinstance(values, Mapping):
        return trial.suggest_categorical(name, list(values))
    low, high, log = values["low"], values["high"], bool(values.get("log"))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=log)
