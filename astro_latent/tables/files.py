# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Small helpers for paths and streams."""

import io
from pathlib import Path
from typing import Any

__all__ = ["as_stream", "free_path"]


def free_path(path: Any, overwrite: bool) -> Path:
    """Return the path if it may be written.

    Parameters
    ----------
    path : path-like
        File to write.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    `~pathlib.Path`
        The path.

    Raises
    ------
    OSError
        If the file exists and must not be replaced.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        msg = f"{path} exists; pass overwrite=True to replace it"
        raise OSError(msg)
    return path


def as_stream(data: bytes) -> io.BytesIO:
    """Return bytes as a file that a parser can read.

    Parameters
    ----------
    data : bytes
        Contents.

    Returns
    -------
    `~io.BytesIO`
        The stream.
    """
    return io.BytesIO(data)
