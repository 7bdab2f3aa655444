# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Call a function as soon as somebody imports a module, without importing it.

specutils has no entry points through which a package could offer it readers, and is too
slow to import for those who do not need it. So a finder waits for it at the head of
`sys.meta_path` (PEP 451). It lets the finders behind it find the module and puts a
loader around theirs that, once the module is there, calls the function. Finding alone,
as by `importlib.util.find_spec`, sets nothing off; when the module has been imported,
the finder is gone and the module has the loader that it would have had anyway.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["call_after_import"]


def call_after_import(name: str, function: Callable[[], None]) -> None:
    """Call a function after a module: now if that is imported, or else when it is.

    Parameters
    ----------
    name : str
        Name of the top-level module to wait for.
    function : callable
        What to call then, without arguments. If it fails, there is a warning. It runs
        while the import holds the lock of the module: what it imports must not import
        the module while being imported itself, or two threads might wait in a circle.

    Examples
    --------
    >>> from astro_latent.utils.on_import import call_after_import
    >>> call_after_import("sys", lambda: print("sys was imported long ago"))
    sys was imported long ago
    """
    finder = _Finder(name, function)
    if name in sys.modules:
        finder.call()
    elif finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)


class _Finder(MetaPathFinder):
    """Finds one module as the finders behind it would, with our loader around it."""

    def __init__(self, name: str, function: Callable[[], None]) -> None:
        self.name, self.function = name, function

    def __eq__(self, other: object) -> bool:
        """Recognise the same request, also where its module was reloaded."""
        return isinstance(other, _Finder) and self._request() == other._request()

    __hash__ = None  # type: ignore[assignment]

    def _request(self) -> tuple[str, str, str]:
        return self.name, self.function.__module__, self.function.__qualname__

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find the awaited module; know nothing of any other."""
        if fullname != self.name:
            return None
        finders = sys.meta_path
        behind = finders[finders.index(self) + 1 :] if self in finders else finders
        for finder in behind:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None

    def call(self) -> None:
        """Call the function; its failure must not spoil the module."""
        # A new list: other threads may be going through the old one.
        sys.meta_path = [finder for finder in sys.meta_path if finder != self]
        try:
            self.function()
        except Exception as error:
            from ..exceptions import AstroLatentWarning  # brings in astropy

            function = f"{self.function.__module__}.{self.function.__qualname__}"
            msg = f"{function} failed after the import of {self.name}: {error!r}"
            warnings.warn(msg, AstroLatentWarning, stacklevel=2)


class _Loader(Loader):
    """Loads the awaited module with its own loader, then has the function called."""

    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str) -> Any:  # get_data, get_source, path ...
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module as if nobody had waited for it."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.call()
