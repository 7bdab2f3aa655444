# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Star and atmosphere in a spectrum, each at its own velocity: found, and rendered.

Two velocities shift all lines of a spectrum: that of the star and that of the Earth,
which shifts the lines of the atmosphere. Both are found by cross-correlation with
templates; the spectrum at rest is projected onto components. Nothing here is trained
by gradients.
"""

import torch
from torch import Tensor, nn

from ...preparation.grid import get_grid
from .alignment import find_velocity
from .components import Components, masked_projection
from .interpolate import sharpen, shift_mask, shift_rows
from .log_grid import (
    PIXELS_PER_POINT,
    FlatSpectra,
    LogGrid,
    average_to_knots,
    flatten,
    interpolate_points,
)

__all__ = ["AlignedSpectrum"]

_FASTEST_EARTH = 45.0  # km/s, with a margin


class AlignedSpectrum(nn.Module):
    """Templates and components of star, atmosphere and flux shape; all zero at first.

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
    red : float
        Wavelength in Angstrom from which on tellurics are modelled.

    Raises
    ------
    ValueError
        If lines at the largest velocity lie outside of the spectrum, or as `LogGrid`.
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
        grid: str,
        step: float,
        limit: float,
        n_components: int,
        n_star: int,
        n_telluric: int,
        n_shape: int,
        red: float,
    ) -> None:
        super().__init__()
        self.grid = LogGrid(get_grid(grid), step=step, red=red)
        self.n_pixels = self.grid.n_pixels
        self.limit = limit
        most = self.grid.step * (self.grid.n_blue - PIXELS_PER_POINT)
        if not 0 < limit <= most:
            msg = f"limit is {limit} km/s; it must be positive and at most {most:.5g}"
            raise ValueError(msg)
        self.sizes = (1, 1, n_telluric, n_star, n_shape)
        self.n_latent = self.n_outputs = sum(self.sizes)
        self.star = Components(n_components, self.grid.n)
        self.air = Components(n_telluric, self.grid.n_red)
        tensors = {
            "weight": torch.ones(self.grid.n_blue),
            "star_scale": torch.ones(n_components),
            "shape_mean": torch.zeros(self.grid.n_knots),
            "shape_basis": torch.zeros(n_shape, self.grid.n_knots),
            "offset": torch.zeros(self.n_latent),  # latent = (value - offset) / scale
            "scale": torch.ones(self.n_latent),
            "error_scale": torch.ones(self.n_latent),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

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
        return flatten(self.grid, flux, self.usable(flux, valid))

    def usable(self, flux: Tensor, valid: Tensor | None) -> Tensor:
        """Say which pixels count.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_pixels)
            As of `flatten`.

        Returns
        -------
        Tensor of bool, shape (n, n_pixels)
            Within the valid pixels of the grid.
        """
        if valid is None:
            valid = (flux != 0.0) & flux.isfinite()
        return valid.bool() & self.grid.valid

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
        return find_velocity(
            self.grid,
            lines[:, blue],
            self.star.template[blue],
            limit=self.limit,
            weight=self.weight,
        )

    def project(self, lines: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Find the coefficients of the components of spectra at rest.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_blue)
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
            valid,
            self.star.basis[:, blue],
            self.star_scale,
            self.weight,
        )

    def find_star(
        self, lines: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find velocity and coefficients of stars.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_log)
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
        rest = self.bring_to_rest(lines, valid, velocity)
        return velocity, variance, *self.project(*rest)

    def bring_to_rest(
        self, lines: Tensor, valid: Tensor, velocity: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Shift the blue part of spectra.

        Parameters
        ----------
        lines, valid : Tensor, shape (n, n_log)
            From `flatten`.
        velocity : Tensor, shape (n,)
            Of the star, km/s.

        Returns
        -------
        lines, valid : Tensor, shape (n, n_blue)
            At rest.
        """
        pixels, blue = self.grid.to_pixels(velocity), self.grid.blue
        return shift_rows(lines, pixels, blue), shift_mask(valid, pixels, blue)

    def measure_depth(
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
        margin = int(self.limit / self.grid.step) + PIXELS_PER_POINT
        wider = slice(red.start - margin, None)
        star = shift_rows(
            self.star.lines(coefficients, wider),
            -self.grid.to_pixels(velocity),
            slice(margin, None),
        )
        ratio = (1.0 + lines[:, red]).clamp(0.03, 3.0) / (1.0 + star).clamp(0.03, 3.0)
        return -ratio.log()

    def find_atmosphere(
        self, depth: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the velocity of the Earth and the amounts of absorption.

        Parameters
        ----------
        depth, valid : Tensor, shape (n, n_red)
            From `measure_depth`, and where there are data.

        Returns
        -------
        velocity, variance : Tensor, shape (n,)
            km/s and its square.
        amounts : Tensor, shape (n, n_telluric)
            Of the components.
        noise : Tensor, shape (n,)
            Variance of the optical depth around the fit.
        """
        depth = depth * valid
        template = self.air.template
        velocity, variance = find_velocity(
            self.grid,
            depth,
            template,
            limit=_FASTEST_EARTH,
            weight=torch.ones_like(template),
        )
        pixels = self.grid.to_pixels(velocity)
        amounts, noise = masked_projection(
            shift_rows(depth, pixels) - self.air.mean,
            shift_mask(valid, pixels),
            self.air.basis,
            self.scale[2 : 2 + self.sizes[2]],
        )
        return velocity, variance, amounts, noise

    def predict_smooth(
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
        pixels = self.grid.to_pixels(velocity) / PIXELS_PER_POINT
        smooth = shift_rows(self.star.smooth(coefficients), -pixels)
        pixels = self.grid.to_pixels(earth) / PIXELS_PER_POINT
        air = shift_rows(self.air.smooth(amounts), -pixels)
        red = self.grid.red_points.start
        return torch.cat([smooth[:, :red], smooth[:, red:] - air], 1)

    def find_shape(self, smooth: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Find the components of the flux shape.

        Parameters
        ----------
        smooth, valid : Tensor, shape (n, n_points)
            ln of the smooth flux, less `predict_smooth`, and where there are data.

        Returns
        -------
        shapes : Tensor, shape (n, n_shape)
            Of the components.
        noise : Tensor, shape (n,)
            Variance of a knot around the fit.
        """
        knots, knots_valid = average_to_knots(smooth, valid)
        return masked_projection(
            knots - self.shape_mean,
            knots_valid,
            self.shape_basis,
            self.scale[-self.sizes[-1] :],
        )

    def render(
        self,
        velocity: Tensor,
        coefficients: Tensor,
        earth: Tensor,
        amounts: Tensor,
        shapes: Tensor,
    ) -> Tensor:
        """Return spectra.

        Parameters
        ----------
        velocity, earth : Tensor, shape (n,)
            km/s.
        coefficients, amounts, shapes : Tensor, shape (n, n_components), ...
            Of the components of star, atmosphere and flux shape.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            Prepared flux; zero outside the valid pixels of the grid.
        """
        grid = self.grid
        star = sharpen(self.star.lines(coefficients))
        flux = shift_rows(star, -grid.to_pixels(velocity), fine=True) + 1.0
        depth = sharpen(self.air.lines(amounts))
        depth = shift_rows(depth, -grid.to_pixels(earth), fine=True)
        knots = torch.addmm(self.shape_mean, shapes, self.shape_basis)
        smooth = grid.interpolate_knots(knots) + self.predict_smooth(
            velocity, coefficients, earth, amounts
        )
        log_rest = interpolate_points(smooth, fine=True)
        red = 2 * grid.red.start
        log_rest = torch.cat([log_rest[:, :red], log_rest[:, red:] - depth], 1)
        return grid.to_grid(flux * log_rest.exp())
