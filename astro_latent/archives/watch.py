# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Connections under watch: total time is bounded, all can be ended from outside.

The time-outs of sockets count from one byte to the next, so that a server which drips
holds a reader for ever; and a thread that waits for a byte hears no interrupt. Here
each request has a time by which its connection is shut down, whatever it does. Whom a
connection has reached is looked at before anything is sent: names can lead anywhere.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..exceptions import ArchiveError
from .hosts import check_host

__all__ = ["Request", "Watch", "watched_adapter"]


class Request:
    """One request: the sockets that it uses, and when they are shut down."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.expired = False
        self._timer: threading.Timer | None = None

    def arm(self, seconds: float) -> None:
        """Shut down after this time, counted from now."""
        self.disarm()
        self._timer = threading.Timer(max(0.0, seconds), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """Let it go on for ever."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        self.shut()

    def shut(self) -> None:
        """End all that waits for these sockets."""
        for sock in self.sockets:
            with suppress(OSError):  # not that of SSL, which would say good-bye first
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Watch:
    """The requests of one session that are under way."""

    def __init__(self) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._active: set[Request] = set()
        self._mine = threading.local()

    @property
    def current(self) -> Request | None:
        """Request of this thread, None between requests."""
        return getattr(self._mine, "request", None)

    @contextmanager
    def request(self) -> Iterator[Request]:
        """Lend a record for the time until the headers of the answer are there."""
        record = self._mine.request = Request()
        with self._lock:
            self._active.add(record)
        try:
            yield record
        except BaseException:
            self.finish(record)
            raise
        finally:
            self._mine.request = None

    def finish(self, record: Request) -> None:
        """Forget a request."""
        record.disarm()
        with self._lock:
            self._active.discard(record)

    def use(self, sock: socket.socket) -> None:
        """Note that the request of this thread uses a socket."""
        if self.current is not None:
            self.current.sockets.append(sock)
        if self.stopped:
            msg = "stopped"
            raise ArchiveError(msg)

    def stop(self) -> None:
        """End all requests, and those to come."""
        with self._lock:
            self.stopped = True
            active = list(self._active)
        for record in active:
            record.shut()


class _Watched:
    """Part of a connection that tells a `Watch` what it uses."""

    watch: Watch
    host: str
    port: int
    proxy: object
    sock: socket.socket

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.proxy is None:
            check_host(self.host, self.port, self.sock.getpeername()[0])

    def getresponse(self) -> object:
        self.watch.use(self.sock)
        return super().getresponse()  # type: ignore[misc]


def watched_adapter(watch: Watch, *, n_connections: int) -> HTTPAdapter:
    """Make what carries the requests of a session.

    Parameters
    ----------
    watch : Watch
        Of the session.
    n_connections : int
        Connections kept open to one host.

    Returns
    -------
    `requests.adapters.HTTPAdapter`
        To be mounted.
    """
    adapter = HTTPAdapter(pool_maxsize=n_connections)
    pools = {}
    for scheme, pool, connection in (
        ("http", HTTPConnectionPool, HTTPConnection),
        ("https", HTTPSConnectionPool, HTTPSConnection),
    ):
        own = type(connection.__name__, (_Watched, connection), {"watch": watch})
        pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": own})
    make_proxy = adapter.proxy_manager_for

    def proxied(proxy: str, **options: Any) -> Any:
        manager = make_proxy(proxy, **options)
        manager.pool_classes_by_scheme = pools
        return manager

    adapter.poolmanager.pool_classes_by_scheme = pools
    adapter.proxy_manager_for = proxied  # type: ignore[method-assign]
    return adapter
