# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where results go: a file, standard output, a terminal; and what is said of them."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from astropy.table import Table

from .common import EXIT_FAILED, EXIT_OK, complain, tell
from .show import show_json, show_results
from .tally import Tally

__all__ = ["STDOUT", "check_output", "finish", "is_piecewise", "write_result"]

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


def _format(options: argparse.Namespace) -> str | None:
    """Name the format in the words of the tables; None where the name says it."""
    form = options.format
    if form is None and options.output.suffix.lower() == ".csv":
        form = "csv"
    return {"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(form, form)


def is_piecewise(options: argparse.Namespace) -> bool:
    """Tell whether rows can be written to the output as they come.

    Parameters
    ----------
    options : argparse.Namespace
        With ``output`` and ``format``.

    Returns
    -------
    bool
        False for FITS, for standard output and where the table is printed.
    """
    from ..tables.writer import piecewise_format

    path = options.output
    if path is None or path == STDOUT:
        return False
    return piecewise_format(path, _format(options)) is not None


def write_result(table: Table, options: argparse.Namespace) -> None:
    """Write a table where the options say: to a file, or to standard output.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    options : argparse.Namespace
        With ``output``, ``format`` and ``overwrite``.
    """
    from ..tables import write_table

    form = _format(options)
    table = _flat(table, form)
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


def _flat(table: Table, form: str | None) -> Table:
    """Give the cells of a CSV file one value each."""
    from ..tables import to_wide

    return to_wide(table) if form == "ascii.csv" else table


def _write_pieces(pieces: Iterator[Table], options: argparse.Namespace) -> None:
    """Write tables one behind the other to one file, in the memory of one."""
    from ..tables import TableWriter

    form = _format(options)
    with TableWriter(
        options.output, format=form, overwrite=options.overwrite
    ) as writer:
        for piece in pieces:
            writer.write(_flat(piece, form))


def finish(
    pieces: Iterable[Table], options: argparse.Namespace, missing: Sequence[str] = ()
) -> int:
    """Write or print results, sum them up, and choose the exit code.

    Parameters
    ----------
    pieces : iterable of ResultTable
        The results: one table, or several of equal columns if `is_piecewise`.
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
    tally = Tally()
    passing = tally.watch(pieces)
    if is_piecewise(options):
        _write_pieces(passing, options)
    else:
        (table,) = passing
        _show_whole(table, options)
    where = f" -> {options.output}" if options.output else ""
    first, *rest = tally.lines()
    for line in (first + where, *rest):
        tell(options, line)
    for name in missing:
        complain(f"error: {name}: there is no such file, folder or match")
    failed = bool(missing) or tally.n_rows == tally.n_empty > 0
    strict = options.strict and tally.n_usable < tally.n_rows
    return EXIT_FAILED if failed or strict else EXIT_OK


def _show_whole(table: Table, options: argparse.Namespace) -> None:
    """Write or print one table."""
    if options.output:
        write_result(table, options)
    elif options.json:
        show_json(table)
    else:
        show_results(table, options.columns)
