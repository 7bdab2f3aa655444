# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files that are whole or not there: a temporary name, fsync, and a change of names.

What is written grows under a hidden name in the same folder and takes its own name when
it is complete and on the disk. A full disk, an error, an interrupt or a kill leave the
old file as it was. After a kill, and only then, the hidden file stays.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["commit", "free_path", "replacing", "replacing_folder", "write_bytes"]

_LONGEST_END = 60  # characters of the name that its temporary form keeps


def free_path(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
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
        raise FileExistsError(msg)
    return path


@contextmanager
def replacing(
    path: str | os.PathLike[str], *, overwrite: bool = True
) -> Iterator[Path]:
    """Lend a temporary name for a file, and give the file its own name at the end.

    Parameters
    ----------
    path : path-like
        File to write. A symbolic link keeps pointing to it; what is no regular file,
        such as a pipe, is written as it is.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Yields
    ------
    `~pathlib.Path`
        Where to write: beside the file, and with the same ending.

    Raises
    ------
    OSError
        If the file exists and must not be replaced, or cannot be written; the message
        names the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from astro_latent.utils.writing import replacing
    >>> path = Path(mkdtemp(), "stars.csv")
    >>> with replacing(path) as part:
    ...     _ = part.write_text("name")
    >>> path.read_text(), [found.name for found in path.parent.iterdir()]
    ('name', ['stars.csv'])
    """
    path = free_path(path, overwrite=overwrite)
    if path.exists() and not path.is_file():
        yield path
        return
    target = Path(os.path.realpath(path))
    part = _beside(target)
    try:
        with _naming(path, part):
            yield part
            if target.exists():
                shutil.copymode(target, part)
            commit(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(
    path: str | os.PathLike[str], *, overwrite: bool = False
) -> Iterator[Path]:
    """Lend a temporary folder, and give it its name at the end.

    Parameters
    ----------
    path : path-like
        Folder to make.
    overwrite : bool, optional
        Whether an existing one may be replaced. What stands in it is copied to the
        temporary folder first, so that files which are not written anew are kept.

    Yields
    ------
    `~pathlib.Path`
        Where to write, with the same last name; nothing is there, or a copy of the
        old folder.

    Raises
    ------
    OSError
        If the folder exists and must not be replaced, or cannot be written.
    """
    path = free_path(path, overwrite=overwrite)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(target)
    part, old = scratch / target.name, scratch / "old"
    try:
        with _naming(path, part):
            scratch.mkdir()
            if target.exists():
                shutil.copytree(target, part)
            yield part
            for file in part.rglob("*"):
                _sync(file)
            if target.exists():
                target.replace(old)
            part.replace(target)
            _sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            old.replace(target)
        shutil.rmtree(scratch, ignore_errors=True)


def commit(part: Path, target: Path) -> None:
    """Give a complete file its name, once its bytes are on the disk.

    Parameters
    ----------
    part : `~pathlib.Path`
        The file under its temporary name, closed.
    target : `~pathlib.Path`
        Its name, in the same file system; a file of this name is replaced.
    """
    _sync(part)
    part.replace(target)
    _sync(target.parent)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in one piece, or leave the old one as it was.

    Parameters
    ----------
    path : path-like
        File to write; it is replaced if it exists.
    content : bytes
        What it shall hold.
    """
    with replacing(path) as part:
        part.write_bytes(content)


def _beside(target: Path) -> Path:
    """Make a hidden name in the same folder, with the same ending."""
    name = f".part-{secrets.token_hex(4)}-{target.name[-_LONGEST_END:]}"
    return target.with_name(name)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk, where the system can say so."""
    mode = os.O_RDONLY if path.is_dir() or os.name == "posix" else os.O_RDWR
    try:
        number = os.open(path, mode)
    except OSError:  # Windows opens no folders
        if path.is_dir():
            return
        raise
    try:
        os.fsync(number)
    except OSError as error:  # some file systems know no fsync, of folders above all
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        with suppress(OSError):
            os.close(number)


#: What to do about errors of the system.
_REMEDIES = {
    errno.ENOSPC: "; make room, or write elsewhere",
    errno.EDQUOT: "; make room, or write elsewhere",
    errno.EFBIG: "; files may not become that large here",
    errno.ENOENT: "; its folder must exist",
    errno.EACCES: "; choose a folder that may be written",
    errno.EROFS: "; choose a folder that may be written",
    errno.ENAMETOOLONG: "; choose a shorter name",
}


@contextmanager
def _naming(path: Path, part: Path) -> Iterator[None]:
    """Let errors of the system name the file that the user named, and a remedy."""
    try:
        yield
    except OSError as error:
        if type(error).__module__ != "builtins":  # one of ours says what it means
            raise
        reason = error.strerror or str(error).replace(str(part), str(path))
        remedy = _REMEDIES.get(error.errno or 0, "")
        text = f"{path} cannot be written: {reason}{remedy}; nothing there has changed"
        raise (OSError(error.errno, text) if error.errno else OSError(text)) from error
