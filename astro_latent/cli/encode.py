# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latent features of spectra."""

import argparse

from .common import add_result_options, check_output, expand_inputs, finish

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_result_options(parser)


def run(options: argparse.Namespace) -> int:
    """Encode spectra and write or print the table."""
    from ..pipeline import encode_spectra

    check_output(options)
    table = encode_spectra(
        expand_inputs(options.inputs),
        **({"model": options.model} if options.model else {}),
        radial_velocity=options.radial_velocity,
        batch_size=options.batch_size,
        device=options.device,
        progress=not options.no_progress,
    )
    columns = [
        "obs_id",
        "target_name",
        "snr",
        "reconstruction_error",
        "flags",
        "latent",
    ]
    return finish(table, options, columns)
