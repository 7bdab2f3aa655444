# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Names of files on this machine: made from identifiers, never taken from a server."""

import hashlib
import re

__all__ = ["safe_name"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 120


def safe_name(identifier: str) -> str:
    """Turn an identifier into a file name that no file system misunderstands.

    Parameters
    ----------
    identifier : str
        Any text, however hostile.

    Returns
    -------
    str
        Letters, digits and ``._+-`` only, not hidden, at most 120 characters. Where
        anything had to change, a piece of the identifier's hash keeps two different
        identifiers apart.

    Examples
    --------
    >>> from astro_latent.archives._naming import safe_name
    >>> safe_name("ADP.2014-09-16")
    'ADP.2014-09-16'
    >>> safe_name("../../etc/passwd")
    'etc_passwd-3754d6cb'
    """
    text = str(identifier)
    if not text.strip():
        msg = "a file needs an identifier, this one is empty"
        raise ValueError(msg)
    plain = _UNSAFE.sub("_", text).lstrip("._-").rstrip(".")[:_LONGEST]
    if plain == text and plain.lower() not in ("con", "nul", "aux", "prn"):
        return plain
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()
    return f"{plain[: _LONGEST - 9] or 'file'}-{digest[:8]}"
