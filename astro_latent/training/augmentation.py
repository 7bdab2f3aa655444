# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make training spectra as bad as observed ones can be, each time anew."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..preparation import SpectralGrid
from ..utils.physics import SPEED_OF_LIGHT

__all__ = ["Augmentation", "Augmenter"]

_FWHM = 2.3548200450309493


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is done to training spectra, beyond what they are.

    Parameters
    ----------
    noise : float, optional
        Noise of up to this many times each pixel's own error is added to seven spectra
        in ten, and their variance made to match.
    noise_length : int, optional
        Pixels over which added noise is correlated.
    missing : float, optional
        Share of the spectra that lose a stretch of up to a quarter of their pixels.
    velocity : float, optional
        Standard deviation of a shift, km/s.
    continuum : float, optional
        Standard deviation of a smooth factor's logarithm, of second degree.
    resolution : float, optional
        Largest loss of resolving power, as a share of it.
    """

    noise: float = 0.0
    noise_length: int = 1
    missing: float = 0.0
    velocity: float = 0.0
    continuum: float = 0.0
    resolution: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, float | int | np.number):
                msg = f"the augmentation {name} must be a number, not {value!r}"
                raise TypeError(msg)
            if value < 0 or (name in ("missing", "resolution") and value >= 1):
                msg = f"the augmentation {name} must not be {value}"
                raise ValueError(msg)


class Augmenter:
    """Carries an augmentation out on batches.

    Parameters
    ----------
    augmentation : Augmentation
        What to do.
    grid : SpectralGrid
        Where the pixels lie.
    """

    def __init__(self, augmentation: Augmentation, grid: SpectralGrid) -> None:
        self.options = augmentation
        wavelength = np.asarray(grid.wavelength)
        step = np.gradient(wavelength)
        per_velocity = wavelength / step / SPEED_OF_LIGHT
        self.pixels_per_velocity = torch.tensor(per_velocity, dtype=torch.float32)
        fwhm = np.median(wavelength / step) / grid.resolving_power
        self.line_width = float(fwhm / _FWHM)  # pixels

    def __call__(
        self, flux: Tensor, valid: Tensor, variance: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Change spectra.

        Parameters
        ----------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            Prepared spectra; not changed in place.
        generator : torch.Generator
            Source of all randomness.

        Returns
        -------
        flux, valid, variance : Tensor, shape (n, n_pixels)
            As if observed under other conditions.
        """
        options = self.options
        if options.resolution:
            flux = self._blur(flux, valid, generator)
        if options.velocity:
            flux, valid, variance = self._shift(flux, valid, variance, generator)
        if options.continuum:
            flux, variance = self._bend(flux, variance, generator)
        if options.noise:
            flux, variance = self._add_noise(flux, variance, generator)
        if options.missing:
            valid = self._drop(valid, generator)
        return torch.where(valid, flux, 0.0), valid, variance

    def _add_noise(
        self, flux: Tensor, variance: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        amount = self.options.noise * _uniform(len(flux), generator)
        amount = amount * (_uniform(len(flux), generator) < 0.7)
        length = self.options.noise_length
        noise = torch.randn(
            flux.shape[0], flux.shape[1] + length - 1, generator=generator
        )
        if length > 1:  # a running mean, brought back to unit variance
            noise = functional.avg_pool1d(noise[:, None], length, 1)[:, 0]
            noise = noise * math.sqrt(length)
        sigma = variance.nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0).sqrt()
        return flux + amount * sigma * noise, variance * (1.0 + amount**2)

    def _drop(self, valid: Tensor, generator: torch.Generator) -> Tensor:
        count, n_pixels = valid.shape
        hit = _uniform(count, generator) < self.options.missing
        length = 0.25 * n_pixels * _uniform(count, generator)
        first = (n_pixels + length) * _uniform(count, generator) - length
        pixel = torch.arange(n_pixels)
        kept = valid & ~(hit & (pixel >= first) & (pixel < first + length))
        # a spectrum without a pixel teaches nothing
        return torch.where(kept.any(1, keepdim=True), kept, valid)

    def _shift(
        self, flux: Tensor, valid: Tensor, variance: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        velocity = torch.randn(len(flux), 1, generator=generator)
        shift = self.options.velocity * velocity * self.pixels_per_velocity
        at = torch.arange(flux.shape[1]) - shift
        inside = (at >= 0) & (at <= flux.shape[1] - 1)
        left = at.floor().clamp(0, flux.shape[1] - 2).long()
        weight = (at - left).clamp(0.0, 1.0)

        def mix(values: Tensor) -> Tensor:
            return torch.lerp(
                values.gather(1, left), values.gather(1, left + 1), weight
            )

        both = valid.gather(1, left) & valid.gather(1, left + 1) & inside
        return mix(flux), both, mix(variance)

    def _bend(
        self, flux: Tensor, variance: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1.0, 1.0, flux.shape[1])
        shapes = torch.stack([x, 1.5 * x**2 - 0.5])
        amounts = self.options.continuum * torch.randn(
            len(flux), 2, generator=generator
        )
        factor = torch.exp(amounts @ shapes)
        return flux * factor, variance * factor**2

    def _blur(self, flux: Tensor, valid: Tensor, generator: torch.Generator) -> Tensor:
        loss = self.options.resolution * _uniform(len(flux), generator)
        sigma = self.line_width * torch.sqrt((1.0 - loss) ** -2 - 1.0) + 1e-3
        reach = max(1, math.ceil(3.0 * float(sigma.max())))
        offset = torch.arange(-reach, reach + 1)
        kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
        kernel = (kernel / kernel.sum(1, keepdim=True))[:, None]

        def smooth(values: Tensor) -> Tensor:
            padded = functional.pad(values, (reach, reach))[None]
            return functional.conv1d(padded, kernel, groups=len(flux))[0]

        weight = valid.to(flux.dtype)
        seen = smooth(torch.where(valid, flux, 0.0)) / smooth(weight).clamp_min(1e-6)
        return torch.where(valid, seen, flux)


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, 1, generator=generator)
