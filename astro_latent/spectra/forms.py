# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the TFORM of a column of a binary table means, in bytes."""

import re

import numpy as np

from ..exceptions import SpectrumReadError

__all__ = ["COLUMN_TYPES", "form_width", "parse_form"]

#: Letter of a TFORM -> type of one value.
COLUMN_TYPES = {
    "L": "S1", "B": ">u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8",
    "A": "S1", "C": ">c8", "M": ">c16",
}  # fmt: skip
_SIZES = {kind: np.dtype(form).itemsize for kind, form in COLUMN_TYPES.items()}
_TFORM = re.compile(r"^\s*(\d{0,18})([LXBIJKAEDCMPQ])")


def parse_form(form: str) -> tuple[int, str]:
    """Split a TFORM into repeat count and letter.

    Parameters
    ----------
    form : str
        Such as ``"300E"``.

    Returns
    -------
    int
        How many values a row has.
    str
        The letter.

    Raises
    ------
    SpectrumReadError
        If it is none.

    Examples
    --------
    >>> from astro_latent.spectra.forms import parse_form
    >>> parse_form("300E")
    (300, 'E')
    """
    found = _TFORM.match(form)
    if not found:
        msg = f"unknown column format {form[:40]!r}"
        raise SpectrumReadError(msg)
    return int(found[1] or 1), found[2]


def form_width(repeat: int, kind: str) -> int:
    """Bytes of a column in one row.

    Parameters
    ----------
    repeat : int
        How many values a row has.
    kind : str
        Letter of the TFORM.

    Returns
    -------
    int
        For columns of variable length those of what points to the values.

    Examples
    --------
    >>> from astro_latent.spectra.forms import form_width
    >>> form_width(300, "E"), form_width(12, "X"), form_width(1, "P")
    (1200, 2, 8)
    """
    if kind in "PQ":
        return repeat * (8 if kind == "P" else 16)
    return (repeat + 7) // 8 if kind == "X" else repeat * _SIZES[kind]
