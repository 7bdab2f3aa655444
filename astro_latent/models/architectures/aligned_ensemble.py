# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stellar parameters from lines and their wings at rest, by an ensemble of heads."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import grad

from ...preparation.grid import get_grid
from ...utils.physics import SPEED_OF_LIGHT
from ..layers.alignment import find_velocity
from ..layers.components import describe_star, make_network, masked_projection
from ..layers.interpolate import shift_mask, shift_rows
from ..layers.joined_slope import JoinedSlope
from ..layers.line_windows import divide_by_line, keep_from_gaps
from ..layers.log_grid import LogGrid, flatten_joined
from ..layers.second_star import broadening_function, second_share

__all__ = ["AlignedEnsemble", "RestSpectra"]

_REACH = 5  # pixels that a shift mixes
_BRIGHTEST = 0.5  # above the smooth flux: what is higher is no star's
_FARTHEST = 200.0  # km/s at which a second star is looked for
_FEWEST = 30  # pixels on each side of the star, where these are wide
_MOST = 2.6  # ln of the largest rotation in its unit


class RestSpectra(NamedTuple):
    """Spectra at rest, on joined pixels of equal velocity."""

    #: km/s, and its variance. Shape (n,).
    velocity: Tensor
    variance: Tensor
    #: Mean flux, and where no gap is near. Shape (n, n_log / joined).
    flux: Tensor
    valid: Tensor
    #: Flux over a running mean of a few Angstrom, less one, and where there are data.
    lines: Tensor
    lines_valid: Tensor


class AlignedEnsemble(nn.Module):
    """Velocity and labels of stars, from components that hold the wings of lines too.

    The velocity comes from a cross-correlation. The spectrum at rest, over a straight
    line in wide windows, is projected onto components; heads that differ by their first
    weights and by the errors of synthetic lines that they saw turn the coefficients
    into labels. Their mean is the result; their spread is part of its variance. The
    last label is the rotation, of which the heads give the logarithm: it is never
    negative.

    The last of the features says how much of the lines belongs to a second star.

    Parameters
    ----------
    n_labels : int
        Number of labels besides the velocity.
    n_components : int
        Components of the spectrum at rest.
    n_heads, n_hidden : int
        Networks of the ensemble, and the width of their two hidden layers.
    grid : str
        Name of the registered grid of the spectra, with linear spacing.
    step : float
        Pixel of the velocity, km/s.
    joined : int
        Of these in a pixel at rest.
    window : float
        Of the straight line, km/s.
    start, stop : float
        First and last wavelength at rest that count, Angstrom.
    red : float
        Wavelength up to which velocities and second stars are looked for.
    limit : float
        Largest velocity of a star, km/s.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures import AlignedEnsemble
    >>> model = AlignedEnsemble(n_labels=2, step=50.0, n_components=4, n_heads=2).eval()
    >>> with torch.no_grad():
    ...     mean, log_variance = model(torch.ones(1, 327680))
    >>> tuple(mean.shape), tuple(log_variance.shape)
    ((1, 3), (1, 3))
    """

    template: Tensor
    template_weight: Tensor
    sharp: Tensor
    mean: Tensor
    basis: Tensor
    weight: Tensor
    star_scale: Tensor
    velocity_scale: Tensor
    zero: Tensor

    def __init__(
        self,
        *,
        n_labels: int = 4,
        n_components: int = 32,
        n_heads: int = 6,
        n_hidden: int = 96,
        grid: str = "harps_327680",
        step: float = 1.5,
        joined: int = 2,
        window: float = 3300.0,
        start: float = 4000.0,
        stop: float = 6860.0,
        red: float = 5860.0,
        limit: float = 250.0,
    ) -> None:
        super().__init__()
        whole = get_grid(grid)
        self.grid = LogGrid(whole, step=step, red=red)
        self.n_pixels, self.n_outputs = self.grid.n_pixels, 1 + n_labels
        self.limit, self.joined = limit, joined
        self.window = int(window / (step * joined)) // 2 * 2
        self.first_wavelength = float(whole.wavelength[whole.valid][0])
        self.part, self.searched = (
            _pixels(self.first_wavelength, step * joined, start, end)
            for end in (stop, red)
        )
        n = self.part.stop - self.part.start
        tensors = {
            "template": torch.zeros(self.grid.n_blue),
            "template_weight": torch.ones(self.grid.n_blue),
            "sharp": torch.zeros(self.searched.stop - self.searched.start),
            "mean": torch.zeros(n),
            "basis": torch.zeros(n_components, n),
            "weight": torch.ones(n),
            "star_scale": torch.ones(n_components),
            "velocity_scale": torch.ones(1),
            "zero": torch.zeros(n_labels),  # labels of the Sun count from this
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        self.heads = nn.ModuleList(
            make_network(n_components + 1, n_hidden, 2 * n_labels)
            for _ in range(n_heads)
        )

    def features(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return what the heads see of spectra, the velocity, and the second star.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        Tensor, shape (n, n_components + 4)
            Scaled coefficients, noise level, velocity, ln of its variance, and the
            share of the lines that belongs to a second star.
        """
        return self._describe(self.bring_to_rest(flux, valid))

    def _describe(self, rest: RestSpectra) -> Tensor:
        """Features of spectra at rest."""
        coefficients, noise = self.project(rest.flux, rest.valid)
        variance = rest.variance * self.velocity_scale**2
        with torch.no_grad():
            second = self._find_second(rest.lines, rest.lines_valid)
        star = describe_star(
            coefficients / self.star_scale, noise, rest.velocity, variance
        )
        return torch.cat([star, second[:, None]], dim=1)

    def bring_to_rest(self, flux: Tensor, valid: Tensor | None = None) -> RestSpectra:
        """Find the velocity, and shift spectra to rest on joined pixels.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        RestSpectra
            At rest.
        """
        if valid is None:
            valid = (flux != 0.0) & flux.isfinite()
        return self._shift(*self._join(flux, valid.bool() & self.grid.valid))

    def _join(self, flux: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return self.grid.join(torch.where(valid, flux, 0.0), valid)

    def _shift(self, joined: Tensor, known: Tensor) -> RestSpectra:
        """Bring spectra to rest that are joined to pixels of equal velocity."""
        lines = flatten_joined(joined, known).lines
        velocity, variance = find_velocity(
            self.grid, lines[:, self.grid.blue], self.template,
            limit=self.limit, weight=self.template_weight,
        )  # fmt: skip
        pixels = self.grid.to_pixels(velocity)
        moved = [
            shift_rows(rows, pixels).unflatten(1, (-1, self.joined)).mean(2)
            for rows in (joined, lines)
        ]
        shifted = shift_mask(known, pixels)
        masks = [
            each.unflatten(1, (-1, self.joined)).all(2)
            for each in (keep_from_gaps(shifted, _REACH), shifted)
        ]
        return RestSpectra(velocity, variance, moved[0], masks[0], moved[1], masks[1])

    @property
    def second_feature(self) -> int:
        """Which of the features says how much of the lines is a second star's."""
        return self.basis.shape[0] + 3

    def flatten_rest(self, flux: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Divide spectra at rest by a line in wide windows.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_log / joined)
            Mean flux in pixels at rest, and where there are data.

        Returns
        -------
        lines, valid : Tensor, shape (n, n_part)
            Of the part that counts.
        """
        lines, known = divide_by_line(flux, valid, self.window)
        lines, known = lines[:, self.part], known[:, self.part]
        return lines, known & (lines < _BRIGHTEST)

    def project(self, flux: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Find the coefficients of the components of spectra at rest.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_log / joined)
            Flux at rest, and where there are data.

        Returns
        -------
        coefficients : Tensor, shape (n, n_components)
            Most probable values, given the spread over the training stars.
        variance : Tensor, shape (n,)
            Of a weighted pixel around the fit.
        """
        lines, known = self.flatten_rest(flux, valid)
        return masked_projection(
            lines - self.mean, known & (self.weight > 0), self.basis, self.star_scale,
            self.weight,
        )  # fmt: skip

    def _find_second(self, lines: Tensor, valid: Tensor) -> Tensor:
        """Share of the lines at rest that belongs to a second star."""
        known = valid[:, self.searched]
        function = broadening_function(
            torch.where(known, lines[:, self.searched], 0.0), known, self.sharp,
            max(_FEWEST, int(_FARTHEST / (self.grid.step * self.joined))),
        )  # fmt: skip
        return second_share(function).to(lines.dtype)

    def head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Turn features into labels.

        Parameters
        ----------
        features : Tensor, shape (n, n_components + 4)
            From `features`.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, 1 + n_labels)
            The velocity first, the rotation last.
        """
        means, variances = self.each_head(features[:, :-3])
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, unbiased=False)
        mean = mean + self.zero
        rotation = mean[:, -1:].clamp(max=_MOST).exp()
        mean = torch.cat([features[:, -3:-2], mean[:, :-1], rotation], 1)
        log_variance = variance.log()
        log_variance = torch.cat(
            [
                features[:, -2:-1],
                log_variance[:, :-1],
                log_variance[:, -1:] + 2.0 * rotation.log(),
            ],
            1,
        )
        return mean, log_variance.clamp(-14.0, 6.0)

    def each_head(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the labels of each head.

        Parameters
        ----------
        seen : Tensor, shape (n, n_components + 1)
            Scaled coefficients and noise level.

        Returns
        -------
        mean, variance : Tensor, shape (n_heads, n, n_labels)
            As the heads give them.
        """
        found = torch.stack([head(seen) for head in self.heads])
        mean, log_variance = found.chunk(2, -1)
        return mean, log_variance.clamp(-12.0, 4.0).exp()

    def join_slopes(self, flux: Tensor, valid: Tensor) -> Iterator[JoinedSlope]:
        """Differentiate the labels of spectra.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_pixels)
            As for `features`.

        Yields
        ------
        JoinedSlope
            Of each spectrum.
        """
        for row, seen in zip(flux.split(1), valid.split(1), strict=True):
            with torch.inference_mode(False), torch.enable_grad():
                yield self._differentiate(row.clone(), seen.clone() & self.grid.valid)

    def _differentiate(self, flux: Tensor, valid: Tensor) -> JoinedSlope:
        joined, known = self._join(flux, valid)
        joined.requires_grad_()
        features = self._describe(self._shift(joined, known))
        labels = self.head(features)[0][0]
        rows = [grad(label, joined, retain_graph=True)[0][0] for label in labels]
        by_joined = torch.stack(rows) * self.grid.weigh(valid)[1]
        return JoinedSlope(features.detach()[0], by_joined, valid[0], self.grid)

    def forward(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return labels of spectra.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are finite and not zero.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, 1 + n_labels)
            In the network's units, the velocity first.
        """
        return self.head(self.features(flux, valid))


def _pixels(first: float, step: float, start: float, stop: float) -> slice:
    """Pixels of equal velocity between two wavelengths."""
    ratios = torch.tensor([start / first, stop / first], device="cpu")
    ends = ratios.log() * (SPEED_OF_LIGHT / step)
    return slice(int(ends[0]), int(ends[1]))
