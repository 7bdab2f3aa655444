# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A fast autoencoder that brings each spectrum to rest before it looks at it.

Two velocities move all lines of a spectrum: that of the star and that of the Earth,
which moves the lines of the atmosphere. A network that knows this need not learn each
line at each velocity. The encoder finds both velocities by cross-correlation with
templates of its own, projects the spectrum at rest onto a few components, and a small
network turns their coefficients into nodes; the decoder does the reverse.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..preparation.grid import get_grid
from ._alignment import VelocityGrid, best_shift, masked_projection, small_shift
from ._interpolate import cubic_at, running_mean

__all__ = ["AlignedAutoencoder"]

_JOINED = 16  # pixels in a point of the smooth flux
_WINDOW = 44  # points in the window that it is averaged over, about 7 Angstrom
_KNOT = 22  # points in a knot of the flux shape
_FIRST_KNOT = (_KNOT // 2 + 0.5) * _JOINED - 0.5  # pixel of the first
_SKIPPED = 3  # every third pixel at rest finds a velocity roughly
_LEAST = 0.01  # of the median flux: what a smooth flux is at least


class AlignedAutoencoder(nn.Module):
    """An autoencoder with velocities as nodes and the spectrum at rest as the others.

    The nodes are, in order: velocity of the star, velocity of the Earth, amounts of
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
        Components of the spectrum at rest, and nodes that they come from.
    n_telluric, n_shape : int
        Nodes of the atmosphere and of the flux shape.
    n_hidden : int
        Width of the two hidden layers between components and nodes.
    red : float
        Wavelength in Angstrom from which on tellurics are modelled.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.aligned_autoencoder import AlignedAutoencoder
    >>> model = AlignedAutoencoder(step=50.0, n_components=4, n_star=2).eval()
    >>> with torch.no_grad():
    ...     mean, log_variance = model.encode(torch.ones(1, 327680))
    >>> model.n_latent, tuple(mean.shape)
    (14, (1, 14))
    """

    weight: Tensor
    template: Tensor
    star_mean: Tensor
    star_basis: Tensor
    star_scale: Tensor
    telluric_template: Tensor
    telluric_mean: Tensor
    telluric_basis: Tensor
    shape_mean: Tensor
    shape_basis: Tensor
    offset: Tensor
    scale: Tensor
    error_scale: Tensor

    def __init__(
        self,
        *,
        grid: str = "harps_327680",
        step: float = 1.0,
        limit: float = 250.0,
        n_components: int = 24,
        n_star: int = 8,
        n_telluric: int = 2,
        n_shape: int = 8,
        n_hidden: int = 128,
        red: float = 5860.0,
    ) -> None:
        super().__init__()
        self.velocities = VelocityGrid(get_grid(grid), step=step, red=red)
        self.n_pixels = self.velocities.n_pixels
        self.limit = limit
        self.sizes = (1, 1, n_telluric, n_star, n_shape)
        self.n_latent = sum(self.sizes)
        n_rest, n_red = self.velocities.n_rest, self.velocities.n_red
        n_knots = self.n_pixels // (_JOINED * _KNOT)
        tensors = {
            "weight": torch.ones(n_rest),
            "template": torch.zeros(n_rest),
            "star_mean": torch.zeros(n_rest),
            "star_basis": torch.zeros(n_components, n_rest),
            "star_scale": torch.ones(n_components),
            "telluric_template": torch.zeros(n_red),
            "telluric_mean": torch.zeros(n_red),
            "telluric_basis": torch.zeros(n_telluric, n_red),
            "shape_mean": torch.zeros(n_knots),
            "shape_basis": torch.zeros(n_shape, n_knots),
            "offset": torch.zeros(self.n_latent),  # node = (value - offset) / scale
            "scale": torch.ones(self.n_latent),
            "error_scale": torch.ones(self.n_latent),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        self.to_nodes = _small_network(n_components + 1, n_hidden, 2 * n_star)
        self.from_nodes = _small_network(n_star, n_hidden, n_components)

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> "AlignedAutoencoder":
        """Build the network from the ``arguments`` of a configuration.

        Parameters
        ----------
        arguments : dict
            Arguments of the class.

        Returns
        -------
        AlignedAutoencoder
            Without components: all its templates are zero.
        """
        return cls(**arguments)

    def flatten(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Separate the lines of a spectrum from its smooth flux.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are not zero.

        Returns
        -------
        lines : Tensor, shape (n, n_pixels)
            Flux over smooth flux, less one; zero where not valid.
        valid : Tensor of bool, shape (n, n_pixels)
            The pixels that count.
        shape : Tensor, shape (n, n_knots)
            ln of the smooth flux at knots.
        known : Tensor of bool, shape (n, n_knots)
            Knots with data.
        """
        good = flux != 0.0 if valid is None else valid.bool()
        good = good & self.velocities.valid
        flux = torch.where(good, flux, torch.zeros_like(flux))
        count = good.to(flux.dtype).unflatten(1, (-1, _JOINED)).mean(2)
        joined = flux.unflatten(1, (-1, _JOINED)).mean(2)
        smooth, fraction = running_mean(joined, count, _WINDOW)
        smooth = smooth.clamp(min=_LEAST)
        full = nn.functional.interpolate(
            smooth[:, None], scale_factor=_JOINED, mode="linear"
        )[:, 0]
        lines = torch.where(good, flux / full - 1.0, torch.zeros_like(flux))
        middle = slice(_KNOT // 2, None, _KNOT)
        n_knots = self.shape_mean.shape[0]
        shape = smooth[:, middle][:, :n_knots].log()
        known = fraction[:, middle][:, :n_knots] > 0.5
        return lines.clamp(-1.5, 3.0), good, shape, known

    def find_velocity(self, lines: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-correlate with the template of the star.

        Parameters
        ----------
        lines : Tensor, shape (n, n_pixels)
            From `flatten`.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        """
        step = self.velocities.step
        known = (self.template * self.weight)[self.velocities.blue]
        few = slice(0, len(known), _SKIPPED)
        where = self.velocities.position(lines.new_zeros(len(lines)), few)
        weight = self.weight[few]
        rough, _ = best_shift(
            cubic_at(lines, where) * weight,
            self.template[few] * weight,
            int(self.limit / step / _SKIPPED),
        )
        velocity = rough * (step * _SKIPPED)
        blue = self.velocities.blue
        near = cubic_at(lines, self.velocities.position(velocity, blue))
        shift, variance = small_shift(near * self.weight[blue], known)
        return velocity + shift * step, variance * step**2

    def at_rest(
        self,
        lines: Tensor,
        valid: Tensor,
        velocity: Tensor,
        part: slice = slice(None),
    ) -> tuple[Tensor, Tensor]:
        """Resample lines at rest.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_pixels)
            From `flatten`.
        velocity : Tensor, shape (n,)
            km/s.
        part : slice, optional
            Which of the ``n_rest`` pixels.

        Returns
        -------
        lines : Tensor, shape (n, n_rest)
            On the pixels at rest; zero where there are no data.
        valid : Tensor of bool, shape (n, n_rest)
            Where there are data.
        """
        position = self.velocities.position(velocity, part)
        inside = (position >= 0) & (position <= self.n_pixels - 1)
        nearest = position.round().clamp(0, self.n_pixels - 1).long()
        good = valid.gather(1, nearest) & inside
        return cubic_at(lines, position) * good, good

    def star(self, coefficients: Tensor, part: slice = slice(None)) -> Tensor:
        """Return the lines of stars at rest.

        Parameters
        ----------
        coefficients : Tensor, shape (n, n_components)
            Of the components.
        part : slice, optional
            Which of the ``n_rest`` pixels.

        Returns
        -------
        Tensor, shape (n, n_rest)
            Flux over smooth flux, less one.
        """
        basis = self.star_basis[:, part]
        return torch.addmm(self.star_mean[part], coefficients, basis)

    def project(self, lines: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Find the coefficients of the components of spectra at rest.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_blue)
            From `at_rest`, of the blue part.

        Returns
        -------
        coefficients : Tensor, shape (n, n_components)
            Most probable values, given the spread over the training stars.
        variance : Tensor, shape (n,)
            Of a weighted pixel around the fit.
        """
        blue = self.velocities.blue
        return masked_projection(
            lines - self.star_mean[blue],
            valid,
            self.star_basis[:, blue],
            self.star_scale,
            self.weight[blue],
        )

    def find_star(
        self, lines: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find velocity and coefficients of stars.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_pixels)
            From `flatten`.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            As of `find_velocity`.
        coefficients : Tensor, shape (n, n_components)
            As of `project`.
        noise : Tensor, shape (n,)
            Variance of a weighted pixel around the fit.
        """
        velocity, variance = self.find_velocity(lines)
        rest = self.at_rest(lines, valid, velocity, self.velocities.blue)
        return velocity, variance, *self.project(*rest)

    def absorption(
        self, lines: Tensor, valid: Tensor, velocity: Tensor, coefficients: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the optical depth that the star does not explain, in the red part.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_pixels)
            From `flatten`.
        velocity : Tensor, shape (n,)
            Of the star, km/s.
        coefficients : Tensor, shape (n, n_components)
            Of the star.

        Returns
        -------
        depth : Tensor, shape (n, n_red)
            Less its smooth part; zero where there are no data.
        valid : Tensor of bool, shape (n, n_red)
            Where there are data.
        """
        still = torch.zeros_like(velocity)
        seen, good = self.at_rest(lines, valid, still, self.velocities.red)
        first, position = self.velocities.moved_red(velocity)
        moved = cubic_at(self.star(coefficients, slice(first, None)), position)
        ratio = (1.0 + seen).clamp(0.03, 3.0) / (1.0 + moved).clamp(0.03, 3.0)
        return -ratio.log() * good, good

    def encode(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the posterior of the latent nodes.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are not zero.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the Gaussian posterior.
        """
        lines, good, shape, known = self.flatten(flux, valid)
        velocity, velocity_variance, coefficients, noise = self.find_star(lines, good)
        nodes, nodes_log_variance = self.nodes(coefficients, noise)
        depth, deep = self.absorption(lines, good, velocity, coefficients)
        earth, earth_variance, amounts, depth_noise = self.atmosphere(depth, deep)
        shapes, shape_noise = masked_projection(
            shape - self.shape_mean,
            known,
            self.shape_basis,
            self.scale[-self.sizes[-1] :],
        )
        n_telluric, _, n_shape = self.sizes[2:]
        variance = [
            velocity_variance[:, None],
            earth_variance[:, None],
            depth_noise[:, None].expand(-1, n_telluric),
            nodes_log_variance.exp(),
            shape_noise[:, None].expand(-1, n_shape),
        ]
        values = [velocity[:, None], earth[:, None], amounts, nodes, shapes]
        scale = self.scale
        mean = (torch.cat(values, 1) - self.offset) / scale
        spread = torch.cat(variance, 1) * (self.error_scale / scale) ** 2
        return mean, spread.clamp(min=1e-12).log()

    def nodes(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Turn coefficients into nodes of the star.

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

    def atmosphere(
        self, depth: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the velocity of the Earth and the amounts of absorption.

        Parameters
        ----------
        depth, valid : Tensor, shape (n, n_red)
            From `absorption`.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        amounts : Tensor, shape (n, n_telluric)
            Of the components.
        noise : Tensor, shape (n,)
            Variance of the optical depth around the fit.
        """
        step = self.velocities.step
        shift, variance = best_shift(depth, self.telluric_template, int(45.0 / step))
        pixel = torch.arange(depth.shape[1], device=depth.device)
        position = pixel + shift[:, None].double()
        nearest = position.round().clamp(0, depth.shape[1] - 1).long()
        amounts, noise = masked_projection(
            cubic_at(depth, position) - self.telluric_mean,
            valid.gather(1, nearest),
            self.telluric_basis,
            self.scale[2 : 2 + self.sizes[2]],
        )
        return shift * step, variance * step**2, amounts, noise

    def decode(self, latent: Tensor) -> Tensor:
        """Return the spectra of latent vectors.

        Parameters
        ----------
        latent : Tensor, shape (n, n_latent)
            Values of the latent nodes.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux; zero outside the valid pixels of the grid.
        """
        values = latent * self.scale + self.offset
        velocity, earth, amounts, nodes, shapes = values.split(self.sizes, 1)
        grid = self.velocities
        coefficients = self.from_nodes(nodes) * self.star_scale
        lines = cubic_at(self.star(coefficients), grid.inverse(velocity[:, 0]))
        depth = torch.addmm(self.telluric_mean, amounts, self.telluric_basis)
        first, depth_at = grid.inverse_red(earth[:, 0])
        transmission = torch.exp(-cubic_at(depth, depth_at))
        smooth = torch.addmm(self.shape_mean, shapes, self.shape_basis)
        pixel = torch.arange(self.n_pixels, device=latent.device)
        knot = (pixel - _FIRST_KNOT) / (_JOINED * _KNOT)
        flux = torch.exp(cubic_at(smooth, knot.expand(len(latent), -1)))
        flux = flux * (1.0 + lines)
        seen = torch.cat([flux[:, :first], flux[:, first:] * transmission], 1)
        return torch.where(grid.valid, seen, torch.zeros_like(seen))

    def forward(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode and decode.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are not zero.

        Returns
        -------
        reconstruction : Tensor, shape (n, n_pixels)
            Decoded flux.
        mean, log_variance : Tensor, shape (n, n_latent)
            Of the posterior.
        """
        mean, log_variance = self.encode(flux, valid)
        return self.decode(mean), mean, log_variance


def _small_network(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    """Two hidden layers with smooth activations."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_out),
    )
