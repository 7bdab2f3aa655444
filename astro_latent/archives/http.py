# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Sessions in which no request waits for ever, and what is asked through them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from .. import __version__
from .._config import conf as package_conf
from ..exceptions import ArchiveError, ArchiveTimeoutError
from ..utils.service_error import service_error
from .answers import take_whole
from .config import conf
from .hosts import check_host, trust
from .retries import RETRY_STATUS, TransientError, retry_after, with_retries
from .watch import Request, Watch, watched_adapter

if TYPE_CHECKING:
    from astroquery.query import BaseQuery

__all__ = [
    "PatientSession",
    "ask",
    "check_scheme",
    "describe_answer",
    "lend_session",
    "make_session",
]

_SLOWEST = 100_000  # bytes per second of an upload
_START = 1 << 16  # bytes of an error message that are looked at


def _time_to_send(request: requests.PreparedRequest) -> float:
    """Return the seconds that an upload may take, of which sockets count none."""
    length = request.headers.get("Content-Length", "0")
    return float(length) / _SLOWEST if length.isdigit() else 0.0


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
            record.arm(
                conf.connect_timeout + package_conf.timeout + _time_to_send(request)
            )
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


@contextmanager
def lend_session(client: "BaseQuery", url: str) -> Iterator[PatientSession]:
    """Let a client of astroquery speak through a session of ours, once.

    Parameters
    ----------
    client : object
        One of astroquery's, made for this purpose: its own session is lost.
    url : str
        The service that a person named, which the client will ask.

    Yields
    ------
    `requests.Session`
        The session, which is closed in the end.

    Raises
    ------
    ArchiveError
        If the address is none that may be asked.
    """
    trust(url)
    check_scheme(url)
    with make_session() as session:
        client._session = session
        yield session


def ask(url: str, who: str) -> requests.Response:
    """Get a small answer from a service that a person named; try again if it may help.

    Parameters
    ----------
    url : str
        Address.
    who : str
        What to call the service.

    Returns
    -------
    `requests.Response`
        The answer, with status 200.

    Raises
    ------
    ArchiveError
        If the service refuses, or does not answer.
    """
    trust(url)

    def attempt() -> requests.Response:
        try:
            with make_session() as session:
                response = session.get(url)
        except requests.RequestException as error:
            late = isinstance(error, requests.Timeout)
            msg = f"{who} does not answer: {error}"
            raise TransientError(
                msg, url=url, cause=TimeoutError(str(error)) if late else error
            ) from error
        if response.status_code == 200:
            return response
        msg = f"{who} answered {describe_answer(response)}"
        if response.status_code in RETRY_STATUS:
            raise TransientError(msg, url=url, wait=retry_after(response.headers))
        raise ArchiveError(msg, url=url)

    return with_retries(attempt)


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
    start = next(response.iter_content(_START), b"")  # it may have no end
    said = service_error(start)
    if said is None:
        text = start.decode(response.encoding or "utf-8", errors="replace")
        if text.lstrip().startswith("<"):
            text = re.sub(r"<[^>]*>", " ", text)
        said = " ".join(text.split())
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
