# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a latent does to a spectrum: sweep it, hold the others, decode, subtract."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union, cast

import numpy as np
from astropy.table import Table
from scipy.signal import find_peaks
from scipy.stats import norm

from ..utils.short_repr import short_repr
from .samples import as_latents

if TYPE_CHECKING:
    from ..models import LatentModel

__all__ = ["Decoder", "Traversal", "traverse_node"]

#: What decodes latents: a model, or a function from latents to flux.
Decoder: TypeAlias = Union["LatentModel", Callable[[np.ndarray], np.ndarray]]


def get_decode(model: Decoder) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that decodes: the model's, or the one that was given."""
    return cast("Callable[[np.ndarray], np.ndarray]", getattr(model, "decode", model))


@dataclass(frozen=True, kw_only=True, repr=False)
class Traversal:
    """Spectra decoded along one latent.

    Parameters
    ----------
    node : int
        Index of the latent.
    values : ndarray, shape (n_steps,)
        Its values, ascending.
    flux : ndarray, shape (n_steps, n_pixels)
        Decoded spectra.
    reference : ndarray, shape (n_pixels,)
        The spectrum decoded from the start, unchanged.
    start : ndarray, shape (n_latent,)
        Latents of the start.
    wavelength : ndarray or None, shape (n_pixels,)
        Ångström, in the medium and frame of the model's grid.
    valid : ndarray of bool or None, shape (n_pixels,)
        False for the padding and gaps of the grid.
    """

    node: int
    values: np.ndarray
    flux: np.ndarray
    reference: np.ndarray
    start: np.ndarray
    wavelength: np.ndarray | None = None
    valid: np.ndarray | None = None

    __repr__ = short_repr

    @property
    def difference(self) -> np.ndarray:
        """Decoded spectra less that of the start, shape (n_steps, n_pixels)."""
        return self.flux - self.reference

    def strongest(
        self,
        *,
        n: int = 10,
        separation: float = 1.0,
        window: tuple[float, float] | None = None,
    ) -> Table:
        """List the pixels that move most, one per line of the spectrum.

        Parameters
        ----------
        n : int, optional
            Number of pixels.
        separation : float, optional
            Least distance between them: Ångström, or pixels without wavelengths.
        window : tuple of float, optional
            Limits between which to look, in the same unit.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``pixel``, ``wavelength`` (if known) and ``change``, the difference
            between the last and the first step, the largest first.
        """
        change = self.flux[-1] - self.flux[0]
        size = np.abs(change)
        if self.valid is not None:
            size = np.where(self.valid, size, 0.0)
        place = np.arange(len(size)) if self.wavelength is None else self.wavelength
        low, high = (-np.inf, np.inf) if window is None else window
        peaks = find_peaks(np.concatenate([[0.0], size, [0.0]]))[0] - 1
        peaks = peaks[(place[peaks] >= low) & (place[peaks] <= high)]
        peaks = peaks[np.argsort(-size[peaks], kind="stable")]
        kept: list[int] = []
        for pixel in peaks.tolist():
            if len(kept) == n:
                break
            if all(abs(place[pixel] - place[other]) >= separation for other in kept):
                kept.append(pixel)
        table = Table({"pixel": np.array(kept, dtype=int)})
        if self.wavelength is not None:
            table["wavelength"] = self.wavelength[kept]
            table["wavelength"].unit = "Angstrom"
        table["change"] = change[kept]
        return table

    def to_table(self) -> Table:
        """Return one row per step, spectra as array columns.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``value``, ``flux``, ``difference``; the latent in ``meta``.
        """
        table = Table(
            {"value": self.values, "flux": self.flux, "difference": self.difference}
        )
        table.meta["node"] = self.node
        return table


def traverse_node(
    model: Decoder,
    start: np.ndarray,
    *,
    node: int,
    values: np.ndarray | None = None,
    population: np.ndarray | None = None,
    quantiles: tuple[float, float] = (0.02, 0.98),
    n_steps: int = 9,
) -> Traversal:
    """Sweep one latent with the others held and decode each step.

    Parameters
    ----------
    model : LatentModel or callable
        Anything with ``decode(latents) -> flux``, or such a function.
    start : ndarray, shape (n_latent,)
        Latents to start from: those of a spectrum, or the medians of many.
    node : int
        Index of the latent to sweep.
    values : array_like, optional
        Values of the latent; by default ``n_steps`` values between two quantiles.
    population : ndarray, shape (n_spectra, n_latent), optional
        Latents whose quantiles are meant; by default those of the unit normal prior.
        A population keeps the sweep where the decoder has seen spectra.
    quantiles : tuple of float, optional
        Lower and upper quantile; steps are evenly spaced between their values.
    n_steps : int, optional
        Number of steps.

    Returns
    -------
    Traversal
        Decoded spectra and differences.

    Raises
    ------
    ValueError
        If the latent does not exist, a value is not finite or a shape is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import traverse_node
    >>> basis = np.eye(3)
    >>> sweep = traverse_node(lambda z: z @ basis, np.zeros(3), node=1, n_steps=3)
    >>> sweep.values.round(2)
    array([-2.05,  0.  ,  2.05])
    >>> sweep.strongest(n=1)["pixel"].tolist()
    [1]
    """
    start = np.asarray(start, dtype=float)
    if start.ndim != 1 or not np.isfinite(start).all():
        msg = f"start must be finite latents of one spectrum, not shape {start.shape}"
        raise ValueError(msg)
    if not 0 <= node < len(start):
        msg = f"node {node} does not exist: there are {len(start)}"
        raise ValueError(msg)
    if values is None:
        values = _steps(population, node, quantiles, n_steps)
    values = np.sort(np.asarray(values, dtype=float).ravel())
    if not values.size or not np.isfinite(values).all():
        msg = f"values must be finite numbers, not {values}"
        raise ValueError(msg)
    latents = np.tile(start, (len(values) + 1, 1))
    latents[1:, node] = values
    decode = get_decode(model)
    flux = np.asarray(decode(latents.astype(np.float32)), dtype=float)
    if flux.ndim != 2 or len(flux) != len(latents):
        msg = f"decode returned shape {flux.shape} for {len(latents)} rows of latents"
        raise ValueError(msg)
    grid = getattr(model, "grid", None)
    return Traversal(
        node=node,
        values=values,
        flux=flux[1:],
        reference=flux[0],
        start=start,
        wavelength=getattr(grid, "wavelength", None),
        valid=getattr(grid, "valid", None),
    )


def _steps(
    population: np.ndarray | None,
    node: int,
    quantiles: tuple[float, float],
    n_steps: int,
) -> np.ndarray:
    """Return values evenly spaced between two quantiles of a latent."""
    if not 0 < quantiles[0] < quantiles[1] < 1:
        msg = f"quantiles must be ordered and inside (0, 1), not {quantiles}"
        raise ValueError(msg)
    if population is None:
        low, high = norm.ppf(quantiles)
    else:
        column = as_latents(population, "population")[:, node]
        low, high = np.nanquantile(column, quantiles)
    return np.linspace(low, high, n_steps)
