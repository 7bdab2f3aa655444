# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From a file to the reader of its format, which is given its content only."""

import re
import warnings
from os import PathLike
from typing import Any, TypeGuard

from astropy.io.registry import IORegistryError
from astropy.table import MaskedColumn
from astropy.table.connect import TableRead

from ..exceptions import TableReadError
from ..utils.guard import raise_as
from .fields import Readable
from .opening import TableSource, check_fits_table, check_rows, open_table
from .text import decode_text, read_text, text_format
from .text_limits import check_cells, check_ecsv

__all__ = ["ResultRead"]

#: Formats that this package reads itself.
_OURS = ("votable", "fits", "parquet")
_REMEDY = "is it the table, whole, and of the format that its name says?"
#: Formats of text by their older names.
_ASCII = ("csv", "ecsv", "html", "ipac", "latex", "mrt", "rdb", "cds", "daophot")
#: What sets cells apart, by format; where it is not here, a line counts as a cell.
_DELIMITERS = {
    "ascii": " ", "basic": " ", "commented_header": " ", "no_header": " ", "csv": ",",
    "tab": "\t", "rdb": "\t",
}  # fmt: skip


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
        self._check_format(format, name)
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
        first: Any = args[0]
        form = source.form
        if form is None:
            form = self._identify(source, first)
        if form == "text" and (options or args[1:]):
            form = "ascii"  # whoever says how it is to be read knows it better
        if form == "text":
            return read_text(decode_text(source), source.name, kind=self._cls)
        if form == "fits":
            check_fits_table(source.stream, source.name)
        if form in _OURS:
            first = source.stream
        elif form.startswith("ascii") or form in _ASCII:
            text = decode_text(source)
            if form.endswith("ecsv"):
                nulls = check_ecsv(text, source.name)
                options.setdefault("fill_values", nulls)
            else:
                _check_ascii(text, source.name, form, options.get("delimiter"))
            first = text.split("\n")  # Astropy itself would split at more
        with warnings.catch_warnings():  # dex(cm/s2) is no unit of a quantity
            warnings.filterwarnings("ignore", "column .* has a unit but is kept as")
            return super().__call__(first, *args[1:], format=form, **options)

    def _check_format(self, form: str | None, name: object) -> None:
        """Refuse a format that nobody reads, before it looks like a damaged file."""
        if form is None or form == "text":
            return
        try:
            self.registry.get_reader(form, self._cls)
        except IORegistryError:
            classes = [kind.__name__ for kind in self._cls.__mro__]
            formats = self.registry.get_formats(readwrite="Read")
            known = sorted({f for kind, f, *_ in formats.iterrows() if kind in classes})
            msg = f"{name}: no format is called {form!r}; known are {', '.join(known)}"
            raise TableReadError(msg) from None

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


def _check_ascii(text: str, name: str, form: str, delimiter: str | None) -> None:
    """Bound what Astropy makes of text, whichever of its formats it is in."""
    kind = form.removeprefix("ascii.").removeprefix("fast_")
    delimiter = delimiter or _DELIMITERS.get(kind, "\n")
    if delimiter == " " and form != "ascii":
        text = re.sub(r"\A(?:#.*\n)+", "", text)  # no cells, in these formats
    check_cells(text, name, delimiter, guess=form == "ascii")


def _is_readable(source: object) -> TypeGuard[Readable]:
    """Tell files and streams from lists of lines, and from text itself."""
    if isinstance(source, str):
        return "\n" not in source
    return isinstance(source, PathLike) or hasattr(source, "read")
