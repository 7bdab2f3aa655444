# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The surveys that spectra can be asked from."""

import argparse

from .common import EXIT_OK
from .show import list_in_lines

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb: none."""


def run(options: argparse.Namespace) -> int:
    """List the surveys."""
    from ..surveys import list_surveys

    list_in_lines(list_surveys(), head="name", words=("title", "models"))
    return EXIT_OK
