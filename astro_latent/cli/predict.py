# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stellar parameters of spectra, with errors."""

import argparse

from .common import add_result_options
from .long_run import run_verb

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_result_options(parser)
    parser.add_argument(
        "--no-flux-errors",
        action="store_true",
        help="do not propagate the errors of the flux: the same labels in less time, "
        "with the errors that the model predicts",
    )


def run(options: argparse.Namespace) -> int:
    """Predict parameters and write or print the table."""
    return run_verb(options, "predict", flux_errors=not options.no_flux_errors)
