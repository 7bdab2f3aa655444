# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From a star's name to files in one shell line, against a mirror, by configuration."""

import gzip
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

import astro_latent as al
from astro_latent.archives.config import conf
from astro_latent.spectra import write_example
from astro_latent.surveys.eso.config import conf as eso_conf

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


@contextmanager
def mirror_of(content):
    """Serve a file under every name; yield the address for the configuration."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{{dp_id}}"
        server.shutdown()
        thread.join()


@pytest.fixture
def mirror(tmp_path):
    """A mirror of the files alone: every name is the same star over the full range."""
    wavelength = np.arange(3782.0, 6912.0, 0.01)
    rng = np.random.default_rng(1)
    flux = 1000 * (1 + 0.1 * np.sin(wavelength / 300))
    flux *= 1 - 0.7 * np.exp(-(((wavelength - 6562.8) / 1.5) ** 2))
    path = tmp_path / "full.fits"
    noise = rng.normal(0, 5, wavelength.size)
    write_example("eso_phase3", path, wavelength, flux + noise)
    with mirror_of(path.read_bytes()) as address:
        yield address


def settings(folder, addresses):
    """Environment of a user whose configuration names these addresses."""
    config = folder / ".astropy" / "config"  # of that HOME, before Astropy 8
    config.mkdir(parents=True)
    private = "allow_private_addresses = True"  # the servers are on this machine
    sections = {"[archives]": [private]}
    for place, value in addresses.items():
        section, _, name = place.rpartition(".")
        sections.setdefault(f"[{section}]", []).append(f"{name} = {value}")
    lines = [line for head, items in sections.items() for line in (head, *items)]
    (config / "astro_latent.cfg").write_text("\n".join(lines))
    env = {**os.environ, "ASTROPY_CONFIG_DIR": str(config), "HOME": str(folder)}
    env.pop("XDG_CONFIG_HOME", None)
    return env


@pytest.fixture
def shell(vo_server, sesame, tmp_path):
    """Run the command line as a user would, whose configuration names the mirror."""
    env = settings(
        tmp_path,
        {
            "archives.name_resolver_url": sesame,
            "surveys.eso.tap_url": vo_server.tap,
            "surveys.eso.file_url": vo_server.files,
        },
    )

    def run(*words):
        program = "import sys; from astro_latent.cli.main import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env=env,
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


def test_from_a_name_to_latents_in_one_shell_line(vo_server, sesame, mirror, tmp_path):
    env = settings(
        tmp_path,
        {
            "archives.name_resolver_url": sesame,
            "surveys.eso.tap_url": vo_server.tap,
            "surveys.eso.file_url": mirror,
        },
    )
    program = f"{sys.executable} -m astro_latent"
    line = (
        f"set -o pipefail; {program} fetch harps --object 'HD 128621' --radius 2 "
        f"--snr 183 -d files --no-progress "
        f"| {program} encode - -o out.vot --no-progress"
    )
    done = subprocess.run(
        ["bash", "-c", line],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    table = al.read_table(tmp_path / "out.vot")
    assert len(table) == 3
    assert np.asarray(table["latent"]).shape == (3, 48)
    assert np.isfinite(np.asarray(table["latent"])).all()
    assert table.meta["model"] == "harps_dae_fast_v1"


def test_from_a_name_to_latents_in_one_cell(vo_server, sesame, mirror, tmp_path):
    with (
        eso_conf.set_temp("tap_url", vo_server.tap),
        eso_conf.set_temp("file_url", mirror),
        conf.set_temp("name_resolver_url", sesame),
    ):
        found = al.query_object(
            "HD 128621", survey="harps", radius=2 * u.arcsec, snr=183
        )
        spectra = al.fetch_spectra(found, directory=tmp_path / "files")
        latents = al.encode_spectra(spectra)
        latents.write(tmp_path / "latents.vot")
    assert list(latents["obs_id"]) == list(found["obs_id"])
    again = al.read_table(tmp_path / "latents.vot")
    np.testing.assert_array_equal(again["latent"], latents["latent"])


def test_from_a_name_to_parameters_in_one_cell(vo_server, sesame, tmp_path):
    """No model predicts parameters from HARPS yet: the files are those of APOGEE."""
    sample = al.get_survey("sample").table()
    content = gzip.decompress(Path(sample["path"][1]).read_bytes())
    with (
        mirror_of(content) as mirror,
        eso_conf.set_temp("tap_url", vo_server.tap),
        eso_conf.set_temp("file_url", mirror),
        conf.set_temp("name_resolver_url", sesame),
    ):
        found = al.query_object(
            "HD 128621", survey="harps", radius=2 * u.arcsec, snr=183
        )
        spectra = al.fetch_spectra(found, directory=tmp_path / "files")
        parameters = al.predict_parameters(spectra, model="apogee_starnet_v1")
        parameters.write(tmp_path / "parameters.vot")
    again = al.read_table(tmp_path / "parameters.vot")
    assert list(again["obs_id"]) == list(found["obs_id"])
    np.testing.assert_allclose(again["teff"].value, sample["true_teff"][1], atol=150)
