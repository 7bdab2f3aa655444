# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 4: prepared arrays become latents and parameters; torch lives here.

Weights are folders of data, see `list_models`. What needs torch is imported on first
use.
"""

from importlib import import_module
from typing import Any

from ..utils._registry import LazyRegistry
from .locate import find_weights, list_models

__all__ = [
    "ARCHITECTURES",
    "SpectralModel",
    "check_reference",
    "find_weights",
    "list_models",
    "load_model",
    "save_weights",
]

#: Network classes by the name that configurations use.
ARCHITECTURES = LazyRegistry(
    "architecture",
    {
        "aligned_autoencoder": (
            "astro_latent.models.aligned_autoencoder:AlignedAutoencoder"
        ),
        "aligned_parameters": (
            "astro_latent.models.aligned_parameters:AlignedParameters"
        ),
        "starnet": "astro_latent.models.starnet:StarNet",
        "disentangled_autoencoder": (
            "astro_latent.models.disentangled_autoencoder:DisentangledAutoencoder"
        ),
    },
    group="astro_latent.models",
)

_LAZY = {
    "SpectralModel": ".base",
    "check_reference": ".reference",
    "load_model": ".pretrained",
    "save_weights": ".saving",
}


def __getattr__(name: str) -> Any:
    """Load a name that needs torch on first use (PEP 562)."""
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
