# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Curves of the documentation: scores of several seeds against what was varied."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter


def read_scores(folder: Path, ending: str = ".json") -> Table:
    """Rows of all files of scores in a work folder whose names end so."""
    paths = sorted(folder.glob(f"*{ending}"))
    return Table([row for path in paths for row in json.loads(path.read_text())])


def draw_scatter(axis: Axes, table: Table, *, shift: float = 1.0, **style) -> None:
    """Draw the mean scatter of the seeds against the stars that teach, and its spread.

    A shift, by which the numbers of stars are multiplied, keeps bars apart.
    """
    sizes = np.unique(table["n_train"])
    groups = [table["scatter"][table["n_train"] == size] for size in sizes]
    axis.errorbar(
        sizes * shift, [np.mean(group) for group in groups],
        [np.std(group, ddof=1) if len(group) > 1 else 0.0 for group in groups],
        ms=4, lw=1, capsize=2, **style,
    )  # fmt: skip


def write_out(axis: Axis, steps: Sequence[float] = (1, 2, 3, 5, 7)) -> None:
    """Give a logarithmic axis ticks that are written out, not as powers of ten."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
