# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The hidden folder in which files grow until they are complete."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not a POSIX system: one process per folder, please
    fcntl = None  # type: ignore[assignment]

__all__ = ["scratch_folder"]


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
