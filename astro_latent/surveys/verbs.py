# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verbs of the room: ask any survey by its name, and bring the files here."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Row, Table, vstack

from ..archives.base import Survey
from ..archives.ledger import was_fetched
from . import SURVEYS

__all__ = [
    "fetch",
    "get_survey",
    "list_surveys",
    "query_adql",
    "query_object",
    "query_region",
    "query_targets",
]


def get_survey(name: str | Survey, **options: Any) -> Survey:
    """Return a survey by its name.

    Parameters
    ----------
    name : str or Survey
        One of the names in `list_surveys`; a survey is returned as it is.
    **options
        Passed on to the survey, such as ``path=`` for ``"local"``.

    Returns
    -------
    Survey
        Facts, queries and files.

    Raises
    ------
    UnknownNameError
        If no survey has this name.

    Examples
    --------
    >>> from astro_latent.surveys import get_survey
    >>> get_survey("sample").name
    'sample'
    """
    if isinstance(name, Survey):
        if options:
            msg = f"{name!r} is made already and takes no further options {options}"
            raise TypeError(msg)
        return name
    return SURVEYS[name](**options)


def list_surveys() -> Table:
    """List the surveys that can be asked, with what their spectra are.

    Returns
    -------
    `~astropy.table.Table`
        One row per survey: name, title, wavelength range, medium, frame, resolving
        power, normalisation, models, licence, citation. NaN and "unknown" mean that it
        varies.

    Examples
    --------
    >>> from astro_latent.surveys import list_surveys
    >>> "sample" in list_surveys()["name"]
    True
    """
    rows = []
    for name in SURVEYS:
        survey = SURVEYS[name]
        low, high = survey.wavelength_range
        rows.append(
            {
                "name": name,
                "title": survey.title,
                "wavelength_min": low,
                "wavelength_max": high,
                "models": ", ".join(survey.models),
                **{fact: getattr(survey, fact) for fact in _FACTS},
            }
        )
    table = Table(rows=rows)
    for name in ("wavelength_min", "wavelength_max"):
        table[name].unit = u.AA
    return table


#: Columns by which a row with an address is fetched.
_ADDRESSED = {"obs_id", "obs_publisher_did", "access_url", "access_format"}
_FACTS = (
    "medium",
    "frame",
    "resolving_power",
    "normalisation",
    "licence",
    "citation",
)


def query_object(name: str, *, survey: str | Survey, **filters: Any) -> Table:
    """List the spectra of a star.

    Parameters
    ----------
    name : str
        Name of the star.
    survey : str or Survey
        Which survey to ask.
    **filters
        ``radius``, ``snr``, ``time``, ``band``, ``row_limit``: see
        `Survey.query_object`.

    Returns
    -------
    `~astropy.table.Table`
        One row per spectrum, ObsCore names, units and UCDs.
    """
    return get_survey(survey).query_object(name, **filters)


def query_region(
    coordinates: SkyCoord, radius: u.Quantity, *, survey: str | Survey, **filters: Any
) -> Table:
    """List the spectra within a circle on the sky.

    Parameters
    ----------
    coordinates : `~astropy.coordinates.SkyCoord`
        Centre, one position.
    radius : `~astropy.units.Quantity` ['angle']
        Radius.
    survey : str or Survey
        Which survey to ask.
    **filters
        ``snr``, ``time``, ``band``, ``row_limit``: see `Survey.query_region`.

    Returns
    -------
    `~astropy.table.Table`
        One row per spectrum, ObsCore names, units and UCDs.
    """
    return get_survey(survey).query_region(coordinates, radius, **filters)


def query_adql(
    adql: str, *, survey: str | Survey, row_limit: int | None = None
) -> Table:
    """Run a query of your own.

    Parameters
    ----------
    adql : str
        The query, sent as it is.
    survey : str or Survey
        Which survey to ask.
    row_limit : int, optional
        Largest number of rows; -1 for all; by default ``conf.row_limit``.

    Returns
    -------
    `~astropy.table.Table`
        ObsCore names, units and UCDs for the columns that are known.
    """
    return get_survey(survey).query_adql(adql, row_limit=row_limit)


def query_targets(
    targets: Table, radius: u.Quantity, *, survey: str | Survey, **filters: Any
) -> Table:
    """List the spectra of many targets in one query, by uploading them.

    Parameters
    ----------
    targets : `~astropy.table.Table`
        With ``ra`` and ``dec`` in degrees, and ``target_id`` if wanted.
    radius : `~astropy.units.Quantity` ['angle']
        Radius around each.
    survey : str or Survey
        Which survey to ask.
    **filters
        ``snr``, ``time``, ``band``, ``row_limit``: see `Survey.query_region`.

    Returns
    -------
    `~astropy.table.Table`
        As for `query_region`, with the column ``target_id`` in addition.
    """
    return get_survey(survey).query_targets(targets, radius, **filters)


def fetch(
    table: Table,
    directory: str | Path | None = None,
    *,
    survey: str | Survey | None = None,
    **options: Any,
) -> Table:
    """Bring the files of a table here, from one survey or from several.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that queries returned. Rows whose ``path`` names a file are here already.
    directory : path-like, optional
        Where to; by default a folder per survey in Astropy's cache.
    survey : str or Survey, optional
        By default the column ``survey`` says it, row by row.
    **options
        ``progress``, ``n_workers`` and others: see `download_files`.

    Returns
    -------
    `~astropy.table.Table`
        The same rows in the same order, with ``path`` ("" where the file could not be
        had), ``fetch_status``, ``flags`` and ``message``.
    """
    if isinstance(table, Row):
        table = Table(table)
    if survey is not None:
        source = get_survey(survey)
        if "obs_id" not in table.colnames and len(table):
            table = source.adopt(table)
        return source.fetch(table, directory, **options)
    if len(table) == 0:
        return get_survey("local").fetch(table, directory, **options)
    owners = _find_owners(table)
    parts, order = [], []
    for name in dict.fromkeys(owners):
        rows = np.flatnonzero(owners == name)
        source, mine = get_survey(name), table[rows]
        if name != "local" and not set(table.colnames) >= _ADDRESSED:
            mine = source.adopt(mine)
        parts.append(source.fetch(mine, directory, **options))
        order.append(rows)
    if len(parts) == 1:
        return parts[0]
    out = vstack(parts, metadata_conflicts="silent")
    return out[np.argsort(np.concatenate(order))]


def _find_owners(table: Table) -> np.ndarray:
    """Survey that answers for each row; files on this machine are local."""
    here = np.array([_is_here(row) for row in table])
    if "survey" in table.colnames:
        names = np.array([str(name) for name in table["survey"]], dtype=object)
    elif here.all():
        names = np.full(len(table), "local", dtype=object)
    else:
        names = np.full(len(table), _guess_survey(table), dtype=object)
    return np.where(here, "local", names)


def _guess_survey(table: Table) -> str:
    """Tell by its columns who can fetch the rows of a table."""
    names = {name.lower() for name in table.colnames}
    stated = str(table.meta.get("survey", ""))
    if stated in SURVEYS:
        return stated
    ways = {name: SURVEYS[name].keys for name in SURVEYS if SURVEYS[name].keys}
    fits = [name for name, keys in ways.items() if names >= set(keys)]
    if fits == ["gaia", "gaia_xp"]:
        return "gaia_xp" if "has_rvs" not in names else "gaia"
    if fits:  # instruments of one archive are fetched alike
        return fits[0]
    if "access_url" in names:
        return "obscore"
    known = "; ".join(", ".join(keys) for keys in dict.fromkeys(ways.values()))
    msg = (
        f"nothing says where the spectra are. Needed: a column path of files, or "
        f"access_url, or {known}; there is {', '.join(table.colnames)}"
    )
    raise ValueError(msg)


def _is_here(row: Row) -> bool:
    """Tell whether a row names a file; one that is gone may still have an address."""
    path = str(row["path"]) if "path" in row.colnames else ""
    address = str(row["access_url"]) if "access_url" in row.colnames else ""
    return bool(path) and (not address or was_fetched(Path(path)))
