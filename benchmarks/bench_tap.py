# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How long and how much memory 100,000 rows and 50,000 uploaded targets take.

A server in a process of its own answers as ESO's TAP service does, page by page.

    python benchmarks/bench_tap.py --rows 100000 --targets 50000
"""

import argparse
import multiprocessing
import re
import resource
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.archives import conf
from astro_latent.surveys import get_survey
from astro_latent.surveys.eso.config import conf as eso_conf


def page(first, count, targets=0):
    """Make rows as ESO's ObsCore has them, as a VOTable."""
    names = [f"ADP.{number:08d}" for number in range(first, first + count)]
    table = Table({"dp_id": names, "target_name": ["HD 1"] * count})
    for name in ("s_ra", "s_dec", "t_min", "t_max", "em_min", "em_max", "snr"):
        table[name] = np.linspace(1.0, 2.0, count)
    table["obs_publisher_did"] = [f"ivo://eso.org/ID?{name}" for name in names]
    table["access_url"] = [f"http://example.org/datalink?{name}" for name in names]
    table["access_format"] = ["application/x-votable+xml;content=datalink"] * count
    if targets:
        table["target_id"] = np.arange(count)
    stream = BytesIO()
    table.write(stream, format="votable", tabledata_format="binary2")
    return stream.getvalue()


def serve(n_rows, port):
    """Answer queries by their TOP and their key, uploads with a row per ten targets."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if b"TAP_UPLOAD" in body:
                answer = page(0, conf.upload_size // 10, targets=1)
            else:
                query = parse_qs(body.decode())["QUERY"][0]
                top = int(re.search(r"TOP (\d+)", query)[1])
                after = re.search(r"dp_id > 'ADP\.(\d+)'", query)
                first = int(after[1]) + 1 if after else 0
                answer = page(first, min(top, n_rows - first))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-votable+xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_address[1])
    server.serve_forever()


def peak():
    """Largest memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name, action):
    """Print how long it took and by how much the peak memory rose."""
    before, start, busy = peak(), time.perf_counter(), time.process_time()
    table = action()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    rise = peak() - before
    print(
        f"{name:24s} {len(table):7d} rows {seconds:7.1f} s, "
        f"of these {busy:.1f} s ours, +{rise:.0f} MB"
    )


def main():
    """Query all rows in pages, then upload all targets in pieces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=50_000)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(
        target=serve, args=(options.rows, there), daemon=True
    )
    server.start()
    eso_conf.tap_url = f"http://127.0.0.1:{here.recv()}/tap"
    survey, centre = get_survey("harps"), SkyCoord(1, 1, unit="deg")
    rng = np.random.default_rng(1)
    targets = Table(
        {
            "ra": rng.uniform(0, 360, options.targets),
            "dec": rng.uniform(-90, 90, options.targets),
        }
    )
    try:
        survey.query_region(centre, 1 * u.deg, row_limit=10)  # imports
        report(
            "query of all rows",
            lambda: survey.query_region(centre, 9 * u.deg, row_limit=-1),
        )
        report(
            "uploaded target list", lambda: survey.query_targets(targets, 1 * u.arcsec)
        )
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
