# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From fitted networks to a model with calibrated errors and a card that is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from astropy.table import Table
from torch import nn

from ..models import LabelNetwork, SpectralModel
from ..models.networks import inputs_of
from .beginning import Beginning
from .calibration import calibrate_errors
from .error_fit import ErrorFit, fit_error_shape
from .missing_term import add_missing_term
from .prepared_file import PreparedFile
from .report import describe_failures, describe_scores, score_bins
from .seen import Seen, judge_networks, make_model
from .targets import Targets

__all__ = ["Finished", "calibrate_model"]


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


def calibrate_model(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    file: PreparedFile,
    targets: Targets,
    *,
    train: np.ndarray,
    rows: np.ndarray,
    stars: np.ndarray,
    outside: np.ndarray,
    others: Seen | None = None,
    like: Beginning | None = None,
    false_alarms: float,
) -> Finished:
    """Calibrate errors, find the domain, and judge a model by stars it never saw.

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
    train, rows : ndarray of int
        Rows of spectra that were trained on, and of stars that taught nothing.
    stars : ndarray of int
        Star of each row of the file.
    outside : ndarray of int
        Rows of spectra that the model shall flag.
    others : Seen, optional
        What networks like these, which had not seen them, said of stars; without
        ``rows`` then.
    like : Beginning, optional
        Weights that were corrected: their domain is widened, not found anew.
    false_alarms : float
        Share of stars that taught nothing beyond the limit of the domain.

    Returns
    -------
    Finished
        The model and its scores.
    """
    raw, domain, seen = judge_networks(
        record, members, file, train=train, rows=rows, outside=outside,
        domain=None if like is None else like.domain,
    )  # fmt: skip
    seen = others or seen
    truth = targets[seen.rows]
    residual = seen.values - truth.values
    calibration = dict(record.get("calibration", {}))
    if not _predicts_errors(raw, file, seen.rows):  # from the flux, and a floor
        scale, floor = calibrate_errors(residual, seen.error)
        calibration |= {"scale": scale.tolist(), "floor": floor.tolist()}
        seen = seen.calibrated(scale, floor)
    fit, shapes = _fit_errors(raw, seen, targets, stars)
    calibration |= shapes
    by = {"snr": seen.snr} | dict(zip(targets.names, truth.values.T, strict=True))
    scores = score_bins(
        residual, fit.error, fit.interval_95,
        names=targets.names, by=by, given=truth.errors,
    )  # fmt: skip
    limit = float(np.nanquantile(seen.distance, 1.0 - false_alarms))
    inside = _snr_range(file, train) | {"feature_limit": limit}
    limitations = {"limitations": describe_failures(scores)}
    record = {
        **record,
        "calibration": calibration,
        "domain": record.get("domain", {})
        | (inside if like is None else like.widen_domain(inside)),
        "evaluation": {**record.get("evaluation", {}), **describe_scores(scores)},
        "card": {**limitations, **record.get("card", {})},
    }
    return Finished(
        model=make_model(record, members, domain=domain),
        scores=scores,
        predictions=_tabulate(file, targets, seen, fit.error),
    )


def _fit_errors(
    model: SpectralModel, seen: Seen, targets: Targets, stars: np.ndarray
) -> tuple[ErrorFit, dict[str, list]]:
    """Fit by what errors are multiplied, of whole spectra and of those with gaps."""
    truth, inputs = targets[seen.rows], seen.inputs(model)
    fit = fit_error_shape(
        seen.values - truth.values, seen.error, inputs, stars[seen.rows],
        given=truth.errors,
    )  # fmt: skip
    found: dict[str, list] = {}
    if seen.thinned is not None:
        thinned, truth = seen.thinned, targets[seen.thinned.rows]
        usual = float(np.round(np.median(seen.missing), 5))
        fit = add_missing_term(
            fit, thinned.values - truth.values, thinned.error, thinned.inputs(model),
            given=truth.errors, whole=inputs, usual=usual,
        )  # fmt: skip
        found["usual_missing"] = [usual] * len(targets.names)
    for name, shape in (("shape_68", fit.shape_68), ("shape_95", fit.shape_95)):
        found[name] = np.round(shape, 5).tolist()
    return fit, found


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


def _snr_range(file: PreparedFile, train: np.ndarray) -> dict[str, list[float]]:
    """Signal-to-noise ratios of the training set, as its readers state them."""
    snr = np.asarray(file.rows["snr"], dtype=float)[train]
    known = snr[np.isfinite(snr) & (snr > 0)]
    if len(known) < len(snr) // 2:
        return {}
    return {"snr": [float(np.quantile(known, 0.005)), float(known.max())]}


def _tabulate(
    file: PreparedFile, targets: Targets, seen: Seen, error: np.ndarray
) -> Table:
    """One row for each spectrum that was judged."""
    columns: dict[str, Any] = {
        "obs_id": file.rows["obs_id"][seen.rows],
        "snr": seen.snr,
    }
    truth = targets[seen.rows]
    for k, name in enumerate(targets.names):
        columns[f"{name}_given"] = truth.values[:, k]
        columns[name] = seen.values[:, k]
        columns[f"{name}_error"] = error[:, k]
    return Table(columns)
