# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a search may change: names, ranges, and how values reach a training."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from typing import Any

from ..exceptions import UnknownNameError
from ..models import ARCHITECTURES
from .defaults import SCHEDULES, FitOptions
from .job import Job

__all__ = ["Space", "change_job", "check_space", "default_space"]

#: Name to choices, or to ``low``, ``high`` and optionally ``log`` of a range.
Space = Mapping[str, Sequence[Any] | Mapping[str, Any]]

_FIT: dict[str, Any] = {
    "batch_size": [32, 64, 128, 256],
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "schedule": list(SCHEDULES),
    "weight_decay": {"low": 1e-4, "high": 0.5, "log": True},
}
#: The thirteen of StarNet: those that its notebooks can change, with a schedule and
#: two regularisers in place of three constants of the optimiser.
_STARNET: dict[str, Any] = {
    "n_filters[0]": {"low": 2, "high": 16, "log": True},
    "n_filters[1]": {"low": 4, "high": 32, "log": True},
    "filter_length": {"low": 3, "high": 24, "log": True},
    "pool_length": [2, 4, 8, 16],
    "n_hidden[0]": {"low": 32, "high": 512, "log": True},
    "n_hidden[1]": {"low": 16, "high": 256, "log": True},
    "activation": ["relu", "leaky_relu", "elu", "gelu", "silu"],
    "initialisation": ["he_normal", "he_uniform", "glorot_normal", "glorot_uniform"],
    "dropout": {"low": 0.0, "high": 0.4},
    **_FIT,
}
_RESIDUAL_MLP: dict[str, Any] = {
    "n_hidden": {"low": 64, "high": 512, "log": True},
    "n_blocks": {"low": 1, "high": 8},
    "n_noise": {"low": 0, "high": 12},
    "dropout": {"low": 0.0, "high": 0.3},
    "mean_first": {"low": 0.0, "high": 0.5},
    **_FIT,
}
_SPACES = {"starnet": _STARNET, "residual_mlp": _RESIDUAL_MLP}
_RANGE = {"low", "high", "log"}
_ELEMENT = re.compile(r"(\w+)\[(\d+)\]")


def default_space(architecture: str) -> dict[str, Any]:
    """Return what a search changes where nobody says otherwise.

    Parameters
    ----------
    architecture : str
        Its name.

    Returns
    -------
    dict
        A copy: for ``starnet`` thirteen hyper-parameters, for ``residual_mlp`` nine,
        for others the four of the fitting.

    Examples
    --------
    >>> from astro_latent.training import default_space
    >>> len(default_space("starnet"))
    13
    """
    return dict(_SPACES.get(architecture, _FIT))


def check_space(
    space: Space, architecture: str, arguments: Mapping[str, Any] | None = None
) -> None:
    """Check names and ranges before any work.

    Parameters
    ----------
    space : mapping
        What is to be changed.
    architecture : str
        Of which.
    arguments : mapping, optional
        Arguments of it that are not its defaults.

    Raises
    ------
    UnknownNameError
        If a name is no argument of the architecture and no field of
        `~astro_latent.training.FitOptions`.
    ValueError
        If a range is none, an element does not exist, or nothing is to be changed.
    """
    if not space:
        msg = "the space of a search is empty: name at least one hyper-parameter"
        raise ValueError(msg)
    given = _arguments(architecture) | dict(arguments or {})
    known = [*given, *(field.name for field in fields(FitOptions))]
    for name, values in space.items():
        field, place = _split(name)
        if field not in known:
            raise UnknownNameError("hyper-parameter", name, known)
        if place is not None and place >= _n_elements(given.get(field)):
            msg = f"there is no {name}: {field} is {given.get(field)!r}"
            raise ValueError(msg)
        if isinstance(values, Mapping):
            right = {"low", "high"} <= set(values) <= _RANGE
            right = right and values["low"] < values["high"]
            right = right and (values["low"] > 0 or not values.get("log"))
        else:
            right = not isinstance(values, str) and len(values) > 0
        if not right:
            msg = (
                f"space of {name!r} is {values!r}; give choices as a list, or a range "
                "as {'low': ..., 'high': ..., 'log': True}"
            )
            raise ValueError(msg)


def change_job(job: Job, values: Mapping[str, Any]) -> Job:
    """Return a training with other hyper-parameters.

    Parameters
    ----------
    job : Job
        The training.
    values : mapping
        Name to value; ``name[i]`` is an element of a sequence.

    Returns
    -------
    Job
        Which shares the spectra.
    """
    defaults, arguments = _arguments(job.architecture), dict(job.arguments)
    options = {}
    for name, value in values.items():
        field, place = _split(name)
        if field not in defaults:
            options[field] = value
        elif place is None:
            arguments[field] = value
        else:
            elements = list(arguments.get(field, defaults[field]))
            elements[place] = value
            arguments[field] = elements
    return replace(job, arguments=arguments, fit=job.fit.changed(options))


def _arguments(architecture: str) -> dict[str, Any]:
    """Arguments of an architecture, with their defaults."""
    found = signature(ARCHITECTURES[architecture]).parameters
    return {name: parameter.default for name, parameter in found.items()}


def _n_elements(value: object) -> int:
    """How many elements of an argument can be changed one by one."""
    return len(value) if isinstance(value, list | tuple) else 0


def _split(name: str) -> tuple[str, int | None]:
    """Name of an argument, and which of its elements is meant."""
    match = _ELEMENT.fullmatch(name)
    return (name, None) if match is None else (match[1], int(match[2]))
