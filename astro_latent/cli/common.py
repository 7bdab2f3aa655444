# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Options and messages that the verbs share."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ArchiveError

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "EXIT_FAILED",
    "EXIT_OK",
    "EXIT_USAGE",
    "add_columns",
    "add_inputs",
    "add_output",
    "add_result_options",
    "add_resume",
    "add_show",
    "add_talk",
    "check_size",
    "complain",
    "parse_catalogue",
    "positive",
    "run_options",
    "table_path",
    "tell",
    "told_to_readers",
    "wants_bar",
]

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

#: Kinds of tables that can be written.
ENDINGS = (".vot", ".xml", ".fits", ".ecsv", ".csv", ".parquet")
FORMATS = ("votable", "fits", "ecsv", "csv", "parquet")


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"astro-latent: {text}\n")


def tell(options: argparse.Namespace, text: str) -> None:
    """Write a line to standard error, unless ``-q`` was given."""
    if not options.quiet:
        complain(text)


def positive(text: str) -> int:
    """Understand a whole number above zero."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        msg = f"{text!r} must be a whole number above zero"
        raise argparse.ArgumentTypeError(msg)
    return number


def table_path(text: str) -> Path:
    """Refuse an ending that means nothing before hours of work, not after."""
    path = Path(text)
    if text != "-" and path.suffix.lower() not in ENDINGS:
        msg = f"{text!r} must end in one of {', '.join(ENDINGS)}"
        raise argparse.ArgumentTypeError(msg)
    return path


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument that names spectra."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="spectra: files, folders, glob patterns, a table with a column of paths "
        "or of access_url, or '-' for a list on standard input, one name on each line",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of verbs that write a table."""
    parser.add_argument(
        "-o",
        "--output",
        type=table_path,
        metavar="FILE",
        help=f"file to write ({', '.join(ENDINGS)}), or - for standard output; by "
        "default the table is printed",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="of the output (default: from its name)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing output"
    )


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add the option that goes on behind what is done."""
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was stopped; its rows are kept in FILE.parts",
    )


def add_talk(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is said; every verb has them."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="say nothing but errors"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say what goes on, with tracebacks"
    )


def add_columns(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say what the columns of files are."""
    parser.add_argument(
        "--wavelength-unit",
        metavar="UNIT",
        help="unit of the wavelengths, in place of what files say: nm, um, Angstrom, "
        "'log10(Angstrom)', Hz, eV",
    )
    parser.add_argument(
        "--spectrum-columns",
        type=_names,
        metavar="WAVE,FLUX[,ERROR]",
        help="names of the columns of text or tables that are the spectrum",
    )


def told_to_readers(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_columns` makes known, as options of readers."""
    told = {
        "wavelength_unit": options.wavelength_unit,
        "column_mapping": options.spectrum_columns,
    }
    return {name: value for name, value in told.items() if value is not None}


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how results are printed."""
    show = parser.add_mutually_exclusive_group()
    show.add_argument(
        "--columns",
        type=_names,
        metavar="NAME,...",
        help="columns to print (default: name, labels, flags)",
    )
    show.add_argument(
        "--json", action="store_true", help="print one JSON object for each row"
    )


def parse_catalogue(text: str) -> Any:
    """Understand ``tap:URL#TABLE``; all else is understood by the function itself."""
    if not text.startswith("tap:"):
        return text
    from ..matching import TapTable

    url, _, name = text.removeprefix("tap:").rpartition("#")
    if not (url and name):
        msg = f"{text!r} must be tap:URL#SCHEMA.TABLE"
        raise argparse.ArgumentTypeError(msg)
    return TapTable(url=url, table=name)


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of verbs that run a model and make a table."""
    add_inputs(parser)
    parser.add_argument(
        "-m",
        "--model",
        help="name or folder of weights; by default one is found for each spectrum",
    )
    add_output(parser)
    add_resume(parser)
    add_show(parser)
    facts = parser.add_argument_group("what files lack can be stated")
    facts.add_argument("--medium", choices=("air", "vacuum"))
    facts.add_argument("--frame", choices=("observed", "barycentric", "rest"))
    facts.add_argument("--resolving-power", type=float, metavar="R")
    add_columns(facts)
    facts.add_argument(
        "--radial-velocity",
        type=float,
        metavar="KM/S",
        help="barycentric velocity, for models that expect rest wavelengths",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps; by default the best")
    parser.add_argument(
        "--batch-size", type=positive, metavar="N", help="spectra in memory at a time"
    )
    share = "processes that share the spectra, part by part, each with a model"
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help=share)
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if a row cannot be used, notices such as NOISE_ESTIMATED "
        "aside",
    )
    parser.add_argument(
        "--no-progress", action="store_true", help="show no progress bar"
    )


def check_size(found: "Table", options: argparse.Namespace) -> None:
    """Say how many files a query found and how large they are, before any comes.

    Parameters
    ----------
    found : `~astropy.table.Table`
        Rows that the query returned.
    options : argparse.Namespace
        With ``quiet`` and ``yes``.

    Raises
    ------
    ArchiveError
        If they are more than 2 GB, and that was not said to be wanted.
    """
    from ..matching.star import LARGEST, total_size

    size = total_size(found)
    known = f"{size / 1e6:.0f} MB as far as it is stated" if size else "size not stated"
    tell(options, f"{len(found)} spectra found, {known}")
    if size > LARGEST and not options.yes:
        msg = "that is more than 2 GB: --yes fetches it, --row-limit less"
        raise ArchiveError(msg)


def wants_bar(options: argparse.Namespace) -> bool:
    """Whether a progress bar is shown: on a terminal, unless told otherwise."""
    return not (options.no_progress or options.quiet) and sys.stderr.isatty()


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the verbs of the pipeline take, from the options of the command.

    Parameters
    ----------
    options : argparse.Namespace
        With the options that `add_result_options` adds.

    Returns
    -------
    dict
        Keyword arguments of `~astro_latent.predict_parameters`.
    """
    stated = {
        "medium": options.medium,
        "frame": options.frame,
        "resolving_power": options.resolving_power,
    }
    return {
        "model": options.model,
        "radial_velocity": options.radial_velocity,
        "workers": options.workers,
        "facts": told_to_readers(options)
        | {name: value for name, value in stated.items() if value is not None},
        "batch_size": options.batch_size,
        "device": options.device,
        "progress": wants_bar(options),
    }
