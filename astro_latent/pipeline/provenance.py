# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where a result comes from: the metadata that every table carries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from .. import __version__
from ..spectra.reading import SpectraLike
from ..utils.quality import QUALITY_FLAGS

if TYPE_CHECKING:
    from ..models import SpectralModel

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


def provenance(
    models: "Sequence[SpectralModel]", source: SpectraLike | None = None
) -> dict[str, Any]:
    """Collect what a reader of the results must know to repeat them.

    Parameters
    ----------
    models : sequence of `~astro_latent.models.SpectralModel`
        The models that were run.
    source : SpectraLike, optional
        What they were run on; a table of observations passes on its query.

    Returns
    -------
    dict
        ``model``, ``model_version``, ``model_sha256``, ``recipe``, ``grid``,
        ``software``, ``date``, ``citation``, and the query where it is known. Of
        several models, ``model`` has the names and ``models`` what is known of each.
    """
    facts = [_facts(model) for model in models]
    meta: dict[str, Any] = dict(facts[0]) if len(facts) == 1 else {}
    if len(facts) != 1:
        meta["model"] = ", ".join(fact["model"] for fact in facts)
        meta["models"] = {fact["model"]: fact for fact in facts}
    meta["software"] = f"astro_latent {__version__}"
    meta["date"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(source, Table):
        meta |= {key: source.meta[key] for key in _QUERY_KEYS if source.meta.get(key)}
    return meta


def _facts(model: "SpectralModel") -> dict[str, Any]:
    return {
        "model": model.name,
        "model_version": model.version,
        "model_sha256": model.sha256,
        "model_licence": model.config.licence,
        "grid": model.grid.name,
        "recipe": model.recipe.to_dict(),
        "citation": model.config.citation,
    }
