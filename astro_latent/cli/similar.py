# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra of a table of latents that are most like given ones."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import WeightsError
from .common import EXIT_FAILED, EXIT_OK, add_output, complain, positive, tell
from .output import check_output, write_result
from .show import show_table

if TYPE_CHECKING:
    from astropy.table import Table

    from ..latent import LatentIndex

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument(
        "spectra",
        nargs="+",
        metavar="SPECTRUM",
        help="an obs_id of the table, or a file to encode with the table's model",
    )
    parser.add_argument(
        "--in",
        dest="table",
        type=Path,
        required=True,
        metavar="TABLE",
        help="file that encode has written",
    )
    parser.add_argument(
        "-n",
        type=positive,
        default=10,
        metavar="N",
        help="neighbours of each (default: %(default)s)",
    )
    parser.add_argument(
        "--nodes",
        type=_nodes,
        metavar="LIST",
        help='latents that count, such as 4,5,6, or "all" (default: those of the star)',
    )
    add_output(parser)


def _nodes(text: str) -> str | list[int]:
    if text == "all":
        return text
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        msg = f"{text!r} is neither all nor numbers such as 4,5,6"
        raise argparse.ArgumentTypeError(msg) from None


def run(options: argparse.Namespace) -> int:
    """Find the neighbours, write or print them."""
    from ..latent import LatentIndex
    from ..tables import read_table

    check_output(options)
    table = read_table(options.table)
    if "latent" not in table.colnames:
        msg = f"{options.table} has no column latent; encode writes such tables"
        raise ValueError(msg)
    nodes = options.nodes
    if nodes == "all":
        nodes = range(table["latent"].shape[1])
    index = LatentIndex(table, nodes=nodes)
    found, lost = _search(index, table, options)
    if options.output:
        write_result(found, options)
    elif len(found):
        show_table(found)
    where = f" -> {options.output}" if options.output else ""
    tell(options, f"{len(index)} spectra compared by {len(index.nodes)} latents{where}")
    for name, reason in lost.items():
        complain(f"{name}: {reason}")
    return EXIT_FAILED if lost else EXIT_OK


def _search(
    index: "LatentIndex", table: "Table", options: argparse.Namespace
) -> tuple["Table", dict[str, str]]:
    """Return neighbours of what the table knows or a file holds, and what has none."""
    from astropy.table import Table, vstack

    rows = {str(name): row for row, name in enumerate(table["obs_id"])}
    files = [name for name in options.spectra if name not in rows]
    encoded = _encode(files, table, options) if files else []
    parts, lost = [], {}
    for name in options.spectra:
        if name in index.obs_id:
            parts.append((name, index.query_id(name, n=options.n)))
        elif name in rows:
            lost[name] = _why(table, rows[name])
    for row in encoded:
        name = str(row["obs_id"])
        if not np.isfinite(row["latent"]).all():
            lost[name] = str(row["message"])
        elif name in index.obs_id:  # the table is of this file, too
            parts.append((name, index.query_id(name, n=options.n)))
        else:
            sigma = row["latent_error"]
            parts.append((name, index.query(row["latent"], n=options.n, sigma=sigma)))
    for name, part in parts:
        part.replace_column("query", [name] * len(part))
        for column in ("distance", "distance_sigma"):
            part[column].info.format = ".3g"
    found = vstack([part for _, part in parts]) if parts else Table()
    if len(found) and "target_name" in table.colnames:
        names = dict(zip(table["obs_id"], table["target_name"], strict=True))
        found["target_name"] = [str(names[name]) for name in found["obs_id"]]
    return found, lost


def _why(table: "Table", row: int) -> str:
    """Say why a row of the table has no neighbours."""
    said = str(table["message"][row]) if "message" in table.colnames else ""
    return said or "its latents in the table are NaN"


def _encode(files: list[str], table: "Table", options: argparse.Namespace) -> "Table":
    """Encode files with the model that the table is from."""
    from ..models import load_model
    from ..pipeline import encode_spectra

    name, made_by = table.meta.get("model"), table.meta.get("model_sha256")
    if not name or "models" in table.meta:
        msg = f"{options.table} does not name the one model that its latents are from"
        raise ValueError(msg)
    model = load_model(name)
    if made_by and model.sha256 != made_by:
        msg = (
            f"the latents of {options.table} are from {name} with SHA-256 {made_by}, "
            f"that of {name} here is {model.sha256}: latents of different weights "
            "cannot be compared; encode the table anew"
        )
        raise WeightsError(msg)
    bar = sys.stderr.isatty() and not options.quiet
    return encode_spectra(files, model=model, reconstruct=False, progress=bar)
