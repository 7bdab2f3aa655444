# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From names of stars to a table of their parameters, matched with a catalogue."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy import units as u
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyUserWarning

from ..exceptions import ArchiveError
from ..pipeline import encode_spectra, predict_parameters
from ..surveys import fetch, query_object
from ..tables import ResultTable
from .crossmatch import crossmatch
from .services import CatalogueLike

__all__ = ["LARGEST", "predict_found", "predict_object", "query_objects", "total_size"]

#: Bytes that are fetched without asking.
LARGEST = 2e9


def total_size(table: Table) -> float:
    """Add up the sizes that an archive states for its files.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that a query returned, with ``access_estsize`` in kilobytes.

    Returns
    -------
    float
        Bytes; files of unstated size count for nothing.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.matching.star import total_size
    >>> total_size(Table({"access_estsize": [5000.0, float("nan")]}))
    5000000.0
    """
    if "access_estsize" not in table.colnames:
        return 0.0
    sizes = u.Quantity(table["access_estsize"], copy=False).value
    return 1000.0 * float(sizes[sizes > 0].sum())


def predict_object(
    name: str | Sequence[str],
    *,
    survey: str,
    match: CatalogueLike | None = None,
    match_radius: u.Quantity = 2.0 * u.arcsec,
    task: str = "predict",
    directory: str | Path | None = None,
    max_size: float = LARGEST,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
    **filters: Any,
) -> ResultTable:
    """Find the spectra of stars, fetch them, run the models, match a catalogue.

    Parameters
    ----------
    name : str or sequence of str
        Names of the stars.
    survey : str
        Which survey to ask.
    match : Table, str or TapTable, optional
        Catalogue to match with, as for `crossmatch`; rows without a match stay.
    match_radius : Quantity ['angle'], optional
        Largest separation.
    task : {"predict", "encode"}, optional
        Parameters, or latents.
    directory : path-like, optional
        Folder for the files; by default in Astropy's cache.
    max_size : float, optional
        Bytes that are fetched at most; more raises before anything is fetched.
    progress : bool, optional
        Show progress bars; by default as configured.
    checkpoint : path-like, optional
        Folder in which finished rows are kept as they come. If the run is stopped, the
        same call goes on behind them; files that came whole are not fetched again.
    **filters
        ``radius``, ``snr``, ``time``, ``band``, ``row_limit`` of the query.

    Returns
    -------
    ResultTable
        One row for each spectrum, with the columns of its match. A warning names the
        stars of which there is none.

    Raises
    ------
    ArchiveError
        If the archive cannot be asked about any of them, or there is more than
        ``max_size``.

    Examples
    --------
    >>> from astro_latent.matching import predict_object
    >>> table = predict_object("Sample giant A", survey="sample")
    >>> round(float(table["teff"][0].value), -1)
    4620.0
    """
    names = [name] if isinstance(name, str) else list(name)
    found = query_objects(names, survey=survey, **filters)
    size = total_size(found)
    if size > max_size:
        msg = (
            f"{len(found)} spectra of {', '.join(names)} are {size / 1e9:.1f} GB; "
            "limit them with row_limit or snr, or allow more than "
            f"{max_size / 1e9:.1f} GB with max_size"
        )
        raise ArchiveError(msg)
    return predict_found(
        found,
        survey=survey,
        match=match,
        match_radius=match_radius,
        task=task,
        directory=directory,
        progress=progress,
        checkpoint=checkpoint,
    )


def predict_found(
    found: Table,
    *,
    survey: str,
    match: CatalogueLike | None = None,
    match_radius: u.Quantity = 2.0 * u.arcsec,
    task: str = "predict",
    directory: str | Path | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
) -> ResultTable:
    """Fetch the spectra that a query found, run the models, match a catalogue.

    Parameters
    ----------
    found : `~astropy.table.Table`
        From `query_objects`.
    survey, match, match_radius, task, directory, progress, checkpoint
        As for `predict_object`.

    Returns
    -------
    ResultTable
        As for `predict_object`.
    """
    files = fetch(found, directory, survey=survey, progress=progress)
    run = predict_parameters if task == "predict" else encode_spectra
    results = run(files, progress=progress, checkpoint=checkpoint)
    if match is None or not len(results):
        return results
    return crossmatch(results, match, radius=match_radius, join="left")


def query_objects(names: Sequence[str], *, survey: str, **filters: Any) -> Table:
    """List the spectra of several stars; one that cannot be found does not end it.

    Parameters
    ----------
    names : sequence of str
        Names of the stars.
    survey : str
        Which survey to ask.
    **filters
        As for `predict_object`.

    Returns
    -------
    `~astropy.table.Table`
        One row for each spectrum. A warning names the stars of which there is none.

    Raises
    ------
    ArchiveError
        If the archive cannot be asked about any of them.
    """
    tables: list[Table] = []
    errors: list[ArchiveError] = []
    for name in names:
        try:
            rows = query_object(name, survey=survey, **filters)
        except ArchiveError as error:
            if len(names) == 1:
                raise
            errors.append(error)
            warnings.warn(f"{name}: {error}", AstropyUserWarning, stacklevel=3)
            continue
        if not len(rows):
            text = f"{name}: {survey} has no spectrum of it"
            warnings.warn(text, AstropyUserWarning, stacklevel=3)
        tables.append(rows)
    if not tables:
        raise errors[0]
    return vstack(tables, metadata_conflicts="silent")
