# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The table of preparation steps: their names, parameters, order and where they live.

A recipe is data; this table says what that data may contain. A step is one function
in one module, reached through `StepKind.function`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..exceptions import UnknownNameError

__all__ = ["STAGES", "STEPS", "StepKind", "get_step"]

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
    "convert_medium": StepKind(stage="wavelength", target="medium:convert_medium"),
    "shift_frame": StepKind(
        stage="wavelength",
        target="frame:shift_frame",
        defaults={"templates": None},
        choices={"templates": (None, "apogee")},
    ),
    "match_resolution": StepKind(
        stage="native",
        target="resolution:match_resolution",
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
        target="continuum:continuum",
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
        stage="batch",
        target="normalise:mask_pixels",
        defaults={"ranges": []},
    ),
    "check_medium": StepKind(
        stage="batch",
        target="medium_check:check_medium",
        defaults={"lines": "apogee"},
        choices={"lines": ("apogee", "telluric_o2")},
    ),
}


def get_step(name: str) -> StepKind:
    """Return the kind of step that has this name.

    Parameters
    ----------
    name : str
        As in a recipe.

    Returns
    -------
    StepKind
        Its stage and parameters.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """
    if name not in STEPS:
        raise UnknownNameError("preparation step", name, list(STEPS))
    return STEPS[name]
