# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the verbs share: options, lists of input, output of tables."""

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import SpectrumReadError

__all__ = [
    "EXIT_FAILED",
    "EXIT_OK",
    "EXIT_USAGE",
    "add_inputs",
    "add_output",
    "add_result_options",
    "check_output",
    "complain",
    "expand_inputs",
    "finish",
    "say",
    "show_table",
    "table_path",
]

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


#: Kinds of tables that can be written.
ENDINGS = (".vot", ".xml", ".fits", ".ecsv", ".parquet")


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"astro-latent: {text}\n")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument that names spectra."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="spectra: files, folders, glob patterns, tables with a column 'path', or "
        "'-' for a list on standard input, one name on each line",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of verbs that write a table."""
    parser.add_argument(
        "-o",
        "--output",
        type=table_path,
        help="file to write: .vot, .fits, .ecsv, .parquet; by default the table is "
        "printed",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing output"
    )


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of verbs that run a model and make a table."""
    add_inputs(parser)
    parser.add_argument("-m", "--model", help="name or folder of weights")
    add_output(parser)
    parser.add_argument(
        "--radial-velocity",
        type=float,
        metavar="KM/S",
        help="barycentric velocity, for models that expect rest wavelengths",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps; by default the best")
    parser.add_argument("--batch-size", type=int, help="spectra in memory at a time")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if a row is flagged, notices such as NOISE_ESTIMATED aside",
    )
    parser.add_argument(
        "--no-progress", action="store_true", help="show no progress bar"
    )


def table_path(text: str) -> Path:
    """Refuse an ending that means nothing before hours of work, not after."""
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        msg = f"{text!r} must end in one of {', '.join(ENDINGS)}"
        raise argparse.ArgumentTypeError(msg)
    return path


def check_output(options: argparse.Namespace) -> None:
    """Raise before any work if the output could not be written afterwards.

    Parameters
    ----------
    options : argparse.Namespace
        With ``output`` and ``overwrite``.

    Raises
    ------
    FileExistsError
        If the file exists and was not to be replaced.
    FileNotFoundError
        If its folder does not exist.
    """
    path = options.output
    if path is None:
        return
    if path.exists() and not options.overwrite:
        msg = f"{path} exists; --overwrite replaces it"
        raise FileExistsError(msg)
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent} to write {path.name} in"
        raise FileNotFoundError(msg)


def _from_stdin() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def expand_inputs(inputs: Iterable[str]) -> Any:
    """Turn the arguments into something that the readers take.

    Parameters
    ----------
    inputs : iterable of str
        As given on the command line.

    Returns
    -------
    list of str or `~astropy.table.Table`
        Names, or the one table of observations that was named.
    """
    names: list[str] = []
    for name in inputs:
        names += _from_stdin() if name == "-" else [name]
    if not names:
        msg = "standard input named no spectra"
        raise SpectrumReadError(msg)
    tables = [name for name in names if Path(name).suffix.lower() in (".ecsv", ".csv")]
    if tables:
        if len(names) > 1:
            msg = f"give one table of observations alone, not {len(names)} inputs"
            raise SpectrumReadError(msg)
        from astropy.table import Table

        return Table.read(tables[0])
    return names


def show_table(table: Any) -> None:
    """Print a table: fitted to a terminal, whole where another program reads it."""
    width = -1
    if sys.stdout.isatty():
        width = max(80, shutil.get_terminal_size((120, 24)).columns)
    units = any(table[name].unit is not None for name in table.colnames)
    for line in table.pformat(max_lines=-1, max_width=width, show_unit=units):
        say(line)


def finish(table: Any, options: argparse.Namespace, columns: list[str]) -> int:
    """Write or print a result table, sum it up, and choose the exit code.

    Parameters
    ----------
    table : ResultTable
        The result.
    options : argparse.Namespace
        With ``output``, ``overwrite`` and ``strict``.
    columns : list of str
        Columns to print where no file is written.

    Returns
    -------
    int
        Exit code.
    """
    from ..utils.quality import FATAL_FLAGS, NOTICE_FLAGS, decode_flags

    if options.output:
        table.write(options.output, overwrite=options.overwrite)
    else:
        shown = table[[name for name in columns if name in table.colnames]]
        for name in shown.colnames:
            if shown[name].dtype.kind == "f":
                shown[name].info.format = ".5g"
        show_table(shown)
    flags = np.asarray(table["flags"])
    unusable = int(np.sum((flags & FATAL_FLAGS) != 0))
    where = f" -> {options.output}" if options.output else ""
    complain(
        f"{len(table)} spectra, {int(np.sum(flags != 0))} flagged, "
        f"{unusable} unusable{where}"
    )
    if np.any(flags):
        for row in decode_flags(flags, return_table=True):
            complain(f"  {row['count']:6d} {row['name']}: {row['meaning']}")
    bad = np.any(flags & ~NOTICE_FLAGS)
    return EXIT_FAILED if options.strict and bad else EXIT_OK
