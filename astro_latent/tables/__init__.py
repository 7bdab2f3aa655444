# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 6: results leave as Astropy tables, ready for the Virtual Observatory."""

from ._hats import write_hats
from .columns import COLUMNS, LABELS, ColumnInfo
from .crossmatch import crossmatch
from .moc import footprint_moc
from .positions import resolve_positions
from .publish import write_resource
from .result_table import ResultTable, read_table, write_table
from .results import encode_spectra, iter_results, predict_parameters
from .samp import send_to_samp
from .services import TapTable
from .validate import check_table, is_ucd, is_vounit
from .wide import to_wide
from .writer import TableWriter

__all__ = [
    "COLUMNS",
    "LABELS",
    "ColumnInfo",
    "ResultTable",
    "TableWriter",
    "TapTable",
    "check_table",
    "crossmatch",
    "encode_spectra",
    "footprint_moc",
    "is_ucd",
    "is_vounit",
    "iter_results",
    "predict_parameters",
    "read_table",
    "resolve_positions",
    "send_to_samp",
    "to_wide",
    "write_hats",
    "write_resource",
    "write_table",
]
