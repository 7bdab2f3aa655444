# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stellar parameters of spectra, with errors."""

import argparse

from .common import add_result_options, run_options
from .inputs import expand_inputs, find_missing
from .output import check_output, finish

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
    from ..pipeline import predict_parameters

    check_output(options)
    inputs = expand_inputs(options.inputs)
    table = predict_parameters(
        inputs, flux_errors=not options.no_flux_errors, **run_options(options)
    )
    return finish(table, options, find_missing(inputs))
