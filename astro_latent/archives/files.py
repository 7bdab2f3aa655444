# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What to fetch, and what became of it.

Names of files on this machine: made from identifiers, never taken from a server.

The hidden folder in which files grow until they are complete.

From rows to files, in order and without losing a row.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not a POSIX system: one process per folder, please
    fcntl = None  # type: ignore[assignment]
from collections.abc import Sequence

import numpy as np
from astropy.config import get_cache_dir_path
from astropy.table import Column, Row, Table

from ..utils.quality import QualityFlag
from .config import conf

__all__ = [
    "FileRequest",
    "FileResult",
    "default_directory",
    "estimated_bytes",
    "safe_name",
    "scratch_folder",
    "with_results",
]


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
    estimate : float or None
        Bytes that the archive expects, roughly (``access_estsize``).
    datalink : bool
        The address leads to a DataLink document that lists the file.
    """

    identifier: str
    url: str
    size: int | None = None
    checksum: str = ""
    estimate: float | None = None
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
    >>> from astro_latent.archives.files import safe_name
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


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder for incomplete files, to one process at a time.

    The first process gets ``.partial``, where what an interrupted session left can be
    continued; others at the same time get a folder of their own that is thrown away.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of the complete files; the other lies within, so that moving is one step.

    Yields
    ------
    `~pathlib.Path`
        The folder.
    """
    shared = folder / ".partial"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w", encoding="utf-8") as lock:
        if _claim(lock):
            yield shared
            _tidy(shared)
            return
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as own:
        yield Path(own)


def _claim(lock: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _tidy(shared: Path) -> None:
    """Remove the folder if nothing waits in it to be continued."""
    if [path.name for path in shared.iterdir()] == ["lock"]:
        with suppress(OSError):
            (shared / "lock").unlink()
            shared.rmdir()


def estimated_bytes(row: Row) -> float | None:
    """Return what a row says of the size of its file.

    Parameters
    ----------
    row : `~astropy.table.Row`
        With ``access_estsize`` in kilobytes, perhaps.

    Returns
    -------
    float or None
        Bytes; None if nothing is said.
    """
    if "access_estsize" not in row.colnames:
        return None
    try:
        size = float(getattr(row["access_estsize"], "value", row["access_estsize"]))
    except (TypeError, ValueError):
        return None
    return size * 1000 if 0 < size < np.inf else None


def default_directory(survey: str) -> Path:
    """Folder where the files of a survey are kept between sessions."""
    root = conf.download_dir or get_cache_dir_path("astro_latent") / "archives"
    return Path(root, safe_name(survey))


def with_results(table: Table, results: Sequence[FileResult]) -> Table:
    """Add to each row where its file is, or why it is not here.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that a query returned. It is not changed.
    results : sequence of FileResult
        One per row, in the same order.

    Returns
    -------
    `~astropy.table.Table`
        A copy with columns ``path``, ``fetch_status``, ``flags``, ``message``.
    """
    out = table.copy()
    failed = [result.path is None for result in results]
    columns = {
        "path": ["" if r.path is None else str(r.path) for r in results],
        "fetch_status": [result.status for result in results],
        "message": [result.message for result in results],
    }
    for name, values in columns.items():
        out[name] = Column(np.array(values, dtype=str), name=name)
    out["flags"] = np.where(failed, int(QualityFlag.UNREADABLE), 0).astype(np.int64)
    out["path"].description = "File on this machine; empty if it could not be had"
    out["fetch_status"].description = "downloaded, cached, local, copied or failed"
    out["message"].description = "Why the row is flagged"
    out["flags"].description = "Quality bits; 0 is good"
    out["flags"].meta["ucd"] = "meta.code.qual"
    return out
