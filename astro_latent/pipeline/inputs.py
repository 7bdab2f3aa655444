# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What neighbours hand over: their tables, frames and rows become ours."""

import sys
from collections.abc import Mapping
from typing import Any

from astropy.table import Row, Table

from ..spectra.formats import identify_format, read_file
from ..spectra.reading import SpectraLike, find_path_column
from ..spectra.sources import is_table_like
from ..spectra.tablefile import TableFile

__all__ = ["as_spectra", "as_table"]


def as_spectra(source: Any) -> SpectraLike:
    """Turn what other packages return into what spectra are read from.

    Parameters
    ----------
    source : object
        Results of pyvo, frames of pandas or polars, mappings of columns, tables of
        astroquery; what `~astro_latent.spectra.iter_arrays` takes is returned as it is.

    Returns
    -------
    SpectraLike
        Spectra, or a table with a column of paths. Rows that name no file here are
        fetched: by ``access_url``, or by what their survey calls its spectra.

    Raises
    ------
    ValueError
        If a table says nowhere where its spectra are; the message lists its columns
        and those that are needed.
    """
    table = as_table(source)
    if table is None:
        return source
    if find_path_column(table.colnames):
        return table
    spectrum = TableFile("", table)
    if identify_format(spectrum) is not None:
        return list(read_file(spectrum, None, {}))
    from ..surveys import fetch

    return fetch(table)


def as_table(source: Any) -> Table | None:
    """Return whatever is a table in its own package as one of Astropy's.

    Parameters
    ----------
    source : object
        Anything.

    Returns
    -------
    `~astropy.table.Table` or None
        None if it is no table.
    """
    if isinstance(source, Row):
        return Table(source)
    if isinstance(source, Table):
        return source
    if _is(source, "pyvo.dal", "DALResults"):
        return source.to_table()
    if _is(source, "pandas", "DataFrame"):
        return Table.from_pandas(source)
    if _is(source, "polars", "DataFrame"):
        return Table(source.to_dict(as_series=False))
    if isinstance(source, Mapping) and is_table_like(source):
        return Table(dict(source))
    return None


def _is(value: Any, module: str, name: str) -> bool:
    """Tell whether this is an object of a package, without importing the package."""
    here = sys.modules.get(module)
    return here is not None and isinstance(value, getattr(here, name, ()))
