# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels of a model, or of a catalogue, against those of another catalogue."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .common import EXIT_OK, complain, tell
from .train import add_source, draw_comparisons, show_scores, source_options

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_source(parser)
    parser.add_argument(
        "-m", "--model", help="name or folder of weights; without it TABLE is compared "
        "with --table",
    )  # fmt: skip
    parser.add_argument("-l", "--labels", nargs="+", metavar="NAME")
    parser.add_argument(
        "--by", nargs="+", default=[], metavar="COLUMN", help="score in bins of these"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER",
        help="folder for the tables and pictures",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Compare, print the scores, write tables and pictures."""
    from ..tables import write_table
    from ..training import compare_labels, evaluate_model
    from ..training.listing import read_listing

    if options.model is None:
        if options.table is None:
            msg = "give --model, or --table to compare TABLE with"
            raise ValueError(msg)
        found = compare_labels(
            read_listing(options.spectra), read_listing(options.table),
            options.labels, by=options.by,
        )  # fmt: skip
    else:
        found = evaluate_model(
            options.model, labels=options.labels, by=options.by,
            **source_options(options),
        )  # fmt: skip
    show_scores(found.scores.copy())
    for line in _sum_up(found.rows):
        tell(options, line)
    if found.omissions.counts():
        complain(str(found.omissions))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        for name in ("scores", "rows"):
            path = options.output / f"{name}.ecsv"
            write_table(getattr(found, name), path, overwrite=True)
        labels = list(dict.fromkeys(found.scores["label"].tolist()))
        draw_comparisons(found.rows, labels, options.output)
    return EXIT_OK


def _sum_up(rows: "Table") -> list[str]:
    """Say how many of the rows that were compared are flagged, and why."""
    from ..utils.quality import NOTICE_FLAGS, decode_flags

    if "flags" not in rows.colnames:
        return []
    against = rows["flags"].astype(int) & ~NOTICE_FLAGS
    lines = [f"{(against != 0).sum()} of {len(rows)} rows are flagged"]
    for row in decode_flags(against, return_table=True):
        lines.append(f"  {row['count']:6d} {row['name']}: {row['meaning']}")
    return lines
