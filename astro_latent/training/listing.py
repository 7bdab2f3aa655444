# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables that list spectra: where their files are, and what these are called."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..tables import read_table
from ..utils.files import PATH_COLUMNS
from .omissions import Omissions

__all__ = [
    "as_word", "file_names", "find_identifier", "find_paths", "match_names",
    "read_listing", "row_name",
]  # fmt: skip

# elsewhere a column "spectrum" holds fluxes, not names
_PATHS = (*PATH_COLUMNS, "spectrum", "fits")
_IDS = (
    "obs_id", "star", "source_id", "gaia_source_id", "obsid", "apogee_id",
    "target_name",
)  # fmt: skip


def read_listing(path: Path) -> Table:
    """Read any table that the package or Astropy can read.

    Parameters
    ----------
    path : Path
        The file. What neither name nor content tell is read as text in columns.

    Returns
    -------
    `~astropy.table.Table`
        The table.

    Raises
    ------
    ValueError
        If it is no table.
    """
    try:
        return read_table(path)
    except Exception as error:
        try:
            return read_table(path, format="ascii")
        except Exception:  # the first attempt says more
            msg = f"{path} cannot be read as a table of spectra: {error}"
            raise ValueError(msg) from error


def find_identifier(table: Table) -> str | None:
    """Return the column that tells spectra or stars apart; None if there is none."""
    return _find(table, _IDS)


def find_paths(table: Table) -> str | None:
    """Return the column that names files; None if there is none."""
    return _find(table, _PATHS)


def _find(table: Table, names: Sequence[str]) -> str | None:
    spelled = {name.lower(): name for name in table.colnames}
    return next((spelled[name] for name in names if name in spelled), None)


def row_name(table: Table, row: int) -> str:
    """Return what to call a row of a table in a message."""
    name = find_identifier(table) or find_paths(table)
    return f"row {row}" if name is None else str(table[name][row])


def file_names(path: str | Path) -> list[str]:
    """Return what a file may be called in a table.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of str
        Its name, with fewer and fewer endings, and the words in it, the longest first.

    Examples
    --------
    >>> from astro_latent.training.listing import file_names
    >>> file_names("spectra/spec-55859-F9302.fits.gz")
    ['spec-55859-F9302.fits.gz', 'spec-55859-F9302.fits', 'spec-55859-F9302', '55859', 'F9302', 'spec']
    """  # noqa: E501
    name = Path(path).name
    names = [name]
    while "." in name:
        name = name.rpartition(".")[0]
        names.append(name)
    words = sorted(name.replace("-", "_").split("_"))
    return names + sorted(words, key=len, reverse=True)


def as_word(value: object) -> str:
    """Return an identifier as a word: "" if it is missing, a whole number as such.

    Parameters
    ----------
    value : object
        Of a table.

    Returns
    -------
    str
        The word.

    Examples
    --------
    >>> from astro_latent.training.listing import as_word
    >>> as_word(7.0), as_word(" a "), as_word(float("nan"))
    ('7', 'a', '')
    """
    if value is np.ma.masked or value != value:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def match_names(
    table: Table, called: Sequence[Sequence[str]], omissions: Omissions
) -> np.ndarray:
    """Find the row of a table that is about each spectrum, by its identifiers.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With a column of identifiers.
    called : sequence of sequence of str
        What each spectrum may be called, the surest first.
    omissions : Omissions
        Identifiers that stand there twice are added.

    Returns
    -------
    ndarray of int, shape (n_spectra,)
        Rows; -1 where the table knows nothing of a spectrum.
    """
    name = find_identifier(table)
    at: dict[str, int] = {}
    again = []
    for row, value in enumerate([] if name is None else table[name]):
        word = as_word(value)
        if word in at:
            again.append(word)
        elif word:
            at[word] = row
    found = [next((at[n] for n in names if n in at), -1) for names in called]
    if max(found, default=-1) >= 0:
        omissions.add("identifier repeated in the table, its first row counts", again)
    return np.array(found, dtype=int)
