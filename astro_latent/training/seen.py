# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What networks say of stars that taught them nothing, before errors are calibrated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..models import SpectralModel
from ..models.config import ModelConfig
from ..models.domain import measure_missing
from ..models.error_shape import error_inputs, measure_snr
from ..models.inference import Runner
from ..models.pretrained import choose_device
from ..preparation import PreparedSpectra
from .domain import collect_features, describe_domain, point_outside
from .few_stars import LeftOut
from .job import Job
from .missing import thin_pixels
from .prepared_file import PreparedFile
from .record import describe_weights
from .stars import OUTSIDE, PARTS

__all__ = ["Seen", "judge_across", "judge_left_out", "judge_networks", "make_model"]

_ROWS = 512  # spectra in memory at a time
_THINNED_ROWS = 2000  # spectra that say what missing pixels cost
_DOMAIN_ROWS = 4000  # spectra that say where the training set lies
_DOMAIN_COMPONENTS = 48
Change = Callable[[PreparedSpectra], PreparedSpectra] | None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a model says of spectra, before its errors are calibrated.

    Parameters
    ----------
    rows : ndarray of int, shape (n_spectra,)
        Of the prepared file.
    values, error : ndarray, shape (n_spectra, n_labels)
        Labels and what the networks say of their errors.
    snr, missing : ndarray, shape (n_spectra,)
        Signal-to-noise ratio and share of missing pixels.
    distance : ndarray, shape (n_spectra,)
        From the training set, in the last hidden layer.
    thinned : Seen, optional
        The same of some of the spectra, with fewer pixels.
    """

    rows: np.ndarray
    values: np.ndarray
    error: np.ndarray
    snr: np.ndarray
    missing: np.ndarray
    distance: np.ndarray
    thinned: "Seen | None" = None

    @classmethod
    def joined(cls, parts: Sequence["Seen"]) -> "Seen":
        """Join what was seen of different rows."""
        thinned = [part.thinned for part in parts if part.thinned is not None]
        return cls(
            **{n: np.concatenate([getattr(p, n) for p in parts]) for n in _ARRAYS},
            thinned=cls.joined(thinned) if thinned else None,
        )

    def calibrated(self, scale: np.ndarray, floor: np.ndarray) -> "Seen":
        """Return the same with errors that ``scale`` and ``floor`` make of them."""
        thinned = self.thinned and self.thinned.calibrated(scale, floor)
        error = np.hypot(scale * self.error, floor)
        return replace(self, error=error, thinned=thinned)

    def inputs(self, model: SpectralModel) -> np.ndarray:
        """Return what the factor of the errors depends on."""
        return error_inputs(
            self.values, self.error, self.snr, self.missing,
            offsets=model.offsets, scales=model.scales,
        )  # fmt: skip


#: Fields with a row for each spectrum.
_ARRAYS = tuple(field.name for field in fields(Seen) if field.name != "thinned")


def make_model(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    *,
    domain: tuple[np.ndarray, np.ndarray] | None = None,
) -> SpectralModel:
    """Make a model of networks, without a folder of weights.

    Parameters
    ----------
    record : dict
        Content of ``config.json`` without what only a file has.
    members : sequence of Module
        The networks.
    domain : tuple of ndarray, optional
        Mean and whitening of the features of the training set.

    Returns
    -------
    SpectralModel
        On the CPU.
    """
    weights = {"file": "none", "sha256": "0" * 64, "size": 0, "dtype": "float32"}
    full = {**record, "schema_version": 1, "members": len(members), "weights": weights}
    mean, whitening = domain or (None, None)
    return SpectralModel(
        ModelConfig.from_dict(full),
        members,
        runner=Runner(choose_device("cpu")),
        domain_mean=mean,
        domain_whitening=whitening,
    )


def judge_networks(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    file: PreparedFile,
    *,
    train: np.ndarray,
    rows: np.ndarray,
    outside: np.ndarray,
    domain: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[SpectralModel, tuple[np.ndarray, np.ndarray], Seen]:
    """Find where the training set lies, and ask networks about other stars.

    Parameters
    ----------
    record : dict
        Content of ``config.json`` so far.
    members : sequence of Module
        The networks.
    file : PreparedFile
        All spectra.
    train, rows, outside : ndarray of int
        Rows that were trained on, rows to ask about, and rows to be flagged.
    domain : tuple of ndarray, optional
        Mean and whitening of features, if they are known.

    Returns
    -------
    SpectralModel, tuple of ndarray, Seen
        The model, whose domain score is the bare distance; mean and whitening of its
        domain; what it says.
    """
    bare = {**record, "domain": {**record.get("domain", {}), "feature_limit": 1.0}}
    if domain is None:
        domain = _find_domain(make_model(bare, members), file, train, outside)
    model = make_model(bare, members, domain=domain)
    seen = _ask_all(model, file, rows)
    some = np.sort(np.random.default_rng(0).permutation(rows)[:_THINNED_ROWS])
    thinned = _ask_all(model, file, some, thin_pixels)
    return model, domain, replace(seen, thinned=thinned)


def _ask_all(
    model: SpectralModel, file: PreparedFile, rows: np.ndarray, change: Change = None
) -> Seen:
    """Ask about so many spectra at a time as stay in memory."""
    starts = range(0, max(1, len(rows)), _ROWS)
    parts = [_ask(model, file, rows[at : at + _ROWS], change) for at in starts]
    return Seen.joined(parts)


def _ask(
    model: SpectralModel, file: PreparedFile, rows: np.ndarray, change: Change
) -> Seen:
    prepared = file.prepared(rows)
    prepared = change(prepared) if change else prepared
    found = model.predict(prepared)
    every = np.arange(len(prepared))
    return Seen(
        rows=rows,
        values=found.values.astype(float),
        error=found.error.astype(float),
        snr=measure_snr(prepared, every),
        missing=measure_missing(prepared, every),
        distance=found.domain_score.astype(float),
    )


def judge_across(jobs: Sequence[Job], about: Mapping[str, Any]) -> Seen:
    """Ask about each star the networks of the training that left it out.

    Parameters
    ----------
    jobs : sequence of Job
        From `Job.folds`.
    about : mapping
        What the user says of the weights.

    Returns
    -------
    Seen
        All rows, in the order of the file.
    """
    parts = []
    for job in jobs:
        record, plan = describe_weights(job, "fold", about, {}), job.plan
        train, rows = (plan.rows(part) for part in (PARTS[0], PARTS[2]))
        found = judge_networks(
            record, job.run(), plan.file,
            train=train, rows=rows, outside=plan.rows(OUTSIDE),
        )  # fmt: skip
        parts.append(found[-1])
    seen = Seen.joined(parts)
    order = np.argsort(seen.rows)
    return replace(seen, **{name: getattr(seen, name)[order] for name in _ARRAYS})


def judge_left_out(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    job: Job,
    left_out: Sequence[LeftOut],
) -> Seen:
    """Ask about each of a few stars networks that were corrected without it.

    Parameters
    ----------
    record : dict
        Content of ``config.json`` so far.
    members : sequence of Module
        The networks that all stars corrected.
    job : Job
        The training.
    left_out : sequence of LeftOut
        What each member says of a star without it.

    Returns
    -------
    Seen
        All rows that taught.
    """
    rows, (offset, scale) = job.plan.rows(PARTS[0]), job.units
    domain = None if job.beginning is None else job.beginning.domain
    _, _, seen = judge_networks(
        record, members, job.plan.file, train=rows, rows=rows,
        outside=job.plan.rows(OUTSIDE), domain=domain,
    )  # fmt: skip
    values = np.mean([left.values for left in left_out], axis=0)
    ratio = np.mean([left.ratio for left in left_out], axis=0)
    values = offset + scale * values
    thinned = seen.thinned
    if thinned is not None:  # missing pixels move what others teach as what all do
        at = np.searchsorted(rows, thinned.rows)
        moved = values[at] + thinned.values - seen.values[at]
        thinned = replace(thinned, values=moved, error=ratio[at] * thinned.error)
    return replace(seen, values=values, error=ratio * seen.error, thinned=thinned)


def _find_domain(
    model: SpectralModel, file: PreparedFile, train: np.ndarray, outside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the training set lies, and in which direction what it has not."""
    some = np.sort(np.random.default_rng(0).permutation(train)[:_DOMAIN_ROWS])
    with torch.random.fork_rng(devices=[]):
        features = _features(model, file, some)
        others = _features(model, file, outside)
    count, width = features.shape
    components = max(1, min(_DOMAIN_COMPONENTS, count // 10, width // 2))
    mean, whitening, _ = describe_domain(features, n_components=components)
    if len(others):
        whitening = point_outside(mean, whitening, features, others)
    return mean, whitening


def _features(model: SpectralModel, file: PreparedFile, rows: np.ndarray) -> np.ndarray:
    parts = [
        collect_features(model, file.prepared(rows[first : first + _ROWS]))
        for first in range(0, len(rows), _ROWS)
    ]
    return np.concatenate(parts).astype(float) if parts else np.empty((0, 0))
