# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a training does where nobody said: grid, recipe, sizes, rates."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

from ..exceptions import UnknownNameError
from ..preparation import (
    APOGEE_CHEBYSHEV_RECIPE,
    APOGEE_RECIPE,
    HARPS_RECIPE,
    Recipe,
    SpectralGrid,
)

__all__ = [
    "OPTIMISERS",
    "RECIPES",
    "SCHEDULES",
    "FitOptions",
    "default_arguments",
    "default_fit",
    "find_recipe",
]

#: Recipes by name.
RECIPES = {
    "apogee": APOGEE_RECIPE,
    "apogee_chebyshev": APOGEE_CHEBYSHEV_RECIPE,
    "harps": HARPS_RECIPE,
}
#: How a learning rate falls.
SCHEDULES = ("cosine", "linear", "constant")
#: What turns gradients into steps.
OPTIMISERS = ("adamw", "muon")
_FEW, _SHORT = 5000, 1000  # stars and pixels from which on the defaults change
_EPOCHS, _LEAST_STEPS = 60, 400  # of few stars, however few
_LONG = 2000  # pixels from which on more latents are offered
_AUTOENCODER = "disentangled_autoencoder"
_STARNETS = ("starnet", "shallow_cnn", "shallow_nn", "deep_cnn", "deep_nn")


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How networks are fitted.

    Parameters
    ----------
    epochs : int
        Times that each star is seen.
    batch_size : int
        Spectra of a step.
    optimiser : {"adamw", "muon"}
        What turns gradients into steps; ``muon`` changes hidden matrices only, and
        leaves the others to AdamW.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises for a twentieth of the steps. Steps of Muon are ten
        times as long.
    schedule : {"cosine", "linear", "constant"}
        How the rate falls then.
    dof : float or None
        Degrees of freedom of the Student t that the likelihood is; None: Gaussian.
    average : float
        Decay of the running mean of the weights over steps, which is what is kept.
    mean_first : float
        Share of the steps in which the labels are learnt before their errors.
    clip : float
        Largest norm of a gradient.
    precision : str
        Of Lightning, such as ``"32-true"`` or ``"bf16-mixed"``.
    devices : int
        Processes or devices of each network, -1 for all that there are; they share the
        batches.
    strategy : str
        Of Lightning, for several devices.
    """

    epochs: int = 60
    batch_size: int = 256
    optimiser: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    schedule: str = "cosine"
    dof: float | None = 5.0
    average: float = 0.998
    mean_first: float = 0.1
    clip: float = 1.0
    precision: str = "32-true"
    devices: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            wanted = {int: Integral, float: Real, str: str}[kind]
            if value is not None and not isinstance(value, wanted):
                kinds = {int: "a whole number", float: "a number", str: "a name"}
                msg = f"{field.name} of a training must be {kinds[kind]}, not {value!r}"
                raise TypeError(msg)
        for name, right in (
            ("epochs", self.epochs >= 1),
            ("batch_size", self.batch_size >= 1),
            ("optimiser", self.optimiser in OPTIMISERS),
            ("learning_rate", self.learning_rate > 0),
            ("weight_decay", self.weight_decay >= 0),
            ("schedule", self.schedule in SCHEDULES),
            ("dof", self.dof is None or self.dof > 0),
            ("average", 0 <= self.average < 1),
            ("mean_first", 0 <= self.mean_first <= 1),
            ("clip", self.clip > 0),
            ("devices", self.devices >= 1 or self.devices == -1),
        ):
            if not right:
                msg = f"{name} of a training cannot be {getattr(self, name)}"
                raise ValueError(msg)

    def changed(self, options: Mapping[str, Any]) -> "FitOptions":
        """Return a copy with other values.

        Parameters
        ----------
        options : mapping
            Field to value.

        Returns
        -------
        FitOptions
            The copy.

        Raises
        ------
        UnknownNameError
            If there is no such field.
        """
        names = [field.name for field in fields(self)]
        for name in options:
            if name not in names:
                raise UnknownNameError("option of a training", name, names)
        return replace(self, **options)


def default_fit(architecture: str, n_stars: int) -> FitOptions:
    """Return how an architecture is fitted to so many spectra.

    Parameters
    ----------
    architecture : str
        Its name.
    n_stars : int
        Spectra to train on.

    Returns
    -------
    FitOptions
        Epochs, rates and sizes.
    """
    few = n_stars < _FEW
    average = 0.99 if few else 0.998
    if architecture == _AUTOENCODER:
        return FitOptions(
            epochs=60 if few else 30, batch_size=64, learning_rate=1e-3,
            weight_decay=0.0, average=average, clip=5.0,
        )  # fmt: skip
    epochs = max(_EPOCHS, -(-_LEAST_STEPS // max(1, n_stars // 64)))
    if architecture in _STARNETS:
        return FitOptions(
            epochs=epochs if few else 30, batch_size=64, learning_rate=7e-4,
            weight_decay=0.05, average=average,
        )  # fmt: skip
    return FitOptions(epochs=epochs, batch_size=64 if few else 256, average=average)


def default_arguments(
    architecture: str, grid: SpectralGrid, n_labels: int, n_stars: int, recipe: Recipe
) -> dict[str, Any]:
    """Return the size of a network for a grid and so many spectra.

    Parameters
    ----------
    architecture : str
        Its name.
    grid : SpectralGrid
        Of the spectra.
    n_labels : int
        Labels to predict.
    n_stars : int
        Spectra to train on.
    recipe : Recipe
        How they are prepared.

    Returns
    -------
    dict
        Arguments of the architecture.
    """
    if architecture == _AUTOENCODER:
        n_latent = 16 if grid.n_pixels < _LONG else 32
        return {"n_pixels": grid.n_pixels, "n_latent": n_latent}
    sizes: dict[str, Any] = {"n_pixels": grid.n_pixels, "n_labels": n_labels}
    if architecture in _STARNETS:
        return {**sizes, "heteroscedastic": True}
    if architecture != "residual_mlp":
        return sizes
    if grid.n_pixels <= _SHORT:
        count = max(4, min(110, n_stars // 6, grid.n_pixels // 2))
        views = [
            {"kind": kind, "n_components": count, "fill": "solve"}
            for kind in ("flux", "log")
        ]
        return {**sizes, "views": views, "n_blocks": 6 if n_stars >= _FEW else 3}
    flat = any(step.name == "continuum" for step in recipe)
    count = max(4, min(400, n_stars // 4))
    view = {
        "kind": "flux" if flat else "flat", "n_components": count, "width": 301,
        "shrink": 0.6, "fill": "solve",
    }  # fmt: skip
    return {
        **sizes, "views": [view], "n_hidden": 192, "n_blocks": 3, "dropout": 0.1,
        "n_noise": 4,
    }  # fmt: skip


def find_recipe(
    recipe: str | Mapping[str, Any] | Recipe | None, *, known: bool
) -> Recipe:
    """Return a recipe by its name, from plain data, or the usual one.

    Parameters
    ----------
    recipe : str, mapping, Recipe or None
        A name in `RECIPES`, a recipe, or None: medium and frame are changed to those
        of the grid, pixels resampled, and the flux divided by its median.
    known : bool
        Whether the resolving power of the spectra is known; the usual recipe then
        blurs sharper spectra to that of the grid.

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    UnknownNameError
        If there is no recipe of that name.

    Examples
    --------
    >>> from astro_latent.training.defaults import find_recipe
    >>> [step.name for step in find_recipe(None, known=False)]
    ['convert_medium', 'shift_frame', 'resample', 'divide_by_median']
    """
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise UnknownNameError("recipe", recipe, list(RECIPES))
        return RECIPES[recipe]
    if recipe is not None:
        return Recipe.from_dict(recipe)
    names = ["convert_medium", "shift_frame", "match_resolution", "resample"]
    if not known:
        names.remove("match_resolution")
    steps = [{"step": name} for name in (*names, "divide_by_median")]
    return Recipe.from_dict({"steps": steps})
