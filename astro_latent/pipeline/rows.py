# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of results: what a model gave for a chunk of spectra, as described columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from ..models.config import OutputColumn
from ..preparation.prepared import PreparedSpectra
from ..spectra.observation import Observation
from ..tables.columns import COLUMNS, LABELS, ColumnInfo
from ..tables.fields import Field
from ..utils.quality import NOTICE_FLAGS, explain_flags
from .provenance import flag_bits

if TYPE_CHECKING:
    from ..models import SpectralModel

__all__ = ["Rows", "describe_rows", "observed_rows", "result_rows", "stack_rows"]

_TIME_SYSTEM = {
    "timeorigin": 2400000.5,
    "timescale": "UTC",
    "refposition": "TOPOCENTER",
}
_ERRORS = {
    "_error": ("error", "total, calibrated"),
    "_error_flux": ("error_flux", "from the flux errors"),
    "_error_model": ("error_model", "from the model"),
}
_ERROR_SUFFIXES = sorted(_ERRORS, key=len, reverse=True)
#: Quality stands at the end, next to the message that explains it.
_LAST = ("domain_score", "flags", "usable", "message")


@dataclass
class Rows:
    """Columns of some results.

    Parameters
    ----------
    columns : dict of str to ndarray
        Of equal length; NaN where a spectrum is unusable.
    labels : tuple of str
        The labels among them, in the order of ``label_covariance``.
    outputs : dict of str to OutputColumn
        What the models say of their outputs.
    """

    columns: dict[str, np.ndarray]
    labels: tuple[str, ...] = ()
    outputs: dict[str, OutputColumn] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["obs_id"])


def result_rows(
    model: "SpectralModel", prepared: PreparedSpectra, task: str, *, reconstruct: bool
) -> Rows:
    """Run a model on a chunk and lay out what comes out.

    Parameters
    ----------
    model : `~astro_latent.models.SpectralModel`
        The model.
    prepared : `~astro_latent.preparation.PreparedSpectra`
        The chunk.
    task : {"encode", "predict"}
        What to do.
    reconstruct : bool
        Whether an encoder is to decode as well.

    Returns
    -------
    Rows
        One row for each spectrum.
    """
    columns = _observed(prepared.observations)
    columns["velocity_used"] = prepared.radial_velocity.astype("f4")
    sources = np.array(prepared.radial_velocity_source, dtype="U")
    columns["velocity_source"] = sources
    columns["model"] = np.full(len(prepared), model.name)
    outputs = {output.name: output for output in model.outputs}
    if task == "predict":
        found = _labels(model, prepared, tuple(outputs))
    else:
        found = _latents(model, prepared, reconstruct)
    flags = prepared.flags | found.pop("flags")
    unusable = ~prepared.usable
    for values in found.values():
        values[unusable] = np.nan
    columns.update(found)
    _judge(columns, flags)
    return Rows(columns, tuple(outputs) if task == "predict" else (), outputs)


def observed_rows(observations: Sequence[Observation]) -> Rows:
    """Lay out what is known of spectra that no model has seen.

    Parameters
    ----------
    observations : sequence of Observation
        One for each spectrum.

    Returns
    -------
    Rows
        One row for each spectrum.
    """
    columns = _observed(observations)
    _judge(columns, np.array([seen.flags for seen in observations], dtype="i4"))
    return Rows(columns)


def _observed(observations: Sequence[Observation]) -> dict[str, np.ndarray]:
    """Lay out what is known of spectra, with nothing in place of results."""

    def text(name: str) -> np.ndarray:
        return np.array([getattr(o, name) for o in observations], dtype="U")

    def number(name: str, dtype: str = "f8") -> np.ndarray:
        return np.array([getattr(o, name) for o in observations], dtype=dtype)

    return {
        "obs_id": text("obs_id"),
        "target_name": text("target_name"),
        "survey": text("survey"),
        "ra": number("ra"),
        "dec": number("dec"),
        "obs_time": number("time"),
        "obs_publisher_did": text("obs_publisher_did"),
        "snr": number("snr", "f4"),
        "velocity_used": np.full(len(observations), np.nan, "f4"),
        "velocity_source": np.full(len(observations), "none"),
        "model": np.full(len(observations), "", dtype="U1"),
        "message": text("message"),
    }


def _judge(columns: dict[str, np.ndarray], flags: np.ndarray) -> None:
    """Add the flags, whether they let the row be used, and why not."""
    columns["flags"] = flags
    columns["usable"] = (flags & ~NOTICE_FLAGS) == 0
    messages = zip(flags.tolist(), columns["message"].tolist(), strict=True)
    columns["message"] = np.array([explain_flags(*row) for row in messages], dtype="U")


def _latents(
    model: "SpectralModel", prepared: PreparedSpectra, reconstruct: bool
) -> dict[str, np.ndarray]:
    if reconstruct and "reconstruct" in model.capabilities:
        result = model.reconstruct(prepared, keep_flux=False)
        latents, residual = result.latents, result.residual
        flags = latents.flags | result.flags
    else:
        latents = model.encode(prepared)
        residual, flags = np.full(len(prepared), np.nan, "f4"), latents.flags
    return {
        "latent": latents.mean,
        "latent_error": latents.sigma,
        "reconstruction_error": residual,
        "flags": flags,
    }


def _labels(
    model: "SpectralModel", prepared: PreparedSpectra, labels: tuple[str, ...]
) -> dict[str, np.ndarray]:
    result = model.predict(prepared)
    columns: dict[str, np.ndarray] = {}
    for i, label in enumerate(labels):
        columns[label] = result.values[:, i].copy()
        for suffix, (attribute, _) in _ERRORS.items():
            columns[label + suffix] = getattr(result, attribute)[:, i].copy()
    size = len(labels) ** 2
    columns["label_covariance"] = result.covariance.reshape(-1, size).copy()
    columns["domain_score"] = result.domain_score
    columns["flags"] = result.flags
    return columns


def stack_rows(parts: Sequence[Rows]) -> Rows:
    """Put rows of one model or of several one below the other.

    Parameters
    ----------
    parts : sequence of Rows
        One or more.

    Returns
    -------
    Rows
        With the labels of all; NaN where a model has none of that name, and latents
        as long as the longest.
    """
    if len(parts) == 1:
        return parts[0]
    labels = tuple(dict.fromkeys(label for part in parts for label in part.labels))
    outputs: dict[str, OutputColumn] = {}
    for part in parts:
        outputs = part.outputs | outputs
    names = dict.fromkeys(name for part in parts for name in part.columns)
    stacked = {}
    for name in names:
        blocks = [_block(part, name, labels, parts) for part in parts]
        stacked[name] = np.concatenate(blocks)
    return Rows(stacked, labels, outputs)


def _block(
    part: Rows, name: str, labels: tuple[str, ...], parts: Sequence[Rows]
) -> np.ndarray:
    """Give a part's column the shape that it has in the whole."""
    values = part.columns.get(name)
    if name == "label_covariance":
        return _spread_covariance(values, part, labels)
    like = [p.columns[name] for p in parts if name in p.columns]
    width = max((v.shape[1:] for v in like), default=())
    if values is None:
        return np.full((len(part), *width), np.nan, like[0].dtype)
    if values.shape[1:] == width:
        return values
    wide = np.full((len(part), *width), np.nan, values.dtype)
    wide[:, : values.shape[1]] = values
    return wide


def _spread_covariance(
    values: np.ndarray | None, part: Rows, labels: tuple[str, ...]
) -> np.ndarray:
    """Put the covariance of a model's labels at their places among all labels."""
    if values is not None and part.labels == labels:
        return values
    wide = np.full((len(part), len(labels), len(labels)), np.nan, "f4")
    if values is not None:
        at = [labels.index(label) for label in part.labels]
        square = values.reshape(len(part), len(at), len(at))
        wide[:, np.array(at)[:, None], np.array(at)] = square
    return wide.reshape(len(part), -1)


def describe_rows(rows: Rows) -> tuple[list[Field], list[np.ndarray]]:
    """Describe columns, in the order in which tables have them.

    Parameters
    ----------
    rows : Rows
        The rows.

    Returns
    -------
    fields : list of Field
        One per array.
    arrays : list of ndarray
        The columns.
    """
    extras: dict[str, dict[str, Any]] = {
        "flags": {"bits": flag_bits()},
        "ra": {"coosys": {"system": "ICRS"}},
        "dec": {"coosys": {"system": "ICRS"}},
        "obs_time": {"timesys": _TIME_SYSTEM},
    }
    last = [name for name in _LAST if name in rows.columns]
    names = [name for name in rows.columns if name not in _LAST] + last
    fields = []
    for name in names:
        values = rows.columns[name]
        info = _information(name, rows.outputs)
        fields.append(
            Field(
                name=name,
                kind="U" if values.dtype.kind == "U" else values.dtype.str[1:],
                shape=values.shape[1:],
                unit=u.Unit(info.unit) if info.unit else None,
                ucd=info.ucd,
                description=info.description,
                meta=dict(extras.get(name, {})),
            )
        )
    return fields, [rows.columns[name] for name in names]


def _information(name: str, outputs: dict[str, OutputColumn]) -> ColumnInfo:
    """Look a column up; a label first as the model describes it."""
    if name in COLUMNS:
        return COLUMNS[name]
    suffix = next((s for s in _ERROR_SUFFIXES if name.endswith(s)), "")
    label = name.removesuffix(suffix)
    known = LABELS.get(label, ColumnInfo(label, "", "", label))
    output = outputs[label]
    unit, ucd = output.unit or known.unit, output.ucd or known.ucd
    text = output.description or known.description
    if suffix:
        ucd = f"stat.error;{ucd}" if ucd else "stat.error"
        text = f"{text}: error, {_ERRORS[suffix][1]}"
    return ColumnInfo(name, unit, ucd, text)
