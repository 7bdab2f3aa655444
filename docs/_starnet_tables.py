# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the experiments on StarNet, from the files that the benchmarks wrote."""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from _tables import list_table

__all__ = ["write_starnet_tables"]

MODELS = Path(__file__).parent / "models"
LABELS = {
    "teff": "T_eff (K)",
    "logg": "log g",
    "fe_h": "[Fe/H]",
    "alpha_fe": "[alpha/Fe]",
}
DIGITS = {"teff": 1, "logg": 4, "fe_h": 4, "alpha_fe": 4}


def _pick(table: Table, **wanted: object) -> Table:
    keep = np.ones(len(table), dtype=bool)
    for name, value in wanted.items():
        keep &= np.asarray(table[name]) == value
    return table[keep]


def _spread(values: np.ndarray, digits: int) -> str:
    """Mean over the seeds, and their standard deviation."""
    text = f"{np.mean(values):.{digits}f}"
    return f"{text} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else text


def architecture_ranks(table: Table, conditions: str) -> list[str]:
    """Names of the networks, the best first.

    By the scatter of the four labels, each relative to the mean of all networks.
    """
    chosen = _pick(table, test=conditions)
    score = {}
    for network in dict.fromkeys(chosen["network"]):
        mine = _pick(chosen, network=network)
        score[network] = np.mean(
            [
                np.mean(_pick(mine, label=label)["scatter"])
                / np.mean(_pick(chosen, label=label)["scatter"])
                for label in LABELS
            ]
        )
    return sorted(score, key=score.get)


def _architectures(conditions: str) -> str:
    table = Table.read(MODELS / "architectures.ecsv")
    chosen = _pick(table, test=conditions)
    rows = []
    for place, network in enumerate(architecture_ranks(table, conditions), start=1):
        mine = _pick(chosen, network=network)
        four = np.isin(mine["label"], list(LABELS))
        r2 = [
            np.mean(mine["r2"][four & (mine["seed"] == s)]) for s in set(mine["seed"])
        ]
        cells = [place, network, f"{mine['parameters'][0]:,}", len(r2), _spread(r2, 4)]
        for label in LABELS:
            part, digits = _pick(mine, label=label), DIGITS[label]
            cells.append(
                f"{np.mean(part['bias']):+.{digits}f} / "
                + _spread(part["scatter"], digits)
            )
        seconds = [
            np.mean(_pick(mine, seed=s)["training_seconds"]) for s in set(mine["seed"])
        ]
        cells += [
            _spread(seconds, 0),
            f"{1e3 * np.mean(mine['seconds_per_spectrum']):.2f}",
        ]
        rows.append(cells)
    header = (
        "Rank", "Network", "Parameters", "Seeds", "r²",
        *(f"{name}: median / scatter" for name in LABELS.values()),
        "Training (CPU s)", "ms per spectrum",
    )  # fmt: skip
    return list_table(header, rows)


def _methods(snr: float, stars: str) -> str:
    table = Table.read(MODELS / "methods.ecsv")
    chosen = _pick(table, snr=snr, stars=stars)
    rows = []
    for method in dict.fromkeys(chosen["method"]):
        mine = _pick(chosen, method=method)
        cells = [method]
        for label, digits in DIGITS.items():
            part = _pick(mine, label=label)[0]
            cells.append(
                f"{part['bias']:+.{digits}f} / {part['scatter']:.{digits}f}"
                f" ({part['median_error']:.{digits}f})"
            )
        rows.append([*cells, f"{1e3 * mine['seconds_per_spectrum'][0]:.1f}"])
    header = (
        "Method",
        *(f"{name}: bias / scatter (own error)" for name in LABELS.values()),
        "ms per spectrum",
    )
    return list_table(header, rows)


def _saliency(path: Path) -> str:
    table = Table.read(path)
    known = bool(np.isfinite(table["best"]).any())
    rows = []
    for row in table:
        cells = [
            f"``{row['label']}``", f"{row['coverage']:.4f}",
            f"**{row['share']:.4f}** ± {row['share_std']:.4f}",
            f"{row['share'] / row['coverage']:.2f}",
            f"{row['shifted_99']:.4f}", f"{row['p_value']:.3f}",
            f"{row['other_labels']:.4f}", f"{row['rank']} of {row['n_labels']}",
            f"{row['mixtures_99']:.4f}", f"{row['untrained']:.4f}",
        ]  # fmt: skip
        best = [f"{row['best']:.4f}", f"{row['correlation_best']:.2f}"]
        rows.append(cells + best * known)
    header = [
        "Label", "Pixels in windows", "Share of the gradient", "Ratio",
        "Windows moved: 99 %", "p", "Other labels", "Rank", "Random labels: 99 %",
        "Random weights",
    ]  # fmt: skip
    more = ["Best linear estimator", "Correlation with it"]
    return list_table(header + more * known, rows)


def _integrated(path: Path) -> str:
    rows = [
        (
            f"``{row['label']}``", f"{row['share']:.3f}", f"{row['integrated']:.3f}",
            f"{row['gradient_x_depth']:.3f}", f"{row['untrained_x_depth']:.3f}",
            f"{row['correlation_integrated']:.2f}",
        )
        for row in Table.read(path)
    ]  # fmt: skip
    header = (
        "Label", "Gradient", "Integrated gradient", "Gradient x depth",
        "Random weights x depth", "Correlation of the second and third",
    )  # fmt: skip
    return list_table(header, rows)


def write_starnet_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    texts = {
        "architectures_100": _architectures("S/N 100"),
        "architectures_drawn": _architectures("S/N 10-300"),
    }
    for snr in (100, 20):
        for stars in ("giants", "dwarfs"):
            texts[f"methods_{snr}_{stars}"] = _methods(snr, stars)
    for path in MODELS.glob("saliency_*.ecsv"):
        texts[path.stem] = _saliency(path)
        texts[path.stem + "_integrated"] = _integrated(path)
    for name, text in texts.items():
        path = folder / f"{name}.inc"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
