# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""`ResultTable`: a ``QTable`` whose files keep what its columns mean.

Astropy's unified input and output picks readers and writers by the class of the
table, so a thin subclass is the least surprising place for our own: plain tables keep
Astropy's, and ``table.write("x.vot")`` works as people expect.
"""

from pathlib import Path
from typing import Any

from astropy.io import registry
from astropy.table import MaskedColumn, QTable, Table
from astropy.table.connect import TableRead, TableWrite

from .fits import read_fits, write_fits
from .parquet import read_parquet, write_parquet
from .votable import read_votable, write_votable

__all__ = ["ResultTable", "read_table", "write_table"]

#: Format of a file by the end of its name.
SUFFIXES = {
    ".vot": "votable", ".votable": "votable", ".xml": "votable", ".fits": "fits",
    ".fit": "fits", ".fits.gz": "fits", ".parquet": "parquet", ".parq": "parquet",
    ".ecsv": "ascii.ecsv",
}  # fmt: skip


def guess_format(path: Any) -> str | None:
    """Return the format that a file name stands for.

    Parameters
    ----------
    path : object
        A path; anything else gives None.

    Returns
    -------
    str or None
        Name of the format in Astropy's registry, None if the name does not say.
    """
    if not isinstance(path, str | Path):
        return None
    name = str(path).lower()
    return next((form for end, form in SUFFIXES.items() if name.endswith(end)), None)


class _Read(TableRead):
    def __call__(self, *args: Any, format: str | None = None, **options: Any) -> Any:
        form = format or guess_format(args[0] if args else None)
        table = super().__call__(*args, format=form, **options)
        for column in table.itercols():
            # ECSV takes empty text for null; here a null text is an empty one.
            if isinstance(column, MaskedColumn) and column.dtype.kind == "U":
                table.replace_column(column.name, column.filled(""))
        return table


class _Write(TableWrite):
    def __call__(self, *args: Any, format: str | None = None, **options: Any) -> None:
        form = format or guess_format(args[0] if args else None)
        super().__call__(*args, format=form, **options)


class ResultTable(QTable):
    """A `~astropy.table.QTable` that is written and read with all its metadata.

    It behaves like any ``QTable``. Its ``write`` and ``read`` use this package's
    VOTable, FITS and Parquet formats, which keep units, UCDs, descriptions, the
    meaning of the flag bits, coordinate and time systems, and provenance. ECSV and
    all other formats are Astropy's own.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from astropy import units as u
    >>> from astro_latent.tables import ResultTable
    >>> table = ResultTable({"logg": [4.4, 2.1] * u.dex}, meta={"model": "a_v1"})
    >>> table["logg"].info.meta = {"ucd": "phys.gravity"}
    >>> path = Path(mkdtemp(), "results.vot")
    >>> table.write(path)
    >>> again = ResultTable.read(path)
    >>> again.meta["model"], again["logg"].unit == u.dex
    ('a_v1', True)
    >>> again["logg"].info.meta["ucd"]
    'phys.gravity'
    """

    read = registry.UnifiedReadWriteMethod(_Read)
    write = registry.UnifiedReadWriteMethod(_Write)


def _reader(function: Any) -> Any:
    def read(path: Any, **options: Any) -> ResultTable:
        return function(path, kind=ResultTable, **options)

    return read


for _name, _read, _write in (
    ("votable", read_votable, write_votable),
    ("fits", read_fits, write_fits),
    ("parquet", read_parquet, write_parquet),
):
    registry.register_reader(_name, ResultTable, _reader(_read))
    registry.register_writer(_name, ResultTable, _write)


def write_table(
    table: Table,
    path: Any,
    *,
    format: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Write any table with units, UCDs, descriptions and provenance.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    path : path-like
        File to write.
    format : str, optional
        ``"votable"``, ``"fits"``, ``"parquet"``, ``"ascii.ecsv"`` or any format that
        Astropy knows; by default from the file name.
    overwrite : bool, optional
        Replace an existing file.
    **options
        Passed to the writer, such as ``serialization="tabledata"`` or ``mivot=True``
        for a VOTable.

    Raises
    ------
    OSError
        If the file exists.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from astropy.table import Table
    >>> from astro_latent.tables import read_table, write_table
    >>> path = Path(mkdtemp(), "sun.fits")
    >>> write_table(Table({"teff": [5772.0]}), path)
    >>> read_table(path)["teff"].tolist()
    [5772.0]
    """
    form = format or guess_format(path)
    writers = {"votable": write_votable, "fits": write_fits, "parquet": write_parquet}
    if form in writers:
        writers[form](table, path, overwrite=overwrite, **options)
    else:
        table.write(path, format=form, overwrite=overwrite, **options)


def read_table(path: Any, *, format: str | None = None, **options: Any) -> ResultTable:
    """Read a table with everything that `write_table` keeps.

    Parameters
    ----------
    path : path-like
        The file.
    format : str, optional
        As in `write_table`; by default from the file name, else from the content.
    **options
        Passed to the reader.

    Returns
    -------
    ResultTable
        The table: INFO and PARAM in ``meta``, UCDs in ``column.info.meta["ucd"]``.

    Raises
    ------
    ValueError
        If the format is not known, or a VOTable holds no table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from astropy.table import Table
    >>> from astro_latent.tables import read_table, write_table
    >>> path = Path(mkdtemp(), "two.vot")
    >>> write_table(Table({"a": [1, 2]}), path)
    >>> len(read_table(path))
    2
    """
    try:
        return ResultTable.read(path, format=format, **options)
    except registry.IORegistryError as error:
        msg = f"{path}: neither name nor content tell the format; pass format="
        raise ValueError(msg) from error
