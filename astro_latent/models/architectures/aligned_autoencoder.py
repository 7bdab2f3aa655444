# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A fast autoencoder that brings each spectrum to rest before it looks at it.

A network that knows of velocities need not learn each line at each velocity: the
encoder finds those of star and Earth, projects the spectrum at rest onto a few
components, and a small network turns their coefficients into latents; the decoder does
the reverse.
"""

from itertools import accumulate

import torch
from torch import Tensor

from ..layers.aligned_part import render_part
from ..layers.aligned_spectrum import AlignedSpectrum
from ..layers.components import make_network

__all__ = ["AlignedAutoencoder"]


class AlignedAutoencoder(AlignedSpectrum):
    """An autoencoder with velocities and the spectrum at rest as its latents.

    The latents are, in order: velocity of the star, velocity of the Earth, amounts of
    telluric absorption, the star, the flux shape. All have about unit variance over
    the training spectra.

    Parameters
    ----------
    grid : str
        Name of the registered grid of the spectra, with linear spacing.
    step : float
        Pixel at rest, km/s.
    limit : float
        Largest velocity of a star, km/s.
    n_components, n_star : int
        Components of the spectrum at rest, and latents that they come from.
    n_telluric, n_shape : int
        Latents of the atmosphere and of the flux shape.
    n_hidden : int
        Width of the two hidden layers between components and latents.
    red : float
        Wavelength in Angstrom from which on tellurics are modelled.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures import AlignedAutoencoder
    >>> model = AlignedAutoencoder(step=50.0, n_components=4, n_star=2).eval()
    >>> with torch.no_grad():
    ...     mean, log_variance = model.encode(torch.ones(1, 327680))
    >>> model.n_latent, tuple(mean.shape)
    (14, (1, 14))
    """

    def __init__(
        self,
        *,
        grid: str = "harps_327680",
        step: float = 1.5,
        limit: float = 250.0,
        n_components: int = 24,
        n_star: int = 8,
        n_telluric: int = 2,
        n_shape: int = 8,
        n_hidden: int = 128,
        red: float = 5860.0,
    ) -> None:
        super().__init__(
            grid=grid,
            step=step,
            limit=limit,
            n_components=n_components,
            n_star=n_star,
            n_telluric=n_telluric,
            n_shape=n_shape,
            red=red,
        )
        self.to_nodes = make_network(n_components + 1, n_hidden, 2 * n_star)
        self.from_nodes = make_network(n_star, n_hidden, n_components)

    @property
    def latent_groups(self) -> dict[str, list[int]]:
        """Which latents are of what: velocities, atmosphere, star, flux shape."""
        names = ("star_velocity", "earth_velocity", "telluric", "star", "shape")
        ends = accumulate(self.sizes)
        groups = zip(names, self.sizes, ends, strict=True)
        return {name: list(range(end - size, end)) for name, size, end in groups}

    def encode(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the posterior of the latents.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the Gaussian posterior.
        """
        lines, log_valid, smooth, smooth_valid = self.flatten(flux, valid)
        velocity, velocity_variance, coefficients, noise = self.find_star(
            lines, log_valid
        )
        star, star_log_variance = self.encode_star(coefficients, noise)
        depth = self.measure_depth(lines, velocity, coefficients)
        earth, earth_variance, amounts, depth_noise = self.find_atmosphere(
            depth, log_valid[:, self.grid.red]
        )
        both = self.predict_smooth(velocity, self.decode_star(star), earth, amounts)
        shapes, shape_noise = self.find_shape(smooth - both, smooth_valid)
        n_telluric, _, n_shape = self.sizes[2:]
        variance = [
            velocity_variance[:, None],
            earth_variance[:, None],
            depth_noise[:, None].expand(-1, n_telluric),
            star_log_variance.exp(),
            shape_noise[:, None].expand(-1, n_shape),
        ]
        values = [velocity[:, None], earth[:, None], amounts, star, shapes]
        mean = (torch.cat(values, 1) - self.offset) / self.scale
        spread = torch.cat(variance, 1) * (self.error_scale / self.scale) ** 2
        return mean.to(flux.dtype), spread.clamp(min=1e-12).log().to(flux.dtype)

    def encode_star(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Turn coefficients into latents of the star.

        Parameters
        ----------
        coefficients : Tensor, shape (n, n_components)
            From `project`.
        noise : Tensor, shape (n,)
            Variance of a weighted pixel.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_star)
            Of the posterior.
        """
        scaled = coefficients / self.star_scale
        level = 0.5 * noise.clamp(min=1e-8).log()[:, None] + 4.0
        mean, log_variance = self.to_nodes(torch.cat([scaled, level], 1)).chunk(2, 1)
        return mean, log_variance.clamp(-12.0, 2.0)

    def decode_star(self, star: Tensor) -> Tensor:
        """Turn latents of the star into coefficients.

        Parameters
        ----------
        star : Tensor, shape (n, n_star)
            From `encode_star`.

        Returns
        -------
        Tensor, shape (n, n_components)
            Of the components.
        """
        return self.from_nodes(star) * self.star_scale

    def decode(self, latent: Tensor) -> Tensor:
        """Return the spectra of latent vectors.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux; zero outside the valid pixels of the grid.
        """
        return self.render(*self._values(latent))

    def decode_part(self, latent: Tensor, first: int, last: int) -> Tensor:
        """Return some pixels of the spectra of latent vectors.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Latent vectors.
        first, last : int
            The pixels from ``first`` to before ``last``.

        Returns
        -------
        Tensor, shape (n, last - first)
            What `decode` gives there.
        """
        if last - first > self.n_pixels // 4:  # all at once is as fast, and the same
            return self.decode(latent)[:, first:last]
        return render_part(self, self._values(latent), first, last)

    def _values(self, latent: Tensor) -> tuple[Tensor, ...]:
        """Turn latents into what a spectrum is rendered from."""
        values = latent * self.scale + self.offset
        velocity, earth, amounts, star, shapes = values.split(self.sizes, 1)
        return velocity[:, 0], self.decode_star(star), earth[:, 0], amounts, shapes

    def forward(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode and decode.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        reconstruction : Tensor, shape (n, n_pixels)
            Decoded flux.
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        mean, log_variance = self.encode(flux, valid)
        return self.decode(mean), mean, log_variance
