# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether spectra suit a grid: that of weights, or one made of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy import log

from ..preparation import SpectralGrid
from ..spectra.observation import SpectrumArrays

__all__ = ["FEW_SPECTRA", "say_who_differs", "stay_on_grid"]

#: Spectra from which on networks learn as a whole, and no correction of their answers.
FEW_SPECTRA = 300
_COVERED = 0.9  # share of a grid that spectra must cover to be put on it
_COVERED_BY_FEW = 0.4  # the same if they are too few to find components anew


def stay_on_grid(
    grid: SpectralGrid, spectra: Sequence[SpectrumArrays]
) -> SpectralGrid | None:
    """Return the grid of weights as spectra see it, if they see enough of it.

    Parameters
    ----------
    grid : SpectralGrid
        Of the weights.
    spectra : sequence of SpectrumArrays
        Some of those that are to go there.

    Returns
    -------
    SpectralGrid or None
        With the resolving power of the spectra if that is lower, and, of few spectra,
        without the pixels that most of them do not reach. None if the spectra need a
        grid of their own.
    """
    first = float(np.median([s.wavelength[0] for s in spectra]))
    last = float(np.median([s.wavelength[-1] for s in spectra]))
    reached = (grid.wavelength >= first) & (grid.wavelength <= last)
    share = np.mean(reached[grid.valid])
    few = len(spectra) < FEW_SPECTRA
    if share < (_COVERED_BY_FEW if few else _COVERED):
        return None
    powers = [s.observation.resolving_power for s in spectra]
    known = [power for power in powers if power > 0]
    if known and np.median(known) < grid.resolving_power:
        grid = replace(grid, resolving_power=float(np.median(known)))
    if share >= _COVERED:
        return grid
    ends = np.flatnonzero(reached)[[1, -2]]  # at the ends pixels are half empty
    cut = [(max(a, ends[0]), min(b, ends[1] + 1)) for a, b in grid.segments]
    return replace(grid, segments=tuple((int(a), int(b)) for a, b in cut if b > a))


def say_who_differs(grid: SpectralGrid, spectra: Sequence[SpectrumArrays]) -> None:
    """Warn of spectra that a grid made of them suits badly, as of several kinds.

    Parameters
    ----------
    grid : SpectralGrid
        Made of the spectra.
    spectra : sequence of SpectrumArrays
        Some of those that are to go there.
    """
    low, high = grid.wavelength[0], grid.wavelength[-1]
    ends = np.array([[s.wavelength[0], s.wavelength[-1]] for s in spectra])
    shared = np.minimum(ends[:, 1], high) - np.maximum(ends[:, 0], low)
    widest = np.maximum(ends[:, 1] - ends[:, 0], high - low)
    odd = np.flatnonzero(shared < _COVERED * widest)
    if not len(odd):
        return
    first, last = ends[odd[0]]
    log.warning(
        f"{len(odd)} of {len(ends)} spectra do not cover the grid of {low:.1f} to "
        f"{high:.1f} Angstrom, or reach far beyond, such as one of {first:.1f} to "
        f"{last:.1f}: if they are of two kinds, train on one, or say which grid"
    )
