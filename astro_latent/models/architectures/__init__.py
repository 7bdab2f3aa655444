# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Architectures: one network a file.

A configuration names its network by a key of `ARCHITECTURES`; other distributions add
theirs by the entry-point group ``astro_latent.models``.
"""

from ...utils.lazy import lazy_names
from ...utils.registry import LazyRegistry

_HERE = "astro_latent.models.architectures"

#: Network classes by the name that configurations use.
ARCHITECTURES = LazyRegistry(
    "architecture",
    {
        "aligned_autoencoder": f"{_HERE}.aligned_autoencoder:AlignedAutoencoder",
        "aligned_ensemble": f"{_HERE}.aligned_ensemble:AlignedEnsemble",
        "aligned_parameters": f"{_HERE}.aligned_parameters:AlignedParameters",
        "corrected": f"{_HERE}.corrected:CorrectedNetwork",
        "deep_cnn": f"{_HERE}.starnet_rivals:DeepCNN",
        "deep_nn": f"{_HERE}.starnet_rivals:DeepNN",
        "residual_mlp": f"{_HERE}.residual_mlp:ResidualMLP",
        "shallow_cnn": f"{_HERE}.starnet_rivals:ShallowCNN",
        "shallow_nn": f"{_HERE}.starnet_rivals:ShallowNN",
        "starnet": f"{_HERE}.starnet:StarNet",
        "disentangled_autoencoder": (
            f"{_HERE}.disentangled_autoencoder:DisentangledAutoencoder"
        ),
    },
    group="astro_latent.models",
)

_LAZY = {
    "AlignedAutoencoder": ".aligned_autoencoder",
    "AlignedEnsemble": ".aligned_ensemble",
    "AlignedParameters": ".aligned_parameters",
    "CorrectedNetwork": ".corrected",
    "DeepCNN": ".starnet_rivals",
    "DeepNN": ".starnet_rivals",
    "DisentangledAutoencoder": ".disentangled_autoencoder",
    "ResidualMLP": ".residual_mlp",
    "ShallowCNN": ".starnet_rivals",
    "ShallowNN": ".starnet_rivals",
    "StarNet": ".starnet",
    "default_channels": ".disentangled_autoencoder",
}

__all__ = ["ARCHITECTURES", *_LAZY]
__getattr__, __dir__ = lazy_names(__name__, _LAZY)
