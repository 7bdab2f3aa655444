# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The guard at each door: one bad item becomes one error that names it, and no more.

Files and answers of services may hold anything, and the libraries that take them apart
raise anything. Behind a guard there is one kind of error, which the loop around it
turns into a flagged row.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from astropy import log

from ..exceptions import AstroLatentError

__all__ = ["describe_error", "explain", "guarding", "is_file", "printable", "raise_as"]

_LONGEST = 400  # characters that are told of what somebody else wrote
#: What no XML file may hold or changes (CR), and names that are no UTF-8.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    r"""Spell out what cannot be written to a file: control characters, lone surrogates.

    Parameters
    ----------
    text : str
        Any text; the name of a file that is no UTF-8 holds surrogates.

    Returns
    -------
    str
        The same, with ``\x00`` and the like as they are written in Python.

    Examples
    --------
    >>> from astro_latent.utils.guard import printable
    >>> printable("caf\udce9.fits")
    'caf\\xe9.fits'
    """
    if text.isprintable():
        return text
    return _UNWRITABLE.sub(_spell, text)


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def describe_error(error: BaseException) -> str:
    """Say in one line what an error of another library says.

    Parameters
    ----------
    error : Exception
        The error.

    Returns
    -------
    str
        Its kind and its text, of bounded length, without control characters.

    Examples
    --------
    >>> from astro_latent.utils.guard import describe_error
    >>> describe_error(KeyError("BITPIX"))
    "KeyError: 'BITPIX'"
    """
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = " ".join(printable(str(error)).split())
    if isinstance(error, AstroLatentError) and text:
        return _shorten(text, 5 * _LONGEST)
    text = _shorten(text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def guarding(
    what: object,
    kind: type[AstroLatentError],
    *,
    problem: str = "cannot be read",
    remedy: str = "",
) -> Iterator[None]:
    """Turn whatever is raised within into one kind of error that names the item.

    An interrupt and a request to end pass. The traceback goes to the log at level
    DEBUG.

    Parameters
    ----------
    what : object
        Name of the item: a file, an address, an identifier.
    kind : type
        The error to raise. Errors of this kind that name the item pass as they are.
    problem : str, optional
        What went wrong, in words.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> from astro_latent.exceptions import SpectrumReadError
    >>> from astro_latent.utils.guard import guarding
    >>> with guarding("a.fits", SpectrumReadError):
    ...     raise KeyError("BITPIX")
    Traceback (most recent call last):
    ...
    astro_latent.exceptions.SpectrumReadError: a.fits: cannot be read (KeyError: ...
    """
    try:
        yield
    except Exception as error:
        raise_as(error, kind, what, problem=problem, remedy=remedy)


def raise_as(
    error: Exception,
    kind: type[AstroLatentError],
    what: object,
    *,
    problem: str = "cannot be read",
    remedy: str = "",
) -> NoReturn:
    """Raise an error as one of a kind that names the item; see `guarding`.

    Parameters
    ----------
    error : Exception
        The error that is being handled.
    kind, what, problem, remedy
        As for `guarding`.

    Examples
    --------
    >>> from astro_latent.exceptions import SpectrumReadError
    >>> from astro_latent.utils.guard import raise_as
    >>> raise_as(KeyError("BITPIX"), SpectrumReadError, "a.fits")
    Traceback (most recent call last):
    ...
    astro_latent.exceptions.SpectrumReadError: a.fits: cannot be read (KeyError: ...
    """
    said = str(error)
    if isinstance(error, kind) and str(what) in said and said == printable(said):
        raise error
    text = explain(what, error, problem=problem, remedy=remedy)
    raise _renamed(error, kind, text) from error


def _renamed(
    error: Exception, kind: type[AstroLatentError], text: str
) -> AstroLatentError:
    """Make an error of this kind, of the same class if it is one, with another text."""
    if not isinstance(error, kind):
        return kind(text)
    new = type(error).__new__(type(error), text)  # whatever its own parameters are
    new.__dict__.update(vars(error))
    return new


def explain(
    what: object, error: Exception, *, problem: str = "cannot be read", remedy: str = ""
) -> str:
    """Say what went wrong with which item; the traceback goes to the log.

    Parameters
    ----------
    what : object
        Name of the item.
    error : Exception
        The error that is being handled.
    problem, remedy : str, optional
        As for `guarding`; errors of this package have their own words.

    Returns
    -------
    str
        One line that names the item.

    Examples
    --------
    >>> from astro_latent.utils.guard import explain
    >>> explain("a.fits", IndexError("no row 3"), remedy="fetch it again")
    'a.fits: cannot be read (IndexError: no row 3); fetch it again'
    """
    name, text = _shorten(printable(str(what))), describe_error(error)
    log.debug(f"{name}: {problem}", exc_info=True)
    if isinstance(error, AstroLatentError):
        return text if name in text else f"{name}: {text}"
    return f"{name}: {problem} ({text})" + (f"; {remedy}" if remedy else "")


def is_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a file of this name, also of names that none can have.

    Parameters
    ----------
    path : path-like
        Perhaps too long, or with a null character.

    Returns
    -------
    bool
        True if there is one.
    """
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _shorten(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."
