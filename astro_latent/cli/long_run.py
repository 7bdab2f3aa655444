# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Verbs that may run for hours: what is done is kept beside the output."""

import argparse
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from .common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, complain, run_options, tell
from .inputs import expand_inputs, find_missing
from .output import STDOUT, check_output, finish, is_piecewise

if TYPE_CHECKING:
    from ..tables import ResultTable

__all__ = ["run_long", "run_verb"]

#: What makes the tables of a run, given the folder that keeps finished parts, and
#: names what led to nothing.
Work: TypeAlias = "Callable[[Path | None], tuple[Iterable[ResultTable], list[str]]]"


def run_verb(options: argparse.Namespace, task: str, **more: bool) -> int:
    """Run a verb of the pipeline on the inputs, and write or print its table.

    Parameters
    ----------
    options : argparse.Namespace
        With the options that `~astro_latent.cli.common.add_result_options` adds.
    task : {"predict", "encode"}
        What to do.
    **more
        Further options of the Python function.

    Returns
    -------
    int
        Exit code.
    """

    def work(parts: Path | None) -> "tuple[Iterable[ResultTable], list[str]]":
        from ..pipeline import encode_spectra, iter_results, predict_parameters

        inputs = expand_inputs(options.inputs)
        settings = run_options(options) | more | {"checkpoint": parts}
        missing = find_missing(inputs)
        if is_piecewise(options):
            return iter_results(inputs, task=task, **settings), missing
        verb = predict_parameters if task == "predict" else encode_spectra
        return [verb(inputs, **settings)], missing

    return run_long(options, work)


def run_long(options: argparse.Namespace, work: Work) -> int:
    """Run what may take hours, keep what is done, and go on behind it if asked.

    Parameters
    ----------
    options : argparse.Namespace
        With ``output``, ``overwrite``, ``resume`` and what `finish` needs.
    work : callable
        Makes the tables. It is given the folder for finished parts, or None where no
        file is written, and names what led to nothing as well.

    Returns
    -------
    int
        Exit code.
    """
    parts = _parts(options)
    if options.resume and parts is None:
        complain("error: --resume goes on with a run that writes a file: give -o FILE")
        return EXIT_USAGE
    if options.resume and parts and not _count(parts) and options.output.exists():
        tell(options, f"{options.output} is complete")
        return EXIT_OK
    check_output(options)
    if parts and not options.resume:
        _start_anew(parts, options)
    try:
        pieces, missing = work(parts)
        code = finish(pieces, options, missing)
    except KeyboardInterrupt:
        complain(_stopped(parts))
        return EXIT_FAILED
    if parts:
        shutil.rmtree(parts, ignore_errors=True)
    return code


def _start_anew(parts: Path, options: argparse.Namespace) -> None:
    """Remove what is kept of an earlier run, if that was asked for."""
    kept = _count(parts)
    if kept and not options.overwrite:
        msg = (
            f"{parts} keeps {kept} parts of a run that was stopped: --resume goes "
            "on with it, --overwrite starts anew"
        )
        raise FileExistsError(msg)
    shutil.rmtree(parts, ignore_errors=True)


def _parts(options: argparse.Namespace) -> Path | None:
    """Name the folder beside the output; None if there is no file to write."""
    path: Path | None = options.output
    if path is None or path == STDOUT:
        return None
    return path.with_name(f"{path.name}.parts")


def _count(parts: Path | None) -> int:
    return len(list(parts.glob("part-*.vot"))) if parts else 0


def _stopped(parts: Path | None) -> str:
    """Say what is kept of a run that was interrupted."""
    if parts is None:
        return "interrupted; nothing is kept, as it would be with -o FILE"
    kept = _count(parts)
    if not kept:
        return "interrupted; no part was finished, the same command starts again"
    return (
        f"interrupted; {kept} finished parts are kept in {parts}, and the same command "
        "with --resume goes on"
    )
