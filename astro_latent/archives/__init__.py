# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 1, archives: what exists, and bring it here.

The only room that asks the network. One file per survey; each is known by one line
in `SURVEYS`.
"""

from ._config import conf
from ._files import FileRequest, FileResult
from ._obscore import CORE_COLUMNS, OBSCORE_COLUMNS, to_obscore
from .base import Survey
from .verbs import (
    SURVEYS,
    fetch,
    get_survey,
    list_surveys,
    query_adql,
    query_object,
    query_region,
    query_targets,
)


def __getattr__(name: str) -> object:
    """Load the downloader, and with it requests, on first use."""
    if name == "download_files":
        from ._download import download_files

        return download_files
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


__all__ = [
    "CORE_COLUMNS",
    "OBSCORE_COLUMNS",
    "SURVEYS",
    "FileRequest",
    "FileResult",
    "Survey",
    "conf",
    "download_files",
    "fetch",
    "get_survey",
    "list_surveys",
    "query_adql",
    "query_object",
    "query_region",
    "query_targets",
    "to_obscore",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
