# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a terminal of 80 columns shows on the way from ten names to TOPCAT."""

import errno
import fcntl
import os
import pty
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from astropy.table import Table

import astro_latent as al

__all__ = ["write_transcript"]

_WIDTH = 80
#: Commands of the page, in the order in which they are run.
COMMANDS = (
    "astro-latent star {names} --survey sample --match catalogue.ecsv -o stars.vot",
    "astro-latent predict spectra/ --columns target_name,teff,logg,fe_h,usable",
    "astro-latent crossmatch stars.vot catalogue.ecsv --radius 1",
    "ls -1",
)


def _read_all(terminal: int) -> str:
    """Read what a program writes until it closes its terminal."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError as error:  # how Linux says that nobody writes any more
            if error.errno != errno.EIO:
                raise
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()


def run_in_terminal(command: str, folder: Path) -> str:
    """Run a command in a terminal of its own and return what that shows."""
    words = shlex.split(command)
    if words[0] == "astro-latent":
        words[:1] = [sys.executable, "-m", "astro_latent"]
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, _WIDTH, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(words, cwd=folder, stdout=its, stderr=its, env=env) as run:
        os.close(its)
        text = _read_all(ours)
    os.close(ours)
    if run.returncode:
        msg = f"{command}: {text}"
        raise RuntimeError(msg)
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in lines).rstrip()


def _lay_out(folder: Path) -> str:
    """Write a catalogue for the ten stars, and a link to their files; return names."""
    sample = al.get_survey("sample").table()
    (folder / "spectra").mkdir()
    for path in sample["path"]:
        (folder / "spectra" / Path(path).name).symlink_to(path)
    catalogue = Table({"source": [f"C{row:02d}" for row in range(len(sample))]})
    catalogue["ra"], catalogue["dec"] = sample["s_ra"], sample["s_dec"]
    catalogue.write(folder / "catalogue.ecsv")
    return " ".join(f'"{name}"' for name in sample["target_name"])


def _wrap(command: str) -> str:
    """Break a long command as one types it."""
    if len(command) < _WIDTH - 2:
        return f"$ {command}"
    lines, line = [], "$"
    for word in shlex.split(command):
        word = f'"{word}"' if " " in word else word
        if len(line) + len(word) > _WIDTH - 4:
            lines.append(f"{line} \\")
            line = "   "
        line += f" {word}"
    return "\n".join([*lines, line])


def write_transcript(folder: Path) -> None:
    """Run the commands and keep what the terminal shows of each."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        names = _lay_out(Path(made))
        for number, command in enumerate(COMMANDS, 1):
            command = command.format(names=names)
            shown = f"{_wrap(command)}\n{run_in_terminal(command, Path(made))}"
            indented = "\n".join(f"   {line}".rstrip() for line in shown.split("\n"))
            text = f".. code-block:: console\n\n{indented}\n"
            path = folder / f"transcript_{number}.inc"
            path.write_text(text, encoding="utf-8")
