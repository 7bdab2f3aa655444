# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where results go: a file, standard output, a terminal; and what is said of them."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..utils.quality import FATAL_FLAGS
from .common import EXIT_FAILED, EXIT_OK, complain, tell
from .show import show_json, show_results, sum_up

__all__ = ["STDOUT", "check_output", "finish", "write_result"]

#: The name of standard output.
STDOUT = Path("-")
#: Format of standard output -> ending of the file that is made for it.
_ENDINGS = {
    "votable": ".vot", "fits": ".fits", "ecsv": ".ecsv", "csv": ".csv",
    "parquet": ".parquet",
}  # fmt: skip


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
    if path is None or path == STDOUT:
        return
    if path.exists() and not options.overwrite:
        msg = f"{path} exists; --overwrite replaces it"
        raise FileExistsError(msg)
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent} to write {path.name} in"
        raise FileNotFoundError(msg)


def write_result(table: Table, options: argparse.Namespace) -> None:
    """Write a table where the options say: to a file, or to standard output.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    options : argparse.Namespace
        With ``output``, ``format`` and ``overwrite``.
    """
    from ..tables import to_wide, write_table

    form = options.format
    csv = form == "csv" or (form is None and options.output.suffix.lower() == ".csv")
    if csv:  # cells of a CSV file hold one value
        table, form = to_wide(table), "csv"
    form = {"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(form, form)
    if options.output != STDOUT:
        write_table(table, options.output, format=form, overwrite=options.overwrite)
        return
    ending = _ENDINGS[options.format or "votable"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"out{ending}")
        write_table(table, path, format=form)
        with path.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
    sys.stdout.flush()


def finish(
    table: Table, options: argparse.Namespace, missing: Sequence[str] = ()
) -> int:
    """Write or print results, sum them up, and choose the exit code.

    Parameters
    ----------
    table : ResultTable
        The results.
    options : argparse.Namespace
        With the options that `~astro_latent.cli.common.add_result_options` adds.
    missing : sequence of str, optional
        Names on the command line that led to nothing.

    Returns
    -------
    int
        Exit code: 1 if a name led to nothing, if no row has a result, or if one cannot
        be used under ``--strict``.
    """
    if options.output:
        write_result(table, options)
    elif options.json:
        show_json(table)
    else:
        show_results(table, options.columns)
    where = f" -> {options.output}" if options.output else ""
    first, *rest = sum_up(table)
    for line in (first + where, *rest):
        tell(options, line)
    for name in missing:
        complain(f"error: {name}: there is no such file, folder or match")
    n_usable = int(table["usable"].sum())
    empty = (np.asarray(table["flags"]) & FATAL_FLAGS) != 0
    failed = bool(missing) or (len(table) > 0 and bool(empty.all()))
    strict = options.strict and n_usable < len(table)
    return EXIT_FAILED if failed or strict else EXIT_OK
