# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One file from one address: streamed, resumed by range, never waiting for ever."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import ReadTimeoutError

from ..exceptions import ArchiveError, ArchiveTimeoutError
from ..utils.writing import commit
from .config import conf
from .http import check_scheme
from .retries import RETRY_STATUS, TransientError, retry_after

__all__ = ["CancelledError", "Part", "transfer"]

_BLOCK = 1 << 16
# estimates are rounded, and of files packed or not
_TOLERANCE, _MARGIN = 5, 10_000_000
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class CancelledError(ArchiveError):
    """The person stopped the download."""


@dataclass
class Part:
    """A file that is not complete yet, and what is known of the whole.

    Parameters
    ----------
    path : `~pathlib.Path`
        Where the bytes are.
    url : str
        Where they came from.
    tag : str
        What the server calls this version of the file (ETag or Last-Modified).
    total : int or None
        Bytes of the whole file.
    """

    path: Path
    url: str = ""
    tag: str = ""
    total: int | None = None

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def load(self) -> "Part":
        """Read what an earlier attempt, perhaps in another session, left behind."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            self.url, self.tag = str(note["url"]), str(note["tag"])
            self.total = None if note["total"] is None else int(note["total"])
        except (OSError, ValueError, KeyError, TypeError):
            self.discard()
        return self

    def save(self) -> None:
        """Note what the server said before its bytes arrive."""
        note = {key: value for key, value in asdict(self).items() if key != "path"}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def discard(self) -> None:
        """Throw the bytes away."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.url, self.tag, self.total = "", "", None

    def finish(self, target: Path) -> None:
        """Give the complete file its name, in one step."""
        commit(self.path, target)
        self._note.unlink(missing_ok=True)

    def start(self, url: str) -> int:
        """Byte from which to go on; 0 unless the rest is sure to fit."""
        known = self.tag and self.total is not None
        if self.url != url or not self.path.exists() or not known:
            self.discard()
            return 0
        return self.path.stat().st_size


def transfer(
    session: requests.Session,
    url: str,
    part: Part,
    *,
    stop: threading.Event,
    count: Callable[[int], None],
    estimate: float | None = None,
) -> str:
    """Bring the bytes of one address into a partial file, going on where it ends.

    Parameters
    ----------
    session : `requests.Session`
        Session with time-outs.
    url : str
        Address.
    part : Part
        The partial file.
    stop : `threading.Event`
        Set from elsewhere to give up.
    count : callable
        Called with the number of bytes as they arrive.
    estimate : float, optional
        Bytes that the archive expects; much more are refused.

    Returns
    -------
    str
        The content type that the server states.

    Raises
    ------
    TransientError
        If trying again may help; what has arrived is kept for that.
    ArchiveError
        If it will not.
    """
    check_scheme(url)
    deadline = time.monotonic() + conf.file_timeout
    offset = part.start(url)
    if offset and offset == part.total:
        return ""  # all of it came before, only the last step was missed
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": part.tag}
    try:
        with session.get(url, headers=headers, stream=True) as response:
            _check_status(response, part, url)
            _open(response, part, url, offset)
            most = int(conf.max_download_size * 1e6)
            if estimate is not None:
                most = min(most, int(_TOLERANCE * estimate) + _MARGIN)
            _check_size(part.total or 0, most, part, url)
            _receive(
                response, part, url,
                stop=stop, deadline=deadline, count=count, most=most,
            )  # fmt: skip
            return response.headers.get("Content-Type", "")
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
        msg = f"the server leads to an address that is not fetched: {error}"
        raise ArchiveError(msg, url=url, cause=error) from error
    except requests.TooManyRedirects as error:
        msg = "the server sends from one address to the next without end"
        raise ArchiveError(msg, url=url, cause=error) from error
    except (requests.Timeout, ReadTimeoutError) as error:
        msg = "the server does not answer in time"
        raise TransientError(msg, url=url, cause=TimeoutError(str(error))) from error
    except (requests.RequestException, Urllib3Error, ConnectionError) as error:
        _check_end(url, stop, deadline)
        msg = f"the connection broke: {error}"
        raise TransientError(msg, url=url, cause=error) from error


def _check_end(url: str, stop: threading.Event, deadline: float) -> None:
    if stop.is_set():
        msg = "stopped"
        raise CancelledError(msg, url=url)
    if time.monotonic() > deadline:
        msg = f"the file did not arrive within {conf.file_timeout:.0f} s"
        raise ArchiveTimeoutError(msg, url=url)


def _check_status(response: requests.Response, part: Part, url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416:
        part.discard()
        msg = "the server has no such range; starting again"
        raise TransientError(msg, url=url, wait=0.0)
    text = f"the server answered {status} {response.reason}"
    if status in RETRY_STATUS:
        raise TransientError(text, url=url, wait=retry_after(response.headers))
    if status in (401, 403):
        text += (
            ": the data are proprietary or need a login. Log in with astroquery and "
            "pass its session, fetch(..., session=...)"
        )
    raise ArchiveError(text, url=url)


def _open(response: requests.Response, part: Part, url: str, offset: int) -> None:
    """Decide whether the bytes to come continue the partial file or replace it."""
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if response.status_code == 206:
        total = int(found[3]) if found and found[3] != "*" else None
        fits = found and int(found[1]) == offset and total in (None, part.total)
        if not offset or not fits or _version(response) != part.tag:
            part.discard()
            msg = "the server sent another range, or one of another version of the file"
            raise TransientError(msg, url=url)
        return
    part.discard()
    part.url = url
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    length = response.headers.get("Content-Length", "")
    part.total = int(length) if length.isdigit() and not encoded else None
    part.tag = _version(response)
    part.save()


def _version(response: requests.Response) -> str:
    """Return what the server calls this version of the file, or nothing."""
    etag = response.headers.get("ETag", "")
    weak = etag.startswith("W/")  # good enough for readers, not for joining bytes
    return etag if etag and not weak else response.headers.get("Last-Modified", "")


def _check_size(size: int, most: int, part: Part, url: str) -> None:
    if size > most:
        part.discard()
        msg = (
            f"more than {most / 1e6:.1f} MB: either the archive's estimate is wrong, "
            "or this is not the file. Without the column access_estsize, "
            "astro_latent.archives.conf.max_download_size is the limit"
        )
        raise ArchiveError(msg, url=url)


def _receive(
    response: requests.Response,
    part: Part,
    url: str,
    *,
    stop: threading.Event,
    deadline: float,
    count: Callable[[int], None],
    most: int,
) -> None:
    """Write what arrives as it arrives: a trickle cannot outwit the deadline."""
    size = part.path.stat().st_size if part.path.exists() else 0
    with part.path.open("ab") as stream:
        while block := response.raw.read1(_BLOCK, decode_content=True):
            size += len(block)
            _check_size(size, most, part, url)
            stream.write(block)
            count(len(block))
            _check_end(url, stop, deadline)
    _check_end(url, stop, deadline)  # a connection that was shut looks complete
    size = part.path.stat().st_size
    if part.total is not None and size != part.total:
        if size > part.total:
            part.discard()
        msg = f"{size} bytes arrived, {part.total} were announced"
        raise TransientError(msg, url=url)
