# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Matching: results against catalogues, on the sky."""

from .crossmatch import crossmatch
from .hats import add_hats_results, write_hats
from .moc import footprint_moc
from .positions import resolve_positions
from .services import TapTable
from .star import predict_object

__all__ = [
    "TapTable",
    "add_hats_results",
    "crossmatch",
    "footprint_moc",
    "predict_object",
    "resolve_positions",
    "write_hats",
]
