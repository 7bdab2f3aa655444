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

__all__ = ["predict_object", "total_size"]

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
    4500.0
    """
    names = [name] if isinstance(name, str) else list(name)
    found = _query_all(names, survey, filters)
    size = total_size(found)
    if size > max_size:
        msg = (
            f"{len(found)} spectra of {', '.join(names)} are {size / 1e9:.1f} GB; "
            "limit them with row_limit or snr, or allow more than "
            f"{max_size / 1e9:.1f} GB with max_size"
        )
        raise ArchiveError(msg)
    files = fetch(found, directory, survey=survey, progress=progress)
    run = predict_parameters if task == "predict" else encode_spectra
    results = run(files, progress=progress)
    if match is None or not len(results):
        return results
    return crossmatch(results, match, radius=match_radius, join="left")


def _query_all(names: list[str], survey: str, filters: dict[str, Any]) -> Table:
    """List the spectra of all stars; one that cannot be found does not end it."""
    tables, errors = [], []
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
