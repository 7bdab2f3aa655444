# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a training says of the weights that it makes: their configuration so far."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from .beginning import Beginning
from .checks import CARD_TEXTS
from .job import Job
from .outputs import label_ranges, limit_outputs
from .stars import PARTS
from .tasks import LatentTask

__all__ = ["describe_weights"]


def describe_weights(
    job: Job,
    name: str,
    about: Mapping[str, Any],
    limits: Mapping[str, Sequence[float | None]],
) -> dict[str, Any]:
    """Return a configuration but for calibration, domain and evaluation.

    Parameters
    ----------
    job : Job
        The training.
    name : str
        Of the weights.
    about : mapping
        What the user says of them.
    limits : mapping
        Label to lowest and highest value that may be believed.

    Returns
    -------
    dict
        Content of ``config.json``.
    """
    targets, file = job.plan.targets, job.plan.file
    rows = job.plan.rows(PARTS[0])
    names = ", ".join(targets.names) or "latents"
    by = "train_model" if job.shared is None else "training.train_several"
    described = (
        f"{names} from {len(rows)} spectra by {job.members} x "
        f"{job.architecture}, trained with astro_latent.{by}."
    )
    survey = about.get("survey", "own")
    return {
        "name": name,
        "version": str(about.get("version", "1")),
        "title": about.get("title", f"{names} from spectra of the survey {survey}"),
        "description": about.get("description", described),
        "survey": survey,
        "architecture": job.architecture,
        "arguments": job.arguments,
        "grid": file.grid.to_dict(),
        "recipe": file.recipe.to_dict(),
        "outputs": _describe_outputs(job, limits),
        "training": _describe_training(job),
        "card": {word: about[word] for word in CARD_TEXTS if word in about},
        "licence": about.get("licence", "not stated"),
        "citation": about.get("citation", "not stated"),
    }


def _describe_outputs(
    job: Job, limits: Mapping[str, Sequence[float | None]]
) -> list[dict[str, Any]]:
    targets = job.plan.targets
    if not targets.names:
        return [{"name": "latent", "n": job.arguments["n_latent"]}]
    mean, scatter = job.units
    ranges = label_ranges(targets.values[job.plan.rows(PARTS[0])])
    if job.is_corrected:
        ranges = cast(Beginning, job.beginning).widen(targets.names, ranges)
    outputs = [
        {
            "name": column.name, "unit": column.unit, "ucd": column.ucd,
            "description": column.description, "scale": float(scatter[k]),
            "offset": float(mean[k]), "domain": ranges[k].tolist(),
        }
        for k, column in enumerate(targets.columns)
    ]  # fmt: skip
    return limit_outputs(outputs, limits)


def _describe_training(job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {**job.plan.describe(), "seed": job.seed}
    if job.shared is not None:
        described["shared"] = job.shared.described
    if job.is_corrected:
        return described | {"begun with": job.begun_with}
    fit = {k: v for k, v in asdict(job.fit).items() if k not in ("devices",)}
    described["fit"] = fit
    if job.augment is not None:
        done = asdict(job.augment)
        described["augmentation"] = {k: v for k, v in done.items() if v}
    if isinstance(job.task, LatentTask):
        described["price per nat"] = job.task.price_per_nat
    if job.begun_with:
        described["begun with"] = job.begun_with
    return described
