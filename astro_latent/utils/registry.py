# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Lazy tables of named things: surveys, file formats, architectures."""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from ..exceptions import UnknownNameError

__all__ = ["LazyRegistry"]


class LazyRegistry:
    """A table of names whose objects are imported on first use.

    Parameters
    ----------
    kind : str
        What is registered, for error messages.
    table : dict of str to str, or callable
        Name to ``"module:attribute"``, or a function that returns such a table when it
        is first needed.
    group : str, optional
        Entry-point group through which other distributions add names.
    """

    def __init__(
        self,
        kind: str,
        table: dict[str, str] | Callable[[], dict[str, str]],
        group: str | None = None,
    ) -> None:
        self.kind = kind
        self._source = table
        self._group = group
        self._table: dict[str, object] | None = None

    def _targets(self) -> dict[str, object]:
        if self._table is None:
            source = self._source
            self._table = dict(source() if callable(source) else source)
            points = _find_points().select(group=self._group) if self._group else ()
            for point in points:
                self.register(point.name, point.value)
        return self._table

    def register(self, name: str, target: object) -> None:
        """Add a name; a name that is taken raises instead of being replaced.

        Parameters
        ----------
        name : str
            The new name.
        target : str or object
            ``"module:attribute"``, or the object itself.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        table = self._targets()
        if name in table:
            taken = table[name]
            msg = f"the {self.kind} {name!r} is already registered as {taken}"
            raise ValueError(msg)
        table[name] = target

    def __getitem__(self, name: str) -> Any:
        targets = self._targets()
        if not isinstance(name, str) or name not in targets:
            raise UnknownNameError(self.kind, name, list(targets))
        target = targets[name]
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets())

    def __len__(self) -> int:
        return len(self._targets())

    def __contains__(self, name: object) -> bool:
        return name in self._targets()


@cache
def _find_points() -> Any:
    """Look once through all distributions that are installed, for all registries."""
    return entry_points()
