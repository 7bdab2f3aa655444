# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How fast many small files are fetched, one by one and several at a time.

A server in a process of its own on loopback answers each request after a pause, as a
distant archive does: without it the time would be that of writing files.

    python benchmarks/bench_fetch.py --files 2000 --workers 8 --pause 0.03
"""

import argparse
import multiprocessing
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
from astropy.io import fits

from astro_latent.archives import FileRequest, conf, download_files


def small_file(n_pixels):
    """Make a FITS file as bytes."""
    stream = BytesIO()
    fits.PrimaryHDU(np.ones(n_pixels, dtype=np.float32)).writeto(stream)
    return stream.getvalue()


def serve(body, pause, port):
    """Answer every request with the same file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            time.sleep(pause)
            answer = body
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_address[1])
    server.serve_forever()


def fetch(url, n_files, workers, folder):
    """Fetch that many files; return the seconds it took."""
    wanted = [
        FileRequest(identifier=f"file{n:05d}", url=f"{url}/{n}") for n in range(n_files)
    ]
    start = time.perf_counter()
    results = download_files(
        wanted, folder, n_workers=workers, connections_per_host=workers
    )
    seconds = time.perf_counter() - start
    failed = [result for result in results if result.path is None]
    if failed:
        raise SystemExit(f"{len(failed)} files failed, the first: {failed[0].message}")
    return seconds


def main():
    """Compare one by one, several at a time, and a second run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--pause", type=float, default=0.03, help="seconds per answer")
    parser.add_argument("--pixels", type=int, default=2000)
    options = parser.parse_args()
    conf.max_attempts = 3
    here, there = multiprocessing.Pipe()
    body = small_file(options.pixels)
    server = multiprocessing.Process(
        target=serve, args=(body, options.pause, there), daemon=True
    )
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    try:
        with (
            tempfile.TemporaryDirectory() as one,
            tempfile.TemporaryDirectory() as many,
        ):
            serial = fetch(url, options.files, 1, one)
            parallel = fetch(url, options.files, options.workers, many)
            again = fetch(url, options.files, options.workers, many)
    finally:
        server.terminate()
    print(f"{options.files} files of {len(body)} bytes, {options.pause} s per answer")
    print(f"one by one          {serial:8.2f} s")
    print(f"{options.workers} at a time         {parallel:8.2f} s")
    print(f"already here        {again:8.2f} s")
    print(f"speed-up            {serial / parallel:8.2f}")


if __name__ == "__main__":
    main()
