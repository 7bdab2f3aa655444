# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Find spectra in an archive, bring them here, and print their paths."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .common import (
    EXIT_FAILED,
    EXIT_OK,
    add_output,
    check_size,
    complain,
    tell,
    wants_bar,
)
from .output import STDOUT, check_output, write_result
from .show import say

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument("survey", help="name of a survey, see 'astro-latent surveys'")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--object", help="name of the star")
    target.add_argument(
        "--coordinates",
        metavar="'RA DEC'",
        help="position, as '219.9 -60.8' in degrees",
    )
    target.add_argument("--adql", help="a query of your own")
    parser.add_argument(
        "--radius", type=float, default=None, help="search radius in arcsec"
    )
    parser.add_argument("--snr", type=float, help="smallest signal-to-noise ratio")
    parser.add_argument("--row-limit", type=int, help="largest number of spectra")
    parser.add_argument("-d", "--directory", type=Path, help="folder for the files")
    add_output(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the list of an earlier call, if -o FILE is there, and ask "
        "again for what is lost; files that are whole are never fetched again",
    )
    parser.add_argument("--yes", action="store_true", help="fetch more than 2 GB")
    parser.add_argument("--no-progress", action="store_true")


def run(options: argparse.Namespace) -> int:
    """Query, fetch, and print one path on each line: input for the other verbs."""
    listed = _listed(options)
    options.overwrite |= listed is not None
    check_output(options)
    found = _query(options) if listed is None else listed
    check_size(found, options)
    try:
        fetched = _fetch(found, options)
    except KeyboardInterrupt:
        complain(
            "interrupted; what has come is kept, and the same command goes on behind it"
        )
        return EXIT_FAILED
    if options.output:
        write_result(fetched, options)
    return _report(fetched, options)


def _listed(options: argparse.Namespace) -> "Table | None":
    """Read what an earlier call wrote, if it is to be gone on with."""
    from ..tables import read_table

    path = options.output
    if not options.resume or path in (None, STDOUT) or not path.exists():
        return None
    return read_table(path)


def _fetch(found: "Table", options: argparse.Namespace) -> "Table":
    """Fetch; files that are here already keep what was said of how they came."""
    import numpy as np

    from ..surveys import fetch

    fetched = fetch(
        found, options.directory, survey=options.survey, progress=wants_bar(options)
    )
    if {"path", "fetch_status"} <= set(found.colnames):
        same = np.asarray(found["path"]) == np.asarray(fetched["path"])
        new = fetched["fetch_status"]
        status = np.where(same, np.asarray(found["fetch_status"]), np.asarray(new))
        fetched["fetch_status"] = type(new)(
            status, description=new.description, meta=new.meta
        )
    return fetched


def _report(fetched: "Table", options: argparse.Namespace) -> int:
    """Print paths, count what is lost, and say why."""
    paths = [str(path) for path in fetched["path"]]
    if options.output != STDOUT:
        for path in filter(None, paths):
            say(path)
    lost = paths.count("")
    tell(options, f"{len(paths) - lost} of {len(paths)} fetched")
    for row in fetched[[path == "" for path in paths]] if lost else ():
        complain(f"  {row['obs_id']}: {row['message']}")
    return EXIT_FAILED if lost else EXIT_OK


def _query(options: argparse.Namespace) -> "Table":
    """Ask the survey what was asked for on the command line."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    from ..surveys import query_adql, query_object, query_region

    filters = {
        key: value
        for key, value in (("snr", options.snr), ("row_limit", options.row_limit))
        if value is not None
    }
    if options.adql:
        return query_adql(options.adql, survey=options.survey)
    if options.radius is not None:
        filters["radius"] = options.radius * u.arcsec
    if options.object:
        return query_object(options.object, survey=options.survey, **filters)
    position = SkyCoord(options.coordinates, unit="deg")
    filters.setdefault("radius", 5 * u.arcsec)
    return query_region(position, survey=options.survey, **filters)
