# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Refuse before any work what would fail, or mislead, after it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from inspect import signature
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import UnknownNameError
from ..models import ARCHITECTURES
from ..tables import COLUMNS, LABELS
from .defaults import FitOptions

__all__ = [
    "ABOUT",
    "CARD_TEXTS",
    "check_arguments",
    "check_folds",
    "check_installed",
    "check_place",
    "check_texts",
    "check_values",
]

#: How matrices may be stored.
DTYPES = ("float32", "float16")
#: Texts of the card that a user may write.
CARD_TEXTS = ("intended_use", "out_of_scope", "limitations", "real_stars", "fails")
#: What a user may say of weights.
ABOUT = (
    "title", "description", "survey", "version", "licence", "citation", *CARD_TEXTS,
)  # fmt: skip


def check_installed(*packages: str) -> None:
    """Check that what the extra ``train`` installs is there.

    Raises
    ------
    ImportError
        If a package is not there.
    """
    for package in packages:
        if find_spec(package) is None:
            msg = f"this needs {package}: python -m pip install 'astro_latent[train]'"
            raise ImportError(msg)


def check_place(
    output: str | os.PathLike[str] | None, *, overwrite: bool
) -> Path | None:
    """Check that there is something to train with, and a place for the weights.

    Returns
    -------
    Path or None
        The place.

    Raises
    ------
    ImportError
        If Lightning is not there.
    FileExistsError
        If there are weights in the folder.
    NotADirectoryError
        If it is a file.
    """
    check_installed("lightning")
    if output is not None and Path(output).is_file():
        msg = f"{output} is a file; give a folder for the weights"
        raise NotADirectoryError(msg)
    if output is not None and Path(output, "config.json").exists() and not overwrite:
        msg = f"{output} holds weights already; overwrite=True replaces them"
        raise FileExistsError(msg)
    return None if output is None else Path(output)


def check_arguments(architecture: str, arguments: Iterable[str] | None) -> None:
    """Check names of arguments of an architecture.

    Raises
    ------
    UnknownNameError
        If there is no such argument.
    """
    known = list(signature(ARCHITECTURES[architecture]).parameters)
    _check_known(f"argument of a {architecture}", arguments, known)


def check_texts(
    labels: Sequence[str],
    *,
    about: Mapping[str, Any] | None,
    limits: Mapping[str, Any] | None,
    false_alarms: float,
    dtype: str = "float32",
) -> None:
    """Check what goes into the configuration of the weights.

    Raises
    ------
    UnknownNameError
        If a text or a label with limits does not exist.
    ValueError
        If a label is called as a column of results, or comes twice; if a text is none,
        limits are no low and high value, ``false_alarms`` is no share, or there is no
        such ``dtype``.
    """
    _check_known("text about weights", about, list(ABOUT))
    for name, text in (about or {}).items():
        if not isinstance(text, str):
            msg = f"about[{name!r}] must be text, not {text!r}"
            raise ValueError(msg)
    _check_known("label to be learnt", limits, list(labels))
    _check_limits(limits or {})
    if dtype not in DTYPES:
        msg = f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}"
        raise ValueError(msg)
    _check_shares(false_alarms=false_alarms)
    for name in labels:
        if name in COLUMNS and name not in LABELS:
            msg = f"results have a column {name!r} already: give the label another name"
            raise ValueError(msg)
    if len(set(labels)) < len(labels):
        msg = f"a label stands twice in {', '.join(labels)}"
        raise ValueError(msg)


def _check_limits(limits: Mapping[str, Any]) -> None:
    for name, pair in limits.items():
        ends = [end for end in pair if end is not None] if np.ndim(pair) == 1 else []
        right = np.shape(pair) == (2,) and all(isinstance(end, Real) for end in ends)
        if not right or ends != sorted(set(ends)):
            msg = f"limits[{name!r}] must be a lowest and a highest value, not {pair!r}"
            raise ValueError(msg)


def _check_known(kind: str, names: Iterable[str] | None, known: list[str]) -> None:
    for name in names or ():
        if name not in known:
            raise UnknownNameError(kind, name, known)


def _check_shares(**shares: float | None) -> None:
    for name, share in shares.items():
        if share is not None and not 0.0 <= share < 1.0:
            msg = f"{name} is a share of the stars from 0 to 1, not {share}"
            raise ValueError(msg)


def check_values(
    options: Mapping[str, Any],
    *,
    members: int | None,
    price_per_nat: float,
    **shares: float | None,
) -> None:
    """Check numbers, and names of options.

    Raises
    ------
    UnknownNameError
        If there is no such option of a training.
    ValueError
        If a number is impossible.
    """
    FitOptions().changed(options)
    if members is not None and members < 1:
        msg = f"members must be 1 or more, not {members}"
        raise ValueError(msg)
    _check_shares(**shares)
    if not price_per_nat >= 0.0:
        msg = f"price_per_nat must not be {price_per_nat}"
        raise ValueError(msg)


def check_folds(folds: int, labels: Sequence[str], held_out: float | None) -> None:
    """Refuse what folds cannot be combined with.

    Raises
    ------
    ValueError
        If there is one fold, nothing to learn, or a share to hold out beside folds.
    """
    if folds < 2:
        msg = f"folds must be 2 or more, not {folds}"
        raise ValueError(msg)
    if not labels or held_out is not None:
        msg = "folds hold each star out once: give labels, and no held_out"
        raise ValueError(msg)
