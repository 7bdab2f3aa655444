# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Names of a package that are loaded when they are first used (PEP 562)."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, table: dict[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` of a package whose names are loaded late.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    table : dict of str to str
        Name to the module that defines it, relative to the package or absolute.

    Returns
    -------
    getattr, dir : callable
        To be called ``__getattr__`` and ``__dir__``.

    Examples
    --------
    >>> from astro_latent.utils.lazy import lazy_names
    >>> getattr_, dir_ = lazy_names("astro_latent.utils", {"LazyRegistry": ".registry"})
    >>> getattr_("LazyRegistry").__name__
    'LazyRegistry'
    """

    def load(name: str) -> Any:
        if name not in table:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(table[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    def public() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return load, public
