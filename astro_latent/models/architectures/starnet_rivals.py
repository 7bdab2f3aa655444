# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The four networks that StarNet was compared with: flat or deep, with filters or not.

Sizes are those of the talk by S. Fabbro (2017) in which all five were trained on the
same spectra. Filter and pooling lengths are those of StarNet, which it does not state
for the others.
"""

from collections.abc import Sequence

from .starnet import StarNet

__all__ = ["DeepCNN", "DeepNN", "ShallowCNN", "ShallowNN"]


class ShallowNN(StarNet):
    """Two dense layers, no filters.

    Parameters
    ----------
    n_pixels, n_labels, n_hidden, heteroscedastic, posterior
        As for `StarNet`.

    Examples
    --------
    >>> from astro_latent.models.architectures import ShallowNN
    >>> sum(p.numel() for p in ShallowNN(n_pixels=7214, n_labels=3).parameters())
    3760131
    """

    def __init__(
        self,
        *,
        n_pixels: int = 7214,
        n_labels: int = 3,
        n_hidden: Sequence[int] = (512, 128),
        heteroscedastic: bool = False,
        posterior: str | None = None,
    ) -> None:
        super().__init__(
            n_pixels=n_pixels,
            n_labels=n_labels,
            n_filters=(),
            pool_length=1,
            n_hidden=n_hidden,
            heteroscedastic=heteroscedastic,
            posterior=posterior,
        )


class DeepNN(ShallowNN):
    """Six dense layers, no filters.

    Parameters
    ----------
    n_pixels, n_labels, n_hidden, heteroscedastic, posterior
        As for `StarNet`.
    """

    def __init__(
        self,
        *,
        n_pixels: int = 7214,
        n_labels: int = 3,
        n_hidden: Sequence[int] = (2048, 1024, 512, 256, 128, 32),
        heteroscedastic: bool = False,
        posterior: str | None = None,
    ) -> None:
        super().__init__(
            n_pixels=n_pixels,
            n_labels=n_labels,
            n_hidden=n_hidden,
            heteroscedastic=heteroscedastic,
            posterior=posterior,
        )


class ShallowCNN(StarNet):
    """One convolution and one dense layer.

    Parameters
    ----------
    n_pixels, n_labels, n_filters, filter_length, pool_length, n_hidden
        As for `StarNet`.
    heteroscedastic, posterior
        As for `StarNet`.
    """

    def __init__(
        self,
        *,
        n_pixels: int = 7214,
        n_labels: int = 3,
        n_filters: Sequence[int] = (16,),
        filter_length: int = 8,
        pool_length: int = 4,
        n_hidden: Sequence[int] = (128,),
        heteroscedastic: bool = False,
        posterior: str | None = None,
    ) -> None:
        super().__init__(
            n_pixels=n_pixels,
            n_labels=n_labels,
            n_filters=n_filters,
            filter_length=filter_length,
            pool_length=pool_length,
            n_hidden=n_hidden,
            heteroscedastic=heteroscedastic,
            posterior=posterior,
        )


class DeepCNN(ShallowCNN):
    """Five convolutions and three dense layers.

    Parameters
    ----------
    n_pixels, n_labels, n_filters, filter_length, pool_length, n_hidden
        As for `StarNet`.
    heteroscedastic, posterior
        As for `StarNet`.
    """

    def __init__(
        self,
        *,
        n_pixels: int = 7214,
        n_labels: int = 3,
        n_filters: Sequence[int] = (16, 32, 32, 64, 64),
        filter_length: int = 8,
        pool_length: int = 4,
        n_hidden: Sequence[int] = (1024, 512, 256),
        heteroscedastic: bool = False,
        posterior: str | None = None,
    ) -> None:
        super().__init__(
            n_pixels=n_pixels,
            n_labels=n_labels,
            n_filters=n_filters,
            filter_length=filter_length,
            pool_length=pool_length,
            n_hidden=n_hidden,
            heteroscedastic=heteroscedastic,
            posterior=posterior,
        )
