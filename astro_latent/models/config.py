# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The configuration of a set of weights: what ``config.json`` may and must say.

Reading it needs no torch, so that models can be listed in milliseconds.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from ..exceptions import WeightsError, WeightsNotFoundError
from ..preparation import Recipe, SpectralGrid, get_grid
from ..utils.guard import guarding
from .schema import check_schema

__all__ = ["CONFIG_FILE", "SCHEMA_VERSION", "ModelConfig", "OutputColumn"]

#: Name of the configuration in a folder of weights.
CONFIG_FILE = "config.json"
#: Version of the layout that this package reads and writes.
SCHEMA_VERSION = 1

_TEXT = ("name", "version", "title", "description", "survey", "architecture")
_TYPES: dict[str, type] = {
    "schema_version": int,
    **dict.fromkeys(_TEXT, str),
    "arguments": dict,
    "members": int,
    "grid": dict,
    "recipe": dict,
    "outputs": list,
    **dict.fromkeys(("calibration", "domain", "training", "evaluation"), dict),
    **dict.fromkeys(("card", "weights"), dict),
    "origin": list,
    "licence": str,
    "citation": str,
}
_OPTIONAL = frozenset(
    {"members", "calibration", "domain", "training", "evaluation", "card", "origin"}
)
_WEIGHTS_KEYS = ("file", "sha256", "size", "dtype")
_DOMAIN_KEYS = (
    "snr", "feature_limit", "reconstruction_limit", "unexplained_limit",
    "unexplained_pixels", "second_limit", "second_band", "emission_limit", "one_sided",
)  # fmt: skip
_CALIBRATION_KEYS = (
    "scale", "floor", "flux_scale", "missing", "usual_missing", "shape_68", "shape_95",
    "systematic", "systematic_slopes", "systematic_shape", "giants_shift",
)  # fmt: skip
#: Numbers in a row of coefficients: so many, and so many for each output.
_ROW = {
    "systematic_slopes": (0, 1), "systematic_shape": (1, 2), "giants_shift": (3, 1),
}  # fmt: skip
_AGAIN = "correct it, or fetch the weights again"
_CARD_KEYS = ("intended_use", "out_of_scope", "limitations", "real_stars", "fails")


@dataclass(frozen=True, kw_only=True)
class OutputColumn:
    """One output of a model, or one group of like outputs such as the latents.

    Parameters
    ----------
    name : str
        Column name, such as ``"teff"``.
    unit : str
        Astropy unit string.
    ucd : str
        UCD1+ word.
    description : str
        One sentence.
    scale, offset : float
        The value is ``offset + scale * network output``.
    domain : tuple of float, optional
        Smallest and largest value in the training set.
    max_error : float, optional
        Total error above which a row is flagged ``LARGE_ERROR``.
    n : int
        Number of outputs in the group.
    """

    name: str
    unit: str = ""
    ucd: str = ""
    description: str = ""
    scale: float = 1.0
    offset: float = 0.0
    domain: tuple[float, float] | None = None
    max_error: float | None = None
    n: int = 1

    def __post_init__(self) -> None:
        u.Unit(self.unit)  # raises ValueError with the offending string
        if self.domain is not None:
            low, high = map(float, self.domain)
            if not low < high:
                msg = f"domain of {self.name!r} must be [low, high], not {self.domain}"
                raise ValueError(msg)
            object.__setattr__(self, "domain", (low, high))
        if not self.scale > 0 or self.n < 1:
            msg = f"{self.name!r} needs scale > 0 and n >= 1"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What is known about a set of weights: the content of ``config.json``.

    Parameters
    ----------
    name, version, title, description, survey : str
        Who the model is.
    architecture : str
        Name in `~astro_latent.models.ARCHITECTURES`.
    arguments : dict
        Arguments of the architecture.
    members : int
        Number of networks in the ensemble.
    grid_record : dict
        ``{"name": ...}`` of a registered grid, or the fields of a `SpectralGrid`.
    recipe_record : dict
        The preparation recipe as plain data.
    outputs : tuple of OutputColumn
        What the network gives.
    calibration : dict
        See the notes of `SpectralModel.predict`: a number for each output, or a list.
    domain : dict
        ``snr`` [low, high], ``feature_limit``, ``reconstruction_limit``,
        ``second_limit`` (within ``second_band``, Angstrom), ``emission_limit``;
        ``one_sided``, how many of the last rows of the whitening are directions.
    training, evaluation : dict
        What it was trained on and how well it does, for the model card.
    card : dict
        Texts for the model card: ``intended_use``, ``out_of_scope``, ``limitations``;
        ``real_stars``, how good it is on them, and ``fails``, where it does, in short.
    weights : dict
        ``file``, ``sha256``, ``size``, ``dtype`` of the tensor file.
    origin : tuple of str
        Addresses from which the tensor file can be fetched.
    licence, citation : str
        Of the weights.
    source : Path, optional
        The file that this was read from.
    """

    name: str
    version: str
    title: str
    description: str
    survey: str
    architecture: str
    arguments: dict[str, Any]
    grid_record: dict[str, Any]
    recipe_record: dict[str, Any]
    outputs: tuple[OutputColumn, ...]
    licence: str
    citation: str
    weights: dict[str, Any]
    members: int = 1
    calibration: dict[str, list[Any]] = field(default_factory=dict)
    domain: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    card: dict[str, str] = field(default_factory=dict)
    origin: tuple[str, ...] = ()
    source: Path | None = None

    @classmethod
    def from_folder(cls, folder: str | Path) -> "ModelConfig":
        """Read and check the configuration of a folder of weights.

        Parameters
        ----------
        folder : str or Path
            Folder with a ``config.json``.

        Returns
        -------
        ModelConfig
            The configuration.

        Raises
        ------
        WeightsNotFoundError
            If there is no such file.
        WeightsError
            If the file is no valid configuration; the message names file and key.
        """
        path = Path(folder, CONFIG_FILE)
        if not path.is_file():
            msg = f"{path} does not exist; a folder of weights needs one"
            raise WeightsNotFoundError(msg)
        problem = "is not valid JSON"
        with guarding(path, WeightsError, problem=problem, remedy=_AGAIN):
            record = json.loads(path.read_text(encoding="utf-8"))
        with guarding(path, WeightsError, problem="cannot be used", remedy=_AGAIN):
            return cls.from_dict(record, source=path)

    @classmethod
    def from_dict(
        cls, record: dict[str, Any], *, source: Path | None = None
    ) -> "ModelConfig":
        """Check plain data and make a configuration of it.

        Parameters
        ----------
        record : dict
            Content of a ``config.json``.
        source : Path, optional
            Where it was read, for messages.

        Returns
        -------
        ModelConfig
            The configuration.

        Raises
        ------
        WeightsError
            If a key is missing, unknown or has an impossible value.
        """
        where = CONFIG_FILE if source is None else source
        _check_record(record, where)
        check_schema(record, where)
        fields = {**record}
        del fields["schema_version"]
        fields["grid_record"] = fields.pop("grid")
        fields["recipe_record"] = fields.pop("recipe")
        fields["origin"] = tuple(fields.get("origin", ()))
        fields["outputs"] = tuple(
            _read_output(output, index, where)
            for index, output in enumerate(record["outputs"])
        )
        config = cls(**fields, source=source)
        _check_values(config, where)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``config.json`` as plain data.

        Returns
        -------
        dict
            Argument of `from_dict`.
        """
        record: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        for key in _TYPES:
            if key == "grid":
                record[key] = self.grid_record
            elif key == "recipe":
                record[key] = self.recipe_record
            elif key == "outputs":
                record[key] = [_write_output(output) for output in self.outputs]
            elif key == "origin":
                record[key] = list(self.origin)
            elif key != "schema_version":
                record[key] = getattr(self, key)
        return record

    @cached_property
    def grid(self) -> SpectralGrid:
        """Wavelengths that the model expects."""
        if set(self.grid_record) == {"name"}:
            return get_grid(self.grid_record["name"])
        return SpectralGrid.from_dict(self.grid_record)

    @cached_property
    def n_outputs(self) -> int:
        """Number of values for each spectrum."""
        return sum(output.n for output in self.outputs)

    @property
    def task(self) -> str:
        """What the model does with spectra: ``"encode"`` or ``"predict"``."""
        return "encode" if "latent" in self.output_names else "predict"

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(output.name for output in self.outputs)


def _write_output(output: OutputColumn) -> dict[str, Any]:
    """Write an output without what it does not say."""
    record = {
        key: value
        for key, value in vars(output).items()
        if value is not None and not (key == "n" and value == 1)
    }
    if output.domain is not None:
        record["domain"] = list(output.domain)
    return record


def _read_output(record: dict[str, Any], index: int, where: object) -> OutputColumn:
    try:
        return OutputColumn(**record)
    except (TypeError, ValueError) as error:
        msg = f"{where}: outputs[{index}]: {error}"
        raise WeightsError(msg) from error


def _fail(where: object, key: str, problem: str) -> None:
    msg = f"{where}: {key!r} {problem}"
    raise WeightsError(msg)


def _check_record(record: object, where: object) -> None:
    """Compare keys and types with the layout."""
    if not isinstance(record, dict):
        msg = f"{where} must hold one JSON object"
        raise WeightsError(msg)
    for key in record:
        if key not in _TYPES:
            _fail(where, key, "is not a key of a configuration")
    for key, kind in _TYPES.items():
        if key not in record:
            if key not in _OPTIONAL:
                _fail(where, key, "is missing")
        elif not isinstance(record[key], kind) or isinstance(record[key], bool):
            _fail(where, key, f"must be {kind.__name__}, not {record[key]!r}")
    if record["schema_version"] != SCHEMA_VERSION:
        problem = (
            f"is {record['schema_version']}; this version of astro_latent reads "
            f"{SCHEMA_VERSION}"
        )
        _fail(where, "schema_version", problem)


def _check_values(config: ModelConfig, where: object) -> None:
    """Check what keys and types do not tell."""
    for key in ("name", "version", "architecture"):
        if not getattr(config, key):
            _fail(where, key, "is empty")
    if config.members < 1:
        _fail(where, "members", f"must be at least 1, not {config.members}")
    if not config.outputs:
        _fail(where, "outputs", "is empty")
    if len(set(config.output_names)) != len(config.outputs):
        _fail(where, "outputs", f"repeats a name: {config.output_names}")
    for key in _WEIGHTS_KEYS:
        if key not in config.weights:
            _fail(where, f"weights.{key}", "is missing")
    name = config.weights["file"]
    if Path(name).name != name:
        _fail(where, "weights.file", f"must be a plain file name, not {name!r}")
    for section, known in (("domain", _DOMAIN_KEYS), ("card", _CARD_KEYS)):
        for key in getattr(config, section):
            if key not in known:
                _fail(where, f"{section}.{key}", f"is not one of {known}")
    for url in config.origin:
        if not str(url).startswith(("http://", "https://")):
            _fail(where, "origin", f"must be http or https addresses, not {url!r}")
    _check_calibration(config, where)
    for key, check in (
        ("grid", lambda: config.grid),
        ("recipe", lambda: Recipe.from_dict(config.recipe_record)),
    ):
        try:
            check()
        except (KeyError, TypeError, ValueError) as error:
            _fail(where, key, f"cannot be used: {error}")
    _check_grid(config.grid, where)


def _check_calibration(config: ModelConfig, where: object) -> None:
    """Check that there is a number for each output, and whole sets of coefficients."""
    count = config.n_outputs
    for key, values in config.calibration.items():
        if key not in _CALIBRATION_KEYS:
            _fail(where, f"calibration.{key}", f"is not one of {_CALIBRATION_KEYS}")
        if len(values) != count:
            problem = f"has {len(values)} numbers for {count} outputs"
            _fail(where, f"calibration.{key}", problem)
        least, each = _ROW.get(key, (5, 2))
        wanted = least + each * count
        if lengths := {len(row) for row in values if isinstance(row, list)} - {wanted}:
            problem = f"has rows of {sorted(lengths)} numbers, not {wanted}"
            _fail(where, f"calibration.{key}", problem)
    if ("shape_68" in config.calibration) != ("shape_95" in config.calibration):
        _fail(where, "calibration", "has one of shape_68 and shape_95; it needs both")
    low, high = config.domain.get("snr", (0, 1))
    if not low <= high:  # all may have been equally good
        _fail(where, "domain.snr", f"must be [low, high], not {[low, high]}")


def _check_grid(grid: SpectralGrid, where: object) -> None:
    """Check that wavelengths of a grid are those of light, and in order."""
    seen = grid.wavelength[grid.valid]
    if not len(seen) or not (np.isfinite(seen).all() and 0 < seen[0] < seen[-1] < 1e8):
        _fail(where, "grid", "has wavelengths that are none, in Angstrom")
    if np.any(np.diff(seen) <= 0):
        at = int(np.argmax(np.diff(seen) <= 0))
        _fail(where, "grid", f"has wavelengths that do not increase at pixel {at + 1}")
