# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of mutual information: which latent follows which label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import SEQUENTIAL, VERMILLION, new_axes, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..latent import MutualInformation

__all__ = ["plot_indicator", "plot_mutual_information"]

#: Up to so many latents, values are written into the map.
_WRITTEN = 16


def plot_mutual_information(
    result: "MutualInformation",
    *,
    ax: "Axes | None" = None,
    nodes: Sequence[int] | None = None,
    n_bins: int | None = None,
    level: float = 0.01,
) -> "Axes":
    """Draw the map of latents and labels, with what is significant.

    Parameters
    ----------
    result : MutualInformation
        From `~astro_latent.latent.measure_mutual_information`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.
    nodes : sequence of int, optional
        Latents to show, such as the informative ones; by default all.
    n_bins : int, optional
        Show the corrected histogram estimate with so many bins, one of those measured;
        by default the estimate by nearest neighbours if it was made, else 20 bins or
        the nearest to it.
    level : float, optional
        Pairs that are significant at this false discovery rate in all binnings get a
        dot. Without permutations there are none.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Labels down, latents across; values are written in if there are few.

    Raises
    ------
    ValueError
        If a latent or binning was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import measure_mutual_information
    >>> from astro_latent.plotting import plot_mutual_information
    >>> latents = np.random.default_rng(0).normal(size=(200, 3))
    >>> result = measure_mutual_information(latents, {"teff": latents[:, 1]})
    >>> plot_mutual_information(result).get_xlabel()
    'Node'
    """
    values, text = _map_values(result, n_bins)
    columns = _columns(result, nodes)
    values = values[:, columns]
    n_labels, n_nodes = values.shape
    ax = new_axes(
        ax, width=min(11.0, 3.0 + 0.55 * n_nodes), height=1.6 + 0.42 * n_labels
    )
    top = np.nanmax(values) if np.isfinite(values).any() else 1.0
    image = ax.imshow(values, aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=top or 1.0)
    ax.figure.colorbar(image, ax=ax, label=text, pad=0.02)
    if n_nodes <= _WRITTEN:
        _write_values(ax, values, top)
    if result.n_permutations:
        row, column = np.nonzero(result.significant(level=level)[:, columns])
        offset = 0.36 if n_nodes <= _WRITTEN else 0.0
        ax.scatter(column + offset, row - offset * 0.8, s=16, color=VERMILLION)
        ax.set_title(
            f"dots: false discovery rate below {level:g} in every binning",
            fontsize="small",
        )
    ax.set_yticks(range(n_labels), [symbol(name) for name in result.labels])
    _node_ticks(ax, result.nodes[columns])
    return ax


def plot_indicator(
    result: "MutualInformation",
    label: str,
    *,
    ax: "Axes | None" = None,
    nodes: Sequence[int] | None = None,
) -> "Axes":
    """Draw the published map of one label: binnings down, latents across.

    Parameters
    ----------
    result : MutualInformation
        From `~astro_latent.latent.measure_mutual_information`.
    label : str
        Name of the label.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.
    nodes : sequence of int, optional
        Latents to show; by default all.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Each row is divided by its largest value, as in Sedaghat et al. (2021).

    Raises
    ------
    ValueError
        If there is no such label or latent.
    """
    owner = result.owner(label)
    columns = _columns(result, nodes)
    values = result.indicator[result.labels.index(label)][:, columns]
    ax = new_axes(ax, width=8.0, height=2.6)
    image = ax.imshow(values, aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="MI / largest", pad=0.02)
    ax.set_yticks(range(len(result.binnings)), [str(n) for n in result.binnings])
    ax.set_ylabel("Bins")
    _node_ticks(ax, result.nodes[columns])
    first = "no node first at every binning" if owner is None else f"node {owner} first"
    ax.set_title(f"{symbol(label)}: {first}", fontsize="medium")
    return ax


def _write_values(ax: "Axes", values: np.ndarray, top: float) -> None:
    """Write each value into its field, dark on light and light on dark."""
    for (row, column), value in np.ndenumerate(values):
        known = np.isfinite(value)
        ax.text(
            column, row, f"{max(value, 0):.2f}" if known else "n/a", ha="center",
            va="center", fontsize="small",
            color="white" if known and value < 0.6 * top else "black",
        )  # fmt: skip


def _map_values(
    result: "MutualInformation", n_bins: int | None
) -> tuple[np.ndarray, str]:
    """Return the values of the map and what they are."""
    if n_bins is None:
        if result.n_neighbors:
            return result.neighbours, "Mutual information [nat]"
        n_bins = min(result.binnings, key=lambda n: abs(n - 20))
    if n_bins not in result.binnings:
        msg = f"{n_bins} bins were not measured, only {result.binnings}"
        raise ValueError(msg)
    values = result.corrected[:, result.binnings.index(n_bins)]
    return values, f"Corrected MI, {n_bins} bins [nat]"


def _columns(result: "MutualInformation", nodes: Sequence[int] | None) -> np.ndarray:
    """Return where the wanted latents are among those measured."""
    if nodes is None:
        return np.arange(len(result.nodes))
    where = {int(node): i for i, node in enumerate(result.nodes)}
    missing = [int(node) for node in nodes if int(node) not in where]
    if missing:
        msg = f"nodes {missing} were not measured"
        raise ValueError(msg)
    return np.array([where[int(node)] for node in nodes], dtype=int)


def _node_ticks(ax: "Axes", nodes: np.ndarray) -> None:
    """Name every latent if there is room, else one in eight."""
    step = 1 if len(nodes) <= 32 else 8
    ticks = range(0, len(nodes), step)
    ax.set_xticks(ticks, [str(nodes[i]) for i in ticks])
    ax.set_xlabel("Node")
