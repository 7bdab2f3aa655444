# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Downloads that survive the real world."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileResult"]


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
