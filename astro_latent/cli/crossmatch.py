# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Match a table of results with a catalogue by position."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .common import EXIT_OK, add_output, parse_catalogue, tell
from .output import check_output, write_result
from .show import show_table

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument("table", type=Path, metavar="TABLE", help="file with results")
    parser.add_argument(
        "other",
        type=parse_catalogue,
        metavar="OTHER",
        help="a file; vizier:I/355/gaiadr3, vizier:simbad; tap:URL#SCHEMA.TABLE; "
        "hats:PATH",
    )
    parser.add_argument(
        "--radius",
        type=float,
        default=1.0,
        metavar="ARCSEC",
        help="largest separation (default: %(default)s)",
    )
    parser.add_argument(
        "--find",
        choices=("best", "all", "symmetric"),
        default="best",
        help="the nearest row of OTHER, all of them, or each row once at most",
    )
    parser.add_argument(
        "--join",
        choices=("inner", "left"),
        default="inner",
        help="rows with a match, or all rows of TABLE",
    )
    parser.add_argument(
        "--ra", metavar="NAME", help="column of OTHER with the right ascension"
    )
    parser.add_argument(
        "--dec", metavar="NAME", help="column of OTHER with the declination"
    )
    parser.add_argument(
        "--epoch",
        type=float,
        metavar="YEAR",
        help="Julian year to move stars to (default: the time of each observation)",
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Match, write or print the pairs, and sum them up."""
    from astropy import units as u

    from ..matching import TapTable, crossmatch
    from ..tables import read_table

    check_output(options)
    columns = _named_columns(options)
    other = options.other
    if columns and isinstance(other, TapTable):
        other, columns = replace(other, ra=columns[0], dec=columns[1]), None
    table = read_table(options.table)
    matched = crossmatch(
        table,
        other,
        radius=options.radius * u.arcsec,
        find=options.find,
        join=options.join,
        other_columns=columns,
        epoch=options.epoch,
    )
    if options.output:
        write_result(matched, options)
    else:
        show_table(matched[_shown(matched)])
    found = matched[matched["n_match"] > 0]
    ambiguous = int((found["n_match"] > 1).sum())
    where = f" -> {options.output}" if options.output else ""
    counts = f"{len(table)} rows, {len(found)} matches, {ambiguous} of them ambiguous"
    tell(options, counts + where)
    return EXIT_OK


def _named_columns(options: argparse.Namespace) -> tuple[str, str] | None:
    """Return the columns that were named; both or none of them must be."""
    named = [name for name in (options.ra, options.dec) if name]
    if len(named) == 1:
        msg = "--ra and --dec name the two columns of a position: give both"
        raise ValueError(msg)
    return (named[0], named[1]) if named else None


def _shown(table: "Table") -> list[str]:
    """Names of what fits on a screen: identifiers, position, and the match."""
    from ..tables.fields import ucd_of

    ucds = {name: ucd_of(table[name]) for name in table.colnames}
    kinds = ("meta.id", "pos.eq", "pos.angDistance")
    shown = [name for name, ucd in ucds.items() if ucd.startswith(kinds)]
    return [*shown, *(name for name in table.colnames if name.startswith("n_match"))]
