# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A fast autoencoder that brings each spectrum to rest before it looks at it.

Two velocities move all lines of a spectrum: that of the star and that of the Earth,
which moves the lines of the atmosphere. A network that knows this need not learn each
line at each velocity. The encoder finds both velocities by cross-correlation with
templates of its own, projects the spectrum at rest onto a few components, and a small
network turns their coefficients into nodes; the decoder does the reverse.
"""

import torch
from torch import Tensor, nn

from ...preparation.grid import get_grid
from ..layers.alignment import best_shift, masked_projection, small_shift
from ..layers.layer import Layer
from ..layers.log_grid import JOINED, LogGrid, from_points, moved, moved_mask
from ..layers.smooth_flux import FlatSpectra, average_to_knots, flatten

__all__ = ["AlignedAutoencoder"]

_ROUGH = 4  # pixels joined to find a velocity roughly
_FASTEST_EARTH = 45.0  # km/s, with a margin


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
    >>> from astro_latent.models.architectures import AlignedAutoencoder
    >>> model = AlignedAutoencoder(step=50.0, n_components=4, n_star=2).eval()
    >>> with torch.no_grad():
    ...     mean, log_variance = model.encode(torch.ones(1, 327680))
    >>> model.n_latent, tuple(mean.shape)
    (14, (1, 14))
    """

    weight: Tensor
    star_scale: Tensor
    shape_mean: Tensor
    shape_basis: Tensor
    offset: Tensor
    scale: Tensor
    error_scale: Tensor

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
        super().__init__()
        self.grid = LogGrid(get_grid(grid), step=step, red=red)
        self.n_pixels = self.grid.n_pixels
        self.limit = limit
        self.sizes = (1, 1, n_telluric, n_star, n_shape)
        self.n_latent = self.n_outputs = sum(self.sizes)
        self.star = Layer(n_components, self.grid.n)
        self.air = Layer(n_telluric, self.grid.n_red)
        tensors = {
            "weight": torch.ones(self.grid.n_blue),
            "star_scale": torch.ones(n_components),
            "shape_mean": torch.zeros(self.grid.n_knots),
            "shape_basis": torch.zeros(n_shape, self.grid.n_knots),
            "offset": torch.zeros(self.n_latent),  # node = (value - offset) / scale
            "scale": torch.ones(self.n_latent),
            "error_scale": torch.ones(self.n_latent),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        self.to_nodes = _small_network(n_components + 1, n_hidden, 2 * n_star)
        self.from_nodes = _small_network(n_star, n_hidden, n_components)

    def flatten(self, flux: Tensor, valid: Tensor | None = None) -> FlatSpectra:
        """Separate the lines of a spectrum from its smooth flux.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        FlatSpectra
            On pixels of equal velocity.
        """
        if valid is None:
            valid = (flux != 0.0) & flux.isfinite()
        return flatten(self.grid, flux, valid.bool() & self.grid.valid)

    def find_velocity(self, lines: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-correlate with the template of the star.

        Parameters
        ----------
        lines : Tensor, shape (n, n_log)
            From `flatten`.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        """
        blue = self.grid.blue
        return self._align(
            lines[:, blue], self.star.template[blue], self.limit, self.weight
        )

    def _align(
        self, seen: Tensor, template: Tensor, limit: float, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Find a velocity and its variance: roughly on joined pixels, then exactly."""
        step = self.grid.step
        known = template * weight
        most = max(1, int(limit / step / _ROUGH))
        rough, _ = best_shift(_joined(seen), _joined(known * weight), most)
        near = moved(seen, rough * _ROUGH) * weight
        shift, variance = small_shift(near, known)
        return self.grid.velocity(rough * _ROUGH + shift), variance * step**2

    def project(self, lines: Tensor, good: Tensor) -> tuple[Tensor, Tensor]:
        """Find the coefficients of the components of spectra at rest.

        Parameters
        ----------
        lines, good : Tensor, shape (n, n_blue)
            At rest, of the blue part.

        Returns
        -------
        coefficients : Tensor, shape (n, n_components)
            Most probable values, given the spread over the training stars.
        variance : Tensor, shape (n,)
            Of a weighted pixel around the fit.
        """
        blue = self.grid.blue
        return masked_projection(
            lines - self.star.mean[blue],
            good,
            self.star.basis[:, blue],
            self.star_scale,
            self.weight,
        )

    def find_star(
        self, lines: Tensor, good: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find velocity and coefficients of stars.

        Parameters
        ----------
        lines, good : Tensor, shape (n, n_log)
            From `flatten`.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        coefficients : Tensor, shape (n, n_components)
            As of `project`.
        noise : Tensor, shape (n,)
            Variance of a weighted pixel around the fit.
        """
        velocity, variance = self.find_velocity(lines)
        pixels, blue = self.grid.pixels(velocity), self.grid.blue
        rest = moved(lines, pixels, blue), moved_mask(good, pixels, blue)
        return velocity, variance, *self.project(*rest)

    def absorption(
        self, lines: Tensor, velocity: Tensor, coefficients: Tensor
    ) -> Tensor:
        """Return the optical depth that the star does not explain, in the red part.

        Parameters
        ----------
        lines : Tensor, shape (n, n_log)
            From `flatten`.
        velocity : Tensor, shape (n,)
            Of the star, km/s.
        coefficients : Tensor, shape (n, n_components)
            Of the star.

        Returns
        -------
        Tensor, shape (n, n_red)
            Less its smooth part; small where there are no data.
        """
        red = self.grid.red
        margin = int(self.limit / self.grid.step) + JOINED
        wider = slice(red.start - margin, None)
        star = moved(
            self.star.lines(coefficients, wider),
            -self.grid.pixels(velocity),
            slice(margin, None),
        )
        ratio = (1.0 + lines[:, red]).clamp(0.03, 3.0) / (1.0 + star).clamp(0.03, 3.0)
        return -ratio.log()

    def atmosphere(
        self, depth: Tensor, good: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the velocity of the Earth and the amounts of absorption.

        Parameters
        ----------
        depth, good : Tensor, shape (n, n_red)
            From `absorption`, and where there are data.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        amounts : Tensor, shape (n, n_telluric)
            Of the components.
        noise : Tensor, shape (n,)
            Variance of the optical depth around the fit.
        """
        depth = depth * good
        template = self.air.template
        velocity, variance = self._align(
            depth, template, _FASTEST_EARTH, torch.ones_like(template)
        )
        pixels = self.grid.pixels(velocity)
        amounts, noise = masked_projection(
            moved(depth, pixels) - self.air.mean,
            moved_mask(good, pixels),
            self.air.basis,
            self.scale[2 : 2 + self.sizes[2]],
        )
        return velocity, variance, amounts, noise

    def layers(
        self, velocity: Tensor, coefficients: Tensor, earth: Tensor, amounts: Tensor
    ) -> Tensor:
        """Return what star and atmosphere give to the ln of the smooth flux.

        Parameters
        ----------
        velocity, earth : Tensor, shape (n,)
            km/s.
        coefficients, amounts : Tensor, shape (n, n_components), (n, n_telluric)
            Of star and atmosphere.

        Returns
        -------
        Tensor, shape (n, n_points)
            As observed.
        """
        pixels = self.grid.pixels(velocity) / JOINED
        smooth = moved(self.star.smooth(coefficients), -pixels)
        pixels = self.grid.pixels(earth) / JOINED
        air = moved(self.air.smooth(amounts), -pixels)
        red = self.grid.red_points.start
        return torch.cat([smooth[:, :red], smooth[:, red:] - air], 1)

    def find_shape(self, smooth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Find the components of the flux shape.

        Parameters
        ----------
        smooth, known : Tensor, shape (n, n_points)
            ln of the smooth flux, less the layers, and where there are data.

        Returns
        -------
        shapes : Tensor, shape (n, n_shape)
            Of the components.
        noise : Tensor, shape (n,)
            Variance of a knot around the fit.
        """
        knots, there = average_to_knots(smooth, known)
        return masked_projection(
            knots - self.shape_mean,
            there,
            self.shape_basis,
            self.scale[-self.sizes[-1] :],
        )

    def encode(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the posterior of the latent nodes.

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
        lines, good, smooth, known = self.flatten(flux, valid)
        velocity, velocity_variance, coefficients, noise = self.find_star(lines, good)
        nodes, nodes_log_variance = self.nodes(coefficients, noise)
        depth = self.absorption(lines, velocity, coefficients)
        earth, earth_variance, amounts, depth_noise = self.atmosphere(
            depth, good[:, self.grid.red]
        )
        layers = self.layers(velocity, self.coefficients(nodes), earth, amounts)
        shapes, shape_noise = self.find_shape(smooth - layers, known)
        n_telluric, _, n_shape = self.sizes[2:]
        variance = [
            velocity_variance[:, None],
            earth_variance[:, None],
            depth_noise[:, None].expand(-1, n_telluric),
            nodes_log_variance.exp(),
            shape_noise[:, None].expand(-1, n_shape),
        ]
        values = [velocity[:, None], earth[:, None], amounts, nodes, shapes]
        mean = (torch.cat(values, 1) - self.offset) / self.scale
        spread = torch.cat(variance, 1) * (self.error_scale / self.scale) ** 2
        return mean.to(flux.dtype), spread.clamp(min=1e-12).log().to(flux.dtype)

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

    def coefficients(self, nodes: Tensor) -> Tensor:
        """Turn nodes of the star into coefficients.

        Parameters
        ----------
        nodes : Tensor, shape (n, n_star)
            From `nodes`.

        Returns
        -------
        Tensor, shape (n, n_components)
            Of the components.
        """
        return self.from_nodes(nodes) * self.star_scale

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
        coefficients, grid = self.coefficients(nodes), self.grid
        star = self.star.lines(coefficients)
        flux = moved(_sharp(star), -grid.pixels(velocity[:, 0]), fine=True) + 1.0
        depth = _sharp(self.air.lines(amounts))
        depth = moved(depth, -grid.pixels(earth[:, 0]), fine=True)
        knots = torch.addmm(self.shape_mean, shapes, self.shape_basis)
        smooth = grid.from_knots(knots) + self.layers(
            velocity[:, 0], coefficients, earth[:, 0], amounts
        )
        log_rest = from_points(smooth, fine=True)
        red = 2 * grid.red.start
        log_rest = torch.cat([log_rest[:, :red], log_rest[:, red:] - depth], 1)
        return grid.on_pixels(flux * log_rest.exp())

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


def _joined(rows: Tensor) -> Tensor:
    """Join pixels to their means; what is left at the end is dropped."""
    whole = rows.shape[-1] // _ROUGH * _ROUGH
    return rows[..., :whole].unflatten(-1, (-1, _ROUGH)).mean(-1)


def _sharp(rows: Tensor) -> Tensor:
    """Turn means over pixels into values at their middles, to second order."""
    middle = rows[:, 1:-1]
    bend = rows[:, 2:] - 2.0 * middle + rows[:, :-2]
    return torch.cat([rows[:, :1], middle - bend / 24.0, rows[:, -1:]], 1)


def _small_network(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    """Two hidden layers with smooth activations."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_hidden),
        nn.SiLU(),
        nn.Linear(n_hidden, n_out),
    )
