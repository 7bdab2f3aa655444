# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""train_several: one trunk for the spectra of several surveys, a stem for each."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from astropy import log
from torch import nn

from ..exceptions import UnknownNameError
from ..models import ARCHITECTURES, SpectralModel, load_model
from ..utils.writing import replacing_folder, write_bytes
from .batches import FitPart
from .checks import check_place, check_texts
from .common_stars import find_common
from .defaults import default_fit
from .job import Job
from .kinds import check_kinds
from .setting_up import set_up
from .shared import Shared, narrow_network, order_labels, share_trunk, widen
from .stars import PARTS
from .train import finish_training

__all__ = ["train_several"]

_ARCHITECTURE = "residual_mlp"
#: Size of the trunk, where nobody says otherwise.
_SIZES: dict[str, Any] = {
    "n_hidden": 192,
    "n_blocks": 3,
    "dropout": 0.1,
    "posterior": "covariance",
}
#: What is said for each survey; the rest is said once.
_OWN = (
    "spectra", "labels", "table", "folder", "grid", "recipe", "facts",
    "radial_velocity", "star", "split", "held_out", "validation", "augment",
    "arguments",
)  # fmt: skip
_FINISH = ("about", "limits", "false_alarms")


def train_several(
    surveys: Mapping[str, Mapping[str, Any]],
    *,
    output: str | os.PathLike[str] | None = None,
    trunk: Mapping[str, Any] | None = None,
    members: int = 1,
    dtype: str = "float32",
    seed: int = 0,
    work: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, SpectralModel]:
    """Train one network on the spectra of several surveys.

    Each survey has a stem of its own, which brings its pixels to the width of the
    trunk, and a constant for each label, in which scales of labels may differ; all
    other layers are the same for all, and every label is learnt from all surveys that
    have it. What comes out is one ordinary model for each survey.

    Parameters
    ----------
    surveys : mapping
        For each name of a survey what `~astro_latent.train_model` is told of it:
        ``spectra`` and ``labels``, and if need be ``table``, ``folder``, ``grid``,
        ``recipe``, ``facts``, ``radial_velocity``, ``star``, ``split``, ``held_out``,
        ``validation``, ``augment``, ``limits``, ``false_alarms``, ``about`` and
        ``arguments`` (``views``, ``n_noise`` and ``n_centres``). Where surveys have
        stars in common, give each a ``split``, so that a star is held out of all; a
        warning says if one is not, as far as names (``star``, or columns of usual
        names) and positions tell, or that they do not.
    output : path-like, optional
        Folder in which each survey gets a folder of weights of its name, when all are
        done; without it the models exist in memory only.
    trunk : mapping, optional
        Size of the common layers: ``n_hidden``, ``n_blocks``, ``dropout`` and
        ``posterior`` (``covariance``, or ``gaussian`` if the labels of one survey are
        no part of those of the next).
    members : int, optional
        Networks of an ensemble.
    dtype : {"float32", "float16"}, optional
        How matrices are stored.
    seed : int, optional
        Of the split, the first weights, the order and the noise.
    work : path-like, optional
        Folder for prepared spectra and checkpoints; a training that was stopped goes
        on when called again. By default ``<output>.work``.
    device : str, optional
        Accelerator of Lightning: ``"cpu"``, ``"gpu"``, ``"auto"``.
    overwrite : bool, optional
        Replace weights in ``output``.
    progress : bool, optional
        Show bars; by default as configured.
    **options
        Fields of `~astro_latent.training.FitOptions`, such as ``epochs``: times that
        each spectrum of each survey is seen.

    Returns
    -------
    dict
        A `~astro_latent.models.SpectralModel` for each survey, whose labels come in one
        order for all. `~astro_latent.latent.hidden_vectors` gives the output of the
        trunk, in which spectra of several surveys can be compared.

    Raises
    ------
    ValueError
        If there are no surveys, if a label teaches nothing, if there are too few stars,
        if the labels of surveys cannot share a head, or for several devices.
    UnknownNameError
        If a column, recipe, option or argument does not exist.
    TypeError
        If what is told of a survey is no mapping, or an argument of another kind.
    ImportError
        If what the extra ``train`` installs is not there.
    FileExistsError
        If there are weights in ``output``.

    Examples
    --------
    >>> from astro_latent.training import train_several
    >>> models = train_several(
    ...     {
    ...         "blue": {"spectra": "blue.ecsv", "labels": ["teff", "logg", "fe_h"]},
    ...         "red": {"spectra": "red.ecsv", "labels": ["teff", "logg"]},
    ...     },
    ...     output="both_v1",
    ... )  # doctest: +SKIP
    """
    check_kinds(locals())
    sizes = _SIZES | dict(trunk or {})
    given = _check(surveys, sizes, options, dtype)
    labels = order_labels(
        {n: own["labels"] for n, own in given.items()}, sizes["posterior"]
    )
    for name in given:
        place = None if output is None else Path(output, name)
        check_place(place, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(work or (f"{output}.work" if output else scratch))
        jobs = {
            name: _set_up(name, own, labels, sizes, work=at, members=members,
                          seed=seed, device=device, progress=progress, **options)
            for name, own in given.items()
        }  # fmt: skip
        _say_who_teaches_and_judges(jobs, given)
        jobs, shared = _join(jobs, labels, options)
        together = _fit(list(jobs.values()), shared, at)
        for name, job in jobs.items():
            own = given[name]
            finish_training(
                job, together / name, own.get("about") or {}, own.get("limits") or {},
                false_alarms=own.get("false_alarms", 0.04), dtype=dtype, overwrite=True,
            )  # fmt: skip
        return _hand_over(together, Path(output or scratch), jobs)


def _hand_over(
    together: Path, output: Path, names: Iterable[str]
) -> dict[str, SpectralModel]:
    """Bring weights to their place when all are done: those of one trunk belong so."""
    models = {}
    for name in names:
        with replacing_folder(output / name, overwrite=True) as part:
            shutil.copytree(together / name, part, dirs_exist_ok=True)
        models[name] = load_model(output / name, device="cpu")
    shutil.rmtree(together, ignore_errors=True)
    return models


def _check(
    surveys: Mapping[str, Mapping[str, Any]],
    sizes: Mapping[str, Any],
    options: Mapping[str, Any],
    dtype: str,
) -> dict[str, dict[str, Any]]:
    """Refuse what is unknown or missing before any work."""
    if not surveys:
        msg = "there are no surveys to train on"
        raise ValueError(msg)
    for name in sizes:
        if name not in _SIZES:
            raise UnknownNameError("size of a trunk", name, list(_SIZES))
    if options.get("devices", 1) != 1:
        msg = "a training of several surveys runs on one device, not on several"
        raise ValueError(msg)
    return {str(n): _check_survey(str(n), own, dtype) for n, own in surveys.items()}


def _check_survey(survey: str, own: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Refuse what is unknown or missing in what is told of a survey."""
    if not isinstance(own, Mapping):
        msg = f"the survey {survey!r} needs a mapping, with spectra and labels"
        raise TypeError(msg)
    check_kinds(own, f"survey {survey!r}: ")
    if survey != Path(survey).name or survey in ("", ".", ".."):
        msg = f"{survey!r} can be no name of a folder: call the survey otherwise"
        raise ValueError(msg)
    known = [*_OWN, *_FINISH]
    for name in own:
        if name not in known:
            raise UnknownNameError(f"argument of survey {survey!r}", name, known)
    names = own.get("labels") or ()
    names = [names] if isinstance(names, str) else list(names)
    if "spectra" not in own or not names:
        msg = f"the survey {survey!r} needs spectra and labels"
        raise ValueError(msg)
    for name in own.get("arguments") or ():
        if name in _SIZES:
            msg = f"{name} is the same for all surveys: give trunk={{{name!r}: ...}}"
            raise ValueError(msg)
    check_texts(
        names, about=own.get("about"), limits=own.get("limits"),
        false_alarms=own.get("false_alarms", 0.04), dtype=dtype,
    )  # fmt: skip
    return {**own, "labels": names}


def _set_up(
    name: str, own: Mapping[str, Any], labels: list[str], sizes: Mapping[str, Any],
    **rest: Any,
) -> Job:  # fmt: skip
    """Prepare the spectra of one survey; its labels come in the common order."""
    told = {key: own[key] for key in _OWN if key in own}
    arguments = {**sizes, **(told.pop("arguments", None) or {})}
    mine = told.pop("labels")
    try:
        return set_up(
            told.pop("spectra"), [label for label in labels if label in mine],
            architecture=_ARCHITECTURE, arguments=arguments, **told, **rest,
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        error.args = (f"survey {name!r}: {error}",)
        raise
    except UnknownNameError as error:
        error.message = f"survey {name!r}: {error}"
        raise


def _say_who_teaches_and_judges(
    jobs: Mapping[str, Job], given: Mapping[str, Mapping[str, Any]]
) -> None:
    """Warn if stars of one survey are held out that another learns from."""
    for name, other in permutations(jobs, 2):
        one, two = jobs[name].plan, jobs[other].plan
        common = find_common(
            one.who[one.rows(PARTS[2])], two.who[two.rows(PARTS[0])],
            star=(given[name].get("star"), given[other].get("star")),
        )  # fmt: skip
        if common is not None and common.any():
            log.warning(
                f"{common.sum()} held-out spectra of {name!r} are of stars that teach "
                f"by {other!r}, so that errors may turn out too small: give each "
                "survey a split that holds a star out of all"
            )
        elif common is None and given[name].get("split") is None:
            log.warning(
                f"whether held-out stars of {name!r} teach by {other!r} cannot be told:"
                " no columns of one kind name the stars of both, and not both have "
                "positions; say star= of each, or give each a split"
            )


def _join(
    jobs: Mapping[str, Job], labels: list[str], options: Mapping[str, Any]
) -> tuple[dict[str, Job], Shared]:
    """Give trainings one way to be fitted, and labels one unit."""
    taught = {
        name: [
            job.plan.targets.values[job.plan.rows(PARTS[0]), job.labels.index(name)]
            for job in jobs.values()
            if name in job.labels
        ]
        for name in labels
    }
    values = [np.concatenate(found) for found in taught.values()]
    counts = [len(job.plan.rows(PARTS[0])) for job in jobs.values()]
    fit = default_fit(_ARCHITECTURE, sum(counts)).changed(options)
    names = ", ".join(jobs)
    key = hashlib.blake2b(digest_size=8)
    jobs = {name: replace(job, fit=fit) for name, job in jobs.items()}
    for name, job in jobs.items():
        key.update(f"{name} {job.folder.name} ".encode())
    shared = Shared(
        labels=tuple(labels),
        offset=tuple(float(np.nanmean(found)) for found in values),
        scale=tuple(float(np.nanstd(found)) for found in values),
        described=f"all layers but the stem are the same for {names}",
        key=key.hexdigest(),
    )
    jobs = {name: replace(job, shared=shared) for name, job in jobs.items()}
    return jobs, shared


def _fit(jobs: list[Job], shared: Shared, work: Path) -> Path:
    """Fit all surveys together, and leave each its networks."""
    from .engine import fit_networks
    from .process import fit_process

    first, count = jobs[0], len(shared.labels)
    folder = work / f"several-{shared.key}"
    columns = [[shared.labels.index(name) for name in job.labels] for job in jobs]
    for member in range(first.members):
        seed, at = 1000 * first.seed + member, folder / f"member-{member}"
        parts = _make_parts(jobs, columns, count, seed, member)
        networks = nn.ModuleList(part.network for part in parts)
        finished, log = (at.with_suffix(end) for end in (".safetensors", ".csv"))
        if finished.is_file():
            networks.load_state_dict(safetensors.torch.load_file(finished))
        else:
            lines = fit_networks(
                parts, first.fit, first.task, at, seed=seed, accelerator=first.device,
                progress=first.progress,
            )  # fmt: skip
            state = {name: t.clone() for name, t in networks.state_dict().items()}
            write_bytes(log, lines)
            write_bytes(finished, safetensors.torch.save(state))
        for job, part, own in zip(jobs, parts, columns, strict=True):
            network = ARCHITECTURES[job.architecture](**job.arguments)
            narrow_network(part.network, network, own, count)
            fit_process(network, job.part(network).data, seed=job.seed)
            job.keep(network, member, log.read_bytes())
    return folder


def _make_parts(
    jobs: list[Job], columns: list[list[int]], count: int, seed: int, member: int
) -> list[FitPart]:
    """Make a network for each survey, with one trunk, for the labels of all."""
    parts = []
    for job, own in zip(jobs, columns, strict=True):
        wide = {**job.arguments, "n_labels": count, "n_centres": 0}
        part = job.part(replace(job, arguments=wide).make(seed, member))
        parts.append(replace(part, data=widen(part.data, own, count)))
    share_trunk([part.network for part in parts])
    return parts
