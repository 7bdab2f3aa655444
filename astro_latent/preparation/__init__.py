# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 3: any spectrum becomes the array that a model expects."""

from .grid import GRIDS, SpectralGrid, get_grid
from .recipe import Recipe, Step

__all__ = ["GRIDS", "Recipe", "SpectralGrid", "Step", "get_grid"]
