# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Verbs that may run for hours: what is done is kept beside the output."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from ..tables import ResultTable
from .common import EXIT_FAILED, EXIT_OK, complain, run_options, tell
from .inputs import expand_inputs, find_missing
from .output import STDOUT, check_output, finish

__all__ = ["run_verb"]


def run_verb(options: argparse.Namespace, verb: Callable[..., ResultTable]) -> int:
    """Run a verb of the pipeline on the inputs, and write or print its table.

    Parameters
    ----------
    options : argparse.Namespace
        With the options that `~astro_latent.cli.common.add_result_options` adds.
    verb : callable
        ``predict_parameters`` or ``encode_spectra``.

    Returns
    -------
    int
        Exit code.
    """
    parts = _parts(options)
    kept = _count(parts)
    if options.resume and not kept and parts and options.output.exists():
        tell(options, f"{options.output} is complete")
        return EXIT_OK
    check_output(options)
    if parts and kept and not options.resume:
        if not options.overwrite:
            msg = (
                f"{parts} keeps {kept} parts of a run that was stopped: --resume goes "
                "on with it, --overwrite starts anew"
            )
            raise FileExistsError(msg)
        kept = 0
    if parts and not kept:
        shutil.rmtree(parts, ignore_errors=True)
    inputs = expand_inputs(options.inputs)
    try:
        table = verb(inputs, checkpoint=parts, **run_options(options))
    except KeyboardInterrupt:
        complain(_stopped(parts))
        return EXIT_FAILED
    code = finish(table, options, find_missing(inputs))
    if parts:
        shutil.rmtree(parts, ignore_errors=True)
    return code


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
    kept = _count(parts)
    if not kept:
        return "interrupted; nothing was finished"
    return (
        f"interrupted; {kept} finished parts are kept in {parts}, and the same command "
        "with --resume goes on"
    )
