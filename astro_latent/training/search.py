# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Search for the hyper-parameters that suit spectra and labels."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from ..spectra.reading import SpectraLike
from ..tables import write_table
from ..utils.writing import write_bytes
from .checks import check_installed, check_texts
from .job import Job
from .kinds import check_kinds
from .search_space import Space, change_job, check_space, default_space
from .setting_up import set_up

if TYPE_CHECKING:
    from .study import Study

__all__ = ["Search", "search_hyperparameters"]

_SAMPLERS = ("tpe", "random")


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search found.

    Parameters
    ----------
    settings : dict
        The best: keyword arguments of `~astro_latent.train_model`.
    loss : float
        Its loss on the validation stars, nats of all labels of a star.
    trials : `~astropy.table.Table`
        One row for each: ``trial``, ``state``, ``loss``, ``epochs``, ``seconds``,
        ``n_parameters`` and the hyper-parameters.
    importances : `~astropy.table.Table`
        ``name`` and ``importance``, the share of the variance of the loss, by fANOVA
        (Hutter et al. 2014); empty after fewer than five complete trials.
    output : Path
        Where tables, settings and the study lie.
    """

    settings: dict[str, Any]
    loss: float
    trials: Table
    importances: Table
    output: Path


def search_hyperparameters(
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str],
    *,
    output: str | os.PathLike[str],
    n_trials: int = 50,
    space: Space | None = None,
    architecture: str = "starnet",
    sampler: str = "tpe",
    prune: bool = True,
    processes: int = 1,
    timeout: float | None = None,
    seed: int = 0,
    **training: Any,
) -> Search:
    """Search for the hyper-parameters that suit spectra and labels.

    Each trial trains one network on the training stars and is judged by its likelihood
    on the validation stars; stars held out have no part. The sampler is the
    tree-structured Parzen estimator of Bergstra et al. (2011), with which StarNet's
    thirteen hyper-parameters were searched (S. Fabbro's slides, 2017).

    Parameters
    ----------
    spectra, labels
        As for `~astro_latent.train_model`.
    output : path-like
        Folder of the study; a search that was stopped goes on when called again.
    n_trials : int, optional
        Trials in all, with those of earlier calls.
    space : mapping, optional
        Name to a list of choices, or to a range as ``{"low": 1e-4, "high": 1e-2,
        "log": True}``. Names are arguments of the architecture, ``n_filters[0]`` for an
        element of one, and fields of `~astro_latent.training.FitOptions`. By default
        that of `~astro_latent.training.default_space`.
    architecture : str, optional
        Name of the architecture.
    sampler : {"tpe", "random"}, optional
        How the next trial is chosen.
    prune : bool, optional
        End trials whose loss is above the median of earlier ones at that epoch.
    processes : int, optional
        Trials at a time, each in a process of its own.
    timeout : float, optional
        Seconds after which no new trial begins.
    seed : int, optional
        Of the sampler, the split and all networks.
    **training
        More arguments of `~astro_latent.train_model`, such as ``table``, ``grid``,
        ``augment``, ``held_out`` or ``epochs``; what is searched replaces them.

    Returns
    -------
    Search
        Its ``settings`` are what ``train_model`` takes; ``settings.json``,
        ``trials.ecsv`` and ``importances.ecsv`` lie in ``output``.

    Raises
    ------
    ValueError
        If there are no validation stars, if a range is none, if no trial ended, or if
        the study in ``output`` is of other spectra or another space.
    UnknownNameError
        If a hyper-parameter or option does not exist.
    ImportError
        If what the extra ``train`` installs is not there.

    Examples
    --------
    >>> from astro_latent import search_hyperparameters, train_model
    >>> found = search_hyperparameters(
    ...     "stars.ecsv", ["teff", "logg"], output="study", n_trials=50
    ... )  # doctest: +SKIP
    >>> model = train_model(
    ...     "stars.ecsv", ["teff", "logg"], output="my_v2", **found.settings
    ... )  # doctest: +SKIP
    """
    check_kinds({**training, "labels": labels, "output": output, "seed": seed})
    output = Path(output)
    check_installed("lightning", "optuna")
    from .study import Study

    labels = [labels] if isinstance(labels, str) else list(labels)
    check_texts(labels, about=None, limits=None, false_alarms=0.0)
    space = default_space(architecture) if space is None else dict(space)
    check_space(space, architecture, training.get("arguments"))
    _check(sampler, n_trials=n_trials, processes=processes)
    job = set_up(
        spectra, labels, architecture=architecture, seed=seed, work=output / "work",
        **training,
    )  # fmt: skip
    if not len(job.plan.rows("validation")):
        msg = "a search needs validation stars: give validation=0.1, or a split"
        raise ValueError(msg)
    study = Study(
        job=job, space=space, sampler=sampler, prune=prune, path=output / "study.db",
        n_trials=n_trials, timeout=timeout,
    )  # fmt: skip
    study.claim()
    study.run(processes)
    return _finish(study, output)


def _check(sampler: str, **numbers: int) -> None:
    if sampler not in _SAMPLERS:
        msg = f"sampler must be one of {', '.join(_SAMPLERS)}, not {sampler!r}"
        raise ValueError(msg)
    for name, number in numbers.items():
        if number < 1:
            msg = f"{name} must be 1 or more, not {number}"
            raise ValueError(msg)


def _finish(study: "Study", output: Path) -> Search:
    """Write what was found."""
    trials = study.trials()
    write_table(trials, output / "trials.ecsv", overwrite=True)
    if "complete" not in trials["state"]:
        msg = f"no trial of the search ended well; see {output / 'trials.ecsv'}"
        raise ValueError(msg)
    loss, values = study.best()
    settings, importances = _settings(change_job(study.job, values)), study.weigh()
    write_table(importances, output / "importances.ecsv", overwrite=True)
    write_bytes(output / "settings.json", json.dumps(settings, indent=1).encode())
    return Search(
        settings=settings, loss=loss, trials=trials, importances=importances,
        output=output,
    )  # fmt: skip


def _settings(job: Job) -> dict[str, Any]:
    """Keyword arguments of `train_model` that make a network like this."""
    own = ("n_pixels", "n_labels")  # follow from the spectra and the labels
    where = ("precision", "devices", "strategy")
    arguments = {k: v for k, v in job.arguments.items() if k not in own}
    fit = {k: v for k, v in asdict(job.fit).items() if k not in where}
    return {"architecture": job.architecture, "arguments": arguments, **fit}
