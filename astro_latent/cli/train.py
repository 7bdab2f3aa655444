# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train a model on spectra and labels of your own.

TABLE may be a .toml file, too, with a section for each of several surveys.
"""

import argparse
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import EXIT_OK, complain, positive, tell
from .pictures import save_picture
from .show import say, show_table
from .survey_file import read_surveys

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "add_arguments",
    "add_settings",
    "add_source",
    "add_split",
    "draw_comparisons",
    "run",
    "setting",
    "show_scores",
    "source_options",
]


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where spectra and labels are."""
    parser.add_argument(
        "spectra",
        metavar="TABLE",
        help="table with a column of paths, or of identifiers in the names of files in "
        "--folder; .npz file with wavelength, flux and error; folder of spectra",
    )
    parser.add_argument(
        "--folder", type=Path, help="what paths in the table begin at, or its files"
    )
    parser.add_argument(
        "--table", type=Path, help="where the labels are, if not in TABLE"
    )
    facts = parser.add_argument_group("what files lack can be stated")
    facts.add_argument("--medium", choices=("air", "vacuum"))
    facts.add_argument("--frame", choices=("observed", "barycentric", "rest"))
    facts.add_argument("--resolving-power", type=float, metavar="R")
    facts.add_argument("--survey")
    facts.add_argument(
        "--radial-velocity", type=_velocity, metavar="COLUMN",
        help="velocities in km/s (a column z is a redshift), or one number for all; "
        "the grid is then at rest",
    )  # fmt: skip


def source_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `train_model` and `evaluate_model` take, from `add_source`.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command line.

    Returns
    -------
    dict
        Keyword arguments.
    """
    from ..training.listing import read_listing

    names = ("medium", "frame", "resolving_power", "survey")
    facts = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    return {
        "spectra": options.spectra,
        "table": None if options.table is None else read_listing(options.table),
        "folder": options.folder,
        "facts": facts,
        "radial_velocity": options.radial_velocity,
    }


def _read_settings(path: Path | None) -> dict[str, Any]:
    """Read what a search found; nothing without a file."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is no JSON: {error}"
        raise ValueError(msg) from None
    if not isinstance(found, dict):
        msg = f"{path} holds no settings of a search, but {found!r:.60}"
        raise ValueError(msg)
    return found


def _velocity(text: str) -> float | str:
    """Understand a number, or the name of a column."""
    try:
        return float(text)
    except ValueError:
        return text


def setting(text: str) -> tuple[str, Any]:
    """Understand NAME=VALUE; a value is JSON, or else a word."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        msg = f"{text!r} must be NAME=VALUE"
        raise argparse.ArgumentTypeError(msg)
    try:
        return name.replace("-", "_"), json.loads(value)
    except ValueError:
        return name.replace("-", "_"), value


_SEVERAL = (
    "TABLE may be a .toml file with a section for each of several surveys, which then "
    "share one network: spectra, labels, split, ... as for train_several; --arguments "
    "are those of the trunk."
)
#: Options that are of one survey, and cannot stand beside a file of several.
_OF_ONE = (
    "labels", "architecture", "from_weights", "folder", "table", "medium", "frame",
    "resolving_power", "survey", "radial_velocity", "star", "split", "held_out",
    "validation", "folds", "grid", "recipe", "augment", "about", "settings",
)  # fmt: skip
#: Options that take pairs of a name and a value.
_SETTINGS = {
    "augment": "noise, noise_length, missing, velocity, continuum, resolution",
    "fit": "epochs, batch_size, optimiser=muon, learning_rate, weight_decay, dof, ...",
    "arguments": "of the architecture, such as n_hidden=128, or n_centres=400 for a "
    "Gaussian process beside a network of few stars",
    "about": "for the card: title, licence, citation, version, intended_use, ...",
}


def add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options that take pairs of a name and a value."""
    for name in names:
        parser.add_argument(
            f"--{name}", nargs="+", type=setting, metavar="NAME=VALUE", default=[],
            help=_SETTINGS[name],
        )  # fmt: skip


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which stars teach."""
    parser.add_argument("--star", metavar="COLUMN", help="tells stars apart")
    parser.add_argument(
        "--split", metavar="COLUMN", help="says train, validation or held_out"
    )
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE", help="of stars that never teach"
    )
    parser.add_argument(
        "--validation", type=float, metavar="SHARE", help="that choose the epoch"
    )
    parser.add_argument(
        "--folds", type=positive, metavar="N",
        help="spare no star of a small sample: train N times more, for the errors",
    )  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_source(parser)
    parser.epilog = _SEVERAL
    parser.add_argument(
        "-l", "--labels", nargs="+", metavar="NAME", default=[],
        help="columns to learn; without, an encoder is trained",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER",
        help="folder of weights to write",
    )  # fmt: skip
    parser.add_argument("--architecture", help="by default residual_mlp")
    parser.add_argument("--members", type=positive, help="networks of an ensemble")
    parser.add_argument(
        "--from-weights", metavar="NAME", help="name or folder of weights to begin with"
    )
    parser.add_argument("--grid", help="name of a grid; by default that of the spectra")
    parser.add_argument("--recipe", help="name of a recipe")
    add_split(parser)
    add_settings(parser, *_SETTINGS)
    parser.add_argument(
        "--settings", type=Path, metavar="FILE",
        help="settings.json of a search; other options go before it",
    )  # fmt: skip
    parser.add_argument(
        "--price-per-nat", type=float, metavar="PRICE", default=0.3 / 128,
        help="without labels: residual that one nat in a latent has to save "
        "(default: %(default).4f)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder for checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu, gpu, auto")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing output"
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="draw no predicted against given"
    )


def run(options: argparse.Namespace) -> int:
    """Train, write the folder of weights, draw, and print how well it does."""
    from astropy.table import Table

    from ..training import train_model

    if options.spectra.endswith(".toml"):
        return _run_several(options)
    about = {"survey": options.survey} if options.survey else {}
    settings = _read_settings(options.settings)
    architecture = options.architecture or settings.pop("architecture", None)
    arguments = {**settings.pop("arguments", {}), **dict(options.arguments)}
    model = train_model(
        labels=options.labels, output=options.output,
        architecture=architecture, arguments=arguments,
        members=options.members, from_weights=options.from_weights, grid=options.grid,
        recipe=options.recipe, star=options.star,
        split=options.split, held_out=options.held_out, validation=options.validation,
        folds=options.folds, price_per_nat=options.price_per_nat,
        augment=dict(options.augment) or None, seed=options.seed,
        work=options.work, device=options.device, overwrite=options.overwrite,
        about={**about, **dict(options.about)},
        progress=not options.quiet and sys.stderr.isatty(),
        **source_options(options), **{**settings, **dict(options.fit)},
    )  # fmt: skip
    rows = Table.read(options.output / "held_out.ecsv")
    scores = Table.read(options.output / "held_out_scores.ecsv")
    if not options.no_pictures:
        for path in draw_comparisons(rows, options.labels, options.output):
            tell(options, f"drawn: {path}")
    if not options.quiet:
        complain(f"{model.config.description} -> {options.output}")
        for part in ("begun with", "train", "validation", "held out", "left out"):
            if part in model.config.training:
                complain(f"{part}: {model.config.training[part]}")
        show_scores(scores)
        say(model.config.card["limitations"])
    return EXIT_OK


def _run_several(options: argparse.Namespace) -> int:
    """Train one network on the surveys of a file, and print how well it does."""
    from astropy.table import Table

    from ..training import train_several

    said = [name for name in _OF_ONE if getattr(options, name)]
    if said:
        msg = f"{', '.join(said)}: say it of each survey, in {options.spectra}"
        raise ValueError(msg)
    models = train_several(
        read_surveys(Path(options.spectra)), output=options.output,
        trunk=dict(options.arguments), members=options.members or 1, seed=options.seed,
        work=options.work, device=options.device, overwrite=options.overwrite,
        progress=not options.quiet and sys.stderr.isatty(), **dict(options.fit),
    )  # fmt: skip
    for name, model in models.items():
        tell(options, f"{model.config.description} -> {options.output / name}")
        if not options.quiet:
            scores = Table.read(options.output / name / "held_out_scores.ecsv")
            show_scores(scores)
    return EXIT_OK


def show_scores(scores: "Table") -> None:
    """Print the scores of all stars, one line for each label or latent."""
    every = scores[scores["by"] == "all"] if "by" in scores.colnames else scores.copy()
    every.remove_columns([n for n in ("by", "low", "high") if n in every.colnames])
    for name in ("bias", "scatter", "scatter_error", "nats", "mean", "sigma"):
        if name in every.colnames:
            every[name].info.format = ".4g"
    show_table(every)


def draw_comparisons(rows: "Table", labels: list[str], folder: Path) -> list[Path]:
    """Draw predicted against given labels; nothing if matplotlib is not there.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With ``<label>``, ``<label>_given`` and ``<label>_error``.
    labels : list of str
        What to draw.
    folder : Path
        Where to.

    Returns
    -------
    list of Path
        The files.
    """
    import numpy as np

    from ..plotting import plot_comparison

    if find_spec("matplotlib") is None:
        complain("no pictures: they need matplotlib, pip install 'astro_latent[plot]'")
        return []
    written: list[Path] = []
    for name in labels:
        given, found = (np.asarray(rows[f"{name}{end}"]) for end in ("_given", ""))
        if not np.isfinite(given - found).any():
            continue
        error = np.asarray(rows[f"{name}_error"])
        figure = plot_comparison(given, found, name=name, error=error)
        path = folder / (re.sub(r"[^\w.+-]+", "_", name) + ".png")
        save_picture(figure, path)
        written.append(path)
    return written
