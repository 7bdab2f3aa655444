# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One line for what holds arrays, so that a notebook is not filled with numbers."""

import reprlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["short_repr"]

_FEW = 8  # numbers of an array that are still shown
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
_short.maxlist = _short.maxtuple = _short.maxdict = 4


def short_repr(self: "DataclassInstance") -> str:
    """Represent a dataclass in one line: long arrays by kind and shape.

    Parameters
    ----------
    self : dataclass instance
        It goes into the class as ``__repr__ = short_repr``.

    Returns
    -------
    str
        Such as ``Latents(mean=float32 (7, 48), ...)``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from astro_latent.utils.short_repr import short_repr
    >>> @dataclass(repr=False)
    ... class Nodes:
    ...     mean: np.ndarray
    ...     name: str
    ...     __repr__ = short_repr
    >>> Nodes(np.zeros((7, 48)), "teff")
    Nodes(mean=float64 (7, 48), name='teff')
    """
    values = {field.name: getattr(self, field.name) for field in fields(self)}
    shown = (f"{name}={_spell(value)}" for name, value in values.items())
    return f"{type(self).__name__}({', '.join(shown)})"


def _spell(value: object) -> str:
    if isinstance(value, np.ndarray):
        if value.ndim != 1 or value.size > _FEW:
            return f"{value.dtype} {value.shape}"
        return np.array2string(value, precision=4, separator=", ")
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if is_dataclass(value):
        return repr(value)
    return " ".join(_short.repr(value).split())
