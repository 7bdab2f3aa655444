# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What to fetch, and what became of it."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileRequest", "FileResult"]


@dataclass(frozen=True, kw_only=True)
class FileRequest:
    """One file to fetch.

    Parameters
    ----------
    identifier : str
        Name under which the file is kept; a second request for it costs nothing.
    url : str
        Where it is; http or https.
    size : int or None
        Size in bytes where the archive states it exactly.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."``; "" where none is given.
    datalink : bool
        The address leads to a DataLink document that lists the file.
    """

    identifier: str
    url: str
    size: int | None = None
    checksum: str = ""
    datalink: bool = False


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of one file.

    Parameters
    ----------
    identifier : str
        Name it was asked under.
    path : `~pathlib.Path` or None
        Where it is; None if it could not be had.
    status : {"downloaded", "cached", "local", "copied", "failed"}
        How it came.
    message : str
        Why it could not be had.
    """

    identifier: str
    path: Path | None = None
    status: str
    message: str = ""
