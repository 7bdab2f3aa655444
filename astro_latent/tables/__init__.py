# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 6: results leave as Astropy tables, ready for the Virtual Observatory."""

from .columns import COLUMNS, LABELS, ColumnInfo
from .result_table import ResultTable, read_table, write_table

__all__ = [
    "COLUMNS",
    "LABELS",
    "ColumnInfo",
    "ResultTable",
    "read_table",
    "write_table",
]
