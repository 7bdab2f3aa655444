# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A small HTTP server on loopback that answers as told, and misbehaves on command."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import urlsplit

import numpy as np
import pytest
from astropy.io import fits

import astro_latent
from astro_latent.archives import conf


@dataclass
class Answer:
    """What the server says to one request; ``fault`` says what it does wrong."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    content_type: str = "application/fits"
    fault: str = ""
    ranges: bool = False
    etag: str = ""


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: dict
    body: bytes


class Stub:
    """Paths and what is answered there: an answer, a list of them, or a function."""

    def __init__(self):
        self.routes = {}
        self.seen = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            daemon=True,
        )
        self._thread.start()

    def answer(self, request):
        with self._lock:
            self.seen.append(request)
            found = self.routes.get(urlsplit(request.path).path)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(request)
        return found or Answer(status=404, body=b"not here", content_type="text/plain")

    def requests_for(self, path):
        return [request for request in self.seen if urlsplit(request.path).path == path]

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        seen = Seen(self.command, self.path, dict(self.headers), body)
        self._reply(self.stub.answer(seen))

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names of the base class

    def _reply(self, answer):
        if answer.fault == "hang":
            self.stub.closing.wait(20)
            self.close_connection = True
            return
        if answer.fault == "drop":
            self.close_connection = True
            return
        body, status, headers = self._ranged(answer)
        length = len(body)
        if answer.fault == "announce more":
            length += 1000
        elif answer.fault == "announce less":
            length -= 3000
        self.send_response(status)
        for name, value in {"Content-Type": answer.content_type, **headers}.items():
            self.send_header(name, value)
        if answer.fault == "no length":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self._send(answer, body)

    def _send(self, answer, body):
        if answer.fault == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif answer.fault == "stall":
            self.wfile.write(body[: len(body) // 2])
            self.stub.closing.wait(20)
            self.close_connection = True
        elif answer.fault == "trickle":
            for start in range(len(body)):
                if self.stub.closing.is_set():
                    break
                self.wfile.write(body[start : start + 1])
                time.sleep(0.02)
        elif answer.fault == "announce less":
            self.wfile.write(body[:-3000])
            self.close_connection = True
        elif answer.fault == "no length":
            self.wfile.write(body[: len(body) // 2])
        else:
            self.wfile.write(body)
            self.close_connection = answer.fault == "announce more"

    def _ranged(self, answer):
        headers = dict(answer.headers)
        if answer.etag:
            headers["ETag"] = answer.etag
        wanted = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if not (answer.ranges and wanted) or condition not in (None, answer.etag):
            return answer.body, answer.status, headers
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        end = len(answer.body)
        if start >= end:
            return b"", 416, headers
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{end}"
        return answer.body[start:], 206, headers

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def stub():
    server = Stub()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def impatient():
    """Waits of real archives would make the tests last for hours."""
    with (
        conf.set_temp("backoff", 0.01),
        conf.set_temp("max_attempts", 3),
        conf.set_temp("connect_timeout", 2.0),
        astro_latent.conf.set_temp("timeout", 5.0),
    ):
        yield


def fits_bytes(n_pixels=4000, name="star"):
    """A small FITS file with a table, as bytes."""
    wave = np.linspace(4000, 5000, n_pixels)
    columns = [
        fits.Column("WAVE", "D", array=wave, unit="Angstrom"),
        fits.Column("FLUX", "E", array=np.ones(n_pixels)),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    stream = BytesIO()
    hdus = fits.HDUList([fits.PrimaryHDU(), table])
    hdus[0].header["OBJECT"] = name
    hdus.writeto(stream)
    return stream.getvalue()


@pytest.fixture
def make_fits():
    return fits_bytes


@pytest.fixture
def say():
    return Answer
