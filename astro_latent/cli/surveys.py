# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The surveys that spectra can be asked from."""

import argparse

from .common import EXIT_OK
from .show import show_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb: none."""


def run(options: argparse.Namespace) -> int:
    """List the surveys."""
    from ..surveys import list_surveys

    show_table(list_surveys())
    return EXIT_OK
