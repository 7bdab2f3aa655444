# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Maps of latents, coloured by what is known of the spectra."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..latent.samples import as_floats
from ..spectra import decode_flags
from .style import BLUE, GREY, SEQUENTIAL, VERMILLION, axis_text, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

__all__ = ["plot_map"]

_TOLD_APART = 9  # colours
_UNKNOWN = "unknown"


def plot_map(
    places: np.ndarray,
    colour: np.ndarray | None = None,
    *,
    name: str = "",
    limits: tuple[float, float] | None = None,
    flagged: np.ndarray | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a map of latents, coloured by a label, a survey or a flag.

    Parameters
    ----------
    places : ndarray, shape (n_spectra, 2)
        From `~astro_latent.latent.map_latents`.
    colour : ndarray or Column, shape (n_spectra,), optional
        Numbers, shown by a colour bar, or texts and truth values, by a legend, of
        which the nine that occur most are told apart. Places without a value are grey.
    name : str, optional
        What they are, such as ``"teff"``; quality bits called ``"flags"`` are shown by
        their names.
    limits : tuple of float, optional
        Ends of the colours; by default the 2nd and 98th percentile.
    flagged : ndarray of bool, shape (n_spectra,), optional
        True for spectra to draw as crosses, such as ``~table["usable"]``.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Without numbers on its axes, which mean nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_map
    >>> places = np.random.default_rng(0).normal(size=(50, 2))
    >>> ax = plot_map(places, places[:, 0] > 0, name="survey")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['False', 'True']
    """
    ax = new_axes(ax, width=6.0, height=5.0)
    x, y = places.T
    known = np.isfinite(places).all(axis=1)
    aside = known & (np.zeros(len(known), bool) if flagged is None else flagged)
    size = float(np.clip(8000 / max(len(known), 1), 3, 30))
    if aside.any():
        ax.scatter(
            x[aside], y[aside], s=2 * size, lw=0.8, marker="x", color=VERMILLION,
            label=f"{aside.sum()} flagged",
        )  # fmt: skip
    good = np.flatnonzero(known & ~aside)
    if colour is None:
        _scatter(ax, places[good], size, color=BLUE)
    elif np.asarray(colour).dtype.kind in "fiu" and name != "flags":
        _draw_numbers(ax, places[good], as_floats(colour)[good], size, name, limits)
    else:
        _draw_kinds(ax, places[good], _kinds(colour, name)[good], size)
        ax.legend(title=axis_text(name) if name else None, fontsize="small")
    if aside.any() and not ax.get_legend():
        ax.legend(fontsize="small")
    ax.set(xticks=[], yticks=[])
    return ax


def _scatter(
    ax: "Axes", places: np.ndarray, size: float, **options: Any
) -> "PathCollection":
    x, y = places.T
    return ax.scatter(x, y, s=size, lw=0, alpha=0.8, rasterized=True, **options)


def _draw_numbers(
    ax: "Axes",
    places: np.ndarray,
    values: np.ndarray,
    size: float,
    name: str,
    limits: tuple[float, float] | None,
) -> None:
    """Colour places by numbers, those without one grey, with a bar."""
    finite = np.isfinite(values)
    if not finite.all():
        _scatter(ax, places[~finite], size, color=GREY)
    if limits is None:
        ends = np.percentile(values[finite], (2, 98)) if finite.any() else (0, 1)
        limits = (float(ends[0]), float(ends[1]))
    shown = _scatter(
        ax, places[finite], size, c=values[finite], cmap=SEQUENTIAL, vmin=limits[0],
        vmax=limits[1],
    )  # fmt: skip
    text = axis_text(name) if name else ""
    ax.figure.colorbar(shown, ax=ax, label=text, extend="both")


def _draw_kinds(ax: "Axes", places: np.ndarray, kinds: np.ndarray, size: float) -> None:
    """Colour places by what they are called: the commonest, and grey for the rest."""
    known, count = np.unique(kinds, return_counts=True)
    named = known[np.argsort(-count, kind="stable")]
    rare = [kind for kind in named if kind != _UNKNOWN][_TOLD_APART:]
    kinds = np.where(np.isin(kinds, rare), "other", kinds)
    rest = [kind for kind in ("other", _UNKNOWN) if kind in kinds]
    for kind in [*sorted({*kinds.tolist()} - {*rest}), *rest]:
        colour = {"color": GREY} if kind in rest else {}
        _scatter(ax, places[kinds == kind], size, label=kind, **colour)


def _kinds(colour: np.ndarray, name: str) -> np.ndarray:
    """Return what each place is called."""
    if name == "flags":
        return np.array(
            [", ".join(decode_flags(int(bits))) or "none" for bits in colour]
        )
    filled = np.ma.filled(np.ma.asarray(colour).astype(object), "")
    return np.array([str(value) or _UNKNOWN for value in filled])
