# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A fast path into FITS files: walk the headers, copy only the data that is needed.

Equal to `astropy.io.fits` for plain images and binary tables (a test says so) at a
tenth of its time; whatever is unusual (scaled, compressed, variable-length) is handed
to Astropy. A file that is shorter than its headers say is refused.
"""

import io
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .._config import conf
from ..exceptions import FileLimitError, SpectrumReadError
from ..utils.files import check_pixels, read_whole
from .forms import COLUMN_TYPES, form_width, parse_form
from .header import Header

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["FitsFile", "Hdu", "NotFitsError"]

_BLOCK = 2880
_MAX_HDUS = 1000
_MANY = 10  # spectra of the largest size in one array
_END = b"END".ljust(80)
_IMAGE = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CARD = 80
# the mandatory cards as the standard orders and aligns them
_STRUCTURE = re.compile(
    rb"(?:SIMPLE  |XTENSION)=.{71}"
    rb"BITPIX  = {1,20}(-?\d+) .{49}"
    rb"NAXIS   = {20}(\d) .{49}"
    rb"((?:NAXIS\d  = {1,20}\d+ .{49})*)"
    rb"(?:PCOUNT  = {1,20}(\d+) .{49}GCOUNT  = {1,20}(\d+) .{49})?"
)
_NAXIS = b"NAXIS   ="
_IMAGE_CARD, _TABLE_CARD = b"XTENSION= 'IMAGE   '", b"XTENSION= 'BINTABLE'"
_SCALING = re.compile(b"BSCALE|BZERO|BLANK")  # what makes pixels mean other numbers


class NotFitsError(SpectrumReadError):
    """The file does not begin as a FITS file does."""


def _copy_native(array: np.ndarray) -> np.ndarray:
    """Copy to native byte order, so that nothing refers to the file any longer."""
    return array.astype(array.dtype.newbyteorder("="))


class Hdu:
    """One header-data unit.

    Parameters
    ----------
    file : FitsFile
        Where it is.
    index : int
        Its number, 0 for the primary.
    cards : slice
        Where its header is, in bytes.
    """

    def __init__(self, file: "FitsFile", index: int, cards: slice) -> None:
        self.file = file
        self.index = index
        self.start = -(-cards.stop // _BLOCK) * _BLOCK
        self._cards = cards
        self._header: Header | None = None
        self._columns: dict[str, tuple[int, int, str]] | None = None
        self.bitpix, lengths, heap, groups = self._structure()
        self.shape = tuple(reversed(lengths))
        #: Whether this is an image that was compressed into a table (fpack).
        self.is_packed = self._find_packed()
        pixels = math.prod(lengths) if lengths else 0
        self.size = abs(self.bitpix) // 8 * groups * (heap + pixels) if lengths else 0
        if self.is_packed:
            axes = range(min(int(self.header.get("ZNAXIS") or 0), 9), 0, -1)
            self.shape = tuple(int(self.header[f"ZNAXIS{axis}"]) for axis in axes)

    def _find_packed(self) -> bool:
        buffer, (start, stop) = self.file.buffer, (self._cards.start, self._cards.stop)
        table = buffer.startswith(_TABLE_CARD, start)
        return table and buffer.find(b"ZIMAGE  =", start, stop) >= 0

    def _structure(self) -> tuple[int, list[int], int, int]:
        """Return BITPIX, NAXISn, PCOUNT and GCOUNT, mostly without a full parse."""
        start, stop = self._cards.start, self._cards.stop
        if self.file.buffer.count(_NAXIS, start, stop) > 1 and self._repeats_axes():
            msg = "NAXIS stands there more than once"  # Astropy takes another one
            raise ValueError(msg)
        found = _STRUCTURE.match(self.file.buffer, start, stop)
        if found and (found[4] or not self.index):
            axes, more = int(found[2]), found[3]
            if len(more) == _CARD * axes:
                lengths = [
                    int(more[i + 10 : i + 30]) for i in range(0, len(more), _CARD)
                ]
                return int(found[1]), lengths, int(found[4] or 0), int(found[5] or 1)
        head = self.header  # an unusual order or layout of the mandatory cards
        lengths = [int(head[f"NAXIS{i + 1}"]) for i in range(int(head["NAXIS"]))]
        extra = int(head.get("PCOUNT") or 0), int(head.get("GCOUNT") or 1)
        return int(head["BITPIX"]), lengths, *extra

    def _repeats_axes(self) -> bool:
        """Tell whether two cards, not text in them, say how many axes there are."""
        cards = self.file.buffer[self._cards]
        starts = range(0, len(cards), _CARD)
        return sum(cards.startswith(_NAXIS, start) for start in starts) > 1

    @property
    def header(self) -> Header:
        """The header, read when first asked for."""
        if self._header is None:
            self._header = Header(self.file.buffer[self._cards])
        return self._header

    @property
    def is_table(self) -> bool:
        """Whether this is a plain binary table, not an image compressed into one."""
        table = self.file.buffer.startswith(_TABLE_CARD, self._cards.start)
        return table and not self.is_packed

    @property
    def is_image(self) -> bool:
        """Whether this holds an image with at least one pixel."""
        if self.is_packed or not self.index:
            return bool(self.shape) and 0 not in self.shape
        image = self.file.buffer.startswith(_IMAGE_CARD, self._cards.start)
        return image and bool(self.shape) and 0 not in self.shape

    @property
    def name(self) -> str:
        """Name of the extension, in capitals; "" if it has none."""
        return str(self.header.get("EXTNAME") or "").upper()

    def array(self, *, row: int | None = None) -> np.ndarray:
        """Read an image.

        Parameters
        ----------
        row : int, optional
            Read only this row of a two-dimensional image.

        Returns
        -------
        ndarray
            The pixels, in native byte order.

        Raises
        ------
        SpectrumReadError
            If there is no image here.
        """
        self._check_size(self.shape)
        if self.bitpix not in _IMAGE or not self._is_plain():
            data = self._astropy()
            return data if row is None or data.ndim < 2 else data[row]
        if not self.shape or 0 in self.shape:
            self.file.refuse(f"HDU {self.index} holds no image")
        dtype = np.dtype(_IMAGE[self.bitpix])
        shape, start = self.shape, self.start
        if row is not None and len(shape) > 1:
            if not 0 <= row < shape[0]:
                self.file.refuse(f"HDU {self.index} has {shape[0]} rows, no row {row}")
            shape = shape[1:]
            start += row * int(np.prod(shape)) * dtype.itemsize
        return _copy_native(np.ndarray(shape, dtype, self.file.buffer, start))

    def _is_plain(self) -> bool:
        """Tell whether an image is stored as it is, mostly without a full parse."""
        buffer, (start, stop) = self.file.buffer, (self._cards.start, self._cards.stop)
        usual = not self.index or buffer.startswith(_IMAGE_CARD, start)
        if usual and not _SCALING.search(buffer, start, stop):
            return True
        head = self.header
        if self.index and head.get("XTENSION") != "IMAGE":
            return False
        blank = self.bitpix > 0 and "BLANK" in head
        return head.get("BSCALE", 1) == 1 and head.get("BZERO", 0) == 0 and not blank

    @property
    def columns(self) -> dict[str, tuple[int, int, str]]:
        """Number, byte offset and TFORM of each table column, by name in capitals."""
        if self._columns is None:
            self._columns = {}
            offset = 0
            for number in range(1, (self.header.get("TFIELDS") or 0) + 1):
                form = str(self.header[f"TFORM{number}"])
                name = str(self.header.get(f"TTYPE{number}") or f"COL{number}").upper()
                self._columns[name] = (number, offset, form)
                offset += form_width(*parse_form(form))
        return self._columns

    def column(self, name: str) -> np.ndarray:
        """Read a column of a binary table.

        Parameters
        ----------
        name : str
            Name of the column, capitals or not.

        Returns
        -------
        ndarray, shape (n_rows,) or (n_rows, repeat)
            Values in native byte order; bytes for text.

        Raises
        ------
        SpectrumReadError
            If there is no such column.
        """
        if not self.is_table or name.upper() not in self.columns:
            known = ", ".join(self.columns) or "none"
            self.file.refuse(f"HDU {self.index} has no column {name!r}; it has {known}")
        number, offset, form = self.columns[name.upper()]
        repeat, kind = parse_form(form)
        rows, width = self.header["NAXIS2"], self.header["NAXIS1"]
        self._check_size((rows, repeat) if kind != "A" and repeat > 1 else (rows,))
        if not 0 <= offset <= offset + form_width(repeat, kind) <= width:
            self.file.refuse(
                f"column {name!r} of HDU {self.index} ({form}) exceeds rows of "
                f"{width} bytes"
            )
        scaled = self.header.get(f"TSCAL{number}", 1) != 1
        scaled = scaled or self.header.get(f"TZERO{number}", 0) != 0
        if kind in "PQ" and repeat:
            self._check_heap(offset, kind)
        if kind in "BIJK" and f"TNULL{number}" in self.header:
            return self._without_nulls(number)
        shaped = kind == "A" and f"TDIM{number}" in self.header
        if scaled or shaped or kind in "PQXL":
            return np.asarray(self._astropy().field(number - 1))
        dtype = np.dtype(f"S{max(repeat, 1)}" if kind == "A" else COLUMN_TYPES[kind])
        count = 1 if kind == "A" else repeat
        table = np.ndarray(
            (rows, count),
            dtype,
            self.file.buffer,
            self.start + offset,
            (width, dtype.itemsize),
        )
        return _copy_native(table[:, 0] if count == 1 else table)

    def _without_nulls(self, number: int) -> np.ndarray:
        """Read a column of integers some of which mean that there is no value."""
        from astropy.table import Table

        with self.file.open_astropy() as hdus:
            for unit in list(hdus[self.index].header["TUNIT*"]):
                del hdus[self.index].header[unit]  # may be one that never ends
            column = Table.read(hdus, hdu=self.index).columns[number - 1]
            return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        """Refuse arrays that no spectrum needs, before they are made."""
        count = math.prod(shape)
        if shape and count > conf.max_pixels:
            check_pixels(self.file.path, max(shape[-1], count // _MANY))

    def _check_heap(self, offset: int, kind: str) -> None:
        """Refuse variable lengths whose sum is more than the file holds."""
        rows, width = self.header["NAXIS2"], self.header["NAXIS1"]
        form = ">i4" if kind == "P" else ">i8"
        lengths = np.ndarray(
            (rows,), form, self.file.buffer, self.start + offset, (width,)
        )
        if rows and int(lengths.astype(float).sum()) > len(self.file.buffer):
            self.file.refuse(
                f"a column of variable length in HDU {self.index} promises more than "
                "the file holds"
            )

    def _astropy(self) -> Any:
        try:
            with self.file.open_astropy() as hdus:
                return hdus[self.index].data
        except (OSError, ValueError, TypeError) as error:
            self.file.refuse(f"HDU {self.index} cannot be read ({error})")


class FitsFile:
    """A FITS file whose headers are read and whose data wait.

    Parameters
    ----------
    path : str or path-like
        The file; ``.gz`` and ``.bz2`` are unpacked in memory.
    content : bytes, optional
        What is in it, if that is in memory already; then ``path`` is but a name.

    Raises
    ------
    SpectrumReadError
        If it is no FITS file, or shorter than its headers say.
    """

    container = "fits"

    def __init__(self, path: str | os.PathLike, content: bytes | None = None) -> None:
        self.path = path if isinstance(path, Path) else Path(path)
        self.buffer = self._read() if content is None else content
        self.hdus: list[Hdu] = []
        if self.buffer[:6] != b"SIMPLE":
            msg = f"{self.path}: not a FITS file (it begins with {self.buffer[:12]!r})"
            raise NotFitsError(msg)
        self._walk()

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error that names the file.

        Parameters
        ----------
        reason : str
            What is wrong with it.
        """
        msg = f"{self.path}: {reason}"
        raise SpectrumReadError(msg)

    def __enter__(self) -> "FitsFile":
        return self

    def __exit__(self, *exception: object) -> None:
        # units and file refer to each other: without this the file would stay open
        # until the next collection, and millions of files do not wait for that
        self.hdus.clear()
        self.buffer = b""

    def _read(self) -> bytes:
        return read_whole(self.path) or self.refuse("the file is empty (0 bytes)")

    def open_astropy(self) -> "fits.HDUList":
        """Return the file as Astropy sees it, for what is not done here.

        Returns
        -------
        `~astropy.io.fits.HDUList`
            To be closed by the caller.
        """
        from astropy.io import fits

        return fits.open(io.BytesIO(self.buffer), memmap=False)

    def _walk(self) -> None:
        start, found = 0, len(self.buffer)
        longest = int(conf.max_header_size * 1e6)
        while start < found and len(self.hdus) < _MAX_HDUS:
            if start and self.buffer[start : start + 8] != b"XTENSION":
                break  # what follows the last unit may be anything
            cards = slice(start, self._header_end(start, longest))
            try:
                hdu = Hdu(self, len(self.hdus), cards)
            except (KeyError, TypeError, ValueError) as error:
                self.refuse(f"the header of HDU {len(self.hdus)} is unusable ({error})")
            if hdu.start + hdu.size > found:
                self.refuse(
                    f"truncated: HDU {hdu.index} ends at byte {hdu.start + hdu.size} "
                    f"by its header (expected), the file has {found} (found)"
                )
            self.hdus.append(hdu)
            start = hdu.start + -(-hdu.size // _BLOCK) * _BLOCK

    def _header_end(self, start: int, longest: int) -> int:
        found = len(self.buffer)
        limit = min(found, start + longest)
        end = self.buffer.find(_END, start, limit)
        while end >= 0 and (end - start) % 80:
            end = self.buffer.find(_END, end + 1, limit)
        if end >= 0:
            return end + 80
        number = len(self.hdus)
        if limit < found:
            text = f"the header of HDU {number} exceeds {conf.max_header_size:g} MB"
            raise FileLimitError(self.path, text, "max_header_size")
        return self.refuse(
            f"truncated: the header of HDU {number} has no END card; expected at least "
            f"{start + _BLOCK} bytes or more, found {found}"
        )

    def __len__(self) -> int:
        return len(self.hdus)

    def __getitem__(self, index: int) -> Hdu:
        if not -len(self.hdus) <= index < len(self.hdus):
            self.refuse(f"has {len(self.hdus)} HDUs, no HDU {index}")
        return self.hdus[index]

    @property
    def primary(self) -> Header:
        """Header of the primary unit."""
        return self.hdus[0].header
