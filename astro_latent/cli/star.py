# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From names of stars to a table: find their spectra, fetch, predict, match."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ArchiveError
from .common import (
    add_output,
    add_resume,
    add_show,
    check_size,
    parse_catalogue,
    wants_bar,
)
from .long_run import run_long

if TYPE_CHECKING:
    from ..tables import ResultTable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="of a star, such as 'HD 128620'"
    )
    parser.add_argument("--survey", required=True, help="see 'astro-latent surveys'")
    parser.add_argument(
        "--match",
        type=parse_catalogue,
        metavar="CATALOGUE",
        help="a file; vizier:I/355/gaiadr3, vizier:simbad; tap:URL#SCHEMA.TABLE",
    )
    parser.add_argument(
        "--match-radius",
        type=float,
        default=2.0,
        metavar="ARCSEC",
        help="largest separation (default: %(default)s)",
    )
    parser.add_argument("--radius", type=float, help="search radius in arcsec")
    parser.add_argument("--snr", type=float, help="smallest signal-to-noise ratio")
    parser.add_argument("--row-limit", type=int, help="largest number of spectra")
    parser.add_argument(
        "--latents", action="store_true", help="latents in place of parameters"
    )
    parser.add_argument("-d", "--directory", type=Path, help="folder for the files")
    parser.add_argument("--yes", action="store_true", help="fetch more than 2 GB")
    add_output(parser)
    add_resume(parser)
    add_show(parser)
    parser.add_argument(
        "--strict", action="store_true", help="fail if a row cannot be used"
    )
    parser.add_argument(
        "--no-progress", action="store_true", help="show no progress bar"
    )


def run(options: argparse.Namespace) -> int:
    """Ask, fetch, predict, match, and write or print the table."""
    return run_long(options, lambda parts: ([_predict(options, parts)], []))


def _predict(options: argparse.Namespace, parts: Path | None) -> "ResultTable":
    """Ask an archive, say what it would bring, and do the rest if that is not much."""
    from astropy import units as u

    from ..matching.star import predict_found, query_objects

    filters = {"snr": options.snr, "row_limit": options.row_limit}
    if options.radius is not None:
        filters["radius"] = options.radius * u.arcsec
    given = {name: value for name, value in filters.items() if value is not None}
    found = query_objects(options.names, survey=options.survey, **given)
    if not len(found):
        msg = f"{options.survey} has no spectrum of {', '.join(options.names)}"
        raise ArchiveError(msg)
    check_size(found, options)
    return predict_found(
        found,
        survey=options.survey,
        match=options.match,
        match_radius=options.match_radius * u.arcsec,
        task="encode" if options.latents else "predict",
        directory=options.directory,
        progress=wants_bar(options),
        checkpoint=parts,
    )
