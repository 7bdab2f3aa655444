# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From a file to the reader of its format, which is given its content only."""

import warnings
from os import PathLike
from typing import Any, TypeGuard

from astropy.table import MaskedColumn
from astropy.table.connect import TableRead

from ..exceptions import TableReadError
from ..utils.guard import raise_as
from .fields import Readable
from .opening import TableSource, check_fits_table, check_rows, open_table
from .text import check_ecsv, decode_text, read_text, text_format

__all__ = ["ResultRead"]

#: Formats that this package reads itself.
_OURS = ("votable", "fits", "parquet")
_REMEDY = "is it the table, whole, and of the format that its name says?"
#: Formats of text by their older names.
_ASCII = ("csv", "ecsv", "html", "ipac", "latex", "mrt", "rdb", "cds", "daophot")


class ResultRead(TableRead):
    """Read a table; what is opened is looked at before Astropy sees it.

    See `~astro_latent.tables.read_table`.
    """

    def __call__(self, *args: Any, format: str | None = None, **options: Any) -> Any:
        """Read a table of any format."""
        source = args[0] if args else None
        if not _is_readable(source):
            return super().__call__(*args, format=format, **options)
        name = source if isinstance(source, str | PathLike) else "the table"
        try:
            with open_table(source, format) as opened:
                table = self._read(opened, *args, **options)
            check_rows(name, len(table))  # where only the rows themselves tell
        except (ImportError, FileNotFoundError, PermissionError):
            raise
        except Exception as error:  # of this package or of Astropy: whatever comes up
            raise_as(error, TableReadError, name, remedy=_REMEDY)
        for column in table.itercols():
            # ECSV takes empty text for null; here a null text is an empty one.
            if isinstance(column, MaskedColumn) and column.dtype.kind == "U":
                table.replace_column(column.name, column.filled(""))
        return table

    def _read(self, source: TableSource, *args: Any, **options: Any) -> Any:
        """Give Astropy, and our readers, what has been opened and looked at."""
        first, form = args[0], source.form
        if form is None:
            form = self._identify(source, first)
        if form == "text":
            return read_text(decode_text(source), source.name, kind=self._cls)
        if form == "fits":
            check_fits_table(source.stream, source.name)
        if form in _OURS:
            first = source.stream
        elif form.startswith("ascii") or form in _ASCII:
            first = decode_text(source)
            if form.endswith("ecsv"):
                nulls = check_ecsv(first, source.name)
                options.setdefault("fill_values", nulls)
        with warnings.catch_warnings():  # dex(cm/s2) is no unit of a quantity
            warnings.filterwarnings("ignore", "column .* has a unit but is kept as")
            return super().__call__(first, *args[1:], format=form, **options)

    def _identify(self, source: TableSource, first: Readable) -> str:
        path = str(first) if isinstance(first, str | PathLike) else None
        form = text_format(source, path)
        found = [form] if form else []
        if path and not found:
            found = self.registry.identify_format(
                "read", self._cls, path, source.stream, [first], {}
            )
            source.stream.seek(0)
        if not found:
            msg = (
                f"{source.name}: neither name nor content tell the format; pass format="
            )
            raise TableReadError(msg)
        return found[0]


def _is_readable(source: object) -> TypeGuard[Readable]:
    """Tell files and streams from lists of lines, and from text itself."""
    if isinstance(source, str):
        return "\n" not in source
    return isinstance(source, PathLike) or hasattr(source, "read")
