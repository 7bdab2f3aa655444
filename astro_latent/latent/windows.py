# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How much of a saliency falls into given windows, and how much by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..preparation import SpectralGrid
from ..utils.short_repr import short_repr

__all__ = ["WindowShare", "read_windows", "window_share"]


@dataclass(frozen=True, kw_only=True, repr=False)
class WindowShare:
    """Share of a saliency within windows, and what chance would put there.

    Parameters
    ----------
    share : float
        Sum of the magnitude within the windows over the sum of all.
    coverage : float
        Share of the pixels that the windows cover.
    null : ndarray, shape (n_shifts,)
        Shares with the windows moved along the spectrum.
    """

    share: float
    coverage: float
    null: np.ndarray

    __repr__ = short_repr

    @property
    def enrichment(self) -> float:
        """Share over coverage; 1 for a saliency that ignores the windows."""
        return self.share / self.coverage

    @property
    def p_value(self) -> float:
        """Chance of so large a share with windows placed at random, one-sided."""
        # rounding: a shift back to the start gives the share itself
        above = np.count_nonzero(self.null >= self.share * (1.0 - 1e-12))
        return float((1 + above) / (1 + len(self.null)))


def read_windows(
    path: str | Path, grid: SpectralGrid, *, elements: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Read the windows of ASPCAP's elements.

    Parameters
    ----------
    path : path
        ``masks.dat`` of the repository ``sdss/apogee`` (BSD-3-Clause; not bundled): a
        column ``Wave`` in Ångström, vacuum, and a column of weights per element.
    grid : SpectralGrid
        Grid with pixels of the apStar grid.
    elements : sequence of str, optional
        Names of the columns to read; by default all with a weight on the grid.

    Returns
    -------
    dict of str to ndarray, shape (n_pixels,)
        Weights between 0 and 1; 0 outside the windows.

    Raises
    ------
    ValueError
        If the file has no such columns or not the pixels of the grid.
    """
    table = Table.read(path, format="ascii.basic")
    missing = {"Wave", *(elements or ())} - set(table.colnames)
    if missing:
        msg = f"{path} has no column {', '.join(sorted(missing))}: {table.colnames}"
        raise ValueError(msg)
    rows = _match_rows(np.asarray(table["Wave"], dtype=float), grid, path)
    names = table.colnames[1:] if elements is None else list(elements)
    windows = {name: np.asarray(table[name], dtype=float)[rows] for name in names}
    if elements is None:
        return {name: weight for name, weight in windows.items() if weight.any()}
    return windows


def _match_rows(
    wavelength: np.ndarray, grid: SpectralGrid, path: str | Path
) -> np.ndarray:
    """Rows of a table whose wavelengths are those of the grid."""
    order = np.argsort(wavelength)
    after = np.clip(
        np.searchsorted(wavelength[order], grid.wavelength), 1, len(wavelength) - 1
    )
    pairs = order[np.stack([after - 1, after])]
    distance = np.abs(wavelength[pairs] - grid.wavelength)
    worst = distance.min(axis=0)
    # the file is rounded to 0.001 Ångström; half a pixel is 0.1
    if worst.max() > 0.02:
        pixel = int(worst.argmax())
        msg = (
            f"{path} has no pixel within 0.02 Ångström of "
            f"{grid.wavelength[pixel]:.3f}, pixel {pixel} of the grid {grid.name!r}"
        )
        raise ValueError(msg)
    return pairs[distance.argmin(axis=0), np.arange(grid.n_pixels)]


def window_share(
    magnitude: np.ndarray,
    window: np.ndarray,
    *,
    rng: np.random.Generator,
    n_shifts: int = 999,
) -> WindowShare:
    """Compare the saliency in windows with that in windows put elsewhere.

    Parameters
    ----------
    magnitude : ndarray, shape (n_pixels,)
        Absolute derivatives; NaN for pixels that are to be left out.
    window : ndarray, shape (n_pixels,)
        Bool, or weights between 0 and 1.
    rng : `~numpy.random.Generator`
        Source of the shifts.
    n_shifts : int, optional
        Windows to draw for the null distribution.

    Returns
    -------
    WindowShare
        The share, the coverage and the null distribution.

    Raises
    ------
    ValueError
        If shapes disagree, a magnitude is negative, all are zero, or no pixel that
        counts lies in a window.

    Notes
    -----
    All windows of an element move together along the spectrum, round its ends: that
    keeps their number, widths and distances, and also the runs of large derivatives,
    which permuted pixels would break up and so make every share look significant.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import window_share
    >>> magnitude, window = np.ones(1000), np.zeros(1000, dtype=bool)
    >>> window[100:110] = True
    >>> magnitude[100:110] = 10.0
    >>> result = window_share(magnitude, window, rng=np.random.default_rng(1))
    >>> round(result.enrichment, 2), result.p_value < 0.05
    (9.17, True)
    """
    magnitude, window = np.asarray(magnitude, float), np.asarray(window, float)
    if magnitude.shape != window.shape or magnitude.ndim != 1:
        msg = f"magnitude has shape {magnitude.shape}, window {window.shape}"
        raise ValueError(msg)
    known = np.isfinite(magnitude)
    magnitude, window = magnitude[known], window[known]
    if np.any(magnitude < 0.0) or not np.any(magnitude > 0.0):
        msg = "magnitude must be positive somewhere and negative nowhere"
        raise ValueError(msg)
    if not np.any(window > 0.0):
        msg = "no pixel with a magnitude lies in a window"
        raise ValueError(msg)
    relative = magnitude / magnitude.sum()
    shifts = rng.integers(1, max(len(window), 2), n_shifts)
    null = np.array([relative @ np.roll(window, shift) for shift in shifts])
    return WindowShare(
        share=float(relative @ window), coverage=float(window.mean()), null=null
    )
