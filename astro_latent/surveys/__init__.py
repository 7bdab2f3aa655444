# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Surveys: one folder for all that is known of each.

A folder holds the facts of a survey, its queries, the readers of its files, examples
of these, and the models that suit it. To add one, copy a folder and write its name
below; other distributions add theirs by entry points.
"""

from importlib import import_module

from ..utils.lazy import lazy_names
from ..utils.registry import LazyRegistry

#: The folders, in the order in which surveys are listed and formats are tried.
FOLDERS = ("local", "sample", "apogee", "eso", "lamost", "sdss", "galah", "gaia")

#: Services of the Virtual Observatory that are asked by their address.
_SERVICES = {
    "ssa": "astro_latent.archives.ssa:SsaSurvey",
    "obscore": "astro_latent.archives.obscore:ObsCoreSurvey",
}


def gather(table: str) -> dict[str, str]:
    """Join a table of all folders.

    Parameters
    ----------
    table : {"SURVEYS", "FORMATS", "EXAMPLES"}
        Name of the table.

    Returns
    -------
    dict
        Name to ``"module:attribute"``.
    """
    joined: dict[str, str] = {}
    for folder in FOLDERS:
        joined |= getattr(import_module(f".{folder}", __name__), table)
    return joined


#: Every survey, by name.
SURVEYS = LazyRegistry(
    "survey", lambda: gather("SURVEYS") | _SERVICES, group="astro_latent.surveys"
)

_LAZY = dict.fromkeys(
    (
        "fetch",
        "get_survey",
        "list_surveys",
        "query_adql",
        "query_object",
        "query_region",
        "query_targets",
    ),
    ".verbs",
)

__all__ = ["FOLDERS", "SURVEYS", "gather", *_LAZY]
__getattr__, __dir__ = lazy_names(__name__, _LAZY)
