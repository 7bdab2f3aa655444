# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the experiments on real spectra, from what the benchmarks wrote."""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from _tables import label_title, list_table

__all__ = ["spread", "write_experiment_tables"]

HERE = Path(__file__).parent
_DIGITS = {"teff": 1}
_LABELS = ("teff", "logg", "fe_h", "alpha_m")
_SURVEYS = {
    "xp": "BP/RP", "lamost": "LAMOST", "miles": "MILES", "apogee": "APOGEE, emulated",
}  # fmt: skip
#: Where the settings of a network are from.
_SETTINGS = {"defaults": "defaults", "tpe": "TPE", "random": "at random"}


def spread(values: np.ndarray, digits: int, sign: str = "") -> str:
    """Lay out the mean over the seeds, and their standard deviation."""
    text = f"{np.mean(values):{sign}.{digits}f}"
    return f"{text} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else text


def _architectures(name: str) -> str:
    table = Table.read(HERE / "experiments/architectures_real.ecsv")
    table = table[table["set"] == name]
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    for method in dict.fromkeys(table["method"]):
        mine = table[table["method"] == method]
        one = mine[mine["label"] == labels[0]]
        r2 = [np.mean(mine["r2"][mine["seed"] == seed]) for seed in one["seed"]]
        cells = [
            method, f"{one['parameters'][0]:,}", f"{one['n_train'][0]:,}", len(one),
            _passes(one), spread(r2, 3),
        ]  # fmt: skip
        for label in labels:
            part, digits = mine[mine["label"] == label], _DIGITS.get(label, 3)
            middle = f"{np.mean(part['bias']):+.{digits}f}"
            cells.append(f"{middle} / {spread(part['scatter'], digits)}")
        rows.append([*cells, spread(one["seconds"], 0)])
    header = (
        "Method", "Parameters", "Stars", "Seeds", "Best pass", "r²",
        *(f"{label_title(label)}: median / scatter" for label in labels), "CPU seconds",
    )  # fmt: skip
    return list_table(header, rows)


def _passes(table: Table) -> str:
    """Lay out the pass of which the weights are, of each seed, and of how many."""
    if not table["epochs"][0]:
        return "none"
    best = ", ".join(str(value) for value in table["best_epoch"])
    return f"{best} of {table['epochs'][0]}"


def _gaia() -> str:
    return _architectures("gaia_xp")


def _lamost() -> str:
    return _architectures("lamost")


def _seven_folds() -> str:
    table = Table.read(HERE / "experiments/optical_seven_folds.ecsv")
    rows = [
        (
            row["folds"], label_title(row["label"]), row["n"],
            *(
                f"{row[name]:.{_DIGITS.get(row['label'], 3)}f}"
                for name in ("bias", "scatter", "scatter_error")
            ),
        )
        for row in table
    ]  # fmt: skip
    header = ("Folds", "Label", "n", "Bias", "Scatter", "Its error")
    return list_table(header, rows)


def _kernel() -> str:
    table = Table.read(HERE / "experiments/optical_kernel.ecsv")
    rows = [
        (
            row["pixels"], label_title(row["label"]), row["n"],
            *(
                f"{row[name]:.{_DIGITS.get(row['label'], 3)}f}"
                for name in ("bias", "scatter", "scatter_error")
            ),
        )
        for row in table
    ]  # fmt: skip
    header = ("Pixels of the mean", "Label", "n", "Bias", "Scatter", "Its error")
    return list_table(header, rows)


def _few_stars() -> str:
    return _few("few_stars")


def _few_stars_test() -> str:
    return _few("few_stars_test")


def _few(name: str) -> str:
    table = Table.read(HERE / f"experiments/{name}.ecsv")
    labels = [name for name in _LABELS if name in table["label"]]
    rows = []
    for way in dict.fromkeys(table["way"]):
        for size in dict.fromkeys(table["n_train"]):
            mine = table[(table["way"] == way) & (table["n_train"] == size)]
            if len(mine) and (way != "MILES alone" or size == table["n_train"].min()):
                count = "none" if way == "MILES alone" else size
                rows.append([way, count, *_scored(mine, labels)])
    header = (
        "Network", "LAMOST stars", "Draws",
        *(f"{label_title(k)}: bias / scatter / rms; within 68, 95 %" for k in labels),
        "Usable", "CPU seconds",
    )  # fmt: skip
    return list_table(header, rows)


def _scored(table: Table, labels: list[str]) -> list[str | int]:
    """Lay out the scores of some draws."""
    one = table[table["label"] == labels[0]]
    cells: list[str | int] = [len(one)]
    for label in labels:
        own, digits = table[table["label"] == label], _DIGITS.get(label, 3)
        shares = [f"{100 * np.mean(own[f'within_{share}']):.0f}" for share in (68, 95)]
        cells.append(
            f"{np.mean(own['bias']):+.{digits}f} / {spread(own['scatter'], digits)} / "
            f"{np.mean(own['rms']):.{digits}f}; {', '.join(shares)}"
        )
    return [*cells, f"{np.mean(one['usable']):.0%}", f"{np.mean(one['seconds']):.1f}"]


def _small_sets() -> str:
    table = Table.read(HERE / "experiments/small_sets.ecsv")
    labels = [name for name in _LABELS if name in table["label"]]
    rows = []
    for size in np.unique(table["n_train"]):
        for method in dict.fromkeys(table["method"]):
            mine = table[(table["method"] == method) & (table["n_train"] == size)]
            if not len(mine):
                continue
            one = mine[mine["label"] == labels[0]]
            cells = [
                spread(mine["scatter"][mine["label"] == n], _DIGITS.get(n, 3))
                for n in labels
            ]
            rows.append(
                [f"{size:,}", method, len(one), *cells, spread(one["seconds"], 1)]
            )
    header = (
        "Stars", "Method", "Draws", *(f"{label_title(k)}: scatter" for k in labels),
        "CPU seconds",
    )  # fmt: skip
    return list_table(header, rows)


def _several() -> str:
    table = Table.read(HERE / "experiments/several.ecsv")
    rows = []
    for row in table:
        digits = _DIGITS.get(row["label"], 3)
        cells = [
            f"{row[f'{kind}_bias']:+.{digits}f} / {row[kind]:.{digits}f} ± "
            f"{row[f'{kind}_spread']:.{digits}f}"
            for kind in ("alone", "together")
        ]
        ratio = f"{row['ratio']:.2f} ± {row['ratio_error']:.2f}"
        survey = _SURVEYS[row["survey"]]
        rows.append([survey, label_title(row["label"]), row["n"], *cells, ratio])
    header = (
        "Survey", "Label", "Spectra", "Alone: median / scatter",
        "Together: median / scatter", "Together / alone",
    )  # fmt: skip
    return list_table(header, rows)


def _several_pairs() -> str:
    table = Table.read(HERE / "experiments/several_pairs.ecsv")
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    for one, other in dict.fromkeys(zip(table["one"], table["other"], strict=True)):
        pair = table[(table["one"] == one) & (table["other"] == other)]
        for kind in ("given", "alone", "together"):
            mine = pair[pair["kind"] == kind]
            cells = []
            for label in labels:
                part, digits = mine[mine["label"] == label], _DIGITS.get(label, 3)
                if not len(part):
                    cells.append("")
                    continue
                middle = f"{np.mean(part['median']):+.{digits}f}"
                cells.append(f"{middle} / {spread(part['rms'], digits)}")
            names = f"{_SURVEYS[one]} - {_SURVEYS[other]}"
            rows.append([names, mine["n"][0], kind, *cells])
    header = (
        "Pair", "Stars", "Labels", *(f"{label_title(k)}: median / rms" for k in labels),
    )  # fmt: skip
    return list_table(header, rows)


def _several_found() -> str:
    table = Table.read(HERE / "experiments/several_found.ecsv")
    rows = []
    for way in dict.fromkeys(table["by"]):
        mine = table[table["by"] == way]
        cells = (spread(100 * mine[name], 1) for name in ("top_1", "top_5"))
        rows.append([way, mine["n"][0], *cells, spread(mine["median_rank"], 0)])
    return list_table(("By", "Stars", "First, %", "First five, %", "Median rank"), rows)


def _search(name: str) -> str:
    table = Table.read(HERE / "experiments/search.ecsv")
    table = table[table["set"] == name]
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    for epochs in np.unique(table["epochs"]):
        for method in dict.fromkeys(table["method"]):
            mine = table[(table["method"] == method) & (table["epochs"] == epochs)]
            one = mine[mine["label"] == labels[0]]
            cells = [
                spread(mine["scatter"][mine["label"] == n], _DIGITS.get(n, 3))
                for n in labels
            ]
            rows.append(
                [epochs, _SETTINGS[method], f"{one['parameters'][0]:,}", *cells,
                 spread(one["seconds"], 0)]
            )  # fmt: skip
    header = (
        "Passes", "Settings", "Parameters",
        *(f"{label_title(label)}: scatter" for label in labels), "CPU seconds",
    )  # fmt: skip
    return list_table(header, rows)


def _search_gaia() -> str:
    return _search("gaia_xp")


def _search_lamost() -> str:
    return _search("lamost")


def _searched() -> str:
    """Lay out what was searched, and the best trial of each search."""
    trials = Table.read(HERE / "experiments/search_trials.ecsv")
    names = trials.colnames[trials.colnames.index("n_parameters") + 1 :]
    best, header = [], ["Hyper-parameter"]
    for survey in dict.fromkeys(trials["set"]):
        for sampler in dict.fromkeys(trials["sampler"]):
            mine = trials[(trials["set"] == survey) & (trials["sampler"] == sampler)]
            mine = mine[mine["state"] == "complete"]
            best.append(mine[np.argmin(mine["loss"])])
            header.append(f"{survey}, {_SETTINGS[sampler]}")
    rows = [[f"``{n}``", *(_short(trial[n]) for trial in best)] for n in names]
    rows.append(["validation loss", *(f"{trial['loss']:.3f}" for trial in best)])
    return list_table(header, rows)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)


def write_experiment_tables(folder: Path) -> None:
    """Write the tables into a folder."""
    for name, make in (
        ("experiment_gaia", _gaia), ("experiment_lamost", _lamost),
        ("experiment_seven_folds", _seven_folds), ("experiment_kernel", _kernel),
        ("experiment_few_stars", _few_stars),
        ("experiment_few_stars_test", _few_stars_test),
        ("experiment_small_sets", _small_sets),
        ("experiment_several", _several), ("experiment_several_pairs", _several_pairs),
        ("experiment_several_found", _several_found),
        ("experiment_search_gaia", _search_gaia), ("experiment_searched", _searched),
        ("experiment_search_lamost", _search_lamost),
    ):  # fmt: skip
        (folder / f"{name}.inc").write_text(make(), encoding="utf-8")
