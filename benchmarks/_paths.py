# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Importing this makes ``recipes``, which is in no wheel, importable from a script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
