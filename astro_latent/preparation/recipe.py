# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Recipe: the ordered, named steps that turn a spectrum into a model's input."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..exceptions import UnknownNameError
from .steps import STAGES, get_step

__all__ = ["Recipe", "Step"]

_LIMITS = {"min_overlap": 0.3, "min_coverage": 0.95, "max_bad": 0.2}
_REQUIRES = {"normalisation": "unknown", **_LIMITS}


@dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Parameters
    ----------
    name : str
        A name in `~astro_latent.preparation.steps.STEPS`.
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
        kind = get_step(self.name)
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
    def stage(self) -> str:
        """When the step runs, see `~astro_latent.preparation.steps.STAGES`."""
        return get_step(self.name).stage

    @property
    def settings(self) -> dict[str, Any]:
        """All parameters, defaults included."""
        return {**get_step(self.name).defaults, **self.parameters}


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
            One of `~astro_latent.preparation.steps.STAGES`.

        Returns
        -------
        tuple of Step
            In order.
        """
        return tuple(step for step in self.steps if step.stage == name)

    def requirement(self, name: str) -> Any:
        """Return one of the requirements, or its default.

        Parameters
        ----------
        name : str
            ``normalisation``, ``min_overlap``, ``min_coverage`` or ``max_bad``.

        Returns
        -------
        str or float
            Its value.
        """
        return self.requires.get(name, _REQUIRES[name])

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
