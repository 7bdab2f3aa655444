# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Rows of results, as described columns, and where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from .. import __version__
from ..models.config import OutputColumn
from ..preparation.prepared import PreparedSpectra
from ..spectra.observation import Observation
from ..spectra.reading import SpectraLike
from ..tables.columns import COLUMNS, LABELS, ColumnInfo
from ..tables.fields import Field
from ..utils.quality import NOTICE_FLAGS, QUALITY_FLAGS, explain_flags

if TYPE_CHECKING:
    from ..models import SpectralModel
    from ..models.results import Latents, Parameters, Reconstruction

__all__ = [
    "Rows",
    "describe_rows",
    "flag_bits",
    "label_rows",
    "latent_rows",
    "observed_rows",
    "provenance",
    "stack_rows",
]

_TIME_SYSTEM = {
    "timeorigin": 2400000.5, "timescale": "UTC", "refposition": "TOPOCENTER",
}  # fmt: skip
_ERRORS = {
    "_error": ("error", "total, calibrated"),
    "_error_statistical": ("error_statistical", "without the systematic part"),
    "_error_flux": ("error_flux", "from the flux errors"),
    "_error_model": ("error_model", "from the model"),
    "_interval_95": ("interval_95", "half width of the 95 % interval"),
}
_NETWORK = "_network"  # of a label of which giants are brought to another scale
#: Quality stands at the end, next to the message that explains it.
_LAST = ("domain_score", "flags", "usable", "message")

#: What a table of observations may say about the query that made it.
_QUERY_KEYS = (
    "query", "request", "request_date", "publisher", "service_protocol", "ivoid",
    "rights", "rights_uri", "archive", "survey",
)  # fmt: skip


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


def label_rows(
    model: "SpectralModel", prepared: PreparedSpectra, found: "Parameters"
) -> Rows:
    """Lay out labels.

    Parameters
    ----------
    model : SpectralModel
        Which gave them.
    prepared : PreparedSpectra
        What it was given.
    found : Parameters
        What it gave.

    Returns
    -------
    Rows
        One row for each spectrum.
    """
    labels = tuple(output.name for output in model.outputs)
    results: dict[str, np.ndarray] = {}
    for i, label in enumerate(labels):
        results[label] = found.values[:, i].copy()
        for suffix, (attribute, _) in _ERRORS.items():
            errors = getattr(found, attribute)
            if errors is not None:  # few models know intervals
                results[label + suffix] = errors[:, i].copy()
    if found.network_values is not None:
        for i, (_, _, *shift) in enumerate(model.config.calibration["giants_shift"]):
            if any(shift):
                results[labels[i] + _NETWORK] = found.network_values[:, i].copy()
    size = len(labels) ** 2
    results["label_covariance"] = found.covariance.reshape(-1, size).copy()
    results["domain_score"] = found.domain_score
    return _rows(model, prepared, results, found.flags, labels)


def latent_rows(
    model: "SpectralModel",
    prepared: PreparedSpectra,
    latents: "Latents",
    reconstruction: "Reconstruction | None" = None,
) -> Rows:
    """Lay out latents.

    Parameters
    ----------
    model : SpectralModel
        Which gave them.
    prepared : PreparedSpectra
        What it was given.
    latents : Latents
        What it gave.
    reconstruction : Reconstruction, optional
        If it decoded as well.

    Returns
    -------
    Rows
        One row for each spectrum.
    """
    residual, flags = np.full(len(latents.mean), np.nan, "f4"), latents.flags
    if reconstruction is not None:
        residual, flags = reconstruction.residual, flags | reconstruction.flags
    results = {
        "latent": latents.mean, "latent_error": latents.sigma,
        "reconstruction_error": residual, "domain_score": latents.domain_score,
    }  # fmt: skip
    return _rows(model, prepared, results, flags)


def _rows(
    model: "SpectralModel",
    prepared: PreparedSpectra,
    results: dict[str, np.ndarray],
    flags: np.ndarray,
    labels: tuple[str, ...] = (),
) -> Rows:
    """Put results beside what is known of the spectra, NaN where unusable."""
    columns = _observed(prepared.observations)
    columns["velocity_used"] = prepared.radial_velocity.astype("f4")
    sources = np.array(prepared.radial_velocity_source, dtype="U")
    columns["velocity_source"] = sources
    columns["model"] = np.full(len(sources), model.name)
    unusable = ~prepared.usable
    for values in results.values():
        values[unusable] = np.nan
    columns.update(results)
    _judge(columns, prepared.flags | flags)
    return Rows(columns, labels, {output.name: output for output in model.outputs})


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
    _judge(columns, np.array([seen.flags for seen in observations], dtype="i8"))
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
    messages = columns["message"].tolist()
    for row in np.flatnonzero(flags):
        messages[row] = explain_flags(int(flags[row]), messages[row])
    columns["message"] = np.array(messages, dtype="U")


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
    return wide.reshape(len(part), len(labels) ** 2)


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
    suffix = next((s for s in (*_ERRORS, _NETWORK) if name.endswith(s)), "")
    known = LABELS.get(label := name.removesuffix(suffix))
    known, output = known or ColumnInfo(label, "", "", label), outputs[label]
    unit, ucd = output.unit or known.unit, output.ucd or known.ucd
    text = output.description or known.description
    if suffix == _NETWORK:
        text = f"{text}: as the network gives it, giants too"
    elif suffix:
        ucd = f"stat.error;{ucd}" if ucd else "stat.error"
        text = f"{text}: error, {_ERRORS[suffix][1]}"
    return ColumnInfo(name, unit, ucd, text)


def flag_bits() -> dict[str, list]:
    """Return the meaning of the bits of the ``flags`` column.

    Returns
    -------
    dict
        Name to ``[value, sentence]``.

    Examples
    --------
    >>> from astro_latent.pipeline.rows import flag_bits
    >>> flag_bits()["UNREADABLE"]
    [1, 'the file could not be read as a spectrum']
    """
    return {name: [value, text] for name, (value, text) in QUALITY_FLAGS.items()}


def provenance(
    models: "Sequence[SpectralModel]", source: SpectraLike | None = None
) -> dict[str, Any]:
    """Collect what a reader of the results must know to repeat them.

    Parameters
    ----------
    models : sequence of `~astro_latent.models.SpectralModel`
        The models that were run.
    source : SpectraLike, optional
        What they were run on; a table of observations passes on its query.

    Returns
    -------
    dict
        ``model``, ``model_version``, ``model_sha256``, ``recipe``, ``grid``,
        ``software``, ``date``, ``citation``, ``latent_groups`` where a model knows
        which of its latents are of the star, and the query where it is known. Of
        several models, ``model`` has the names and ``models`` what is known of each.
    """
    facts = [_facts(model) for model in models]
    meta: dict[str, Any] = dict(facts[0]) if len(facts) == 1 else {}
    if len(facts) != 1:
        meta["model"] = ", ".join(fact["model"] for fact in facts)
        meta["models"] = {fact["model"]: fact for fact in facts}
    meta["software"] = f"astro_latent {__version__}"
    meta["date"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(source, Table):
        meta |= {key: source.meta[key] for key in _QUERY_KEYS if source.meta.get(key)}
    return meta


def _facts(model: "SpectralModel") -> dict[str, Any]:
    return {
        "model": model.name, "model_version": model.version,
        "model_sha256": model.sha256, "model_licence": model.config.licence,
        "grid": model.grid.name, "recipe": model.config.recipe_record,
        "citation": model.config.citation,
        **({"latent_groups": model.latent_groups} if model.latent_groups else {}),
    }  # fmt: skip
