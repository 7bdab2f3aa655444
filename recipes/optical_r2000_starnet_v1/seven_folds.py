# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Each star of MILES by networks that did not see it, in seven folds.

``python -m recipes.optical_r2000_starnet_v1.seven_folds --data FOLDER --work FOLDER``

Folds are ``miles_id % 7``; the third is that of the test stars, which teach the others
here, so this comes after all choices. Errors are of a bootstrap over stars.
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from astro_latent.tables import write_table
from recipes.optical_r2000_starnet_v1.first import learn_first
from recipes.options import Options
from recipes.real.miles import FACTS, LABELS, read_stars
from recipes.real.scores import score_stars
from recipes.real.train import train

__all__ = ["judge_fold", "main", "summarise"]

_NAME = "optical_r2000_starnet_v1"
_FOLDS = 7
_RANGE = (4000.0, 7000.0)  # K


def judge_fold(
    fold: int, stars: dict[str, Any], recipe: dict[str, Any], options: Options
) -> Table:
    """Train without a fold, and ask about its stars.

    Parameters
    ----------
    fold : int
        0 to 6.
    stars : dict
        All spectra and labels.
    recipe : dict
        The content of ``recipe.toml``.
    options : Options
        Where.

    Returns
    -------
    `~astropy.table.Table`
        Labels given and predicted, with errors; kept in the folder of work.
    """
    place = Options(
        data=options.data,
        work=options.work / "seven",
        output=options.work / f"seven_{fold}_v1",
        device=options.device,
    )
    path = place.output / "held_out.ecsv"
    if not path.is_file():
        parts = np.where(stars["miles_id"] % _FOLDS == fold, "held_out", "train")
        how = {k: v for k, v in recipe["train"].items() if k != "folds"}
        train(
            {**stars, "part": parts}, LABELS, {**recipe, "train": how}, place,
            facts=FACTS, star="miles_id", split="part",
            from_weights=learn_first(recipe, options),
        )  # fmt: skip
    found = Table.read(path)
    found["fold"] = fold
    return found


def summarise(found: Table) -> Table:
    """Score all folds together, and each alone.

    Parameters
    ----------
    found : `~astropy.table.Table`
        Of all stars, with a column ``fold``.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``folds``, ``label``, ``n``, ``bias``, ``scatter`` and
        ``scatter_error``, for stars of 4000-7000 K.
    """
    low, high = _RANGE
    teff = np.asarray(found["teff_given"])
    found = found[(teff > low) & (teff < high)]
    rows = []
    for name in ("all", *range(_FOLDS)):
        mine = found if name == "all" else found[found["fold"] == name]
        values, truth = (
            np.stack([np.asarray(mine[f"{n}{end}"], dtype=float) for n in LABELS], 1)
            for end in ("", "_given")
        )
        for label, score in score_stars(values, truth, LABELS).items():
            figures = (score["bias"], score["scatter"], score["scatter_error"])
            rows.append((str(name), label, score["n"], *np.round(figures, 4)))
    names = ("folds", "label", "n", "bias", "scatter", "scatter_error")
    return Table(rows=rows, names=names)


def main(arguments: list[str] | None = None) -> None:
    """Train seven times, write and print the scores.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    parser = argparse.ArgumentParser(prog=f"python -m recipes.{_NAME}.seven_folds")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, help="table of the scores")
    given = parser.parse_args(arguments)
    options = Options(data=given.data, work=given.work, output=given.work)
    text = Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8")
    recipe = tomllib.loads(text)
    stars = read_stars(given.data, **recipe["stars"])
    folds = [judge_fold(fold, stars, recipe, options) for fold in range(_FOLDS)]
    scores = summarise(vstack(folds))
    if given.output is not None:
        write_table(scores, given.output, overwrite=True)
    sys.stdout.write("\n".join(scores.pformat(max_lines=-1)) + "\n")


if __name__ == "__main__":
    main()
