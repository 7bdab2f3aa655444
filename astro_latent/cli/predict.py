# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stellar parameters of spectra, with errors."""

import argparse

from .common import add_result_options, check_output, expand_inputs, finish

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_result_options(parser)


def run(options: argparse.Namespace) -> int:
    """Predict parameters and write or print the table."""
    from ..pipeline import predict_parameters

    check_output(options)
    table = predict_parameters(
        expand_inputs(options.inputs),
        model=options.model,
        radial_velocity=options.radial_velocity,
        batch_size=options.batch_size,
        device=options.device,
        progress=not options.no_progress,
    )
    labels = [
        f"{label}{end}" for label in table.meta["labels"] for end in ("", "_error")
    ]
    columns = ["obs_id", "target_name", "snr", *labels, "domain_score", "flags"]
    return finish(table, options, columns)
