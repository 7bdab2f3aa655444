# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From what a user asks for to networks that can be fitted: prepared, split, sized."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from astropy import log
from astropy.table import Table

from ..exceptions import UnknownNameError
from ..models import ARCHITECTURES, ModelLike
from ..preparation import Recipe, SpectralGrid
from ..spectra.reading import SpectraLike
from .augmentation import Augmentation
from .beginning import CORRECTED, Beginning, begin_with
from .checks import check_arguments, check_folds, check_values
from .defaults import FitOptions, default_arguments, default_fit
from .job import Job
from .plan import Plan, Preparation, plan_training
from .stars import PARTS
from .tasks import LabelTask, LatentTask, Task
from .velocities import VelocityLike

__all__ = ["set_up"]


def set_up(
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str],
    *,
    work: Path,
    table: Table | None = None,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    members: int | None = None,
    from_weights: ModelLike | None = None,
    grid: SpectralGrid | str | None = None,
    recipe: Recipe | Mapping[str, Any] | str | None = None,
    facts: Mapping[str, Any] | None = None,
    radial_velocity: VelocityLike | None = None,
    star: str | None = None,
    split: str | Sequence[str] | None = None,
    held_out: float | None = None,
    validation: float | None = None,
    folds: int | None = None,
    augment: Augmentation | Mapping[str, Any] | None = None,
    price_per_nat: float = 0.3 / 128,
    seed: int = 0,
    device: str = "cpu",
    progress: bool | None = None,
    **options: Any,
) -> Job:
    """Check what is asked for, prepare the spectra, deal out stars, find the sizes.

    Parameters
    ----------
    work : Path
        Folder for prepared spectra and checkpoints.
    spectra, labels, table, folder, architecture, arguments, members, from_weights, grid
        As for `~astro_latent.train_model`, and so are all others.

    Returns
    -------
    Job
        Networks that can be fitted.
    """
    check_values(
        options, members=members, price_per_nat=price_per_nat,
        held_out=held_out, validation=validation,
    )  # fmt: skip
    beginning = None if from_weights is None else begin_with(from_weights)
    architecture = _find_architecture(architecture, beginning, encode=not labels)
    check_arguments(architecture, arguments)
    changes = _as_augmentation(augment)
    if folds:
        check_folds(folds, labels, held_out)
        held_out, validation = 0.0, validation or 0.0
    preparation = Preparation(
        grid=grid, recipe=recipe, facts=facts, radial_velocity=radial_velocity,
        folder=folder, like=None if beginning is None else beginning.like,
        halvings=not labels,
    )  # fmt: skip
    free = split is held_out is folds is None
    plan = plan_training(
        spectra, labels, preparation=preparation, work=work, table=table,
        star=star, split=split, held_out=held_out, validation=validation,
        folds=bool(folds), seed=seed, progress=progress,
        all_teach=beginning.is_few if beginning is not None and free else None,
    )  # fmt: skip
    teach = np.isin(plan.parts, PARTS if free else PARTS[:1])
    few = beginning is not None and beginning.is_few(plan.file.grid, int(teach.sum()))
    architecture, sizes, fit = _find_sizes(
        architecture, plan, beginning, options, few=few
    )
    own = 1 if beginning is None else len(beginning.model.members)
    if few:
        others = {"augment": augment, "validation": validation}
        _check_few(arguments, [*options, *filter(others.get, others)], members, own)
        members = min(members or own, own)
    return Job(
        plan=plan, architecture=architecture,
        arguments=sizes | dict(arguments or {}),
        members=members or own, fit=fit, augment=changes, seed=seed, work=work,
        device=device, progress=bool(progress), beginning=beginning,
        task=_find_task(fit, None if labels else price_per_nat),
    )  # fmt: skip


def _check_few(
    arguments: Mapping[str, Any] | None,
    ignored: Sequence[str],
    members: int | None,
    own: int,
) -> None:
    """Refuse or name what has no effect where no network learns."""
    if arguments:
        msg = "few spectra correct what weights say; their arguments stay: leave them"
        raise ValueError(f"{msg} out, not {dict(arguments)}")
    if members is not None and members > own:
        ignored = [*ignored, f"members beyond {own}"]
    if ignored:
        log.warning(
            f"{', '.join(ignored)} ignored: few spectra correct what weights say, "
            "member by member, and no network learns"
        )


def _find_task(fit: FitOptions, price_per_nat: float | None) -> Task:
    """Labels, or latents at a price."""
    if price_per_nat is None:
        return LabelTask(dof=fit.dof, mean_first=fit.mean_first)
    return LatentTask(price_per_nat=price_per_nat)


def _find_architecture(
    name: str | None, beginning: Beginning | None, *, encode: bool
) -> str:
    """Return the architecture to train; an unknown name raises before any work."""
    own = "disentangled_autoencoder" if encode else "residual_mlp"
    if encode and (beginning is not None or name not in (None, own)):
        msg = f"without labels only a {own} is trained, and from nothing; give labels"
        raise ValueError(msg)
    if beginning is not None:
        own = beginning.model.config.architecture
    if name is not None and beginning is not None and name != own:
        msg = f"the weights are of a {own}; no {name} can begin with them"
        raise ValueError(msg)
    found = name or own
    _ = ARCHITECTURES[found]
    return found


def _find_sizes(
    architecture: str,
    plan: Plan,
    beginning: Beginning | None,
    options: Mapping[str, Any],
    *,
    few: bool,
) -> tuple[str, dict[str, Any], FitOptions]:
    """Find the network and how it is fitted, where nobody says otherwise."""
    file, labels, n_train = plan.file, plan.targets.names, len(plan.rows(PARTS[0]))
    fit = default_fit(architecture, n_train)
    if beginning is not None:
        fit = beginning.options(fit, labels).changed(options)
        if few:
            return CORRECTED, beginning.correction(file.grid, labels, n_train), fit
        return architecture, beginning.arguments(file.grid, labels), fit
    sizes = default_arguments(
        architecture, file.grid, len(labels), n_train, file.recipe
    )
    return architecture, sizes, fit.changed(options)


def _as_augmentation(
    augment: Augmentation | Mapping[str, Any] | None,
) -> Augmentation | None:
    if not isinstance(augment, Mapping):
        return augment
    known = [field.name for field in fields(Augmentation)]
    for name in augment:
        if name not in known:
            raise UnknownNameError("augmentation", name, known)
    return Augmentation(**augment)
