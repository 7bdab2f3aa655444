# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Search for the hyper-parameters that suit spectra and labels of your own."""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .common import EXIT_OK, complain, positive, tell
from .pictures import save_picture
from .show import say, show_table
from .train import add_settings, add_source, add_split, setting, source_options

if TYPE_CHECKING:
    from ..training import Search

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_source(parser)
    parser.add_argument(
        "-l", "--labels", nargs="+", metavar="NAME", required=True,
        help="columns to learn",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER",
        help="folder of the search; one that was stopped goes on",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=positive, default=50, metavar="N", help="in all (default 50)"
    )
    parser.add_argument("--architecture", default="starnet", help="default: starnet")
    parser.add_argument(
        "--space", nargs="+", type=setting, metavar="NAME=JSON",
        help="choices as [...], or a range as "
        '{"low": 1e-4, "high": 1e-2, "log": true}; by default that of the architecture',
    )  # fmt: skip
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe")
    parser.add_argument(
        "--no-pruning", action="store_true", help="let every trial run to its end"
    )
    parser.add_argument(
        "--processes", type=positive, default=1, metavar="N", help="trials at a time"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="after which none begins"
    )
    parser.add_argument("--grid", help="name of a grid; by default that of the spectra")
    parser.add_argument("--recipe", help="name of a recipe")
    add_split(parser)
    add_settings(parser, "augment", "fit", "arguments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, gpu, auto")


def run(options: argparse.Namespace) -> int:
    """Search, draw, and say how to train with what was found."""
    from ..training import search_hyperparameters

    found = search_hyperparameters(
        labels=options.labels, output=options.output, n_trials=options.trials,
        space=dict(options.space) if options.space else None,
        architecture=options.architecture, sampler=options.sampler,
        prune=not options.no_pruning, processes=options.processes,
        timeout=options.timeout, seed=options.seed, device=options.device,
        grid=options.grid, recipe=options.recipe, star=options.star,
        split=options.split, held_out=options.held_out, validation=options.validation,
        folds=options.folds, augment=dict(options.augment) or None,
        arguments=dict(options.arguments),
        **source_options(options), **dict(options.fit),
    )  # fmt: skip
    _draw(found, options)
    if len(found.importances):
        found.importances["importance"].info.format = ".2f"
        show_table(found.importances)
    say(json.dumps(found.settings))
    tell(options, f"best loss {found.loss:.4f} of {len(found.trials)} trials")
    path = options.output / "settings.json"
    tell(options, f"next: astro-latent train ... --settings {path}")
    return EXIT_OK


def _draw(found: "Search", options: argparse.Namespace) -> None:
    """Draw history and importances into the folder, if there is matplotlib."""
    from ..plotting import plot_importances, plot_search

    if find_spec("matplotlib") is None:
        complain("no pictures: they need matplotlib, pip install 'astro_latent[plot]'")
        return
    drawn = {"history.png": plot_search(found.trials)}
    if len(found.importances):
        drawn["importances.png"] = plot_importances(found.importances)
    for name, ax in drawn.items():
        save_picture(ax.figure, options.output / name)
        tell(options, f"drawn: {options.output / name}")
