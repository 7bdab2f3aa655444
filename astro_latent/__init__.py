# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latent features and stellar parameters from survey spectra, as Astropy tables.

Public names are loaded when first used, so that ``import astro_latent`` costs
milliseconds and brings in neither torch nor specutils.
"""

from importlib import import_module

from .utils.lazy import lazy_names
from .utils.on_import import call_after_import

try:
    from ._version import version as __version__
except ImportError:  # a source tree that was never built
    __version__ = "0.1.dev0"

# name -> the room that defines it
_PUBLIC = {
    "conf": "._config",
    "crossmatch": ".matching",
    "decode_flags": ".spectra",
    "encode_spectra": ".pipeline",
    "evaluate_model": ".training",
    "fetch_spectra": ".pipeline",
    "get_survey": ".surveys",
    "list_models": ".models",
    "list_surveys": ".surveys",
    "load_model": ".models",
    "predict_object": ".matching",
    "predict_parameters": ".pipeline",
    "prepare_spectra": ".preparation",
    "query_object": ".surveys",
    "query_region": ".surveys",
    "read_spectra": ".spectra",
    "read_table": ".tables",
    "reconstruct_spectra": ".pipeline",
    "search_hyperparameters": ".training",
    "train_model": ".training",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)


def _register_loaders() -> None:
    import_module(".spectra.loaders", __name__).register_loaders()


# From then on, Spectrum.read of specutils finds our formats by itself.
call_after_import("specutils", _register_loaders)
