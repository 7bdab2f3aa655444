# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How good the bundled models are on every real star at hand.

``python benchmarks/validate.py --data FOLDER --out docs/models/how_good`` asks the
models about the real stars below the folder and writes the tables and the picture of
the page: ``.ecsv`` with a row for each model, star and label (value, total error, least
squares where there is a library, literature, what speaks against the row, how many
spectra, and what it decided before), ``_summary.ecsv``, ``.png`` and, beside them,
``validation_apogee.ecsv``. Models that
learned from surveys were judged on test stars when they were made; these are not looked
at again: their scores are read from the weights.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import _validate_apogee
import _validate_harps
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from astro_latent.models import find_weights, load_model
from astro_latent.models.config import ModelConfig
from astro_latent.spectra import decode_flags
from astro_latent.utils.quality import NOTICE_FLAGS
from recipes.apogee_starnet_abundances_v1.arcturus import judge_arcturus

#: Columns of the table, and how numbers are written.
COLUMNS = {
    "model": "", "star": "", "spectrum": "", "used_for": "", "label": "", "n": "",
    "literature": "%.4f", "value": "%.4f", "error": "%.4f", "scatter": "%.4f",
    "least_squares": "%.4f", "one_step": "%.4f", "domain_score": "%.2f", "flags": "",
}  # fmt: skip
#: Where every star counts but the one that is the zero of the labels.
ZERO = "weights, zero"
PANELS = {
    ("teff",): "T_eff (K)", ("logg",): "log g", ("m_h", "fe_h"): "[M/H] or [Fe/H]",
}  # fmt: skip
#: On whose pixels least squares are fitted.
FITTED = (_validate_harps.MODELS[0], _validate_apogee.NAME)
ABUNDANCES = "apogee_starnet_abundances_v1"


def judge_starnet(stars: Table, data: Path) -> Iterator[dict[str, Any]]:
    """Yield rows of the APOGEE stars, and of Arcturus for the abundances."""
    for row in stars:
        kept = {name: row[name] for name in COLUMNS if name in row.colnames}
        flagged = row["n_refused"] > 0
        yield kept | {
            "model": _validate_apogee.NAME, "spectrum": row["kind"],
            "value": row["model"], "least_squares": row["emulator_fit"],
            "flags": row["flags"] if flagged else "",
        }  # fmt: skip
    model = load_model(ABUNDANCES, device="cpu")
    report = judge_arcturus(model, data / "apogee/atlases/arct.20190830.txt")
    for label, found in report["labels"].items():
        yield {
            "model": ABUNDANCES, "star": "Arcturus", "spectrum": "atlas",
            "used_for": "looked at", "label": label, "n": 1,
            "literature": found.get("published", np.nan), "value": found["value"],
            "error": found["error"],
            "flags": " ".join(decode_flags(report["flags"] & ~NOTICE_FLAGS)),
        }  # fmt: skip


def as_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Lay out rows; what a row does not say is empty."""
    rows = list(rows)
    table = Table()
    for name, digits in COLUMNS.items():
        empty: Any = np.nan if digits else ""
        table[name] = [row.get(name, empty) for row in rows]
        table[name].format = digits or None
    names = dict.fromkeys(table["model"])
    table.meta = {n: ModelConfig.from_folder(find_weights(n)).weights["sha256"]
                  for n in names}  # fmt: skip
    return table


def summarise(table: Table) -> Table:
    """Count what models say of stars with known labels that are not flagged.

    A label that is known of a single star is left to the table of stars.
    """
    rows = []
    known = table[np.isfinite(table["literature"]) & (table["used_for"] != ZERO)]
    keys = zip(known["model"], known["label"], strict=True)
    for model, label in dict.fromkeys(keys):
        all_of_it = known[(known["model"] == model) & (known["label"] == label)]
        if len(all_of_it) < 2:
            continue
        mine = all_of_it[all_of_it["flags"] == ""]
        off = np.array(mine["value"] - mine["literature"])
        fitted = np.array(mine["least_squares"] - mine["literature"])
        pull = np.abs(off / mine["error"])
        rows.append(
            (model, label, len(all_of_it), len(mine),
             int(np.sum(mine["used_for"] == "blind")), _rms(off), off.mean(),
             np.abs(off).max(initial=0.0), _rms(fitted),
             int(np.sum(pull < 1)), int(np.sum(pull < 2)))
        )  # fmt: skip
    names = (
        "model", "label", "n", "n_unflagged", "n_blind", "rms", "mean", "largest",
        "rms_least_squares", "within_one", "within_two",
    )  # fmt: skip
    summary = Table(rows=rows, names=names)
    for name in names[5:9]:
        summary[name].format = "%.4f"
    return summary


def _rms(off: np.ndarray) -> float:
    return float(np.sqrt(np.mean(off**2))) if len(off) else np.nan


def draw(table: Table, path: Path) -> None:
    """Draw differences from the literature, star by star."""
    known = table[np.isfinite(table["literature"])]
    models = list(dict.fromkeys(known["model"]))
    stars = list(dict.fromkeys(known["star"]))
    figure, axes = plt.subplots(
        1, len(PANELS), figsize=(11, 0.32 * len(stars) + 1.4), sharey=True,
        layout="constrained",
    )  # fmt: skip
    for axis, (labels, title) in zip(axes, PANELS.items(), strict=True):
        shown = known[np.isin(known["label"], labels)]
        axis.axvline(0.0, color="0.6", lw=0.8)
        for number, model in enumerate(models):
            mine = shown[shown["model"] == model]
            place = np.array([stars.index(star) for star in mine["star"]])
            place = place + 0.22 * (number - (len(models) - 1) / 2)
            off = mine["value"] - mine["literature"]
            colour = f"C{number}"
            good = np.array(mine["flags"] == "")
            for rows, face in ((good, colour), (~good, "white")):
                axis.errorbar(
                    off[rows], place[rows], xerr=mine["error"][rows], fmt="o", ms=4,
                    color=colour, mfc=face, lw=1,
                    label=f"{model}{'' if face == colour else ', flagged'}",
                )  # fmt: skip
        fits = shown[np.isin(shown["model"], FITTED)]
        place = [stars.index(star) for star in fits["star"]]
        axis.plot(fits["least_squares"] - fits["literature"], place, "kx", ms=5,
                  label="least squares")  # fmt: skip
        axis.set(xlabel=f"{title} less literature")
    axes[0].set_yticks(range(len(stars)), stars)
    axes[0].invert_yaxis()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3
    )
    figure.savefig(path, dpi=80)


def main() -> None:
    """Judge, print, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="path without suffix")
    options = parser.parse_args()
    stars = _validate_apogee.judge(options.data)
    table = as_table(
        chain(
            _validate_harps.judge_labels(options.data),
            judge_starnet(stars, options.data),
            _validate_harps.judge_encoders(options.data),
        )
    )
    summary = summarise(table)
    table.pprint_all()
    summary.pprint_all()
    for part, suffix in ((table, ""), (summary, "_summary")):
        path = options.out.with_name(f"{options.out.name}{suffix}.ecsv")
        part.write(path, format="ascii.ecsv", overwrite=True)
    stars.write(
        options.out.with_name("validation_apogee.ecsv"), format="ascii.ecsv",
        overwrite=True,
    )  # fmt: skip
    draw(table, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
