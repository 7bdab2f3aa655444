# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A real VO server (DaCHS) on loopback, dressed as ESO's archive.

PostgreSQL and DaCHS run as an ordinary user in a folder of their own; nothing of the
system is touched. Without the programs the tests are skipped, or fail if the
environment says ASTRO_LATENT_REQUIRE_VO_SERVER=1.
"""

import csv
import getpass
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import astro_latent
from astro_latent.archives import conf
from astro_latent.surveys.eso.config import conf as eso_conf

REQUIRED = "ASTRO_LATENT_REQUIRE_VO_SERVER"
RUNNING = "ASTRO_LATENT_VO_SERVER"  # address of a server that runs already
RESOURCE = Path(__file__).parent / "resource"

# Name, right ascension, declination, signal-to-noise ratio, first MJD, spectra.
STARS = (
    ("HD 128621", 219.8960, -60.8375, 180.0, 56000.2, 6),
    ("HD 128620", 219.9021, -60.8340, 240.0, 56001.2, 4),
    ("HD 10700", 26.0170, -15.9375, 120.0, 55000.3, 4),
    ("Barnard's star", 269.4521, 4.6934, 35.0, 57000.1, 3),
    ("HD 0", 0.0003, 0.0002, 60.0, 57500.1, 3),
)


@dataclass(frozen=True)
class VOServer:
    """Addresses of the running server, and what it was told to publish."""

    url: str
    rows: list[dict]
    started_in: float
    dachs: "Dachs | None" = None  # what runs it, unless it ran before the tests

    @property
    def tap(self):
        return f"{self.url}/tap"

    @property
    def ssa(self):
        return f"{self.url}/alspec/q/ssa/ssap.xml"

    @property
    def cone(self):
        return f"{self.url}/alspec/q/cone/scs.xml"

    @property
    def files(self):
        return self.url + "/getproduct/alspec/data/{dp_id}.fits"


def missing_programs():
    """Names of what has to be installed."""
    found = {"dachs": shutil.which("dachs"), "initdb": postgres_folder()}
    return [name for name, path in found.items() if not path]


def postgres_folder():
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if folders:
        return folders[-1].parent
    path = shutil.which("initdb")
    return Path(path).parent if path else None


def published_rows():
    """What the archive should say: one row per spectrum."""
    return [
        {
            "dp_id": f"ADP.2014-09-{16 + star:02d}T11:04:{visit:02d}.853",
            "target_name": name,
            "ra": ra,
            "dec": dec,
            "snr": snr + visit,
            "mjd": mjd + visit,
        }
        for star, (name, ra, dec, snr, mjd, count) in enumerate(STARS)
        for visit in range(count)
    ]


def write_spectra(folder):
    """Write the files that belong to the rows."""
    from astro_latent.spectra import write_example

    rng = np.random.default_rng(3)
    wavelength = np.arange(5000.0, 5030.0, 0.01)
    line = 1000 * (1 - 0.6 * np.exp(-((wavelength - 5010) ** 2)))
    for row in published_rows():
        noise = 1000 / row["snr"]
        cards = {
            "OBJECT": row["target_name"],
            "RA": row["ra"],
            "DEC": row["dec"],
            "SNR": row["snr"],
            "MJD-OBS": row["mjd"],
            "MJD-END": row["mjd"] + 864 / 86400,
            "WAVELMIN": wavelength[0] / 10,
            "WAVELMAX": wavelength[-1] / 10,
            "NELEM": wavelength.size,
            "ARCFILE": f"{row['dp_id']}.fits",
            "PROG_ID": "072.C-0488(E)",
        }
        write_example(
            "eso_phase3",
            folder / cards["ARCFILE"],
            wavelength,
            line + rng.normal(0, noise, wavelength.size),
            sigma=np.full(wavelength.size, noise),
            **cards,
        )


def write_stars(path):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["source_id", "ra", "dec", "teff", "name"])
        for number, (name, ra, dec, *_) in enumerate(STARS, start=1):
            writer.writerow([number, ra, dec, 5000 + 100 * number, name])


class Dachs:
    """Starts and stops a private PostgreSQL and a private DaCHS."""

    def __init__(self, root):
        self.root = root
        self.db_port, self.http_port = free_port(), free_port()
        # PostgreSQL refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        self.group = grp.getgrgid(pwd.getpwnam(self.user).pw_gid).gr_name
        self.url = f"http://localhost:{self.http_port}"
        self.inputs = root / "gavo" / "inputs" / "alspec"
        self._server = None

    def run(self, *command, cwd=None, check=True):
        """Run a program as the ordinary user; its output becomes the error."""
        with (self.root / "log").open("a") as log:
            done = subprocess.run(
                [str(word) for word in command],
                cwd=cwd or self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
                **self.identity(),
            )
        if done.returncode and check:
            self.fail(f"{command[0]} ended with {done.returncode}")
        return done.returncode == 0

    def fail(self, reason):
        log = (self.root / "log").read_text(errors="replace")[-3000:]
        msg = f"the VO server did not start: {reason}\n{log}"
        raise RuntimeError(msg)

    def identity(self):
        if os.geteuid() != 0:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def environment(self):
        plain = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        settings = str(self.root / "gavo.rc")
        return {**plain, "HOME": str(self.root), "GAVOSETTINGS": settings}

    def own(self):
        """Give everything to the user that runs the servers."""
        if os.geteuid() == 0:
            uid, gid = pwd.getpwnam(self.user)[2:4]
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, uid, gid)

    def start(self):
        (self.root / "run").mkdir()
        (self.root / "log").touch()
        (self.root / "gavo.rc").write_text(self.settings())
        self.own()
        self.start_database()
        self.run(
            "dachs",
            "init",
            "-d",
            f"host=127.0.0.1 port={self.db_port} dbname=gavo user={self.user}",
        )
        shutil.copy(RESOURCE / "userconfig.rd", self.root / "gavo" / "etc")
        (self.inputs / "data").mkdir(parents=True)
        shutil.copy(RESOURCE / "q.rd", self.inputs)
        write_spectra(self.inputs / "data")
        write_stars(self.inputs / "stars.csv")
        self.own()
        self.run("dachs", "imp", "//obscore")
        self.run("dachs", "imp", "q", cwd=self.inputs)
        self.serve()

    def publish(self, folder):
        """Import a resource into the running server, under the name of its folder."""
        home = self.root / "gavo" / "inputs" / folder.name
        shutil.copytree(folder, home)
        self.own()
        self.run("dachs", "imp", "q", cwd=home)
        return f"{self.url}/{folder.name}/q"

    def start_database(self):
        tools, cluster = postgres_folder(), self.root / "pg"
        self.run(
            *(tools / "initdb", "-D", cluster, "-U", self.user, "-A", "trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
        options = (
            f"-p {self.db_port} -c listen_addresses=127.0.0.1 "
            f"-c unix_socket_directories={self.root}/run -c fsync=off "
            "-c synchronous_commit=off -c full_page_writes=off"
        )
        log = self.root / "pg.log"
        self.run(
            tools / "pg_ctl", "-D", cluster, "-w", "-l", log, "-o", options, "start"
        )
        self.run(
            *(tools / "createdb", "-h", self.root / "run", "-p", self.db_port),
            *("-U", self.user, "--encoding=UTF-8", "--template", "template0", "gavo"),
        )
        if not self.run(*self.psql("-c", "CREATE EXTENSION pg_sphere"), check=False):
            self.load_pg_sphere()

    def psql(self, *options):
        """The command that talks to the database."""
        where = ("-h", self.root / "run", "-p", self.db_port, "-U", self.user)
        tool = postgres_folder() / "psql"
        return (tool, *where, "-d", "gavo", "-qv", "ON_ERROR_STOP=1", *options)

    def load_pg_sphere(self):
        """Load pgSphere 1.1.1 into a PostgreSQL that is stricter than it knows.

        Since 15.20 an operator cannot be commutator or negator of two others, which the
        obsolete operators ``@`` of its script claim; without that claim it loads.
        """
        extensions = max(Path("/usr/share/postgresql").glob("*/extension"))
        control = (extensions / "pg_sphere.control").read_text()
        version = re.search(r"default_version = '([^']+)'", control)[1]
        script = (extensions / f"pg_sphere--{version}.sql").read_text()
        script = script.replace("MODULE_PATHNAME", "$libdir/pg_sphere")
        script = re.sub(r"(?m)^\\echo.*$", "", script)
        operator = re.compile(r"CREATE OPERATOR @ \([^;]*smoc[^;]*;")
        claims = re.compile(r"(?:COMMUTATOR|NEGATOR)[^,]*,")
        script = operator.sub(lambda found: claims.sub("", found[0]), script)
        path = self.root / "pg_sphere.sql"
        known = (
            "INSERT INTO pg_extension SELECT max(oid::bigint) + 1, 'pg_sphere', 10, "
            f"2200, true, '{version}' FROM pg_extension;"
        )
        path.write_text("SET client_min_messages = warning;\n" + script + known)
        self.own()
        self.run(*self.psql("-f", path))

    def settings(self):
        return f"""[general]
rootDir: {self.root}/gavo
group: {self.group}
gavoGroup: {self.group}
maintainerAddress: nobody@example.org
[web]
bindAddress: 127.0.0.1
serverPort: {self.http_port}
serverURL: {self.url}
user: {self.user}
maxSyncUploadSize: 50000000
maxUploadSize: 50000000
[ivoa]
authority: org.example.test
"""

    def serve(self):
        with (self.root / "log").open("a") as log:
            self._server = subprocess.Popen(
                ["dachs", "serve", "start", "-f"],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.identity(),
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                self.fail("dachs serve ended")
            try:
                with urllib.request.urlopen(f"{self.url}/tap/availability", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        self.fail("no answer within a minute")

    def stop(self):
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait(10)
        if (self.root / "pg" / "postmaster.pid").exists():
            tools = postgres_folder()
            self.run(
                tools / "pg_ctl", "-D", self.root / "pg", "-m", "immediate", "stop"
            )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def vo_server():
    """The running server; it takes about twenty seconds to start."""
    if os.environ.get(RUNNING):
        yield VOServer(os.environ[RUNNING], published_rows(), 0.0)
        return
    missing = missing_programs()
    if missing:
        reason = f"no VO server without {' and '.join(missing)}: see .ci/vo_server.sh"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED}=1, but {reason}")
        pytest.skip(reason)
    # The path of a socket may have a hundred characters: keep the folder's short.
    root = Path(tempfile.mkdtemp(prefix="vo", dir="/tmp"))
    dachs = Dachs(root)
    begin = time.monotonic()
    try:
        dachs.start()
        started_in = time.monotonic() - begin
        yield VOServer(dachs.url, published_rows(), started_in, dachs)
    finally:
        dachs.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def as_eso(vo_server):
    """The archive's addresses of ESO lead to the server: nothing else is changed."""
    with (
        eso_conf.set_temp("tap_url", vo_server.tap),
        eso_conf.set_temp("file_url", vo_server.files),
        conf.set_temp("backoff", 0.1),
        astro_latent.conf.set_temp("timeout", 60.0),
    ):
        yield vo_server
