# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Positions as people write them: names of columns, and angles as text."""

import re
from collections.abc import Iterable

import numpy as np

__all__ = ["find_position_columns", "parse_angles", "parse_sexagesimal"]

_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d{1,3})\s*([:hHdD°\s])\s*(\d{1,2}(?:\.\d*)?)\s*"
    r"(?:([:mM'\u2032\s])\s*(\d{1,2}(?:\.\d*)?)?\s*(?:[sS\"\u2033]|'')?)?"
)
_EMPTY = ("", "--", "nan", "null", "none", "n/a")

#: How right ascension and declination are called, the plainest first; signs between
#: the words of a name and capitals do not count.
_PLAIN = (
    ("ra", "dec"), ("ra", "de"), ("sra", "sdec"), ("raicrs", "deicrs"),
    ("raicrs", "decicrs"), ("radeg", "dedeg"), ("radeg", "decdeg"),
    ("raj2000", "dej2000"), ("raj2000", "decj2000"), ("ra2000", "de2000"),
    ("ra2000", "dec2000"), ("targetra", "targetdec"), ("plugra", "plugdec"),
    ("rightascension", "declination"), ("alphaj2000", "deltaj2000"),
    ("alpha", "delta"), ("rahms", "decdms"), ("rahms", "dedms"),
)  # fmt: skip
#: What a name may say in brackets of a position that is taken as it is.
_REMARK = re.compile(
    r"[(\[]\s*(?:ICRS|J?2000(?:\.0)?|deg(?:rees?)?|°|hours?|[hd]\W*m\W*s|hh\W*mm\W*ss(?:\.s+)?|"
    r"dd\W*mm\W*ss(?:\.s+)?|,|;|\s)+[)\]]",
    re.IGNORECASE,
)
#: Any other word in front of or behind the plain ones, as TIC_RA or raMean have it ...
_WORDED = re.compile(r"(?P<before>|\w+_)(?P<ra>ra)(?P<after>|_?\d\w*|_?[a-z]\w*)")
#: ... but for these, which make an error, a motion or another place of it.
_OTHER = re.compile(
    r"(?:^|_)(?:e|err|errs?|error|errors|sigma?|std|stddev|unc|uncertainty|var|ivar|cov|"
    r"corr|pm|off|offset|d|delta|diff|tel|telescope|bore|boresight|pointing|field|"
    r"plate|tile|center|centre|cen|flag|n|rate|motion|rad|gal)(?:_|$)|err|sig"
)


def find_position_columns(names: Iterable[str]) -> tuple[str, str] | None:
    """Find the columns of right ascension and declination by their names.

    Parameters
    ----------
    names : iterable of str
        Names of columns.

    Returns
    -------
    tuple of str, or None
        The plainest pair; None if no name is one that is in use.

    Examples
    --------
    >>> from astro_latent.utils.angles import find_position_columns
    >>> find_position_columns(["pmRA", "pmDE", "TARGET_RA", "TARGET_DEC", "e_RAdeg"])
    ('TARGET_RA', 'TARGET_DEC')
    """
    names = list(names)
    exact = {name: name for name in names}
    for plain in (("ra", "dec"), ("s_ra", "s_dec")):  # before RA, DEC beside them
        if exact.keys() >= set(plain):
            return plain
    bare = {
        re.sub(r"[\W_]", "", spelling).lower(): name
        for name in reversed(names)
        for spelling in (_REMARK.sub("", name), name)
    }
    for east, north in _PLAIN:
        if east in bare and north in bare:
            return bare[east], bare[north]
    known = {name.lower().strip("_"): name for name in reversed(names)}
    for name in known:
        found = _WORDED.fullmatch(name)
        if not found or _OTHER.search(name) or found["after"] in ("h", "m", "s", "d"):
            continue  # hours, minutes and seconds have columns of their own
        for word in ("dec", "de"):
            other = known.get(f"{found['before']}{word}{found['after']}")
            if other is not None:
                return known[name], other
    return None


def parse_sexagesimal(text: object) -> tuple[float, str]:
    """Return the value of a sexagesimal angle, and what follows the whole units.

    Parameters
    ----------
    text : str
        Parts are set apart by colons, blanks, letters or signs for minutes and
        seconds.

    Returns
    -------
    value : float
        In whole units, hours or degrees; NaN if the text is something else.
    mark : str
        What stands behind the whole units, such as ``"h"`` or ``":"``.

    Examples
    --------
    >>> from astro_latent.utils.angles import parse_sexagesimal
    >>> parse_sexagesimal("-20d30m00s")
    (-20.5, 'd')
    """
    found = _SEXAGESIMAL.fullmatch(str(text).strip())
    if not found:
        return np.nan, ""
    whole, minutes, seconds = (float(found[n] or 0) for n in (2, 4, 6))
    if not (minutes < 60 and seconds < 60.0001):
        return np.nan, ""
    sign = -1.0 if found[1] == "-" else 1.0
    return sign * (whole + minutes / 60 + seconds / 3600), found[3].lower()


def parse_angles(texts: np.ndarray, *, hours: bool) -> np.ndarray:
    """Read a column of text as angles.

    Parameters
    ----------
    texts : ndarray, shape (n_rows,)
        Text or bytes; None and masked cells are missing.
    hours : bool
        Sexagesimal text is in hours unless it says degrees (``"10d30m"``).

    Returns
    -------
    ndarray of float, shape (n_rows,)
        Degrees; NaN where nothing is said.

    Raises
    ------
    ValueError
        If a text is no angle.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.utils.angles import parse_angles
    >>> parse_angles(np.array(["10 00 00", "10d00m00s", "12.5"]), hours=True)
    array([150. ,  10. ,  12.5])
    """
    missing = np.ma.getmaskarray(texts)
    cells = np.ma.getdata(texts).astype(object)
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if missing[row] or cell is None:
            continue
        text = cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
        text = text.strip().replace("\u2212", "-")
        if text.lower() in _EMPTY:
            continue
        value, mark = parse_sexagesimal(text)
        if np.isnan(value):
            try:
                out[row] = float(text)
            except ValueError:
                msg = f"row {row}: {text!r} is no angle"
                raise ValueError(msg) from None
        else:
            out[row] = value if not hours or mark in ("d", "°") else 15 * value
    return out
