# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables: columns and file formats of results, ready for the Virtual Observatory."""

from ..utils.lazy import lazy_names
from .columns import COLUMNS, LABELS, ColumnInfo
from .publish import write_resource
from .result_table import ResultTable, read_table, to_wide, write_table
from .samp import send_to_samp
from .validate import check_table, is_ucd, is_vounit
from .writer import TableWriter

#: Names that were here before pipeline and matching had rooms of their own.
_MOVED = {
    **dict.fromkeys(
        ("encode_spectra", "iter_results", "predict_parameters"),
        "astro_latent.pipeline",
    ),
    **dict.fromkeys(
        (
            "TapTable",
            "crossmatch",
            "footprint_moc",
            "resolve_positions",
            "write_hats",
        ),
        "astro_latent.matching",
    ),
}

__all__ = [
    "COLUMNS",
    "LABELS",
    "ColumnInfo",
    "ResultTable",
    "TableWriter",
    "check_table",
    "is_ucd",
    "is_vounit",
    "read_table",
    "send_to_samp",
    "to_wide",
    "write_resource",
    "write_table",
]
__getattr__, __dir__ = lazy_names(__name__, _MOVED)
