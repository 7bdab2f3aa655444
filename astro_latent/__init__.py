# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latent features and stellar parameters from survey spectra, as Astropy tables.

Public names are loaded when first used, so that ``import astro_latent`` costs
milliseconds and brings in neither torch nor specutils.
"""

from importlib import import_module
from typing import Any

from .utils._on_import import call_after_import

try:
    from ._version import version as __version__
except ImportError:  # a source tree that was never built
    __version__ = "0.1.dev0"

# name -> the room that defines it
_PUBLIC = {
    "conf": "._config",
    "crossmatch": ".tables",
    "decode_flags": ".spectra",
    "encode_spectra": ".tables",
    "fetch_spectra": ".spectra",
    "get_survey": ".archives",
    "list_models": ".models",
    "list_surveys": ".archives",
    "load_model": ".models",
    "predict_parameters": ".tables",
    "prepare_spectra": ".preparation",
    "query_object": ".archives",
    "query_region": ".archives",
    "read_spectra": ".spectra",
    "read_table": ".tables",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Load a public name from its room on first use (PEP 562)."""
    if name not in _PUBLIC:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_PUBLIC[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register_loaders() -> None:
    import_module(".spectra.loaders", __name__).register_loaders()


# From then on, Spectrum.read of specutils finds our formats by itself.
call_after_import("specutils", _register_loaders)
