# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 1, archives: what exists, and bring it here.

The only room that asks the network. One file per survey; each is known by one line
in `SURVEYS`.
"""

from ._config import conf
from ._download import FileResult
from ._obscore import OBSCORE_COLUMNS, to_obscore
from .base import FileRequest, Survey
from .verbs import (
    SURVEYS,
    fetch,
    fetch_spectra,
    get_survey,
    list_surveys,
    query_adql,
    query_object,
    query_region,
    query_targets,
)

__all__ = [
    "OBSCORE_COLUMNS",
    "SURVEYS",
    "FileRequest",
    "FileResult",
    "Survey",
    "conf",
    "fetch",
    "fetch_spectra",
    "get_survey",
    "list_surveys",
    "query_adql",
    "query_object",
    "query_region",
    "query_targets",
    "to_obscore",
]
