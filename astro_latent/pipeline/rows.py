# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One chunk of prepared spectra through a model, laid out as described columns."""

from typing import Any

import numpy as np
from astropy import units as u

from ..tables.columns import COLUMNS, LABELS, ColumnInfo
from ..tables.fields import Field
from .provenance import flag_bits

__all__ = ["result_rows"]

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


def result_rows(
    model: Any, prepared: Any, task: str, *, reconstruct: bool
) -> "tuple[list[Field], list[np.ndarray]]":
    """Run a model on a chunk and describe what comes out.

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
    fields : list of Field
        One per array.
    arrays : list of ndarray
        The columns; NaN where a spectrum is unusable.
    """
    return _describe(_run(model, prepared, task, reconstruct), model)


def _run(
    model: Any, prepared: Any, task: str, reconstruct: bool
) -> "dict[str, np.ndarray]":
    """Run the model on one chunk and lay out its results as columns."""
    columns = _observed(prepared)
    if task == "predict":
        found = _labels(model, prepared)
    else:
        found = _latents(model, prepared, reconstruct)
    columns["flags"] = prepared.flags | found.pop("flags")
    unusable = ~prepared.usable
    for values in found.values():
        values[unusable] = np.nan
    # Quality stands last but one, next to the message that explains it.
    ends = {name: columns.pop(name) for name in ("flags", "message")}
    return {**columns, **found, **ends}


def _observed(prepared: Any) -> "dict[str, np.ndarray]":
    observations = prepared.observations

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
        "radial_velocity_used": prepared.radial_velocity.astype("f4"),
        "radial_velocity_source": np.array(prepared.radial_velocity_source, dtype="U"),
        "message": text("message"),
    }


def _latents(model: Any, prepared: Any, reconstruct: bool) -> "dict[str, np.ndarray]":
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


def _labels(model: Any, prepared: Any) -> "dict[str, np.ndarray]":
    result = model.predict(prepared)
    columns: dict[str, np.ndarray] = {}
    for i, output in enumerate(model.outputs):
        columns[output.name] = result.values[:, i].copy()
        for suffix, (attribute, _) in _ERRORS.items():
            columns[output.name + suffix] = getattr(result, attribute)[:, i].copy()
    size = len(model.outputs) ** 2
    columns["label_covariance"] = result.covariance.reshape(-1, size).copy()
    columns["domain_score"] = result.domain_score
    columns["flags"] = result.flags
    return columns


def _information(name: str, outputs: "dict[str, Any]") -> ColumnInfo:
    """Look a column up; a label first as the model describes it."""
    if name in COLUMNS:
        return COLUMNS[name]
    suffix = next((s for s in sorted(_ERRORS, reverse=True) if name.endswith(s)), "")
    label = name.removesuffix(suffix)
    known = LABELS.get(label, ColumnInfo(label, "", "", label))
    output = outputs[label]
    unit, ucd = output.unit or known.unit, output.ucd or known.ucd
    text = output.description or known.description
    if suffix:
        ucd = f"stat.error;{ucd}" if ucd else "stat.error"
        text = f"{text}: error, {_ERRORS[suffix][1]}"
    return ColumnInfo(name, unit, ucd, text)


def _describe(
    columns: "dict[str, np.ndarray]", model: Any
) -> "tuple[list[Field], list[np.ndarray]]":
    outputs = {output.name: output for output in model.outputs}
    extras: dict[str, dict[str, Any]] = {
        "flags": {"bits": flag_bits()},
        "ra": {"coosys": {"system": "ICRS"}},
        "dec": {"coosys": {"system": "ICRS"}},
        "obs_time": {"timesys": _TIME_SYSTEM},
    }
    fields = []
    for name, values in columns.items():
        info = _information(name, outputs)
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
    return fields, list(columns.values())
