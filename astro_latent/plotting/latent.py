# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of latents: how far they spread, how they follow a label, what they do."""

from typing import TYPE_CHECKING

import numpy as np

from .style import (
    BLUE,
    GREY,
    VERMILLION,
    axis_text,
    break_at_gaps,
    new_axes,
    new_figure,
    pad_limits,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ..latent import MonotoneRange, NodeDispersion, Traversal

__all__ = ["plot_dispersion", "plot_latent_label", "plot_traversal"]

_STATISTICS = {
    "median": "Median absolute deviation",
    "mean": "Mean absolute deviation",
    "divergence": "Divergence from the prior [nat]",
}


def plot_dispersion(result: "NodeDispersion", *, ax: "Axes | None" = None) -> "Axes":
    """Draw how far each latent spreads, and the threshold.

    Parameters
    ----------
    result : NodeDispersion
        From `~astro_latent.latent.measure_dispersion`.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        One bar per latent on a logarithmic scale; informative ones carry their index.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import measure_dispersion
    >>> from astro_latent.plotting import plot_dispersion
    >>> mean = np.random.default_rng(0).normal(size=(100, 3)) * [1, 0.5, 0.001]
    >>> len(plot_dispersion(measure_dispersion(mean)).patches)
    3
    """
    ax = new_axes(ax, width=8.0, height=3.6)
    nodes, informative = np.arange(len(result.values)), result.informative
    floor = max(float(np.min(result.values)), 1e-5) / 2
    values = np.maximum(result.values, floor)
    ax.bar(nodes, values, color=np.where(informative, BLUE, GREY), width=0.85)
    ax.axhline(result.threshold, color=VERMILLION, lw=1.2, ls="--")
    text = f"{result.count} above {result.threshold:.3g}"
    if np.isfinite(result.count_interval[0]):
        low, high = result.count_interval
        text += f" ({result.confidence:.0%} interval {low:.0f} to {high:.0f})"
    ax.set_title(f"{text}, {result.n_spectra} spectra", fontsize="medium")
    for node in np.flatnonzero(informative):
        ax.annotate(
            str(node), (node, values[node]), ha="center", va="bottom", fontsize="small",
            xytext=(0, 1), textcoords="offset points",
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(floor, 2.0 * max(float(values.max()), result.threshold))
    ax.set_xlim(-1, len(values))
    ax.set_xlabel("Node")
    ax.set_ylabel(_STATISTICS[result.statistic])
    return ax


def plot_latent_label(
    node: np.ndarray,
    label: np.ndarray,
    *,
    name: str,
    index: int | None = None,
    found: "MonotoneRange | None" = None,
    flagged: np.ndarray | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a latent against a label, and where it can be read.

    Parameters
    ----------
    node, label : ndarray, shape (n_spectra,)
        Values.
    name : str
        Name of the label, such as ``"teff"``.
    index : int, optional
        Index of the latent.
    found : MonotoneRange, optional
        From `~astro_latent.latent.find_monotone_range`: medians are drawn, and what
        lies outside the range is shaded.
    flagged : ndarray of bool, shape (n_spectra,), optional
        True for spectra to draw as crosses, such as ``~table["usable"]``.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Label across, latent up. The legend counts spectra without a value.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_latent_label
    >>> x = np.linspace(4000, 6000, 50)
    >>> ax = plot_latent_label((x - 5000) / 500, x, name="teff", index=85)
    >>> ax.get_ylabel()
    'Node 85'
    """
    ax = new_axes(ax, width=6.0)
    node, label = np.asarray(node, dtype=float), np.asarray(label, dtype=float)
    known = np.isfinite(label) & np.isfinite(node)
    aside = known & (np.zeros(len(known), bool) if flagged is None else flagged)
    good = known & ~aside
    size = np.clip(4000 / max(len(node), 1), 2, 25)
    ax.scatter(
        label[good], node[good], s=size, color=GREY, alpha=0.5, lw=0, rasterized=True
    )
    if aside.any():
        ax.scatter(
            label[aside], node[aside], s=4 * size, lw=0.8, color=VERMILLION, marker="x",
            label=f"{aside.sum()} flagged",
        )  # fmt: skip
    if not known.all():
        ax.plot([], [], " ", label=f"{np.sum(~known)} without a value")
    if found is not None:
        _draw_range(ax, found, float(label[known].min()), float(label[known].max()))
    if ax.get_legend_handles_labels()[0]:
        handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
        ax.legend(handles.values(), handles.keys(), loc="best", fontsize="small")
    ax.margins(x=0.02)
    ax.set_xlabel(axis_text(name))
    ax.set_ylabel("Node" if index is None else f"Node {index}")
    return ax


def plot_traversal(
    traversal: "Traversal",
    *,
    window: tuple[float, float] | None = None,
    n_lines: int = 0,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw the spectra decoded along a latent, and their differences from the start.

    Parameters
    ----------
    traversal : Traversal
        From `~astro_latent.latent.traverse_node`.
    window : tuple of float, optional
        Wavelengths to show (pixels, if the traversal has no wavelengths).
    n_lines : int, optional
        Mark so many places that change most within the window.
    figure : `~matplotlib.figure.Figure` or SubFigure, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Spectra above, differences below, the value of the latent as colour.

    Raises
    ------
    ValueError
        If the window holds no pixel.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    place, inside = _place(traversal, window)
    figure = new_figure(figure, width=8.5, height=5.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.4, 1))
    scale = Normalize(traversal.values[0], traversal.values[-1])
    # without the pale yellow end, which is lost on white
    colours = ListedColormap(colormaps["viridis"](np.linspace(0, 0.88, 256)))
    for i, value in enumerate(traversal.values):
        colour = colours(float(scale(value)))
        for ax, flux in ((above, traversal.flux), (below, traversal.difference)):
            ax.plot(*break_at_gaps(place, flux[i, inside]), color=colour, lw=0.9)
    bar = ScalarMappable(scale, colours)
    figure.colorbar(bar, ax=[above, below], label=f"Node {traversal.node}", pad=0.02)
    if n_lines:
        changes = traversal.strongest(n=n_lines, window=window)
        for where in changes["pixel" if traversal.wavelength is None else "wavelength"]:
            below.axvline(where, color=GREY, lw=0.8, ls="--", zorder=0)
    above.set_xlim(place[0], place[-1])
    shown = traversal.flux[:, inside]
    above.set_ylim(*pad_limits(float(shown.min()), float(shown.max())))
    below.axhline(0.0, color="black", lw=0.6)
    above.set_ylabel("Flux / median")
    below.set_ylabel("Change of flux")
    below.set_xlabel("Pixel" if traversal.wavelength is None else "Wavelength [Å]")
    return figure


def _draw_range(ax: "Axes", found: "MonotoneRange", low: float, high: float) -> None:
    """Draw the medians, shade what lies outside the range, say what to beware of."""
    ax.errorbar(
        found.centre, found.median, yerr=found.error, fmt="o", ms=4, color=BLUE, lw=1.2,
        label="median in bins",
    )  # fmt: skip
    lines = ["; ".join(found.messages)] if found.messages else []
    if found.direction:
        lines.insert(0, rf"Spearman $\rho$ = {found.spearman:.3f} in range")
        outside = ((low, found.low), (found.high, high))
        for first, last in ((a, b) for a, b in outside if b > a):
            ax.axvspan(
                first, last, color=VERMILLION, alpha=0.12, lw=0, label="out of range"
            )
    ax.set_title("\n".join(lines), fontsize="small")


def _place(
    traversal: "Traversal", window: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places within the window, and which pixels they are."""
    place = np.arange(traversal.flux.shape[1], dtype=float)
    if traversal.wavelength is not None:
        place = traversal.wavelength
    inside = np.ones(len(place), bool) if traversal.valid is None else traversal.valid
    if window is not None:
        inside = inside & (place >= window[0]) & (place <= window[1])
    if not inside.any():
        msg = f"the traversal has no pixel within {window}"
        raise ValueError(msg)
    return place[inside], inside
