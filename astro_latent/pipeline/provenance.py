# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where a result comes from: the metadata that every table carries."""

from datetime import UTC, datetime
from typing import Any

from astropy.table import Table

from .. import __version__
from ..utils.quality import QUALITY_FLAGS

__all__ = ["flag_bits", "provenance"]

#: What a table of observations may say about the query that made it.
_QUERY_KEYS = (
    "query", "request", "request_date", "publisher", "service_protocol", "ivoid",
    "rights", "rights_uri", "archive", "survey",
)  # fmt: skip


def flag_bits() -> dict[str, list]:
    """Return the meaning of the bits of the ``flags`` column.

    Returns
    -------
    dict
        Name to ``[value, sentence]``.

    Examples
    --------
    >>> from astro_latent.pipeline.provenance import flag_bits
    >>> flag_bits()["UNREADABLE"]
    [1, 'the file could not be read as a spectrum']
    """
    return {name: [value, text] for name, (value, text) in QUALITY_FLAGS.items()}


def provenance(model: Any, source: Any = None) -> dict[str, Any]:
    """Collect what a reader of the results must know to repeat them.

    Parameters
    ----------
    model : `~astro_latent.models.SpectralModel`
        The model that was run.
    source : object, optional
        What it was run on; a table of observations passes on its query.

    Returns
    -------
    dict
        ``model``, ``model_version``, ``model_sha256``, ``recipe``, ``grid``,
        ``software``, ``date``, ``citation``, and the query where it is known.
    """
    meta: dict[str, Any] = {
        "model": model.name,
        "model_version": model.version,
        "model_sha256": model.sha256,
        "model_licence": model.config.licence,
        "grid": model.grid.name,
        "recipe": model.recipe.to_dict(),
        "citation": model.config.citation,
        "software": f"astro_latent {__version__}",
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    }
    if isinstance(source, Table):
        meta |= {key: source.meta[key] for key in _QUERY_KEYS if source.meta.get(key)}
    return meta
