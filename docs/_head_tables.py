# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page on heads of networks."""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from _experiment_tables import spread
from _tables import label_title, list_table

__all__ = ["write_head_tables"]

HERE = Path(__file__).parent
_DIGITS = {"teff": 1}


def _heads() -> str:
    """Scatter, log score, coverage and cost of each head."""
    table = Table.read(HERE / "experiments/heads.ecsv")
    labels = [name[:-8] for name in table.colnames if name.endswith("_scatter")]
    rows = []
    for head in dict.fromkeys(table["head"]):
        mine = table[table["head"] == head]
        shares = [
            [100 * mine[f"{label}_{kind}_{share}"] for label in labels]
            for kind in ("own", "calibrated")
            for share in (68, 95)
        ]
        rows.append(
            (
                head, f"{mine['parameters'][0]:,}", len(mine),
                spread(mine["log_score"], 2),
                *(
                    spread(mine[f"{label}_scatter"], _DIGITS.get(label, 3))
                    for label in labels
                ),
                *(
                    f"{np.mean(one):.0f}, {np.mean(other):.0f}"
                    for one, other in zip(shares[::2], shares[1::2], strict=True)
                ),
                f"{np.median(mine['train_seconds']):.0f}",
                f"{np.median(mine['microseconds']):.1f}",
            )
        )  # fmt: skip
    header = (
        "Head", "Parameters", "Seeds", "Log score",
        *(f"{label_title(k)}: scatter" for k in labels),
        "Within 68, 95 %: own errors", "Calibrated", "CPU seconds", "µs a draw",
    )  # fmt: skip
    return list_table(header, rows)


def _head_correlations() -> str:
    """Correlations of errors that heads state, and those of the residuals."""
    table = Table.read(HERE / "experiments/heads.ecsv")
    pairs = [name[:-7] for name in table.colnames if name.endswith("_stated")]
    rows = [
        (
            head,
            *(
                f"{spread(mine[f'{pair}_stated'], 2, '+')}; "
                f"{spread(mine[f'{pair}_found'], 2, '+')}"
                for pair in pairs
            ),
        )
        for head in dict.fromkeys(table["head"])
        for mine in [table[table["head"] == head]]
    ]
    titles = [
        pair.replace("teff", "T_eff").replace("logg", "log g")
        .replace("fe_h", "[Fe/H]").replace("a_k", "A(K)")
        for pair in (pair.replace("_", ", ", 1) for pair in pairs)
    ]  # fmt: skip
    header = ("Head", *(f"{title}: stated; found" for title in titles))
    return list_table(header, rows)


def write_head_tables(folder: Path) -> None:
    """Write the tables into a folder."""
    for name, make in (
        ("experiment_heads", _heads),
        ("experiment_head_correlations", _head_correlations),
    ):
        (folder / f"{name}.inc").write_text(make(), encoding="utf-8")
