# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What complete files were like when they came: size and checksum, beside them."""

import hashlib
import json
import threading
from pathlib import Path

from ..exceptions import ArchiveFormatError
from ..utils.guard import is_file
from .verify import verify_file

__all__ = ["Ledger", "was_fetched"]

_NAME = ".checksums.jsonl"


class Ledger:
    """Sizes and checksums of the files of one folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder. One line is added to a hidden file in it for each file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, object]] = {}
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            lines = []
        for line in lines:
            try:
                note = json.loads(line)
                self._known[str(note["name"])] = note
            except (ValueError, KeyError, TypeError):
                continue  # half a line, of a full disk: the file is looked at again

    def note(self, path: Path) -> None:
        """Write down what a file that was checked is like.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file, in the folder.
        """
        found = path.stat()
        note = {
            "name": path.name, "size": found.st_size, "sha256": _digest(path),
            "mtime_ns": found.st_mtime_ns,
        }  # fmt: skip
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            self._known[path.name] = note
            stream.write(json.dumps(note) + "\n")

    def knows(self, path: Path) -> bool:
        """Tell whether a file of this name was written down.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file.

        Returns
        -------
        bool
            True if it was, whatever it is like now.
        """
        return path.name in self._known

    def holds(self, path: Path) -> bool:
        """Tell whether a file is as it came; one that is not known is checked.

        Parameters
        ----------
        path : `~pathlib.Path`
            The file.

        Returns
        -------
        bool
            False if it is not there, was cut or changed, or is no whole file.
        """
        if not is_file(path):
            return False
        note = self._known.get(path.name)
        if note is None:
            try:
                verify_file(path)
            except (ArchiveFormatError, OSError):
                return False
            self.note(path)
            return True
        found = path.stat()
        if found.st_size != note.get("size"):
            return False
        if found.st_mtime_ns == note.get("mtime_ns"):
            return True
        return _digest(path) == note.get("sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def was_fetched(path: Path) -> bool:
    """Tell whether a file was brought by this package, by the notes beside it.

    Parameters
    ----------
    path : `~pathlib.Path`
        Any file.

    Returns
    -------
    bool
        True if it was; what a table says of itself does not count.
    """
    return is_file(path) and Ledger(path.parent).knows(path)
