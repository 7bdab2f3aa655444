# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page on HARPS, from the weights and from what the benchmarks wrote."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from _tables import list_table

from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import find_weights

__all__ = ["write_harps_tables"]

MODELS = Path(__file__).parent / "models"
FAST, PARAMETERS = "harps_dae_fast_v1", "harps_parameters_v2"
PUBLISHED = ("harps_dae128_v1", "harps_dae128_v2")
LABELS = {
    "radial_velocity": "Radial velocity (km/s)", "rv": "Radial velocity (km/s)",
    "berv": "BERV (km/s)",
    "teff": "T_eff (K)", "logg": "log g", "m_h": "[M/H]", "vsini": "v sin i (km/s)",
    "airmass": "Airmass", "pwv": "Water vapour", "snr": "S/N",
}  # fmt: skip
DIGITS = {"rv": 3, "teff": 1, "logg": 4, "m_h": 4, "vsini": 2}


def _config(name: str) -> ModelConfig:
    return ModelConfig.from_folder(find_weights(name))


def _read(kind: str) -> Table:
    return Table.read(MODELS / f"{kind}.ecsv")


def _reconstruction() -> str:
    fast = _config(FAST).evaluation
    noise = fast["mae_noise_alone"]
    rows = [
        ("noise alone", noise),
        (f"``{FAST}``", fast["mae_network"]),
        *((f"``{n}``", _config(n).evaluation["mae_network"]) for n in PUBLISHED),
        ("mean spectrum", fast["mae_mean_spectrum"]),
        *(
            (f"{n} principal components", fast[f"mae_pca_{n}"])
            for n in (6, 20, 48, 128)
            if f"mae_pca_{n}" in fast
        ),
    ]
    return list_table(
        ("Residual", "Mean absolute", "Over noise"),
        [(name, f"{value:.4f}", f"{value / noise:.2f}") for name, value in rows],
    )


def _nodes() -> str:
    rows = []
    for row in _read(f"nodes_{FAST}"):
        known = row["p_value"] < 0.01
        rows.append(
            (
                LABELS[row["label"]],
                row["node"] if known else "none",
                row["first_in_binnings"] if known else "\\",
                f"{row['information']:.2f} (next: {row['runner_up']:.2f})",
                f"{row['p_value']:.4f}",
                f"{row['spearman']:.4f}" if known else "\\",
                f"{row['low']:.4g} to {row['high']:.4g}" if known else "\\",
            )
        )
    return list_table(
        ("Label", "Node", "First in", "Information (nats)", "p", "Spearman", "Range"),
        rows,
    )


def _probes() -> str:
    table = _read(f"probes_{FAST}")
    rows = []
    for label in dict.fromkeys(table["label"]):
        cells: list[Any] = [LABELS[label]]
        for kind in ("ridge", "boosting"):
            mine = table[(table["label"] == label) & (table["kind"] == kind)][0]
            cells += [
                f"{mine['r2']:.3f} ({mine['r2_low']:.3f} to {mine['r2_high']:.3f})",
                f"{mine['mae']:.3g}",
            ]
        rows.append((*cells, f"{mine['mae_constant']:.3g}"))
    header = (
        "Label", "r2, linear", "Error, linear", "r2, trees", "Error, trees",
        "Error, constant",
    )  # fmt: skip
    return list_table(header, rows)


def _parameters() -> str:
    report = _config(PARAMETERS).evaluation
    rows = []
    for title, text in (("snr_100", "100"), ("snr_30", "30"), ("any_snr", "8 to 500")):
        scores, shares = report[title], report[f"coverage_{title}"]
        for k, name in enumerate(DIGITS):
            digits, score = DIGITS[name], scores[name]
            rows.append(
                (
                    text, LABELS[name], f"{score['bias']:+.{digits}f}",
                    f"{score['scatter']:.{digits}f} ± "
                    f"{score['scatter_error']:.{digits}f}",
                    f"{100 * shares['68'][k]:.0f} / {100 * shares['95'][k]:.0f}",
                )
            )  # fmt: skip
    header = ("S/N", "Label", "Bias", "Scatter", "Within 1 / 2 errors (%)")
    return list_table(header, rows)


def _seeds() -> str:
    table = _read(f"seeds_{FAST}")
    pairs = list(dict.fromkeys(zip(table["one"], table["other"], strict=True)))
    groups = (
        ("0, 1: velocities", (0, 1)), ("2: airmass", (2,)), ("3: tellurics", (3,)),
        ("4: T_eff", (4,)), ("5: [M/H]", (5,)), ("6 to 9: star", range(6, 10)),
        ("10 to 15: star", range(10, 16)),
        ("16 to 39: shape, cosines", range(16, 40)),
        ("40 to 47: shape, others", range(40, 48)),
    )  # fmt: skip
    rows = []
    for name, nodes in groups:
        cells = [name]
        for one, other in pairs:
            mine = table[(table["one"] == one) & (table["other"] == other)]
            values = [
                np.abs(mine["spearman"][mine["node"] == node][0]) for node in nodes
            ]
            text = f"{np.median(values):.3f}"
            cells.append(text if len(values) == 1 else f"{text} ({np.min(values):.2f})")
        rows.append(cells)
    return list_table(("Nodes", *(f"{a}, {b}" for a, b in pairs)), rows)


def _simulated() -> str:
    table = _read("simulated_harps")
    rows = [
        (r["star"], r["range"], *(f"{r[n]:.4f}" for n in table.colnames[2:]))
        for r in table
    ]
    header = ("Star", "Wavelength (Å)", "rms", "1.48 MAD", "rms of the lines")
    return list_table(header, rows)


def _interventions() -> str:
    rows = []
    for row in _read("interventions_harps"):
        error = f" ± {row['error']:.4f}" if np.isfinite(row["error"]) else ""
        rows.append(
            (
                f"``{row['model']}``", LABELS[row["label"]], row["way"],
                f"{row['score']:.4f}{error}", f"{row['ignored']:.4f}",
                f"{row['score'] / row['ignored']:.2f}", row["n"],
            )
        )  # fmt: skip
    header = ("Model", "Label", "Moved by", "Score", "Ignored", "Ratio", "n")
    return list_table(header, rows)


def write_harps_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    folder.mkdir(exist_ok=True)
    makers = (
        _reconstruction, _nodes, _probes, _parameters, _seeds, _simulated,
        _interventions,
    )  # fmt: skip
    for make in makers:
        path = folder / f"harps_{make.__name__.lstrip('_')}.inc"
        path.write_text(make(), encoding="utf-8")
