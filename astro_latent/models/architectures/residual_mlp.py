# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels from components of a spectrum, through residual blocks.

Made for real spectra of a few hundred to a few thousand pixels: the noise of each pixel
is known to the network, and components of the training set stand in for filters.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers.heads import HEADS, Head
from ..layers.process import ProcessMean
from ..layers.views import View

__all__ = ["ResidualMLP"]

_VIEWS = ({"kind": "flux"}, {"kind": "log"})


class _Block(nn.Module):
    """A residual block that begins close to doing nothing."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        nn.init.normal_(self.second.weight, std=1e-3)
        nn.init.zeros_(self.second.bias)

    def forward(self, values: Tensor) -> Tensor:
        hidden = functional.gelu(self.first(self.norm(values)))
        return values + self.second(self.drop(hidden))


class ResidualMLP(nn.Module):
    """Views of a spectrum, residual blocks, and a head.

    Parameters
    ----------
    n_pixels : int
        Length of a spectrum.
    n_labels : int
        Number of outputs.
    views : sequence of dict
        Arguments of `~astro_latent.models.layers.views.View`, one for each view.
    n_hidden : int
        Width of the blocks.
    n_blocks : int
        How many blocks.
    dropout : float
        Share of hidden units that a training step leaves out.
    n_noise : int
        Parts of the spectrum whose signal-to-noise ratio the network is told.
    posterior : {"covariance", "gaussian", "mixture", "flow"}
        The head.
    n_centres : int
        Training stars that a Gaussian process on the components remembers, whose mean
        is half of each label; 0 for the network alone. For samples of some hundred
        stars.

    Attributes
    ----------
    takes_variance : bool
        True: the variance of the pixels is a third input.
    sigma : Tensor, shape (n_pixels,)
        Buffer: error of a pixel whose variance is not known.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures.residual_mlp import ResidualMLP
    >>> network = ResidualMLP(n_pixels=50, n_labels=2, n_hidden=16, n_blocks=1)
    >>> mean, factor = network(torch.ones(3, 50))
    >>> tuple(mean.shape), tuple(factor.shape)
    ((3, 2), (3, 2, 2))
    """

    takes_variance = True
    sigma: Tensor
    noise_mean: Tensor
    noise_scale: Tensor

    def __init__(
        self,
        *,
        n_pixels: int = 343,
        n_labels: int = 3,
        views: Sequence[Mapping[str, Any]] = _VIEWS,
        n_hidden: int = 256,
        n_blocks: int = 4,
        dropout: float = 0.05,
        n_noise: int = 8,
        posterior: str = "covariance",
        n_centres: int = 0,
    ) -> None:
        super().__init__()
        self.n_pixels, self.n_outputs, self.n_hidden = n_pixels, n_labels, n_hidden
        self.n_noise = min(n_noise, n_pixels)
        made = [View(n_pixels, **view) for view in views]
        self.views = nn.ModuleList(made)
        sizes = [view.n_components for view in made]
        n_inputs = sum(sizes) + self.n_noise
        self.register_buffer("sigma", torch.full((n_pixels,), 0.01))
        self.register_buffer("noise_mean", torch.full((self.n_noise,), 2.0))
        self.register_buffer("noise_scale", torch.ones(self.n_noise))
        self.enter = nn.Linear(n_inputs, n_hidden)
        self.blocks = nn.Sequential(
            *(_Block(n_hidden, dropout) for _ in range(n_blocks))
        )
        self.norm = nn.LayerNorm(n_hidden)
        self.posterior = cast(Head, HEADS[posterior](n_hidden, n_labels))
        self.linear = nn.Linear(n_inputs, n_labels)
        self.process = ProcessMean(n_centres, sizes, n_labels) if n_centres else None

    @torch.no_grad()
    def adapt(self, flux: Tensor, valid: Tensor, variance: Tensor) -> None:
        """Set what the data decide: components, typical errors, scales.

        Parameters
        ----------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            The training set or a part of it.
        """
        self.adapt_errors(valid, variance)
        flux, sigma, valid = self._clean(flux, valid, variance)
        for view in self.views:
            cast(View, view).adapt(flux, sigma, valid)
        level = self._level(sigma, valid)
        self.noise_mean.copy_(level.mean(0))
        self.noise_scale.copy_(2.0 * level.std(0).nan_to_num(1.0).clamp_min(0.05))

    @torch.no_grad()
    def adapt_errors(self, valid: Tensor, variance: Tensor) -> None:
        """Set the errors of spectra whose errors are not known to typical ones.

        Parameters
        ----------
        valid, variance : Tensor, shape (n, n_pixels)
            Of the training set or a part of it; where nothing is known, what was set
            before stays.
        """
        known = valid & torch.isfinite(variance) & (variance > 0)
        if not known.any():
            return
        sigma = torch.where(known, variance, torch.nan).sqrt().nanmedian(0).values
        fallback = sigma.nanmedian().nan_to_num(0.01)
        self.sigma.copy_(torch.where(torch.isfinite(sigma), sigma, fallback))

    def _clean(
        self, flux: Tensor, valid: Tensor | None, variance: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Finite flux, positive errors, and which pixels count."""
        valid = torch.ones_like(flux, dtype=torch.bool) if valid is None else valid
        flux = torch.where(valid.bool(), flux, 1.0)
        if variance is None:
            return flux, self.sigma.expand_as(flux), valid.bool()
        known = torch.isfinite(variance) & (variance > 0)
        sigma = torch.where(known, variance, 1.0).sqrt()
        return flux, torch.where(known, sigma, self.sigma), valid.bool()

    def _level(self, sigma: Tensor, valid: Tensor) -> Tensor:
        """Log10 of the signal-to-noise ratio in equal parts, shape (n, n_noise)."""
        weight = torch.where(valid, sigma.clamp_min(1e-5) ** -2, 0.0)
        mean = functional.adaptive_avg_pool1d(weight[:, None], self.n_noise)[:, 0]
        return 0.5 * torch.log10(mean.clamp_min(1e-2))

    def features(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> Tensor:
        """Return the output of the last block, and what went into the first.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            False where a pixel carries nothing.
        variance : Tensor, shape (n, n_pixels), optional
            Of the flux; by default, and where it is NaN, that of the training set.

        Returns
        -------
        Tensor, shape (n, n_hidden + n_inputs)
            Features.
        """
        return self.think(self.see(flux, valid, variance))

    def see(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> Tensor:
        """Return what the views show, and the noise.

        Parameters
        ----------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            As for `features`.

        Returns
        -------
        Tensor, shape (n, n_inputs)
            Input of the layers.
        """
        flux, sigma, valid = self._clean(flux, valid, variance)
        seen = torch.cat([view(flux, sigma, valid) for view in self.views], dim=1)
        seen = 3.0 * torch.asinh(seen / 3.0)
        if self.n_noise:
            level = (self._level(sigma, valid) - self.noise_mean) / self.noise_scale
            seen = torch.cat([seen, level.clamp(-4.0, 4.0)], dim=1)
        return seen

    def think(self, seen: Tensor) -> Tensor:
        """Return the features from what `see` returned."""
        hidden = self.blocks(functional.gelu(self.enter(seen)))
        return torch.cat([self.norm(hidden), seen], dim=1)

    def sees_like(self, other: nn.Module) -> bool:
        """Tell whether another network has the same views, in the same memory."""
        if not isinstance(other, ResidualMLP):
            return False
        pairs = zip_longest(self.buffers(), other.buffers())
        return all(mine is theirs for mine, theirs in pairs)

    def components(self, features: Tensor) -> Tensor:
        """Return what is seen of spectra, without their noise.

        Parameters
        ----------
        features : Tensor, shape (n, n_hidden + n_inputs)
            From `features`.

        Returns
        -------
        Tensor, shape (n, n_components)
            Coefficients of all views.
        """
        return features[:, self.n_hidden : features.shape[1] - self.n_noise]

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Input of the head, and the part of the labels that is not from the head."""
        hidden = features[:, : self.n_hidden]
        linear = self.linear(features[:, self.n_hidden :])
        if self.process is None or not self.process.is_filled:
            return hidden, linear
        network = self.posterior(hidden)[0] + linear
        away = self.process(self.components(features)) - network
        return hidden, linear + self.process.share * away

    def head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and their spread.

        Parameters
        ----------
        features : Tensor, shape (n, n_hidden + n_inputs)
            From `features`.

        Returns
        -------
        mean : Tensor, shape (n, n_labels)
            Labels.
        spread : Tensor, shape (n, n_labels) or (n, n_labels, n_labels)
            Log-variance, or Cholesky factor of the covariance.
        """
        hidden, linear = self._split(features)
        mean, spread = self.posterior(hidden)
        return mean + linear, spread

    def log_prob(
        self,
        features: Tensor,
        labels: Tensor,
        label_variance: Tensor | None = None,
        *,
        dof: float | None = None,
    ) -> Tensor:
        """Return ln of the density at labels, shape (n,); missing ones are NaN."""
        hidden, linear = self._split(features)
        return self.posterior.log_prob(hidden, labels - linear, label_variance, dof=dof)

    def sample(
        self,
        features: Tensor,
        n_samples: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw labels, shape (n, n_samples, n_labels)."""
        hidden, linear = self._split(features)
        drawn = self.posterior.sample(hidden, n_samples, generator=generator)
        return drawn + linear[:, None]

    def forward(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return ``head(features(flux, valid, variance))``.

        Parameters
        ----------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            As for `features`.

        Returns
        -------
        mean : Tensor, shape (n, n_labels)
            Labels in the network's own units.
        spread : Tensor, shape (n, n_labels) or (n, n_labels, n_labels)
            Log-variance, or Cholesky factor of the covariance.
        """
        return self.head(self.features(flux, valid, variance))
