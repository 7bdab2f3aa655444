# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The five networks that StarNet was compared with by its authors, as experiments.

Filters and nodes are those of S. Fabbro's slides on StarNet (2017). Their pooling is
not stated there: StarNet's single pool of 4 is taken where it is affordable.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from astro_latent.models.architectures.starnet import StarNet


class PooledStarNet(StarNet):
    """StarNet with a max-pool after each convolution instead of one at the end."""

    def __init__(self, *, pools: Sequence[int], **arguments) -> None:
        total = 1
        for pool in pools:
            total *= pool
        super().__init__(pool_length=total, **arguments)
        self.pools = tuple(pools)

    def convolve(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the flattened output of the convolutions, see `StarNet.convolve`."""
        signal = (flux - self.pixel_mean) / self.pixel_scale
        if valid is not None:
            signal = torch.where(valid.bool(), signal, torch.zeros_like(signal))
        signal = signal.unsqueeze(-2)
        for layer, pool in zip(self.convolutions, self.pools, strict=True):
            signal = functional.relu(layer(functional.pad(signal, self._padding)))
            signal = functional.max_pool1d(signal, pool)
        return signal.flatten(-2)


#: Name, class and arguments. With a single pool of 4 the deep CNN would have 119
#: million parameters and cost fifty times StarNet's time on one core.
NETWORKS = {
    "shallow NN": (
        StarNet,
        {"n_filters": (), "pool_length": 1, "n_hidden": (512, 128)},
    ),
    "deep NN": (
        StarNet,
        {
            "n_filters": (),
            "pool_length": 1,
            "n_hidden": (2048, 1024, 512, 256, 128, 32),
        },
    ),
    "shallow CNN": (StarNet, {"n_filters": (16,), "n_hidden": (128,)}),
    "StarNet": (StarNet, {"n_filters": (4, 16), "n_hidden": (256, 128)}),
    "deep CNN": (
        PooledStarNet,
        {
            "n_filters": (16, 32, 32, 64, 64),
            "pools": (4, 2, 2, 2, 2),
            "n_hidden": (1024, 512, 256),
        },
    ),
}


def make_network(name: str, *, n_pixels: int, n_labels: int) -> StarNet:
    """Return one of the networks with random weights."""
    network, arguments = NETWORKS[name]
    return network(n_pixels=n_pixels, n_labels=n_labels, **arguments)
