# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From a star's name to files in one shell line, against a mirror, by configuration."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from astropy.table import Table

pytestmark = pytest.mark.vo_server


@pytest.fixture
def sesame():
    """A name service that knows one star."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = "128621" in self.path
            text = "%J 219.8960 -60.8375 = 14 39\n" if known else "#! nothing found\n"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"#=S=Simbad:    1\n{text}".encode())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def shell(vo_server, sesame, tmp_path):
    """Run the command line as a user would, whose configuration names the mirror."""
    folder = tmp_path / "astropy" / "config"
    folder.mkdir(parents=True)
    lines = (
        "[archives]",
        f"eso_tap_url = {vo_server.tap}",
        f"eso_file_url = {vo_server.files}",
        f"name_resolver_url = {sesame}",
    )
    (folder / "astro_latent.cfg").write_text("\n".join(lines))
    settings = {"ASTROPY_CONFIG_DIR": str(folder), "XDG_CONFIG_HOME": str(tmp_path)}

    def run(*words):
        program = "import sys; from astro_latent.cli.main import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env={**os.environ, **settings},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_fetch_prints_the_path_of_each_file(shell, tmp_path):
    done = shell(
        *("fetch", "harps", "--object", "HD 128621", "--radius", "2", "--snr", "183"),
        *("-d", "files", "-o", "found.ecsv", "--no-progress"),
    )
    assert done.returncode == 0, done.stderr
    paths = [Path(tmp_path, line) for line in done.stdout.splitlines()]
    assert len(paths) == 3
    assert all(path.stat().st_size > 10_000 for path in paths)
    table = Table.read(tmp_path / "found.ecsv")
    assert list(table["snr"]) == [185, 184, 183]
    assert set(table["target_name"]) == {"HD 128621"}


def test_an_unknown_star_is_a_message_and_an_exit_code(shell):
    done = shell("fetch", "harps", "--object", "Nobody", "-d", "files", "--no-progress")
    assert done.returncode == 1
    assert "no position was found for 'Nobody'" in done.stderr
    assert "Traceback" not in done.stderr
