# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""`ResultTable`: a ``QTable`` whose files keep what its columns mean.

Astropy's unified input and output picks readers and writers by the class of the
table, so a thin subclass is the least surprising place for our own: plain tables keep
Astropy's, and ``table.write("x.vot")`` works as people expect.
"""

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from astropy import units as u
from astropy.io import registry
from astropy.table import QTable, Row, Table
from astropy.table.connect import TableWrite

from ..utils.writing import replacing
from .fields import Field, Readable, assemble, flatten, spell_out, ucd_of, unit_to_text
from .fits import read_fits, write_fits
from .opening import guess_format
from .parquet import read_parquet, write_parquet
from .reading import ResultRead
from .votable import read_votable, write_votable

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ResultTable", "read_table", "to_wide", "write_table"]

#: Formats that this package writes itself, in one step from the old file to the new.
WRITERS: dict[str, Callable[..., None]] = {
    "votable": write_votable, "fits": write_fits, "parquet": write_parquet,
}  # fmt: skip


class _Write(TableWrite):
    def __call__(self, *args: Any, format: str | None = None, **options: Any) -> None:
        form = format or guess_format(args[0] if args else None)
        table = spell_out(self._instance)
        if form == "ascii.ecsv":  # whose head says all of a Quantity twice
            table = Table(table, copy=False)
        write = partial(TableWrite(table, type(table)).__call__, format=form)
        if form in WRITERS or not args or not isinstance(args[0], str | PathLike):
            write(*args, **options)
        else:
            _write_whole(write, *args, **options)


def _write_whole(
    write: Callable[..., None],
    path: str | PathLike[str],
    /,  # HDF5 has an option path, the place within the file
    *args: Any,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Let a writer of Astropy's write to a temporary name, but for what it adds to."""
    if options.get("append"):
        write(path, *args, overwrite=overwrite, **options)
        return
    with replacing(path, overwrite=overwrite) as part:
        write(part, *args, **options)


class Measured(u.Quantity):
    """One value of a table with its unit; ``float(value)`` gives the number alone."""

    def __float__(self) -> float:
        """Return the number, in the unit of the column."""
        return float(self.value)


class ResultRow(Row):
    """A row whose values know their unit and are numbers all the same."""

    def __getitem__(self, item: int | str | Sequence[str]) -> Any:
        """Return the value of a column, or a row of several."""
        value = super().__getitem__(item)
        if isinstance(value, u.Quantity) and value.isscalar:
            return value.view(Measured)
        return value


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

    Row = ResultRow
    read = registry.UnifiedReadWriteMethod(ResultRead)
    write = registry.UnifiedReadWriteMethod(_Write)

    def to_pandas(self, *args: Any, **options: Any) -> "DataFrame":
        """Return a pandas frame; its ``attrs["units"]`` has the units by column.

        Parameters
        ----------
        *args
            As for `astropy.table.Table.to_pandas`.
        **options
            As for `astropy.table.Table.to_pandas`.

        Returns
        -------
        pandas.DataFrame
            Columns of one value a cell, and array columns as one column an element.
        """
        wide = to_wide(self)
        frame = QTable(wide, copy=False).to_pandas(*args, **options)
        units = ((name, wide[name].unit) for name in wide.colnames)
        frame.attrs["units"] = {name: str(unit) for name, unit in units if unit}
        return frame


def _reader(function: Callable[..., QTable]) -> Callable[..., QTable]:
    def read(stream: BinaryIO, **options: Any) -> ResultTable:
        return function(stream, kind=ResultTable, **options)

    return read


for _name, _read in (
    ("votable", read_votable),
    ("fits", read_fits),
    ("parquet", read_parquet),
):
    registry.register_reader(_name, ResultTable, _reader(_read))
    registry.register_writer(_name, ResultTable, WRITERS[_name])


def write_table(
    table: Table,
    path: str | PathLike[str],
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
    if form in WRITERS:
        WRITERS[form](table, path, overwrite=overwrite, **options)
    elif isinstance(table, ResultTable):
        table.write(path, format=form, overwrite=overwrite, **options)
    else:
        write = partial(spell_out(table).write, format=form)
        _write_whole(write, path, overwrite=overwrite, **options)


def read_table(
    path: Readable, *, format: str | None = None, **options: Any
) -> ResultTable:
    """Read a table with everything that `write_table` keeps.

    Parameters
    ----------
    path : path-like or binary file-like
        The file.
    format : str, optional
        As in `write_table`; by default from the file name, else from the content. Text
        in columns is read too, with units as VizieR writes them.
    **options
        Passed to the reader. Text in columns is then read by Astropy's ``ascii``, as
        they say: without the units of VizieR.

    Returns
    -------
    ResultTable
        The table: INFO and PARAM in ``meta``, UCDs in ``column.info.meta["ucd"]``.

    Raises
    ------
    TableReadError
        If the format is not known, the file is damaged, no regular file or beyond the
        limits of ``astro_latent.conf``, or a VOTable holds no table or leads elsewhere.
    OSError
        If it cannot be opened.

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
    return ResultTable.read(path, format=format, **options)


#: Beginnings of the names of the new columns.
PREFIXES = {"latent": "z", "latent_error": "z_error_"}


def to_wide(table: Table, *, columns: Sequence[str] | None = None) -> ResultTable:
    """Replace array columns by one scalar column for each element.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    columns : sequence of str, optional
        Which columns; by default all that hold one-dimensional arrays.

    Returns
    -------
    ResultTable
        ``latent`` becomes ``z000`` ... ``z127``, ``latent_error`` ``z_error_000`` ...,
        any other column ``<name>_000`` ..., with the unit and UCD of the array.

    Raises
    ------
    ValueError
        If a column does not hold one-dimensional arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astro_latent.tables import to_wide
    >>> table = QTable({"obs_id": ["a", "b"], "latent": np.zeros((2, 3))})
    >>> to_wide(table).colnames
    ['obs_id', 'z000', 'z001', 'z002']
    """
    fields, arrays = flatten(table)
    for spec in fields:
        if columns is not None and spec.name in columns and len(spec.shape) != 1:
            msg = f"column {spec.name!r} has cells of shape {spec.shape}, not arrays"
            raise ValueError(msg)
    spread: list[tuple[Field, np.ndarray]] = []
    for spec, values in zip(fields, arrays, strict=True):
        if len(spec.shape) == 1 and (columns is None or spec.name in columns):
            spread += _spread(spec, values)
        else:
            spread.append((spec, values))
    new_fields, new_arrays = map(list, zip(*spread, strict=True))
    return assemble(new_fields, new_arrays, dict(table.meta), kind=ResultTable)


def _spread(spec: Field, values: np.ndarray) -> list[tuple[Field, np.ndarray]]:
    prefix = PREFIXES.get(spec.name, f"{spec.name}_")
    digits = max(3, len(str(spec.shape[0] - 1)))
    return [
        (
            Field(
                name=f"{prefix}{i:0{digits}d}",
                kind=spec.kind,
                unit=spec.unit,
                ucd=spec.ucd,
                description=f"{spec.description} [{i}]".strip(),
                meta=spec.meta,
            ),
            values[:, i],
        )
        for i in range(spec.shape[0])
    ]


def write_parquet_votable(
    table: Table, path: str | PathLike[str], *, overwrite: bool = False
) -> None:
    """Write the convention "VOParquet": a Parquet file with a VOTable in its metadata.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table; array columns become one column for each element.
    path : path-like
        File to write.
    overwrite : bool, optional
        Replace an existing file.
    """
    from astropy.io.misc.parquet import write_parquet_votable as write

    wide = to_wide(table)
    metadata = {}
    plain = Table()
    for name in wide.colnames:
        column = wide[name]
        plain[name] = np.asarray(getattr(column, "value", column))
        metadata[name] = {
            "unit": unit_to_text(column.unit),
            "ucd": ucd_of(column),
            "description": column.info.description or "",
        }
    with replacing(path, overwrite=overwrite) as part:
        write(plain, part, metadata=metadata)


registry.register_writer("parquet.votable", ResultTable, write_parquet_votable)
