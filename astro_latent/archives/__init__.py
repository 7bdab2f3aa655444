# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Archives: the protocols by which spectra are found and brought here.

TAP, ObsCore, SSA, DataLink, SDSS's and CDS's own services, and the download. No survey
is known here: they stand in `astro_latent.surveys` and build on this room.
"""

from ..utils.lazy import lazy_names
from .base import Survey
from .config import conf
from .files import FileRequest, FileResult
from .obscore_columns import CORE_COLUMNS, OBSCORE_COLUMNS, to_obscore

_LAZY = {"download_files": ".download"}
#: Names that were here before there was a room for surveys.
_MOVED = {
    **dict.fromkeys(
        (
            "SURVEYS",
            "fetch",
            "get_survey",
            "list_surveys",
            "query_adql",
            "query_object",
            "query_region",
            "query_targets",
        ),
        "astro_latent.surveys",
    ),
}

__all__ = [
    "CORE_COLUMNS",
    "OBSCORE_COLUMNS",
    "FileRequest",
    "FileResult",
    "Survey",
    "conf",
    "to_obscore",
    *_LAZY,
]
__getattr__, __dir__ = lazy_names(__name__, _LAZY | _MOVED)
