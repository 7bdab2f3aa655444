# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From the name of a star to a table of its parameters, matched with a catalogue."""

from pathlib import Path
from typing import Any

from astropy import units as u
from astropy.table import Table

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
    name: str,
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
    """Find the spectra of a star, fetch them, run the models, match a catalogue.

    Parameters
    ----------
    name : str
        Name of the star.
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
        One row for each spectrum, with the columns of its match.

    Raises
    ------
    ArchiveError
        If the archive cannot be asked, or there is more than ``max_size``.

    Examples
    --------
    >>> from astro_latent.matching import predict_object
    >>> table = predict_object("Sample giant A", survey="sample")
    >>> round(float(table["teff"][0].value), -1)
    4500.0
    """
    found = query_object(name, survey=survey, **filters)
    size = total_size(found)
    if size > max_size:
        msg = (
            f"{len(found)} spectra of {name!r} are {size / 1e9:.1f} GB; limit them "
            f"with row_limit or snr, or allow more than {max_size / 1e9:.1f} GB with "
            "max_size"
        )
        raise ArchiveError(msg)
    files = fetch(found, directory, survey=survey, progress=progress)
    run = predict_parameters if task == "predict" else encode_spectra
    results = run(files, progress=progress)
    if match is None or not len(results):
        return results
    return crossmatch(results, match, radius=match_radius, join="left")
