# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Sessions in which no request waits for ever, and second attempts after trouble."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import requests

from .. import __version__
from .._config import conf as package_conf
from ..exceptions import ArchiveError, ArchiveTimeoutError
from ..utils.service_error import service_error
from .answers import take_whole
from .config import conf
from .hosts import check_host
from .watch import Request, Watch, watched_adapter

__all__ = [
    "RETRY_STATUS",
    "PatientSession",
    "TransientError",
    "check_scheme",
    "describe_answer",
    "make_session",
    "retry_after",
    "with_retries",
]

T = TypeVar("T")

#: Answers after which asking again may help.
RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(ArchiveError):
    """Something that may work when tried again.

    Parameters
    ----------
    message : str
        What went wrong.
    wait : float, optional
        Seconds that the server asks to wait for.
    url, cause
        As for `ArchiveError`.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        url: str | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, url=url, cause=cause)
        self.wait = wait


class PatientSession(requests.Session):
    """A session in which every request, redirected ones included, has an end."""

    def __init__(self, n_connections: int, *, files: bool) -> None:
        super().__init__()
        self.watch, self._files = Watch(), files
        self.max_redirects = 5
        adapter = watched_adapter(self.watch, n_connections=n_connections)
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)
        self.hooks["response"].append(self._arrive)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Send a request, if its address may be asked, and wait for so long only."""
        check_scheme(str(request.url))
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (conf.connect_timeout, package_conf.timeout)
        if self.watch.current is not None:  # led on from another address
            return super().send(request, **kwargs)
        with self.watch.request() as record:
            record.arm(conf.connect_timeout + package_conf.timeout)
            try:
                response = super().send(request, **kwargs)
            except Exception as error:
                self._check_end(record, request, error)
                raise
            self._check_end(record, request)  # what was shut may look complete
            if not self._files:
                self.watch.finish(record)
                return response
        close = response.close

        def finish() -> None:
            self.watch.finish(record)
            close()

        response.close = finish  # type: ignore[method-assign]
        return response

    def _check_end(
        self,
        record: Request,
        request: requests.PreparedRequest,
        cause: Exception | None = None,
    ) -> None:
        if self.watch.stopped:
            msg = "stopped"
            raise ArchiveError(msg, url=request.url, cause=cause) from cause
        if record.expired:
            msg = "the server took too long, byte by byte: given up"
            raise ArchiveTimeoutError(msg, url=request.url, cause=cause) from cause

    def _arrive(self, response: requests.Response, **_: object) -> None:
        """Bound what is read from here on; keep nothing of what only leads on."""
        record = self.watch.current
        if record is None:
            return
        try:
            self._check_end(record, response.request)
            if response.is_redirect:
                response._content = b""
                response._content_consumed = True
                response.raw.close()
                return
            record.arm(conf.file_timeout if self._files else conf.answer_timeout)
            if not self._files:
                take_whole(response)
        except BaseException:
            response.raw.close()
            raise


def make_session(
    *,
    n_connections: int = 10,
    files: bool = False,
    like: requests.Session | None = None,
) -> PatientSession:
    """Open a session that speaks http and https only and never waits for ever.

    Parameters
    ----------
    n_connections : int, optional
        Connections kept open to one host.
    files : bool, optional
        For large files, whose bytes the caller takes as they arrive; other answers
        are read whole, within bounds, and refused if they lead elsewhere.
    like : `requests.Session`, optional
        One that is logged in: its cookies and headers are taken over.

    Returns
    -------
    `requests.Session`
        To be given to pyvo, or used directly.
    """
    session = PatientSession(n_connections, files=files)
    session.headers["User-Agent"] = (
        f"astro_latent/{__version__} {requests.utils.default_user_agent()}"
    )
    if like is not None:
        for name in ("cookies", "headers", "auth", "verify", "cert", "proxies"):
            setattr(session, name, getattr(like, name))
    return session


def describe_answer(response: requests.Response) -> str:
    """Say what an answer says that is an error.

    Parameters
    ----------
    response : `requests.Response`
        The answer.

    Returns
    -------
    str
        Its status, and the words of the service, whether they came as VOTable, web page
        or text.
    """
    said = service_error(response.content)
    if said is None:
        said = " ".join(re.sub(r"<[^>]*>", " ", response.text).split())
    return f"{response.status_code} {response.reason}: {said[:300]}".rstrip(": ")


def check_scheme(url: str) -> None:
    """Refuse addresses that are not http or https.

    Parameters
    ----------
    url : str
        Address that somebody, perhaps a server, gave.

    Raises
    ------
    ArchiveError
        If it is anything else, such as ``file:``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        msg = f"is no address ({error})"
        raise ArchiveError(msg, url=url, cause=error) from error
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host:
        msg = "only http and https addresses are used; this one is not fetched"
        raise ArchiveError(msg, url=url)
    literal = "127.0.0.1" if host == "localhost" else host
    check_host(host, port or (443 if scheme == "https" else 80), literal)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait for, or None.

    Parameters
    ----------
    headers : mapping of str to str
        Headers of the answer; ``Retry-After`` holds seconds or a date.

    Returns
    -------
    float or None
        Never negative.
    """
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def with_retries(action: Callable[[], T], *, stop: threading.Event | None = None) -> T:
    """Do something, again after each `TransientError`, waiting longer each time.

    Parameters
    ----------
    action : callable
        What to do.
    stop : `threading.Event`, optional
        Set from elsewhere to give up.

    Returns
    -------
    object
        What ``action`` returned.

    Raises
    ------
    ArchiveError
        When ``conf.max_attempts`` attempts have failed.
    """
    stop = threading.Event() if stop is None else stop
    attempts = max(1, conf.max_attempts)
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except TransientError as error:
            seconds = _choose_pause(attempt, error)
            if attempt == attempts or stop.is_set() or seconds > conf.max_wait:
                raise _make_final(error, attempt, seconds) from error
            stop.wait(seconds)
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _choose_pause(attempt: int, error: TransientError) -> float:
    """Seconds before the next attempt; jitter keeps many workers from marching."""
    if error.wait is not None:
        return error.wait
    jitter = np.random.default_rng().uniform(0.5, 1.0)
    return min(conf.backoff * 2 ** (attempt - 1) * jitter, conf.max_wait)


def _make_final(error: TransientError, attempts: int, seconds: float) -> ArchiveError:
    kind = (
        ArchiveTimeoutError
        if isinstance(error.cause, requests.Timeout | TimeoutError)
        else ArchiveError
    )
    text = str(error.args[0]).removesuffix(f" [{error.url}]")
    if error.wait is not None and seconds > conf.max_wait:
        text += f"; the server asks to wait for {seconds:.0f} s, try again later"
    else:
        text += f"; given up after {attempts} attempt{'s' if attempts > 1 else ''}"
    return kind(text, url=error.url, cause=error.cause)
