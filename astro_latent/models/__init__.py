# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Models: prepared arrays become latents and labels; torch lives here.

Weights are folders of data, see `list_models`. What needs torch is imported on first
use.
"""

from typing import TYPE_CHECKING

from ..utils.lazy import lazy_names
from .architectures import ARCHITECTURES
from .locate import ModelLike, find_weights, list_models

if TYPE_CHECKING:
    from .base import SpectralModel as SpectralModel
    from .check import check_reference as check_reference
    from .features import hidden_vectors as hidden_vectors
    from .networks import LabelNetwork as LabelNetwork
    from .networks import LatentNetwork as LatentNetwork
    from .pretrained import load_model as load_model
    from .protocols import LabelModel as LabelModel
    from .protocols import LatentModel as LatentModel
    from .saving import save_weights as save_weights

_LAZY = {
    "SpectralModel": ".base",
    "LabelModel": ".protocols",
    "LabelNetwork": ".networks",
    "LatentModel": ".protocols",
    "LatentNetwork": ".networks",
    "check_reference": ".check",
    "hidden_vectors": ".features",
    "load_model": ".pretrained",
    "save_weights": ".saving",
}

__all__ = ["ARCHITECTURES", "ModelLike", "find_weights", "list_models", *_LAZY]
__getattr__, __dir__ = lazy_names(__name__, _LAZY)
