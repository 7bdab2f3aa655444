# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The bundled models, or the card of one of them."""

import argparse

from .common import EXIT_OK
from .show import say, show_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument("name", nargs="?", help="print the card of this model")


def run(options: argparse.Namespace) -> int:
    """List the models, or print one card."""
    from ..models import find_weights, list_models
    from ..models.card import ModelCard
    from ..models.config import ModelConfig

    if options.name:
        say(str(ModelCard(ModelConfig.from_folder(find_weights(options.name)))))
    else:
        show_table(list_models())
    return EXIT_OK
