# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the pages on nodes, repeats, missing pixels, gaps and pipelines."""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from _tables import label_title, list_table

__all__ = ["write_latent_tables"]

HERE = Path(__file__).parent / "experiments"


def _read(name: str) -> Table:
    return Table.read(HERE / f"{name}.ecsv")


def _counted(row: Table.Row, name: str) -> str:
    """Lay out a count, its interval, and what chance would count."""
    text = f"{row[name]} ({row[f'{name}_low']:.0f} to {row[f'{name}_high']:.0f})"
    chance = f"{name}_chance"
    if chance in row.colnames and np.isfinite(row[chance]):
        text += f"; {row[chance]:.2f}"
    return text


def _census() -> str:
    names = ("by_dispersion", "by_information", "explained", "unexplained")
    rows = [
        (
            f"``{row['model']}``", row["seed"], row["group"].replace("_", " "),
            row["nodes"], *(_counted(row, name) for name in names),
        )
        for row in _read("census")
    ]  # fmt: skip
    header = (
        "Model", "Seed", "Nodes", "of these", "By dispersion; by chance",
        "By information; by chance", "Explained by a label", "Unexplained",
    )  # fmt: skip
    return list_table(header, rows)


def _nodes() -> str:
    """Nodes of the star and of velocities of the first seed."""
    table = _read("census_nodes")
    group = np.ma.filled(table["group"], "")
    first = table["seed"] == table["seed"][0]
    table = table[first & (group != "") & (group != "shape")]
    rows = [
        (
            row["node"], row["group"].replace("_", " "), f"{row['dispersion']:.3f}",
            label_title(row["label"]), f"{row['share']:.2f}",
            f"{row['share_together']:.2f}",
        )
        for row in table
    ]  # fmt: skip
    header = ("Node", "Of", "Dispersion", "Best label", "Share", "All labels together")
    return list_table(header, rows)


def _found_again() -> str:
    table = _read("found_again")
    rows = []
    for first, fifth in zip(table[::2], table[1::2], strict=True):
        shares = [f"{r['found']:.2f} ± {r['error']:.2f}" for r in (first, fifth)]
        sigma = first["distance_sigma"]
        rows.append(
            (
                first["spectra"], first["space"], first["nodes"], first["n"],
                f"{first['queries']} of {first['stars']}", *shares,
                f"{sigma:.3f}" if np.isfinite(sigma) else "not known",
            )
        )  # fmt: skip
    header = (
        "Spectra", "Compared by", "Numbers", "Among", "Repeated, of stars",
        "First is the same star", "One of five is", "Distance in errors",
    )  # fmt: skip
    return list_table(header, rows)


def _mean(values: np.ndarray, form: str) -> str:
    text = f"{np.mean(values):{form}}"
    if len(values) == 1:
        return text
    return f"{text} ± {np.std(values, ddof=1):{form.lstrip('+')}}"


def _missing(name: str) -> str:
    table = _read("missing")
    table = table[(table["set"] == name) & (table["rows"] == "all")]
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    for key in dict.fromkeys(zip(table["pattern"], table["fraction"], strict=True)):
        mine = table[(table["pattern"] == key[0]) & (table["fraction"] == key[1])]
        one = mine[mine["label"] == labels[0]]
        cells = [key[0], f"{key[1]:.0%}", f"{np.mean(one['flagged']):.0%}"]
        for label in labels:
            own = mine[mine["label"] == label]
            shares = [100 * np.mean(own[f"coverage_{k}"]) for k in (68, 95)]
            form = ".0f" if label == "teff" else ".3f"
            cells.append(
                f"{_mean(own['scatter'], form)}; {shares[0]:.0f}, {shares[1]:.0f}"
            )
        rows.append(cells)
    header = (
        "Missing", "Share", "Flagged",
        *(f"{label_title(k)}: scatter; within 68, 95 %" for k in labels),
    )  # fmt: skip
    return list_table(header, rows)


def _missing_gaia() -> str:
    return _missing("gaia_xp")


def _missing_lamost() -> str:
    return _missing("lamost")


def _gap() -> str:
    table = _read("gap")
    rows = []
    for key in dict.fromkeys(zip(table["compared"], table["remedy"], strict=True)):
        mine = table[(table["compared"] == key[0]) & (table["remedy"] == key[1])]
        rows.append(
            (
                *key, len(mine), mine["n_each"][0], _mean(mine["accuracy"], ".3f"),
                f"{np.max(mine['accuracy_null']):.3f}", _mean(mine["distance"], ".3f"),
                f"{np.max(mine['distance_null']):.3f}",
            )
        )  # fmt: skip
    header = (
        "Compared", "After", "Draws", "Spectra of each", "Accuracy", "95 % of shuffles",
        "Energy distance", "95 % of shuffles",
    )  # fmt: skip
    return list_table(header, rows)


def _gap_apogee() -> str:
    table = _read("gap_apogee")
    rows = []
    for key in dict.fromkeys(zip(table["compared"], table["remedy"], strict=True)):
        mine = table[(table["compared"] == key[0]) & (table["remedy"] == key[1])]
        for n in np.unique(mine["n"]):
            own = mine[mine["n"] == n]
            n_stars = own["n_stars"][0]
            rows.append(
                (
                    *key, f"{n} of {n_stars}", _mean(own["distance"], ".3f"),
                    f"{np.mean(own['distance_swapped']):.3f}",
                    f"{np.mean(own['p_by_star']):.2f} ({2 / 2**n_stars:.2f})",
                    f"{np.mean(own['chosen']):.2f} ± {np.max(own['chosen_error']):.2f}",
                )
            )  # fmt: skip
    header = (
        "Compared", "After", "Spectra, of stars", "Energy distance",
        "Median of swaps", "p, and the least there is", "Rightly chosen",
    )  # fmt: skip
    return list_table(header, rows)


def _gap_apogee_stars() -> str:
    rows = [
        (
            row["star"], f"{row['teff']:.0f}", f"{row['logg']:.2f}",
            f"{row['fe_h']:+.2f}", row["pixels"],
            *(f"{100 * row[name]:.2f}" for name in ("scatter", "noise", "left")),
        )
        for row in _read("gap_apogee_stars")
    ]  # fmt: skip
    header = (
        "Star", "T_eff (K)", "log g", "[Fe/H]", "Pixels", "Residuals (%)", "Noise (%)",
        "Left (%)",
    )  # fmt: skip
    return list_table(header, rows)


def _gap_labels() -> str:
    table = _read("gap_labels")
    rows = []
    for key in dict.fromkeys(zip(table["network"], table["label"], strict=True)):
        mine = table[(table["network"] == key[0]) & (table["label"] == key[1])]
        form = ".0f" if key[1] == "teff" else ".3f"
        rows.append(
            (
                key[0], label_title(key[1]), f"{np.mean(mine['n']):.0f}",
                _mean(mine["bias"], f"+{form}"), _mean(mine["scatter"], form),
            )
        )  # fmt: skip
    return list_table(("Network", "Label", "n", "Bias", "Scatter"), rows)


def _pipelines() -> str:
    table = _read("pipelines")
    rows = []
    keys = ("set", "of", "against", "label")
    for key in dict.fromkeys(zip(*(table[name] for name in keys), strict=True)):
        mine = table
        for name, value in zip(keys, key, strict=True):
            mine = mine[mine[name] == value]
        form = ".0f" if key[-1] == "teff" else ".3f"
        rows.append(
            (
                *key[:-1], label_title(key[-1]), f"{np.mean(mine['n']):.0f}",
                _mean(mine["bias"], f"+{form}"), _mean(mine["scatter"], form),
            )
        )  # fmt: skip
    header = ("Spectra", "Of", "Against", "Label", "n", "Bias", "Scatter")
    return list_table(header, rows)


def write_latent_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    folder.mkdir(exist_ok=True)
    makers = (
        _census, _nodes, _found_again, _missing_gaia, _missing_lamost,
        _gap, _gap_labels, _gap_apogee, _gap_apogee_stars, _pipelines,
    )  # fmt: skip
    for make in makers:
        path = folder / f"latent_{make.__name__.lstrip('_')}.inc"
        path.write_text(make(), encoding="utf-8")
