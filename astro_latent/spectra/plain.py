# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Numbers in columns of text, and NumPy's ``.npz`` files, as tables.

For what is no CSV with names: lines of numbers set apart by blanks, tabs, semicolons or
commas, under any lines of other kinds.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..utils.files import check_pixels, check_unpacked
from .columns import find_roles, has_spectrum

__all__ = [
    "arrays_to_table",
    "is_archive",
    "is_unnamed",
    "read_keywords",
    "text_to_table",
]

_MOST_ARRAYS = 1000
_FIRST_LINES = 1000  # within which the numbers must begin
_SPLITTERS = (",", ";", "\t", "|", None)  # None: blanks
_KEY = re.compile(r"^[#\s]*([A-Za-z][\w\- ]{0,30}?)\s*[=:]\s*(.+?)\s*$")
_NUMBERED = re.compile(r"col\d+")


def is_archive(content: bytes) -> bool:
    """Tell whether this begins as a zip file does, which ``.npz`` files are."""
    return content.startswith(b"PK\x03\x04")


def is_unnamed(names: list[str]) -> bool:
    """Tell whether columns have but numbers."""
    return bool(names) and all(_NUMBERED.fullmatch(name) for name in names)


def read_keywords(lines: Iterable[str]) -> dict[str, Any]:
    """Return what lines of comment say as ``key = value`` or ``key: value``.

    Parameters
    ----------
    lines : iterable of str
        The lines.

    Returns
    -------
    dict
        Keys in capitals; numbers where the value is one.

    Examples
    --------
    >>> from astro_latent.spectra.plain import read_keywords
    >>> read_keywords(["# OBJECT = 'HD 1'", "# snr: 80"])
    {'OBJECT': 'HD 1', 'SNR': 80.0}
    """
    found: dict[str, Any] = {}
    for line in lines:
        if match := _KEY.match(line):
            text = match[2].strip("'\" ")
            try:
                found[match[1].upper()] = float(text)
            except ValueError:
                found[match[1].upper()] = text
    return found


def _refuse(name: str, reason: str) -> NoReturn:
    msg = f"{name}: {reason}"
    raise SpectrumReadError(msg)


def arrays_to_table(content: bytes, name: str) -> Table:
    """Read an archive of NumPy arrays; nothing in it is executed.

    Parameters
    ----------
    content : bytes
        What is in the file.
    name : str
        Of the file, for messages.

    Returns
    -------
    `~astropy.table.Table`
        One row for each spectrum, or for each pixel of a single one; wavelengths that
        all share are repeated, arrays of other shapes left out.

    Raises
    ------
    SpectrumReadError
        If it is damaged, holds other things than arrays, or no spectrum.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            _check_sizes(archive.zip.infolist(), name)
            names = archive.files[:_MOST_ARRAYS]
            arrays = {key: archive[key] for key in names}
    except SpectrumReadError:
        raise
    except (ValueError, OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        _refuse(name, f"no archive of plain NumPy arrays ({error})")
    arrays = {key: a for key, a in arrays.items() if a.dtype.kind in "fiub" and a.ndim}
    roles = find_roles([{"name": key} for key in arrays])
    if not has_spectrum(roles):
        return _as_long_as_most(arrays, name)
    shape = arrays[list(arrays)[roles["flux"]]].shape
    wave = list(arrays)[roles["wavelength"]]
    if arrays[wave].shape == shape[-1:]:
        arrays[wave] = np.broadcast_to(arrays[wave], shape)
    return Table({key: a for key, a in arrays.items() if a.shape == shape}, copy=False)


def _as_long_as_most(arrays: dict[str, np.ndarray], name: str) -> Table:
    """Make columns of arrays whose names say nothing: the caller may know better."""
    lengths = Counter(len(a) for a in arrays.values() if a.ndim == 1)
    length, count = max(lengths.items(), key=lambda it: it[::-1], default=(0, 0))
    if count < 2:
        _refuse(name, f"no wavelength and flux among the arrays {', '.join(arrays)}")
    return Table({key: a for key, a in arrays.items() if a.shape == (length,)})


def _check_sizes(members: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse archives that unpack to more than files may hold."""
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    check_unpacked(name, size, packed)


def text_to_table(content: bytes, name: str) -> Table:
    """Read columns of numbers from text.

    Parameters
    ----------
    content : bytes
        The text.
    name : str
        Of the file, for messages.

    Returns
    -------
    `~astropy.table.Table`
        Its columns have the names that stand in the last line above the numbers, if it
        has as many words, else ``col1`` and so on; ``meta`` has what is written above
        as ``key = value``.

    Raises
    ------
    SpectrumReadError
        If there are no columns of numbers.
    """
    check_pixels(name, content.count(b"\n"))
    lines = content.decode("latin-1").removeprefix("\xef\xbb\xbf").splitlines()
    start, splitter, count = _find_numbers(lines, name)
    try:
        values = np.genfromtxt(lines[start:], delimiter=splitter, comments="#")
    except ValueError as error:
        reason = str(error).strip().split("\n")[-1].strip()
        _refuse(name, f"lines {start + 1} and after are no columns ({reason})")
    names = _find_names(lines[:start], splitter, count)
    header = read_keywords(lines[:start])
    return Table(np.atleast_2d(values), names=names, meta=header)


def _find_numbers(lines: list[str], name: str) -> tuple[int, str | None, int]:
    """Find the first of three lines with as many numbers, and what sets them apart."""
    for start in range(min(len(lines) - 2, _FIRST_LINES)):
        for splitter in _SPLITTERS:
            rows = {_count(line, splitter) for line in lines[start : start + 3]}
            count = rows.pop()
            if count >= 2 and not rows:
                return start, splitter, count
    return _refuse(name, "no spectrum found: neither FITS, VOTable nor columns of text")


def _count(line: str, splitter: str | None) -> int:
    """Return how many numbers a line has; 0 if anything else is in it."""
    text = line.split("#")[0].strip()
    words = text.split(splitter) if text else []
    try:
        for word in words:
            float(word.strip() or "nan")
    except ValueError:
        return 0
    return len(words)


def _find_names(lines: list[str], splitter: str | None, count: int) -> list[str]:
    for line in reversed([line for line in lines if line.strip("# \t")][-2:]):
        words = [word.strip(" \"'") for word in line.lstrip("# \t").split(splitter)]
        if len(set(words)) == count and all(words) and not _count(line, splitter):
            return words
    return [f"col{number + 1}" for number in range(count)]
