# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latent features of spectra."""

import argparse

from .common import add_result_options
from .long_run import run_verb

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_result_options(parser)


def run(options: argparse.Namespace) -> int:
    """Encode spectra and write or print the table."""
    return run_verb(options, "encode")
