# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From fitted networks to a model with calibrated errors and a card that is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from astropy.table import Table
from torch import nn

from ..models import LabelNetwork, SpectralModel
from ..models.config import ModelConfig
from ..models.error_shape import error_inputs, measure_missing, measure_snr
from ..models.inference import Runner, choose_device
from ..models.networks import inputs_of
from .calibration import calibrate_errors
from .domain import collect_features, describe_domain
from .error_fit import fit_error_shape
from .prepared_file import PreparedFile
from .report import describe_failures, describe_scores, score_bins
from .targets import Targets

__all__ = ["Finished", "calibrate_model", "make_model"]

_ROWS = 512  # spectra in memory at a time
_DOMAIN_ROWS = 4000  # spectra that say where the training set lies
_DOMAIN_COMPONENTS = 48


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A calibrated model.

    Parameters
    ----------
    model : SpectralModel
        With calibration, domain and evaluation in its configuration.
    scores : `~astropy.table.Table`
        Of the held-out stars, see `~astro_latent.training.report.score_bins`.
    predictions : `~astropy.table.Table`
        Of each held-out spectrum: labels given and predicted, with errors.
    """

    model: SpectralModel
    scores: Table
    predictions: Table


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
    weights = {"file": "none", "sha256": "", "size": 0, "dtype": "float32"}
    full = {**record, "schema_version": 1, "members": len(members), "weights": weights}
    mean, whitening = domain or (None, None)
    return SpectralModel(
        ModelConfig.from_dict(full),
        members,
        runner=Runner(choose_device("cpu")),
        domain_mean=mean,
        domain_whitening=whitening,
    )


@dataclass(frozen=True, kw_only=True)
class _HeldOut:
    """What a model says of held-out spectra, before its errors are calibrated."""

    values: np.ndarray
    error: np.ndarray
    snr: np.ndarray
    missing: np.ndarray

    def inputs(self, model: SpectralModel) -> np.ndarray:
        """Return what the factor of the errors depends on."""
        return error_inputs(
            self.values, self.error, self.snr, self.missing,
            offsets=model.offsets, scales=model.scales,
        )  # fmt: skip


def calibrate_model(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    file: PreparedFile,
    targets: Targets,
    *,
    train: np.ndarray,
    held_out: np.ndarray,
    stars: np.ndarray,
) -> Finished:
    """Calibrate errors, find the domain, and judge a model by held-out stars.

    Parameters
    ----------
    record : dict
        Content of ``config.json`` so far.
    members : sequence of Module
        The networks.
    file : PreparedFile
        All spectra.
    targets : Targets
        Labels of all spectra.
    train, held_out : ndarray of int
        Rows of spectra that were trained on, and of stars that taught nothing.
    stars : ndarray of int
        Star of each row.

    Returns
    -------
    Finished
        The model and its scores.
    """
    raw = make_model(record, members)
    if not _predicts_errors(raw, file, held_out):
        record = {**record, "calibration": _find_floor(raw, file, targets, held_out)}
        raw = make_model(record, members)
    seen = _predict(raw, file, held_out)
    truth = targets[held_out]
    residual = seen.values - truth.values
    inputs = seen.inputs(raw)
    # an error of the label itself is no error of the prediction
    total = np.hypot(seen.error, truth.errors)
    fit = fit_error_shape(residual, total, inputs, stars[held_out])
    calibration = {
        **record.get("calibration", {}),
        "shape_68": np.round(fit.shape_68, 5).tolist(),
        "shape_95": np.round(fit.shape_95, 5).tolist(),
    }
    mean, whitening, limit = _find_domain(raw, file, train, held_out)
    by = {"snr": seen.snr} | dict(zip(targets.names, truth.values.T, strict=True))
    scores = score_bins(
        residual, fit.error, fit.interval_95, names=targets.names, by=by
    )
    limitations = {"limitations": describe_failures(scores)}
    record = {
        **record,
        "calibration": calibration,
        "domain": {
            **record.get("domain", {}),
            **_snr_range(file, train),
            "feature_limit": limit,
        },
        "evaluation": {**record.get("evaluation", {}), **describe_scores(scores)},
        "card": {**limitations, **record.get("card", {})},
    }
    return Finished(
        model=make_model(record, members, domain=(mean, whitening)),
        scores=scores,
        predictions=_tabulate(file, held_out, targets, seen, fit.error),
    )


def _predict(model: SpectralModel, file: PreparedFile, rows: np.ndarray) -> _HeldOut:
    """Run a model over spectra in pieces."""
    parts: list[_HeldOut] = []
    for first in range(0, len(rows), _ROWS):
        prepared = file.prepared(rows[first : first + _ROWS])
        found = model.predict(prepared)
        every = np.arange(len(prepared))
        parts.append(
            _HeldOut(
                values=found.values.astype(float),
                error=found.error.astype(float),
                snr=measure_snr(prepared, every),
                missing=measure_missing(prepared, every),
            )
        )
    names = ("values", "error", "snr", "missing")
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    return _HeldOut(**joined)


def _predicts_errors(
    model: SpectralModel, file: PreparedFile, rows: np.ndarray
) -> bool:
    """Whether the network says how uncertain its labels are."""
    prepared = file.prepared(rows[:1])
    arrays = (prepared.flux, prepared.valid, prepared.variance)
    network = cast(LabelNetwork, model.members[0])
    inputs = inputs_of(network, *map(torch.from_numpy, arrays))
    with torch.inference_mode():
        return isinstance(network.head(network.features(*inputs)), tuple)


def _find_floor(
    model: SpectralModel, file: PreparedFile, targets: Targets, rows: np.ndarray
) -> dict[str, list[float]]:
    """Errors of a network that predicts none: those from the flux, and a floor."""
    seen = _predict(model, file, rows)
    residual = seen.values - targets.values[rows]
    scale, floor = calibrate_errors(residual, seen.error)
    return {"scale": scale.tolist(), "floor": floor.tolist()}


def _snr_range(file: PreparedFile, train: np.ndarray) -> dict[str, list[float]]:
    """Signal-to-noise ratios of the training set, as its readers state them."""
    snr = np.asarray(file.rows["snr"], dtype=float)[train]
    known = snr[np.isfinite(snr) & (snr > 0)]
    if len(known) < len(snr) // 2:
        return {}
    return {"snr": [float(np.quantile(known, 0.005)), float(known.max())]}


def _find_domain(
    model: SpectralModel, file: PreparedFile, train: np.ndarray, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Where the training set lies, and how far out held-out stars still are."""
    rng = np.random.default_rng(0)
    some = np.sort(rng.permutation(train)[:_DOMAIN_ROWS])
    with torch.random.fork_rng(devices=[]):
        features = _features(model, file, some)
        others = _features(model, file, held_out)
    count, width = features.shape
    components = max(1, min(_DOMAIN_COMPONENTS, count // 10, width // 2))
    mean, whitening, _ = describe_domain(features, n_components=components)
    distance = np.linalg.norm((others - mean) @ whitening.T, axis=1)
    return mean, whitening, float(np.quantile(distance, 0.97))


def _features(model: SpectralModel, file: PreparedFile, rows: np.ndarray) -> np.ndarray:
    parts = [
        collect_features(model, file.prepared(rows[first : first + _ROWS]))
        for first in range(0, len(rows), _ROWS)
    ]
    return np.concatenate(parts).astype(float)


def _tabulate(
    file: PreparedFile,
    rows: np.ndarray,
    targets: Targets,
    seen: _HeldOut,
    error: np.ndarray,
) -> Table:
    """One row for each held-out spectrum."""
    columns: dict[str, Any] = {
        "obs_id": file.rows["obs_id"][rows],
        "snr": seen.snr,
    }
    truth = targets[rows]
    for k, name in enumerate(targets.names):
        columns[f"{name}_given"] = truth.values[:, k]
        columns[name] = seen.values[:, k]
        columns[f"{name}_error"] = error[:, k]
    return Table(columns)


def limit_outputs(
    outputs: list[dict[str, Any]], limits: Mapping[str, Sequence[float | None]]
) -> list[dict[str, Any]]:
    """Narrow the ranges of labels that may be believed.

    Parameters
    ----------
    outputs : list of dict
        Of a configuration.
    limits : mapping
        Label to lowest and highest value; None leaves an end where the training set
        ends.

    Returns
    -------
    list of dict
        With other ``domain``.
    """
    found = []
    for output in outputs:
        low, high = output["domain"]
        least, most = limits.get(output["name"], (None, None))
        domain = [low if least is None else least, high if most is None else most]
        found.append({**output, "domain": domain})
    return found
