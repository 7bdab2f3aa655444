# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 3: any spectrum becomes the array that a model expects."""

from .grid import GRIDS, SpectralGrid, get_grid

__all__ = ["GRIDS", "SpectralGrid", "get_grid"]
