# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Refuse arguments of another kind than is meant: a list where a mapping belongs."""

import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from astropy.table import Table

from ..models import SpectralModel
from ..preparation import Recipe, SpectralGrid
from .augmentation import Augmentation

__all__ = ["check_kinds"]


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool)


def _is_names(value: object) -> bool:
    """Whether it is a name, or some."""
    if isinstance(value, Mapping | Table) or not isinstance(value, Iterable):
        return False
    return all(isinstance(name, str) for name in value)


def _is_values(value: object) -> bool:
    """Whether it is one for all, the name of a column, or one for each."""
    return not isinstance(value, Mapping | set) and np.asarray(value).ndim <= 1


def _is_parts(value: object) -> bool:
    return isinstance(value, str) or (_is_values(value) and np.asarray(value).ndim == 1)


def _is_some(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return all(isinstance(number, Real) for number in value)


def _is_seed(value: object) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 0)


#: For each argument how it is told, and what a message says that it must be.
_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "labels": (_is_names, "names of columns, such as ['teff', 'logg']"),
    "table": (
        _is(Table), "an astropy Table: Table(...) makes one, Table.read(...) of a file",
    ),
    **dict.fromkeys(("predicted", "given"), (_is(Table), "an astropy Table")),
    **dict.fromkeys(("fractions", "seeds"), (_is_some, "numbers, such as (0, 1)")),
    "grid": (_is(SpectralGrid, str), "a SpectralGrid or the name of one"),
    "recipe": (_is(Recipe, Mapping, str), "a Recipe, the name or a mapping of one"),
    "radial_velocity": (_is_values, "km/s: a number, one each, or a column's name"),
    "split": (_is_parts, "a column's name, or a part for each spectrum"),
    "augment": (
        _is(Augmentation, Mapping), "an Augmentation or a mapping such as {'noise': 1}",
    ),
    "from_weights": (
        _is(str, os.PathLike, SpectralModel), "a model, or the name or folder of one",
    ),
    **{
        name: (_is(Mapping), f"a mapping such as {example}")
        for name, example in {
            "surveys": "{'blue': {'spectra': ..., 'labels': [...]}}",
            "trunk": "{'n_hidden': 192}",
            "arguments": "{'n_hidden': 192}",
            "facts": "{'frame': 'rest'}",
            "about": "{'title': 'My survey'}",
            "limits": "{'teff': (4000, 7000)}",
            "arms": "{'blue': (3900, 5700)}",
        }.items()
    },
    **dict.fromkeys(("output", "work", "folder"), (_is(str, os.PathLike), "a path")),
    **dict.fromkeys(("star", "architecture", "device", "dtype"), (_is(str), "a name")),
    "seed": (_is_seed, "a whole number from 0 on"),
    **dict.fromkeys(("members", "folds"), (_is(Integral), "a whole number")),
    **dict.fromkeys(
        ("held_out", "validation", "false_alarms", "price_per_nat"),
        (_is(Real), "a number"),
    ),
}  # fmt: skip


def check_kinds(given: Mapping[str, Any], where: str = "") -> None:
    """Check of what kind arguments are, before any work.

    Parameters
    ----------
    given : mapping
        Argument to value; None is right everywhere, and arguments that are not known
        here are left to others.
    where : str, optional
        What the message begins with.

    Raises
    ------
    TypeError
        The message names the argument, what it must be, and what it is.

    Examples
    --------
    >>> from astro_latent.training.kinds import check_kinds
    >>> check_kinds({"facts": {"frame": "rest"}, "members": 2, "grid": None})
    >>> check_kinds({"facts": ["rest"]})
    Traceback (most recent call last):
    TypeError: facts must be a mapping such as {'frame': 'rest'}, not the list ['rest']
    """
    for name, value in given.items():
        right, wanted = _KINDS.get(name, (None, ""))
        if right is None or value is None or right(value):
            continue
        shown = " ".join(repr(value).split())
        shown = shown if len(shown) <= 60 else f"{shown[:60]} ..."
        kind = type(value).__name__
        msg = f"{where}{name} must be {wanted}, not the {kind} {shown}"
        raise TypeError(msg)
