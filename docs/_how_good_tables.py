# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page "How good on real stars", from what ``validate.py`` wrote."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.table import Row, Table

sys.path.insert(0, str(Path(__file__).parent))

from _tables import list_table

from astro_latent.models.locate import weights_configs

__all__ = ["write_how_good_tables"]

TABLE = Path(__file__).parent / "models/how_good"
DIGITS = {"teff": 0, "vsini": 1, "vmacro": 1}  # of the labels; of others 2
LABELS = {
    "rv": "velocity (km/s)", "teff": "T_eff (K)", "logg": "log g", "m_h": "[M/H]",
    "vsini": "v sin i (km/s)", "fe_h": "[Fe/H]", "alpha_fe": "[alpha/Fe]",
}  # fmt: skip


def _read(suffix: str = "") -> Table:
    return Table.read(TABLE.with_name(f"{TABLE.name}{suffix}.ecsv"))


def _spell(value: float, digits: int, sign: str = "") -> str:
    """Round, without a sign of what becomes zero."""
    return f"{round(value, digits) or 0.0:{sign}.{digits}f}"


def _cell(row: Row) -> str:
    """Spell literature, difference, total error, and that of least squares."""
    digits = DIGITS.get(row["label"], 2)
    error = f" ± {row['error']:.{digits}f}"
    if not np.isfinite(row["literature"]):
        return _spell(row["value"], digits) + error
    off, fitted = (row[c] - row["literature"] for c in ("value", "least_squares"))
    text = f"{row['literature']:.{digits}f}: {_spell(off, digits, '+')}{error}"
    return text + (f" ({_spell(fitted, digits, '+')})" if np.isfinite(fitted) else "")


def _stars(begin: str) -> str:
    """Lay out what networks say whose names begin so, a row for each star."""
    table = _read()
    mine = [str(name).startswith(begin) for name in table["model"]]
    table = table[np.array(mine) & (table["label"] != "residual")]
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    for star in dict.fromkeys(table["star"]):
        of_star = table[table["star"] == star]
        for model in dict.fromkeys(of_star["model"]):
            of_it = {row["label"]: row for row in of_star[of_star["model"] == model]}
            one = next(iter(of_it.values()))
            cells = [_cell(of_it[name]) if name in of_it else "" for name in labels]
            rows.append(
                (star, f"``{model}``", one["spectrum"], one["n"], *cells,
                 f"{one['domain_score']:.2f}", one["flags"] or "none",
                 _blindness(one["used_for"]))
            )  # fmt: skip
    titles = [LABELS.get(name, name) for name in labels]
    header = (
        "Star", "Model", "Spectrum", "Spectra", *titles, "Domain", "Flags", "Blind",
    )  # fmt: skip
    return list_table(header, rows)


def _harps() -> str:
    return _stars("harps_parameters")


def _abundances() -> str:
    """Lay out the labels of the only star whose abundances are known."""
    table = _read()
    mine = [str(name).startswith("apogee_starnet_a") for name in table["model"]]
    rows = [
        (row["label"], *_cell(row).replace(":", " :").split(" :", 1))
        for row in table[np.array(mine) & np.isfinite(table["literature"])]
    ]
    return list_table(("Label", "Literature", "Network less it, total error"), rows)


def _blindness(used_for: str) -> str:
    return "yes" if used_for == "blind" else f"no: {used_for}"


def _summary() -> str:
    rows = []
    for row in _read("_summary"):
        digits = DIGITS.get(row["label"], 2) + row["label"].endswith("_h")
        n = row["n_unflagged"]
        spelled = [f"{row[c]:.{digits}f}" for c in ("rms", "largest")]
        mean, fit = (
            "" if not np.isfinite(row[c]) else f"{row[c]:{sign}.{digits}f}"
            for c, sign in (("mean", "+"), ("rms_least_squares", ""))
        )
        rows.append(
            (f"``{row['model']}``", LABELS.get(row["label"], row["label"]),
             f"{n} of {row['n']}", row["n_blind"],
             *(spelled if n else ("", "")), mean, fit,
             f"{row['within_one']} of {n}", f"{row['within_two']} of {n}")
        )  # fmt: skip
    header = (
        "Model", "Label", "Not flagged", "Blind", "rms", "Largest", "Mean",
        "rms of least squares", "Within one error", "Within two",
    )  # fmt: skip
    return list_table(header, rows)


def _encoders() -> str:
    table = _read()
    rows = [
        (f"``{row['model']}``", row["star"], row["spectrum"], row["n"],
         f"{row['value']:.3f}", f"{row['domain_score']:.2f}", row["flags"] or "none")
        for row in table[table["label"] == "residual"]
    ]  # fmt: skip
    header = ("Model", "Star", "Spectrum", "Spectra", "Residual", "Domain", "Flags")
    return list_table(header, rows)


def _judged() -> Iterator[tuple[str, str, str, dict, list[float]]]:
    """Yield what weights say of all the test stars of their survey."""
    for name, config in weights_configs().items():
        scores = config.evaluation.get("test stars", {})
        inside = config.evaluation.get("coverage test stars", {})
        for stars, labels in scores.items():
            for label, score in labels.items():
                yield name, stars, label, score, inside.get(stars, {}).get(label, [])


def _surveys() -> str:
    rows = []
    for name, stars, label, score, shares in _judged():
        digits = 1 if label == "teff" else 3
        rows.append(
            (f"``{name}``", stars, label, score["n"],
             f"{score['scatter']:.{digits}f} ± {score['scatter_error']:.{digits}f}",
             f"{score['bias']:+.{digits}f}",
             " / ".join(f"{100 * share:.0f}" for share in shares))
        )  # fmt: skip
    header = ("Model", "Stars", "Label", "n", "Scatter", "Bias", "Within 68 / 95 % (%)")
    return list_table(header, rows)


def write_how_good_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    folder.mkdir(exist_ok=True)
    for make in (_summary, _harps, _abundances, _encoders, _surveys):
        path = folder / f"how_good{make.__name__}.inc"
        path.write_text(make(), encoding="utf-8")
