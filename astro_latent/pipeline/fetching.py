# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From rows of an archive to spectra, in order and without losing a row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import Table

if TYPE_CHECKING:
    from specutils import SpectrumList

    from ..archives import Survey

__all__ = ["fetch_spectra"]


def fetch_spectra(
    table: Table,
    *,
    directory: str | Path | None = None,
    survey: "str | Survey | None" = None,
    progress: bool | None = None,
    **options: Any,
) -> "SpectrumList":
    """Fetch the files of a table and read them.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that queries returned.
    directory : path-like, optional
        Where to keep the files; by default in Astropy's cache.
    survey : str or Survey, optional
        By default the column ``survey`` says it, row by row.
    progress : bool, optional
        Show a progress bar; by default ``conf.show_progress``.
    **options
        As for `~astro_latent.spectra.read_spectra`, such as ``format=``.

    Returns
    -------
    `~specutils.SpectrumList`
        One spectrum per row, in the same order and with the same ``obs_id``; a file
        that could not be had or read is an empty spectrum whose observation is flagged.

    Examples
    --------
    >>> from astro_latent.surveys import get_survey
    >>> from astro_latent.pipeline import fetch_spectra
    >>> spectra = fetch_spectra(get_survey("sample").table()[:2])
    >>> [spectrum.meta["observation"].survey for spectrum in spectra]
    ['apogee', 'apogee']
    """
    from ..spectra.reading import read_spectra
    from ..surveys import fetch

    fetched = fetch(table, directory, survey=survey, progress=progress)
    spectra = read_spectra(fetched, progress=progress, **options)
    for spectrum, row in zip(spectra, fetched, strict=True):
        if row["path"] == "":
            observation = spectrum.meta["observation"]
            spectrum.meta["observation"] = observation.flagged(
                int(row["flags"]), str(row["message"])
            )
    return spectra
