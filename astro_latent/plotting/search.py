# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of a search for hyper-parameters: its history, and what mattered."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from .style import BLUE, GREY, VERMILLION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_importances", "plot_search"]


def plot_search(trials: Table, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the loss of each trial of a search, and the best so far.

    Parameters
    ----------
    trials : `~astropy.table.Table`
        With columns ``trial``, ``state`` and ``loss``, as in
        `~astro_latent.training.Search`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Trials that were ended early are small and grey; failed ones are counted in the
        title. Losses far above the median are cut off at the upper edge.

    Raises
    ------
    ValueError
        If no trial is complete.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.plotting import plot_search
    >>> trials = Table({"trial": [0, 1], "state": ["complete"] * 2, "loss": [2.0, 1.0]})
    >>> ax = plot_search(trials)
    """
    number, loss = np.asarray(trials["trial"]), np.asarray(trials["loss"], dtype=float)
    state = np.asarray(trials["state"]).astype(str)
    complete = (state == "complete") & np.isfinite(loss)
    pruned = (state == "pruned") & np.isfinite(loss)
    if not complete.any():
        msg = "no trial of the search is complete"
        raise ValueError(msg)
    ax = new_axes(ax, width=6.0, height=4.0)
    low, middle = loss[complete].min(), np.median(loss[complete])
    top = middle + 1.5 * max(middle - low, 1e-3)
    ax.plot(
        number[pruned], np.minimum(loss[pruned], top), ".", color=GREY, ms=4,
        label=f"{pruned.sum()} ended early",
    )  # fmt: skip
    ax.plot(
        number[complete], np.minimum(loss[complete], top), "o", color=BLUE, ms=5,
        label=f"{complete.sum()} complete",
    )  # fmt: skip
    order = np.argsort(number[complete])
    best = np.minimum.accumulate(np.minimum(loss[complete], top)[order])
    ax.step(
        [*number[complete][order], number.max()], [*best, best[-1]],
        where="post", color=VERMILLION, label="best",
    )  # fmt: skip
    ax.set(xlabel="Trial", ylabel="Loss on validation stars [nat]")
    ax.set_title(f"{len(trials)} trials, {np.count_nonzero(state == 'fail')} failed")
    bottom, highest = ax.get_ylim()
    ax.set_ylim(bottom, highest + 0.15 * (highest - bottom))  # room for the legend
    ax.legend(frameon=False, loc="upper center", ncols=3, columnspacing=1.0)
    return ax


def plot_importances(importances: Table, *, ax: "Axes | None" = None) -> "Axes":
    """Draw which hyper-parameters the loss of a search depends on.

    Parameters
    ----------
    importances : `~astropy.table.Table`
        With columns ``name`` and ``importance``, as in
        `~astro_latent.training.Search`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        The most important on top.

    Raises
    ------
    ValueError
        If the table is empty.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.plotting import plot_importances
    >>> ax = plot_importances(Table({"name": ["dropout"], "importance": [1.0]}))
    """
    if not len(importances):
        msg = "no importances: they take five complete trials"
        raise ValueError(msg)
    rows = importances[np.argsort(importances["importance"])]
    ax = new_axes(ax, width=6.0, height=1.0 + 0.25 * len(rows))
    ax.barh([str(name) for name in rows["name"]], rows["importance"], color=BLUE)
    ax.margins(x=0.1)
    ax.set_xlabel("Share of the variance of the loss")
    return ax
