# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra to labels with errors, by a loaded label network or an ensemble of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch

from ..preparation.prepared import PreparedSpectra
from .backward import Seen
from .domain import (
    judge_results,
    measure_missing,
    move_giants,
    systematic_variance,
    weigh_missing,
)
from .error_shape import TWO_SIDED_95, error_factor, error_inputs, measure_snr
from .inference import ROWS_DENSE, Slope, iter_jacobians
from .layers.joined_slope import JoinedSlope
from .networks import CompanionNetwork, LabelNetwork
from .protocols import LoadedModel
from .results import Parameters

#: Flux, valid and variance.
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

__all__ = ["label_jacobian", "mix_members", "predict_labels"]


class _Begun(NamedTuple):
    """What labels and their derivatives have in common, of each member and of all."""

    slopes: list[list[Slope] | None]
    seen: Seen | None


def predict_labels(
    model: LoadedModel, prepared: PreparedSpectra, *, flux_errors: bool = True
) -> Parameters:
    """Predict labels with errors; see `SpectralModel.predict`.

    Parameters
    ----------
    model : LoadedModel
        A label network.
    prepared : PreparedSpectra
        On its grid.
    flux_errors : bool, optional
        Propagate the flux errors.

    Returns
    -------
    result : Parameters
        Labels and errors.
    """
    n_labels = model.config.n_outputs
    names = ("values", "error", "error_statistical", "error_flux", "error_model")
    per_label = dict.fromkeys(names, (n_labels,))
    shapes: dict[str, tuple[int, ...]] = {
        **per_label,
        "covariance": (n_labels, n_labels),
        **dict.fromkeys(("domain_score", "second", "emission"), ()),
    }
    if "shape_95" in model.config.calibration:
        shapes["interval_95"] = (n_labels,)
    if "giants_shift" in model.config.calibration:
        shapes["network_values"] = (n_labels,)
    found = {name: _nan(len(prepared.flux), *shape) for name, shape in shapes.items()}
    for rows in _blocks(model, prepared):
        for name, values in _predict_block(model, prepared, rows, flux_errors).items():
            found[name][rows] = values
    flags = judge_results(model.config, prepared, found)
    for name in ("second", "emission"):
        del found[name]
    return Parameters(**found, flags=flags)


def _predict_block(
    model: LoadedModel, prepared: PreparedSpectra, rows: np.ndarray, flux_errors: bool
) -> dict[str, np.ndarray]:
    """Results of some rows; what is not known is left out."""
    inputs = _inputs(model, prepared, rows)
    begun = _begin(model, inputs, derivatives=flux_errors)
    mean, predicted, features = _forward(model, inputs, begun)
    unknown = np.full((*mean.shape, mean.shape[1]), np.nan)
    from_flux = _flux_covariance(model, inputs, begun) if flux_errors else unknown
    missing = weigh_missing(measure_missing(prepared, rows))
    growth = 1.0 + np.outer(missing, _calibration(model, "missing", 0.0))
    statistical = _statistical_covariance(model, from_flux, predicted, growth)
    away, calibration = (mean - model.offsets) / model.scales, model.config.calibration
    systematic, found = systematic_variance(calibration, mean, away), {}
    if "giants_shift" in calibration:
        found["network_values"] = mean
        mean, turn = move_giants(model.config, mean, model.offsets, model.scales)
        statistical = turn @ statistical @ turn.swapaxes(1, 2)
        from_flux = turn @ from_flux @ turn.swapaxes(1, 2)
    total = statistical + systematic[:, :, None] * np.eye(mean.shape[1])
    if "shape_68" in calibration:
        factor, found["interval_95"] = _shape_errors(model, prepared, rows, mean, total)
        total, statistical = total * factor, statistical * factor
    error, error_statistical, error_flux = (
        _deviation(each).astype(np.float32) for each in (total, statistical, from_flux)
    )
    if predicted is not None or flux_errors:
        due = predicted is not None or ~_unknown(*inputs[1:]).cpu().numpy()
        mean[due & ~np.isfinite(error).all(axis=1)] = np.nan  # no result, then
    found |= {
        "values": mean, "covariance": total, "error": error,
        "error_statistical": error_statistical, "error_flux": error_flux,
        "domain_score": _score(model, features),
    }  # fmt: skip
    if predicted is not None:
        rest = error.astype(float) ** 2 - error_flux**2
        found["error_model"] = np.sqrt(np.maximum(rest, 0.0))
    if model.flux_basis is not None:
        arrays = prepared.flux[rows], prepared.valid[rows], prepared.variance[rows]
        limit = model.config.domain.get("emission_limit", np.inf)
        found["second"], found["emission"] = model.flux_basis.search(*arrays, limit)
    elif isinstance(model.members[0], CompanionNetwork):
        found["second"] = features[:, model.members[0].second_feature]
    return found


def _shape_errors(
    model: LoadedModel,
    prepared: PreparedSpectra,
    rows: np.ndarray,
    values: np.ndarray,
    total: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what corrects the covariance of each spectrum, and 95 % intervals."""
    error, missing = _deviation(total), measure_missing(prepared, rows)
    inputs = error_inputs(
        values,
        error,
        measure_snr(prepared, rows),
        np.maximum(missing[:, None] - _calibration(model, "usual_missing", 0.0), 0.0),
        offsets=model.offsets,
        scales=model.scales,
    )
    one, two = (
        error_factor(inputs, np.asarray(model.config.calibration[key]))
        for key in ("shape_68", "shape_95")
    )
    return one[:, :, None] * one[:, None, :], TWO_SIDED_95 * error * two


def label_jacobian(model: LoadedModel, prepared: PreparedSpectra) -> np.ndarray:
    """Differentiate labels by the flux; see `SpectralModel.jacobian`.

    Parameters
    ----------
    model : LoadedModel
        A label network.
    prepared : PreparedSpectra
        On its grid.

    Returns
    -------
    ndarray, shape (n_spectra, n_labels, n_pixels), float32
        In label units per unit of prepared flux.
    """
    result = _nan(len(prepared.flux), model.config.n_outputs, model.grid.n_pixels)
    for rows in _blocks(model, prepared):
        inputs = _inputs(model, prepared, rows)
        begun = _begin(model, inputs, derivatives=True)
        for at, block in _jacobians(model, inputs, begun):
            result[rows[at]] = block.cpu().numpy() * model.scales[:, None]
    return result


def mix_members(
    means: Sequence[np.ndarray], variances: Sequence[np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return mean and covariance of the mixture of an ensemble's Gaussians.

    Parameters
    ----------
    means : sequence of ndarray, shape (n, n_labels)
        Of each member, in label units.
    variances : sequence of ndarray, shape (n, n_labels[, n_labels]), or None
        Variances, or covariance, that each member predicts, in the square of these
        units.

    Returns
    -------
    mean : ndarray, shape (n, n_labels)
        Mean of the members.
    covariance : ndarray, shape (n, n_labels, n_labels), or None
        Mean of the predicted variances, on the diagonal, or covariances, plus the
        covariance between the members; None for one member that predicts no variance.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.labels import mix_members
    >>> mean, covariance = mix_members(
    ...     [np.array([[5000.0]]), np.array([[5020.0]])], [np.array([[900.0]])] * 2
    ... )
    >>> mean.item(), covariance.item()
    (5010.0, 1000.0)
    """
    stacked = np.stack(means).astype(float)
    mean = stacked.mean(axis=0)
    predicted = [variance for variance in variances if variance is not None]
    if not predicted and len(stacked) == 1:
        return mean, None
    spread = stacked - mean
    covariance = np.einsum("mni,mnj->nij", spread, spread) / len(stacked)
    if predicted and predicted[0].ndim == 3:
        covariance += np.mean(predicted, axis=0)
    elif predicted:
        diagonal = np.arange(mean.shape[1])
        covariance[:, diagonal, diagonal] += np.mean(predicted, axis=0)
    return mean, covariance


def _blocks(model: LoadedModel, prepared: PreparedSpectra) -> Iterator[np.ndarray]:
    """Rows of usable spectra that are worked on together; long ones go alone."""
    alone = model.runner.row_multiple(prepared.flux.shape[1]) == 1
    size = 1 if alone else ROWS_DENSE
    usable = np.flatnonzero(prepared.usable)
    for start in range(0, len(usable), size):
        yield usable[start : start + size]


def _inputs(model: LoadedModel, prepared: PreparedSpectra, rows: np.ndarray) -> Inputs:
    """Flux, valid and variance of some rows, where the networks run."""
    arrays = (prepared.flux, prepared.valid, prepared.variance)
    flux, valid, variance = (model.runner.tensor(array[rows]) for array in arrays)
    return flux, valid, variance


def _networks(model: LoadedModel) -> tuple[LabelNetwork, ...]:
    return cast(tuple[LabelNetwork, ...], model.members)


def _begin(model: LoadedModel, inputs: Inputs, *, derivatives: bool) -> _Begun:
    """Run the first part of the networks, with its derivatives if they are wanted."""
    networks, runner = _networks(model), model.runner
    slopes = [runner.slopes(n, *inputs[:2]) if derivatives else None for n in networks]
    return _Begun(slopes, runner.see(networks, *inputs, derivatives=derivatives))


def _jacobians(
    model: LoadedModel, inputs: Inputs, begun: _Begun
) -> Iterator[tuple[slice, torch.Tensor]]:
    return iter_jacobians(
        model.runner, _networks(model), *inputs, slopes=begun.slopes, seen=begun.seen
    )


def _forward(
    model: LoadedModel, inputs: Inputs, begun: _Begun
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Labels, their model covariance, and features of the first member."""
    results = [
        model.runner.labels(network, *inputs, known, begun.seen)
        for network, known in zip(_networks(model), begun.slopes, strict=True)
    ]
    # to label units before mixing: a variance scales with the square
    mean, covariance = mix_members(
        [model.offsets + model.scales * mean for mean, _, _ in results],
        [
            None if variance is None else _to_label_units(model, variance)
            for _, variance, _ in results
        ],
    )
    return mean, covariance, results[0][2]


def _to_label_units(model: LoadedModel, variance: np.ndarray) -> np.ndarray:
    if variance.ndim == 2:
        return model.scales**2 * variance
    return np.outer(model.scales, model.scales) * variance


def _flux_covariance(model: LoadedModel, inputs: Inputs, begun: _Begun) -> np.ndarray:
    """J diag(variance) J^T in label units; NaN where a used pixel has no variance."""
    _, valid, variance = inputs
    unknown = _unknown(valid, variance)
    known = torch.where(valid & ~unknown[:, None], variance, 0.0)
    joined = [each for each in begun.slopes[0] or () if isinstance(each, JoinedSlope)]
    if joined and len(begun.slopes) == 1:
        blocks = [
            each.covariance(row)[None] for each, row in zip(joined, known, strict=True)
        ]
    else:
        sigma, blocks = known.sqrt(), []
        for rows, jacobian in _jacobians(model, inputs, begun):
            for slope, each in zip(jacobian, sigma[rows], strict=True):
                # an array of its own: sums depend on where in memory it begins
                weighted = slope * each
                blocks.append((weighted @ weighted.mT)[None])
    covariance = torch.cat(blocks).cpu().numpy().astype(float)
    covariance[unknown.cpu().numpy()] = np.nan
    scales = model.scales * _calibration(model, "flux_scale", 1.0)
    return covariance * np.outer(scales, scales)


def _unknown(valid: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Rows with a used pixel that has no variance."""
    return (valid & ~variance.isfinite()).any(1)


def _statistical_covariance(
    model: LoadedModel,
    from_flux: np.ndarray,
    predicted: np.ndarray | None,
    growth: np.ndarray,
) -> np.ndarray:
    """Combine and calibrate; see the notes of `SpectralModel.predict`."""
    scale = _calibration(model, "scale", 1.0)
    floor = _calibration(model, "floor", 0.0)
    if predicted is None:
        return from_flux * np.outer(scale, scale) + np.diag(floor**2)
    from_flux = np.nan_to_num(from_flux)
    variance = scale**2 * _variance(predicted) + floor**2
    sigma = np.sqrt(np.maximum(variance, _variance(from_flux)))
    both = from_flux + predicted
    ratio = growth * sigma / _deviation(both)
    return both * ratio[:, :, None] * ratio[:, None, :]


def _score(model: LoadedModel, features: np.ndarray) -> np.ndarray:
    """How far features lie from those of the training set; NaN if that is not known."""
    limit = model.config.domain.get("feature_limit")
    mean, whitening = model.domain_mean, model.domain_whitening
    if limit is None or mean is None or whitening is None:
        return np.full(len(features), np.nan)
    away = (features - mean) @ whitening.T
    both_sides = away.shape[1] - int(model.config.domain.get("one_sided", 0))
    distance = np.linalg.norm(away[:, :both_sides], axis=1) / limit
    return np.maximum(distance, away[:, both_sides:].max(axis=1, initial=0.0))


def _calibration(model: LoadedModel, key: str, default: float) -> np.ndarray:
    """One number for each output."""
    numbers = model.config.calibration.get(key, [default] * model.config.n_outputs)
    return np.asarray(numbers, dtype=float)


def _variance(covariance: np.ndarray) -> np.ndarray:
    return np.diagonal(covariance, axis1=1, axis2=2)


def _deviation(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(_variance(covariance))


def _nan(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, dtype=np.float32)
