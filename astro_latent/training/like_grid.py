# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether spectra of another instrument can stay on the grid of weights."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..preparation import SpectralGrid
from ..spectra.observation import SpectrumArrays

__all__ = ["FEW_SPECTRA", "stay_on_grid"]

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
