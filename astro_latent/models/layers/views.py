# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Ways to look at a spectrum, each as coefficients of a few components.

Components are principal components of the training set in units of the noise, so that
a pixel counts as much as it is measured; what stands out of the noise is then scaled
towards unit variance. Pixels that were not measured have no weight.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...utils.physics import SIGMA_PER_MAD
from .gaps import GapEquations, Solved

__all__ = ["KINDS", "View", "smooth_continuum"]

#: Kinds of views.
KINDS = ("flux", "log", "flat", "shape")
#: What coefficients are when pixels are missing.
FILLS = ("once", "solve")
_FLOOR = 0.003  # smallest error of a pixel, so that none is trusted without limit
_OUTLIER = 30.0  # sigma per root pixel beyond which a spectrum is toned down
_ROWS = 8000  # spectra that components are found from
_SOFT = 0.02  # flux below which the logarithm turns linear


def _running_mean(values: Tensor, width: int) -> Tensor:
    """Mean over ``width`` (odd) pixels; beyond the ends there are zeros."""
    half = width // 2
    total = functional.pad(values, (half + 1, half)).cumsum(1, dtype=torch.float64)
    return (total[:, width:] - total[:, :-width]).div_(width).to(values.dtype)


def smooth_continuum(flux: Tensor, valid: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Three running means of the valid pixels.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels)
        Flux; finite.
    valid : Tensor of bool, shape (n, n_pixels)
        Pixels that count.
    width : int
        Pixels of a mean; odd.

    Returns
    -------
    continuum : Tensor, shape (n, n_pixels)
        The smooth flux.
    near : Tensor of bool, shape (n, n_pixels)
        Whether there are valid pixels within reach.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.layers.views import smooth_continuum
    >>> continuum, near = smooth_continuum(
    ...     torch.full((1, 9), 2.0), torch.ones(1, 9, dtype=torch.bool), 3
    ... )
    >>> continuum[0, 4].item(), near.all().item()
    (2.0, True)
    """
    total = torch.where(valid, flux, 0.0)
    # whole spectra are the rule in training, and have one count for all
    count = (valid[:1] if valid.all() else valid).to(flux.dtype)
    for _ in range(3):
        total, count = _running_mean(total, width), _running_mean(count, width)
    return total / count.clamp_min(1e-6), (count > 1e-3).expand_as(valid)


class View(nn.Module):
    """One way to look at spectra: pixels in, scaled coefficients out.

    Parameters
    ----------
    n_pixels : int
        Length of a spectrum.
    kind : {"flux", "log", "flat", "shape"}
        The flux; its logarithm, in which extinction adds; the flux over a running
        mean; the logarithm of that mean.
    n_components : int
        Coefficients to keep.
    width : int
        Pixels of the running mean.
    shrink : float
        0 scales each coefficient to unit variance, 1 leaves all in units of the noise.
    fill : {"once", "solve"}
        Coefficients of a spectrum with missing pixels: those of the spectrum whose
        gaps hold what a first projection says of them, or the least squares fit to the
        pixels that are there, with the spread of the training set as a prior. Without
        missing pixels both are the same. The first makes an error of all that stood in
        the gaps, times their share; it stays the default, since older weights were
        calibrated with it. In training mode gaps are always filled once, which takes
        half of the time.
    """

    mean: Tensor
    sigma: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(
        self,
        n_pixels: int,
        *,
        kind: str = "flux",
        n_components: int = 100,
        width: int = 201,
        shrink: float = 0.5,
        fill: str = "once",
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            msg = f"a view is one of {', '.join(KINDS)}, not {kind!r}"
            raise ValueError(msg)
        if fill not in FILLS or (fill == "solve" and shrink == 1.0):
            msg = f"fill is once, or solve with shrink below 1, not {fill!r}"
            raise ValueError(msg)
        # a mean over more pixels than there are is none
        self.width = min(width, (n_pixels - 1) // 2) // 2 * 2 + 1
        self.kind, self.shrink, self.fill = kind, shrink, fill
        self.step = max(1, self.width // 2) if kind == "shape" else 1
        n_points = len(range(0, n_pixels, self.step))
        self.n_components = min(n_components, n_points)
        self.register_buffer("mean", torch.ones(n_points))
        self.register_buffer("sigma", torch.ones(n_points))
        self.register_buffer("basis", torch.ones(n_points, self.n_components))
        self.register_buffer("scale", torch.ones(self.n_components))
        self._kept: tuple[list[tuple[int, int]], GapEquations] | None = None

    def look(
        self, flux: Tensor, sigma: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is seen, its errors, and where there is anything to see.

        Parameters
        ----------
        flux, sigma, valid : Tensor, shape (n, n_pixels)
            Finite flux and positive errors, and which of them count.

        Returns
        -------
        values, sigma, valid : Tensor, shape (n, n_points)
            In the view.
        """
        if self.kind == "flux":
            return flux, sigma, valid
        if self.kind == "log":
            ratio = flux / (2.0 * _SOFT)
            slope = 1.0 / (2.0 * _SOFT * torch.sqrt(1.0 + ratio**2))
            return torch.asinh(ratio), sigma * slope, valid
        continuum, near = smooth_continuum(flux, valid, self.width)
        if self.kind == "flat":
            continuum = continuum.clamp_min(0.02)
            valid = valid & near
            flat = torch.where(valid, (flux / continuum).clamp(-1.0, 3.0), 1.0)
            return flat, sigma / continuum, valid
        points = slice(None, None, self.step)
        level = continuum[:, points].clamp_min(0.01)
        return level.log(), torch.full_like(level, 0.02), near[:, points]

    @torch.no_grad()
    def adapt(self, flux: Tensor, sigma: Tensor, valid: Tensor) -> None:
        """Find mean, errors and components of spectra.

        Parameters
        ----------
        flux, sigma, valid : Tensor, shape (n, n_pixels)
            As for `look`, of the training set or a part of it.
        """
        values, sigma, valid = self.look(flux, sigma, valid)
        count = valid.sum(0)
        self.mean.copy_(torch.where(valid, values, 0.0).sum(0) / count.clamp_min(1))
        typical = torch.where(valid, sigma, torch.nan).nanmedian(0).values
        typical = torch.sqrt(typical.nan_to_num(1.0) ** 2 + _FLOOR**2)
        rare = count < 0.5 * len(flux)
        self.sigma.copy_(torch.where(rare, 1e6, typical))
        rows = torch.randperm(len(flux), generator=torch.Generator().manual_seed(0))
        kept = rows[:_ROWS]
        scaled = self._scale(values[kept], valid[kept])
        length = scaled.norm(dim=1, keepdim=True).clamp_min(1e-9)
        scaled *= (_OUTLIER * math.sqrt(scaled.shape[1]) / length).clamp_max(1.0)
        rank = min(self.n_components + 10, *scaled.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, _, basis = torch.svd_lowrank(scaled, rank, niter=4)
        self.basis.zero_()
        found = min(self.n_components, rank)
        self.basis[:, :found] = basis[:, :found]
        coefficients = self._project(values, valid)
        middle = coefficients.median(0).values
        spread = SIGMA_PER_MAD * (coefficients - middle).abs().median(0).values
        spread = spread.clamp_min(1e-3)
        self.scale.copy_((spread / spread.max()) ** self.shrink / spread)
        self.scale[found:] = 0.0

    def _scale(self, values: Tensor, valid: Tensor) -> Tensor:
        return torch.where(valid, (values - self.mean) / self.sigma, 0.0)

    def _project(self, values: Tensor, valid: Tensor) -> Tensor:
        """Coefficients; what is not valid is first set to what the rest say."""
        scaled = self._scale(values, valid)
        first = (scaled @ self.basis) @ self.basis.T
        return torch.where(valid, scaled, first) @ self.basis

    def _solve(self, values: Tensor, valid: Tensor) -> Tensor:
        """Coefficients of the valid pixels alone, row by row."""
        found = self._scale(values, valid) @ self.basis
        # of nothing at all the coefficients are zero already
        rows = torch.nonzero(~valid.all(1) & valid.any(1))[:, 0]
        if not len(rows):
            return found
        equations = self._equations()
        lost = (torch.nonzero(~valid[k])[:, 0] for k in rows)
        solvers = [equations.factorise(pixels) for pixels in lost]
        return found.index_put((rows,), Solved.apply(found[rows], solvers))

    def _equations(self) -> GapEquations:
        """Return the equations of the components, kept until these are changed."""
        buffers = self.basis, self.scale
        if any(each.is_inference() for each in buffers):
            return self._make_equations()  # whether they were changed is not counted
        stamp = [(each.data_ptr(), each._version) for each in buffers]
        if self._kept is None or self._kept[0] != stamp:
            self._kept = stamp, self._make_equations()
        return self._kept[1]

    def _make_equations(self) -> GapEquations:
        """Make the equations of the components as they are."""
        live = self.scale > 0
        # adapt made the scale of the spreads: this is the way back
        largest = 1.0 / self.scale[live].min()
        power = 1 / (self.shrink - 1.0)
        spread = (self.scale[live] * largest**self.shrink) ** power
        own = torch.ones_like(self.scale, dtype=torch.float64)
        own[live] += spread.double() ** -2
        return GapEquations(self.basis, own)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed anew: it is large."""
        return {**self.__dict__, "_kept": None}

    def forward(self, flux: Tensor, sigma: Tensor, valid: Tensor) -> Tensor:
        """Return scaled coefficients, shape (n, n_components)."""
        values, _, valid = self.look(flux, sigma, valid)
        solve = self.fill == "solve" and not self.training
        project = self._solve if solve else self._project
        return (project(values, valid) * self.scale).clamp(-30.0, 30.0)
