# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of saliency: which wavelengths a prediction depends on."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import (
    BLUE,
    GREY,
    ORANGE,
    break_at_gaps,
    new_figure,
    symbol,
    unit_of,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["plot_saliency"]


def plot_saliency(
    wavelength: np.ndarray,
    jacobian: np.ndarray,
    *,
    labels: Sequence[str],
    windows: Mapping[str, tuple[float, float]] | None = None,
    flux: np.ndarray | None = None,
    lines: Mapping[str, float] | None = None,
    element_windows: Mapping[str, np.ndarray] | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw how labels change with the flux of each pixel.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström.
    jacobian : ndarray, shape (n_labels, n_pixels)
        One spectrum of `SpectralModel.jacobian`: label units per unit of flux.
    labels : sequence of str
        Name of each label.
    windows : mapping of str to tuple of float, optional
        Title and wavelengths of each column; by default everything in one.
    flux : ndarray, shape (n_pixels,), optional
        The spectrum, drawn in a row above.
    lines : mapping of str to float, optional
        Names and wavelengths of lines to mark.
    element_windows : mapping of str to ndarray, shape (n_pixels,), optional
        Pixels to shade in the row of a label: True, or a weight above 0, in the windows
        of the label's element, see `~astro_latent.latent.read_windows`.
    figure : `~matplotlib.figure.Figure` or SubFigure, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.figure.Figure`
        One row per label, one column per window; lines break at detector gaps.

    Raises
    ------
    ValueError
        If shapes disagree, a window holds no pixel, or one is for no label.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_saliency
    >>> wavelength = np.linspace(15200, 15800, 300)
    >>> figure = plot_saliency(
    ...     wavelength, np.sin(wavelength)[None], labels=["teff"],
    ...     windows={"blue": (15200, 15300), "red": (15700, 15800)})
    >>> len(figure.axes)
    2
    """
    wavelength, jacobian = np.asarray(wavelength, float), np.asarray(jacobian, float)
    if jacobian.shape != (len(labels), len(wavelength)):
        msg = (
            f"jacobian has shape {jacobian.shape} for {len(labels)} labels and "
            f"{len(wavelength)} pixels"
        )
        raise ValueError(msg)
    columns = _columns(wavelength, windows)
    shades = _shades(element_windows or {}, labels, len(wavelength))
    rows = [(name, values) for name, values in zip(labels, jacobian, strict=True)]
    if flux is not None:
        rows.insert(0, ("", np.asarray(flux, dtype=float)))
    figure = new_figure(
        figure, width=max(8.0, 1.5 + 2.7 * len(columns)), height=1.0 + 1.5 * len(rows)
    )
    axes = figure.subplots(
        len(rows), len(columns), sharex="col", sharey="row", squeeze=False
    )
    for i, (name, values) in enumerate(rows):
        axes_row = axes[i]
        for ax, inside in zip(axes_row, columns.values(), strict=True):
            _draw(ax, wavelength[inside], values[inside], spectrum=not name)
            _mark(ax, lines or {}, named=i == 0)
            if name in shades:
                _shade(ax, wavelength[inside], shades[name][inside])
        axes_row[0].set_ylabel(_row_text(name), fontsize="small")
    for ax, title in zip(axes[0], columns, strict=True):
        ax.set_title(title, pad=16 if lines else None)
    for ax in axes[-1]:
        ax.locator_params(axis="x", nbins=4 if len(columns) > 1 else 8)
    figure.align_ylabels(axes[:, 0])
    figure.supxlabel("Wavelength [Å]", fontsize="medium")
    return figure


def _columns(
    wavelength: np.ndarray, windows: Mapping[str, tuple[float, float]] | None
) -> dict[str, np.ndarray]:
    """Return the pixels of each window."""
    if windows is None:
        return {"": np.ones(len(wavelength), dtype=bool)}
    columns = {}
    for title, (low, high) in windows.items():
        inside = (wavelength >= low) & (wavelength <= high)
        if not inside.any():
            msg = f"the window {title!r}, {low}-{high} Ångström, holds no pixel"
            raise ValueError(msg)
        columns[title] = inside
    return columns


def _shades(
    element_windows: Mapping[str, np.ndarray], labels: Sequence[str], n_pixels: int
) -> dict[str, np.ndarray]:
    """Return the pixels to shade, by label."""
    shades = {}
    for name, window in element_windows.items():
        shades[name] = np.asarray(window) > 0
        if name not in labels or shades[name].shape != (n_pixels,):
            msg = (
                f"windows for {name!r} of shape {shades[name].shape}; there are "
                f"{n_pixels} pixels and the labels {', '.join(labels)}"
            )
            raise ValueError(msg)
    return shades


def _shade(ax: "Axes", wavelength: np.ndarray, inside: np.ndarray) -> None:
    """Shade runs of pixels, each from half a pixel before to half a pixel after."""
    half = 0.5 * np.median(np.diff(wavelength)) if len(wavelength) > 1 else 0.0
    steps = np.diff(np.concatenate([[0], inside.astype(int), [0]]))
    for first, last in zip(
        np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1, strict=True
    ):
        ax.axvspan(
            wavelength[first] - half, wavelength[last] + half,
            color=ORANGE, alpha=0.25, lw=0, zorder=0,
        )  # fmt: skip


def _draw(
    ax: "Axes", wavelength: np.ndarray, values: np.ndarray, *, spectrum: bool
) -> None:
    if not spectrum:
        ax.axhline(0.0, color=GREY, lw=0.6)
    colour = "black" if spectrum else BLUE
    ax.plot(*break_at_gaps(wavelength, values), color=colour, lw=0.8)
    ax.set_xlim(wavelength[0], wavelength[-1])


def _mark(ax: "Axes", lines: Mapping[str, float], *, named: bool) -> None:
    """Mark the lines that lie within the axes, in the first row with their names."""
    low, high = ax.get_xlim()
    for name, place in lines.items():
        if low <= place <= high:
            ax.axvline(place, color=GREY, lw=0.8, ls=":", zorder=0)
            if named:
                ax.annotate(
                    name, (place, 1.0), xycoords=ax.get_xaxis_transform(),
                    xytext=(0, 2), textcoords="offset points", ha="center",
                    fontsize="x-small",
                )  # fmt: skip


def _row_text(name: str) -> str:
    if not name:
        return "Flux"
    text = rf"$\partial$ {symbol(name)} / $\partial$ flux"
    unit = with_unit("", unit_of(name)).strip()
    return f"{text}\n{unit}".rstrip()
