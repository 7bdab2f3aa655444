# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Widgets for notebooks; needs the extra ``notebook``."""

from .controls import Controls
from .explorer import Explorer, explore
from .session import Session

__all__ = ["Controls", "Explorer", "Session", "explore"]
