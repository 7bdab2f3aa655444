# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The bundled models, or one of them on a screen."""

import argparse

from .common import EXIT_OK
from .show import list_in_lines, say, terminal_width

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument("name", nargs="?", help="describe this model, or folder")
    parser.add_argument(
        "--full", action="store_true", help="print all of its model card"
    )


def run(options: argparse.Namespace) -> int:
    """List the models, or describe one."""
    from ..models import find_weights, list_models
    from ..models.card import ModelCard
    from ..models.card_summary import summarise_model
    from ..models.config import ModelConfig

    if not options.name:
        list_in_lines(
            list_models(), head="name", words=("description", "survey", "outputs")
        )
        return EXIT_OK
    config = ModelConfig.from_folder(find_weights(options.name))
    if options.full:
        say(str(ModelCard(config)))
    else:
        say(summarise_model(config, width=terminal_width() or 80))
        say(f"\nThe whole card: astro-latent models {options.name} --full")
    return EXIT_OK
