# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The picture and the table of the first page: what ``astro-latent demo`` makes."""

import shutil
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from astro_latent.cli.main import main
from astro_latent.spectra import decode_flags
from astro_latent.tables import read_table

__all__ = ["write_demo"]

COLUMNS = ("target_name", "teff", "teff_error", "logg", "fe_h")


def _printed(path: Path) -> str:
    table = read_table(path)[[*COLUMNS, "flags"]]
    flags = decode_flags(table["flags"])
    table.remove_column("flags")
    for name in COLUMNS[1:]:
        table[name].info.format = ".0f" if name.startswith("teff") else ".2f"
    table["flags"] = [", ".join(names) for names in flags]
    lines = table.pformat(max_lines=-1, max_width=-1, show_unit=True)
    return "\n".join(f"   {line}".rstrip() for line in lines)


def write_demo(folder: Path) -> None:
    """Run the demo and keep its Kiel diagram and its table of parameters."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, redirect_stdout(StringIO()):
        if main(["demo", "--output", made]) != 0:
            msg = "the demo failed"
            raise RuntimeError(msg)
        text = f".. code-block:: text\n\n{_printed(Path(made, 'parameters.vot'))}\n"
        shutil.copyfile(Path(made, "parameters.png"), folder / "demo.png")
    (folder / "demo.inc").write_text(text, encoding="utf-8")
