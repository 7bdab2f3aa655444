# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of stellar parameters: the Kiel diagram, and predicted against reference."""

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..latent.samples import as_floats
from ..utils.physics import SIGMA_PER_MAD
from .style import (
    BLUE,
    GREY,
    SEQUENTIAL,
    VERMILLION,
    axis_text,
    new_axes,
    new_figure,
    pad_limits,
    symbol,
    unit_of,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["plot_comparison", "plot_kiel"]


def plot_kiel(
    table: Table, *, colour_by: str = "fe_h", ax: "Axes | None" = None
) -> "Axes":
    """Draw surface gravity against effective temperature, hot stars to the left.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With columns ``teff`` (kelvin), ``logg`` (dex) and, if they are there to be
        drawn, ``teff_error``, ``logg_error``, ``usable`` and the column that gives the
        colour.
    colour_by : str, optional
        Column for the colour; grey if the table has none of that name.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Both axes are inverted. Stars that are not usable are crosses; stars with NaN
        cannot be drawn. The title counts all three kinds.

    Raises
    ------
    ValueError
        If ``teff`` or ``logg`` is missing, or no star has both.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.plotting import plot_kiel
    >>> stars = Table({"teff": [5772.0, 4286.0], "logg": [4.44, 1.66]})
    >>> ax = plot_kiel(stars)
    >>> bool(ax.xaxis_inverted()), bool(ax.yaxis_inverted())
    (True, True)
    """
    missing = [name for name in ("teff", "logg") if name not in table.colnames]
    if missing:
        msg = f"the table has no column {missing[0]!r}, only {table.colnames}"
        raise ValueError(msg)
    teff, logg = _values(table["teff"], "K"), _values(table["logg"], "dex")
    known = np.isfinite(teff) & np.isfinite(logg)
    if not known.any():
        msg = f"none of the {len(table)} rows has teff and logg"
        raise ValueError(msg)
    ax = new_axes(ax, width=6.4, height=5.0)
    _draw_errors(ax, table, teff, logg, known)
    usable = np.ones(len(table), dtype=bool)
    if "usable" in table.colnames:
        usable = np.asarray(table["usable"], dtype=bool)
    good, refused = known & usable, known & ~usable
    size = np.clip(6000 / known.sum(), 6, 36)
    style = {"s": size, "lw": 0.3, "edgecolor": "black"}
    if colour_by in table.colnames and good.any():
        values = _values(table[colour_by], unit_of(colour_by))[good]
        points = ax.scatter(teff[good], logg[good], c=values, cmap=SEQUENTIAL, **style)
        ax.figure.colorbar(points, ax=ax, label=axis_text(colour_by), pad=0.02)
    else:
        ax.scatter(teff[good], logg[good], color=BLUE, **style)
    if refused.any():
        ax.scatter(teff[refused], logg[refused], s=size, marker="x", color=VERMILLION)
    ax.set_xlim(*pad_limits(teff[known].min(), teff[known].max())[::-1])
    ax.set_ylim(*pad_limits(logg[known].min(), logg[known].max())[::-1])
    ax.set_xlabel(axis_text("teff"))
    ax.set_ylabel(axis_text("logg"))
    ax.set_title(_count_stars(good, refused, ~known), fontsize="medium")
    return ax


def _count_stars(good: np.ndarray, refused: np.ndarray, unknown: np.ndarray) -> str:
    """Say how many stars are drawn as points, as crosses, and not at all."""
    parts = [f"{good.sum()} stars"]
    if refused.any():
        parts.append(f"{refused.sum()} not usable (crosses)")
    if unknown.any():
        parts.append(f"{unknown.sum()} without parameters")
    return ", ".join(parts)


def _draw_errors(
    ax: "Axes", table: Table, teff: np.ndarray, logg: np.ndarray, known: np.ndarray
) -> None:
    """Draw the error bars of which the table has columns."""
    errors: dict[str, np.ndarray | None] = {
        axis: _values(table[name], unit)[known] if name in table.colnames else None
        for axis, name, unit in (
            ("xerr", "teff_error", "K"),
            ("yerr", "logg_error", "dex"),
        )
    }
    if any(error is not None for error in errors.values()):
        ax.errorbar(
            teff[known], logg[known], xerr=errors["xerr"], yerr=errors["yerr"],
            fmt="none", ecolor=GREY, elinewidth=0.7, alpha=0.6, zorder=1,
        )  # fmt: skip


def plot_comparison(
    reference: np.ndarray,
    predicted: np.ndarray,
    *,
    name: str,
    error: np.ndarray | None = None,
    reference_error: np.ndarray | None = None,
    flagged: np.ndarray | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw predicted against reference values, and their differences.

    Parameters
    ----------
    reference, predicted : array_like or `~astropy.units.Quantity`, shape (n_stars,)
        One label, in its unit.
    name : str
        Name of the label, such as ``"teff"``.
    error, reference_error : array_like, shape (n_stars,), optional
        Standard deviations.
    flagged : ndarray of bool, shape (n_stars,), optional
        True for stars to draw apart and leave out of the statistics.
    figure : `~matplotlib.figure.Figure` or SubFigure, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Values above with the line of equality, differences below with their median;
        the legend counts stars, flagged ones and those that lack a value; the title
        gives the median and the scatter, 1.4826 times the median absolute
        deviation.

    Raises
    ------
    ValueError
        If shapes differ or no unflagged star has both values.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_comparison
    >>> teff = np.linspace(4000, 6000, 20)
    >>> figure = plot_comparison(teff, teff + 25, name="teff")
    >>> figure.axes[0].get_title()
    'median +25, scatter 0 K'
    """
    unit = unit_of(name)
    reference, predicted = _values(reference, unit), _values(predicted, unit)
    if reference.shape != predicted.shape:
        msg = (
            f"{predicted.shape} predicted values for {reference.shape} reference values"
        )
        raise ValueError(msg)
    known = np.isfinite(reference) & np.isfinite(predicted)
    aside = known & (np.zeros(len(known), bool) if flagged is None else flagged)
    good = known & ~aside
    if not good.any():
        msg = f"none of the {len(known)} stars has both values and no flag"
        raise ValueError(msg)
    figure = new_figure(figure, width=5.6, height=6.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    difference = predicted - reference
    given = {"yerr": error, "xerr": reference_error}
    errors = {k: None if e is None else _values(e, unit) for k, e in given.items()}
    for rows, style in (
        (good, {"color": BLUE, "fmt": "o", "label": f"{good.sum()} stars"}),
        (aside, {"color": VERMILLION, "fmt": "x", "label": f"{aside.sum()} flagged"}),
    ):
        if rows.any():
            bars = {k: None if e is None else e[rows] for k, e in errors.items()}
            look = style | {"ms": 4, "elinewidth": 0.6, "alpha": 0.8}
            above.errorbar(reference[rows], predicted[rows], **bars, **look)
            below.errorbar(reference[rows], difference[rows], **bars, **look)
    middle = float(np.median(difference[good]))
    scatter = SIGMA_PER_MAD * float(np.median(np.abs(difference[good] - middle)))
    _finish_comparison(above, below, reference[good], predicted[good], name)
    if not known.all():
        above.errorbar([], [], fmt=" ", label=f"{np.sum(~known)} without values")
        above.legend(loc="upper left", fontsize="small")
    below.axhline(middle, color=BLUE, lw=1.0, ls="--")
    _difference_limits(below, difference[good])
    above.set_title(
        f"median {middle:+.3g}, scatter {scatter:.3g} {unit}".rstrip(),
        fontsize="medium",
    )
    return figure


def _finish_comparison(
    above: "Axes",
    below: "Axes",
    reference: np.ndarray,
    predicted: np.ndarray,
    name: str,
) -> None:
    """Draw the lines of equality; name and limit the axes."""
    limits = pad_limits(
        min(reference.min(), predicted.min()), max(reference.max(), predicted.max())
    )
    above.plot(limits, limits, color="black", lw=0.8, zorder=0)
    above.set_xlim(*limits)
    above.set_ylim(*limits)
    above.set_ylabel(f"{axis_text(name)}, predicted")
    above.legend(loc="upper left", fontsize="small")
    below.axhline(0.0, color="black", lw=0.8, zorder=0)
    below.set_xlabel(f"{axis_text(name)}, reference")
    below.set_ylabel(with_unit(rf"$\Delta$ {symbol(name)}", unit_of(name)))


def _difference_limits(ax: "Axes", difference: np.ndarray) -> None:
    """Show the bulk of the differences; say how many lie beyond."""
    largest = 1.3 * float(np.percentile(np.abs(difference), 98)) or 1.0
    ax.set_ylim(-largest, largest)
    beyond = int(np.sum(np.abs(difference) > largest))
    if beyond:
        ax.text(
            0.99, 0.04, f"{beyond} beyond", transform=ax.transAxes, ha="right",
            fontsize="small", bbox={"color": "white", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def _values(column: np.ndarray | Column | u.Quantity, unit: str) -> np.ndarray:
    """Return a column as float64 in this unit, masked values as NaN."""
    if isinstance(column, u.Quantity):
        column = column.to_value(u.Unit(unit))
    return as_floats(column)
