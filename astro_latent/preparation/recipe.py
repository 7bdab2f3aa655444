# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Recipe: the ordered, named steps that turn a spectrum into a model's input, as data.

`STEPS` says what a recipe may contain. A step is one function in one module, reached
through `StepKind.function`. The recipes of the bundled models stand at the end.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any

from ..exceptions import UnknownNameError

__all__ = [
    "APOGEE_CHEBYSHEV_RECIPE",
    "APOGEE_RECIPE",
    "HARPS_RECIPE",
    "STAGES",
    "STEPS",
    "Recipe",
    "Settings",
    "Step",
    "StepKind",
]

#: Parameters of a step, those with their defaults included.
Settings = Mapping[str, Any]

#: Order in which kinds of steps may follow each other in a recipe.
STAGES = ("wavelength", "native", "resample", "batch")


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """What one step accepts.

    Parameters
    ----------
    stage : str
        One of `STAGES`: changes the wavelengths, works on the input's own pixels,
        moves to the model's pixels, or works on the batch there.
    target : str
        ``"module:function"``, the module relative to this package.
    defaults : dict
        Every parameter and the value it takes when a recipe is silent.
    choices : dict
        Allowed values of the parameters that name something.
    """

    stage: str
    target: str
    defaults: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def function(self) -> Callable[..., Any]:
        """The function that carries the step out."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(f".{module}", __package__), name)


#: Every step that a recipe may name.
STEPS: dict[str, StepKind] = {
    "convert_medium": StepKind(stage="wavelength", target="wavelengths:convert_medium"),
    "shift_frame": StepKind(
        stage="wavelength",
        target="wavelengths:shift_frame",
        defaults={"templates": None},
        choices={"templates": (None, "apogee")},
    ),
    "match_resolution": StepKind(
        stage="native",
        target="resample:match_resolution",
        defaults={"tolerance": 0.05, "min_good": 0.5},
    ),
    "resample": StepKind(
        stage="resample",
        target="resample:resample",
        defaults={"method": "linear", "min_good": 0.5},
        choices={"method": ("linear", "flux_conserving")},
    ),
    "divide_by_median": StepKind(
        stage="batch",
        target="normalise:divide_by_median",
        defaults={"per": "all", "count_padding": False, "minimum": 0.0},
        choices={"per": ("all", "segment"), "count_padding": (False, True)},
    ),
    "continuum": StepKind(
        stage="batch",
        target="normalise:continuum",
        defaults={
            "method": "chebyshev",
            "degree": 4,
            "pixels": None,
            "width": 10.0,
            "sigma_lower": 0.5,
            "sigma_upper": 2.0,
            "knots": 20,
        },
        choices={"method": ("chebyshev", "asymmetric_sigma_clip")},
    ),
    "clip": StepKind(
        stage="batch",
        target="normalise:clip",
        defaults={"lower": None, "upper": None, "action": "clip"},
        choices={"action": ("clip", "mask")},
    ),
    "mask_pixels": StepKind(
        stage="batch", target="normalise:mask_pixels", defaults={"ranges": []}
    ),
    "check_medium": StepKind(
        stage="batch",
        target="wavelengths:check_medium",
        defaults={"lines": "apogee"},
        choices={"lines": ("apogee", "telluric_o2")},
    ),
}  # fmt: skip


def _kind(name: str) -> StepKind:
    if name not in STEPS:
        raise UnknownNameError("preparation step", name, list(STEPS))
    return STEPS[name]


_LIMITS = {"min_overlap": 0.3, "min_coverage": 0.95, "max_bad": 0.2}
_REQUIRES = {"normalisation": "unknown", **_LIMITS}


@dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Parameters
    ----------
    name : str
        A name in `~astro_latent.preparation.recipe.STEPS`.
    parameters : dict, optional
        Parameters that differ from the defaults, as JSON data.

    Raises
    ------
    UnknownNameError
        If the step or a parameter does not exist.
    ValueError
        If a parameter has a value that is not allowed.

    Examples
    --------
    >>> from astro_latent.preparation import Step
    >>> Step("resample", {"method": "flux_conserving"})["min_good"]
    0.5
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = _kind(self.name)
        for key, value in self.parameters.items():
            if key not in kind.defaults:
                what = f"parameter of the step {self.name!r}"
                raise UnknownNameError(what, key, list(kind.defaults))
            if key in kind.choices and value not in kind.choices[key]:
                msg = (
                    f"{key} of the step {self.name!r} must be one of "
                    f"{kind.choices[key]}, not {value!r}"
                )
                raise ValueError(msg)
        frozen = MappingProxyType(dict(self.parameters))
        object.__setattr__(self, "parameters", frozen)

    def __reduce__(self) -> tuple:
        return type(self), (self.name, dict(self.parameters))

    def __hash__(self) -> int:
        return hash((self.name, repr(sorted(self.parameters.items()))))

    def __getitem__(self, key: str) -> Any:
        return self.settings[key]

    @property
    def kind(self) -> StepKind:
        """What can be said of all steps of this name."""
        return _kind(self.name)

    @property
    def stage(self) -> str:
        """When the step runs, see `~astro_latent.preparation.recipe.STAGES`."""
        return self.kind.stage

    @property
    def settings(self) -> Settings:
        """All parameters, defaults included."""
        return self.kind.defaults | dict(self.parameters)


@dataclass(frozen=True)
class Recipe:
    """Ordered steps from any spectrum to a model's array, as data.

    Parameters
    ----------
    steps : iterable of Step
        In the order in which they run. Exactly one is ``"resample"``; steps that work
        on wavelengths or on the input's pixels come before it, the others after.
    requires : dict, optional
        What the input must be: ``normalisation`` (``"none"`` flags spectra whose
        continuum was divided out), and the limits of the coverage flags:
        ``min_overlap`` (0.3), ``min_coverage`` (0.95), ``max_bad`` (0.2), fractions of
        the grid's valid pixels.

    Raises
    ------
    UnknownNameError
        If a step, a parameter or a requirement does not exist.
    ValueError
        If the order is impossible or a value is not allowed.

    Examples
    --------
    >>> from astro_latent.preparation import Recipe
    >>> recipe = Recipe.from_dict({"steps": [{"step": "resample"}]})
    >>> recipe.to_dict()
    {'steps': [{'step': 'resample'}]}
    """

    steps: tuple[Step, ...]
    requires: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        for key, value in self.requires.items():
            _check_requirement(key, value)
        object.__setattr__(self, "requires", MappingProxyType(dict(self.requires)))
        names = [step.name for step in self.steps]
        if names.count("resample") != 1:
            msg = f"a recipe needs exactly one step 'resample', these are {names}"
            raise ValueError(msg)
        order = [STAGES.index(step.stage) for step in self.steps]
        for before, after, name in zip(order, order[1:], names[1:], strict=False):
            if after < before:
                msg = f"the step {name!r} comes too late in {names}"
                raise ValueError(msg)

    def __reduce__(self) -> tuple:
        return type(self), (self.steps, dict(self.requires))

    def __hash__(self) -> int:
        return hash((self.steps, repr(sorted(self.requires.items()))))

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def stage(self, name: str) -> tuple[Step, ...]:
        """Return the steps of one stage.

        Parameters
        ----------
        name : str
            One of `~astro_latent.preparation.recipe.STAGES`.

        Returns
        -------
        tuple of Step
            In order.
        """
        return tuple(step for step in self.steps if step.stage == name)

    @cached_property
    def functions(self) -> Mapping[str, Sequence[tuple[Callable[..., Any], Settings]]]:
        """Of each stage, what is called, and with which settings."""
        return {
            stage: [(step.kind.function, step.settings) for step in self.stage(stage)]
            for stage in STAGES
        }

    @cached_property
    def requirements(self) -> Mapping[str, Any]:
        """All requirements, defaults included."""
        return _REQUIRES | dict(self.requires)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON data.

        Returns
        -------
        dict
            Argument of `from_dict`.
        """
        record: dict[str, Any] = {
            "steps": [{"step": step.name, **step.parameters} for step in self.steps]
        }
        if self.requires:
            record["requires"] = dict(self.requires)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Recipe":
        """Build a recipe from JSON data.

        Parameters
        ----------
        record : dict
            ``{"steps": [{"step": name, parameter: value, ...}, ...]}`` and optionally
            ``"requires"``.

        Returns
        -------
        Recipe
            The recipe.
        """
        unknown = set(record) - {"steps", "requires"}
        if unknown or "steps" not in record:
            msg = f"a recipe has the keys 'steps' and 'requires', not {sorted(record)}"
            raise ValueError(msg)
        steps = []
        for entry in record["steps"]:
            if not isinstance(entry, Mapping) or "step" not in entry:
                msg = f"each step is a mapping with the key 'step', not {entry!r}"
                raise ValueError(msg)
            parameters = {key: value for key, value in entry.items() if key != "step"}
            steps.append(Step(entry["step"], parameters))
        return cls(tuple(steps), dict(record.get("requires", {})))


def _check_requirement(key: str, value: object) -> None:
    """Refuse a requirement that does not exist or makes no sense."""
    if key not in _REQUIRES:
        raise UnknownNameError("requirement of a recipe", key, list(_REQUIRES))
    if key == "normalisation" and value not in ("none", "continuum", "unknown"):
        msg = f"normalisation must be none, continuum or unknown, not {value!r}"
        raise ValueError(msg)
    if key in _LIMITS and not (isinstance(value, int | float) and 0 <= value <= 1):
        msg = f"{key} must be a fraction between 0 and 1, not {value!r}"
        raise ValueError(msg)


#: HARPS, as Sedaghat et al. (2021): barycentric, one median, continuum left in.
HARPS_RECIPE = Recipe.from_dict(
    {
        "steps": [
            {"step": "convert_medium"},
            {"step": "shift_frame"},
            {"step": "match_resolution"},
            {"step": "resample", "method": "linear"},
            {"step": "divide_by_median", "per": "all"},
            {"step": "check_medium", "lines": "telluric_o2"},
        ],
        "requires": {"normalisation": "none"},
    }
)

_APOGEE_START = [
    {"step": "convert_medium"},
    {"step": "shift_frame", "templates": "apogee"},
    {"step": "match_resolution", "tolerance": 0.1},
    {"step": "resample", "method": "flux_conserving"},
]

#: APOGEE, as Fabbro et al. (2018): at rest, the median of each chip's valid pixels.
APOGEE_RECIPE = Recipe.from_dict(
    {
        "steps": [
            *_APOGEE_START,
            {"step": "divide_by_median", "per": "segment"},
            {"step": "clip", "lower": -1.0, "upper": 3.0, "action": "mask"},
            {"step": "check_medium", "lines": "apogee"},
        ]
    }
)

#: APOGEE, normalised by a polynomial through continuum pixels, as Ness et al. (2015).
APOGEE_CHEBYSHEV_RECIPE = Recipe.from_dict(
    {
        "steps": [
            *_APOGEE_START,
            {
                "step": "continuum", "method": "chebyshev", "degree": 4,
                "pixels": "apogee_cannon",
            },
            {"step": "clip", "lower": 0.0, "upper": 1.5, "action": "mask"},
            {"step": "check_medium", "lines": "apogee"},
        ]
    }
)  # fmt: skip
